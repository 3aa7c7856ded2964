import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InvalidValueError, parseMap, RegistryError } from '@registry/types'

/** One package as a lockfile of npm has it. */
export interface InstalledPackage {
  /** Where it lies, from the folder of the project. */
  path: string
  name: string
  version: string
  /** The hash that the lock has for its tarball; absent when it has none. */
  integrity?: string
}

/** What was found in a project. */
export interface Installation {
  /** The lockfile that was read. */
  lockfile: string
  /** The folder of the project, when its packages are there to be looked at. */
  folder?: string
  packages: InstalledPackage[]
}

/** No lockfile of npm is where one was looked for. */
export class NoLockfileError extends RegistryError<'ERR_NO_LOCKFILE'> {
  constructor(path: string, cause?: unknown) {
    super('ERR_NO_LOCKFILE', `${JSON.stringify(path)} has no lockfile of npm that can be read`, {
      hint: 'Install with npm first, or name a package-lock.json.',
      details: { path },
      cause
    })
  }
}

/** What lies in a project is not what owners have signed. */
export class NotVerifiedError extends RegistryError<'ERR_NOT_VERIFIED'> {
  constructor(count: number) {
    super(
      'ERR_NOT_VERIFIED',
      `${count} ${count === 1 ? 'package is' : 'packages are'} not what an owner has signed`,
      {
        hint: 'Do not run them before you know why. Installing anew gets them from the registry again.',
        details: { count }
      }
    )
  }
}

const HIDDEN = 'node_modules/.package-lock.json'

/**
 * Reads what npm says is installed in a folder, else what its `package-lock.json` names; or a lockfile by its path.
 *
 * @throws {NoLockfileError} ERR_NO_LOCKFILE
 */
export async function readInstallation(path: string): Promise<Installation> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    (cause: unknown) => {
      throw new NoLockfileError(path, cause)
    }
  )
  if (!isFolder) return { lockfile: path, packages: await readLockfile(path) }
  try {
    const lockfile = join(path, HIDDEN)
    return { lockfile, folder: path, packages: await readLockfile(lockfile) }
  } catch (error) {
    if (!(error instanceof NoLockfileError)) throw error
    const lockfile = join(path, 'package-lock.json')
    return { lockfile, packages: await readLockfile(lockfile) }
  }
}

async function readLockfile(path: string): Promise<InstalledPackage[]> {
  try {
    const { packages } = parseMap(JSON.parse(await readFile(path, 'utf8')), 'lockfile')
    return Object.entries(parseMap(packages, 'packages')).flatMap(([key, value]) => {
      const { version, integrity, name, link, inBundle } = parseMap(value, key)
      // The project itself, its workspaces, and what came inside of another package have no tarball of their own.
      const at = key.lastIndexOf('node_modules/')
      if (at === -1 || link === true || inBundle === true || typeof version !== 'string') return []
      if (key.split('/').includes('..')) throw new InvalidValueError(key, 'leads out of the project')
      const entry: InstalledPackage = {
        path: key,
        name: typeof name === 'string' ? name : key.slice(at + 'node_modules/'.length),
        version
      }
      if (typeof integrity === 'string') entry.integrity = integrity
      return [entry]
    })
  } catch (cause) {
    throw new NoLockfileError(dirname(path), cause)
  }
}
