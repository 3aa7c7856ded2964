import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdtemp, open, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { FetchedPackage } from '@registry/types'
import { FileExistsError } from './errors.ts'

export interface SaveOptions {
  /** Replace another file that has the name. */
  force: boolean
  signal: AbortSignal
}

/**
 * Writes the content of a package to a file that appears complete and verified, or not at all. A file that has this very
 * content already is left as it is.
 *
 * @throws {FileExistsError} ERR_FILE_EXISTS, another file has the name
 */
export async function savePackage(
  fetched: FetchedPackage,
  path: string,
  { force, signal }: SaveOptions
): Promise<void> {
  const existing = await integrityOf(path, signal)
  if (existing === fetched.package.integrity) return
  if (existing !== undefined && !force) throw differs(path)
  const draft = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`)
  try {
    // Opened before anything can break off: a stream that opens the file itself may do so after it was removed.
    const file = await open(draft, 'wx')
    await pipeline(fetched.content({ signal }), file.createWriteStream(), { signal })
    if (force) await rename(draft, path)
    else await giveName(draft, path)
  } catch (error) {
    // A pipeline tells that it was aborted, not why.
    signal.throwIfAborted()
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** Runs `use` with a folder of its own among the system's temporary files, and removes it. */
export async function withTempDir<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A link, unlike a rename, fails when the name is taken; some file systems have none. */
async function giveName(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw differs(path)
    if (!hasCode(error, 'EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK')) throw error
    await rename(draft, path)
  }
}

/** The sha512 of a file as npm writes it; undefined when there is none. A device may be read without an end. */
async function integrityOf(path: string, signal: AbortSignal): Promise<string | undefined> {
  const hash = createHash('sha512')
  try {
    const isFile = (await stat(path)).isFile()
    if (!isFile) throw new FileExistsError(path, 'It is no file: name one that is not there yet with --out.')
    for await (const chunk of createReadStream(path, { signal })) hash.update(chunk)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
  return `sha512-${hash.digest('base64')}`
}

function differs(path: string): FileExistsError {
  return new FileExistsError(
    path,
    'It is another file: choose a name with --out, or replace it with --force.'
  )
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code)
}
