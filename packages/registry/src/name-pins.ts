import { readFile, stat } from 'node:fs/promises'
import {
  InvalidValueError,
  type OwnerId,
  type PackageName,
  parseMap,
  parseOwnerId,
  parsePackageName
} from '@registry/types'
import { writeDurably } from './durable-file.ts'
import { CorruptNamesError } from './errors.ts'
import { hasCode } from './packing/errors.ts'

const MAX_FILE_BYTES = 64 * 1024 ** 2

/** Whose package a short name means to this peer, once it has been got by that name. */
export interface NamePins {
  ownerOf(name: PackageName): OwnerId | undefined
  /** The first owner stays. Resolves when that is on disk. */
  pin(name: PackageName, owner: OwnerId): Promise<void>
}

/**
 * The decisions in the file at `path`, a JSON object from name to owner; none when there is no file.
 *
 * @throws {CorruptNamesError} ERR_CORRUPT_NAMES
 */
export async function openNamePins(path: string): Promise<NamePins> {
  const owners = await read(path)
  let written = Promise.resolve()
  return {
    ownerOf: (name) => owners.get(name),
    async pin(name, owner) {
      if (owners.has(name)) return
      owners.set(name, owner)
      written = written.catch(() => {}).then(() => write(path, owners))
      await written
    }
  }
}

async function read(path: string): Promise<Map<PackageName, OwnerId>> {
  const owners = new Map<PackageName, OwnerId>()
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) {
      throw new InvalidValueError('names', `must have at most ${MAX_FILE_BYTES} bytes`)
    }
    const document = parseMap(JSON.parse(await readFile(path, 'utf8')), 'names')
    for (const [name, owner] of Object.entries(document)) {
      owners.set(parsePackageName(name), parseOwnerId(owner, `names.${name}`))
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return owners
    throw new CorruptNamesError(path, error)
  }
  return owners
}

async function write(path: string, owners: ReadonlyMap<PackageName, OwnerId>): Promise<void> {
  await writeDurably(
    path,
    (file) => file.writeFile(`${JSON.stringify(Object.fromEntries(owners), null, 2)}\n`),
    0o600
  )
}
