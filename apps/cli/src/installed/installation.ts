import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RegistryError } from '@registry/types'
import { readBunLock } from './bun-lock.ts'
import { type InstalledPackage, packageOf } from './installed-package.ts'
import { type InstalledFolder, installedFolders } from './node-modules.ts'
import { readNpmLock } from './npm-lock.ts'
import { readPnpmLock } from './pnpm-lock.ts'
import { readYarnLock } from './yarn-lock.ts'

/** What was found in a project. */
export interface Installation {
  /** The lockfile that was read, when there is one. */
  lockfile?: string
  /** The folder of the project, when its packages are there to be looked at. */
  folder?: string
  packages: InstalledPackage[]
}

/** Nothing is installed where it was looked for, and no lockfile is there either. */
export class NoLockfileError extends RegistryError<'ERR_NO_LOCKFILE'> {
  constructor(path: string, cause?: unknown) {
    super('ERR_NO_LOCKFILE', `${JSON.stringify(path)} has neither packages nor a lockfile that can be read`, {
      hint: `Install first, or name a lockfile: ${[...LOCKFILES.keys()].join(', ')}.`,
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

/** What npm keeps of its lockfile beside what it has installed. */
const HIDDEN = 'node_modules/.package-lock.json'

const LOCKFILES: ReadonlyMap<string, (text: string) => InstalledPackage[]> = new Map([
  ['package-lock.json', readNpmLock],
  ['npm-shrinkwrap.json', readNpmLock],
  ['pnpm-lock.yaml', readPnpmLock],
  ['yarn.lock', readYarnLock],
  ['bun.lock', readBunLock]
])

/**
 * Reads what is installed in a folder, with what its lockfile says of it; of a folder where nothing is, the lockfile; or a
 * lockfile by its path.
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
  const hidden = join(path, HIDDEN)
  if (existsSync(hidden)) return { lockfile: hidden, folder: path, packages: await readLockfile(hidden) }
  const lockfile = lockfileIn(path)
  const locked = lockfile === undefined ? [] : await readLockfile(lockfile)
  const installed = await Array.fromAsync(installedFolders(path))
  const found = lockfile === undefined ? {} : { lockfile }
  if (installed.length > 0) return { ...found, folder: path, packages: joined(installed, locked) }
  if (lockfile === undefined) throw new NoLockfileError(path)
  return { lockfile, packages: locked }
}

/** What lies there, with the hash and the address that the lock has for it. */
function joined(
  installed: readonly InstalledFolder[],
  locked: readonly InstalledPackage[]
): InstalledPackage[] {
  const locks = new Map(locked.map((one) => [`${one.name}@${one.version}`, one]))
  return installed.map(({ path, folderName, name, version }) => {
    const lock = locks.get(`${folderName}@${version}`) ?? locks.get(`${name}@${version}`)
    // A folder has the name of another package only where a lock knows of the alias.
    const { integrity, address } = lock ?? {}
    return packageOf({ name: lock?.name ?? folderName, version }, { path, integrity, address })
  })
}

function lockfileIn(folder: string): string | undefined {
  for (const name of LOCKFILES.keys()) {
    if (existsSync(join(folder, name))) return join(folder, name)
  }
  return undefined
}

async function readLockfile(path: string): Promise<InstalledPackage[]> {
  try {
    return (LOCKFILES.get(basename(path)) ?? readNpmLock)(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new NoLockfileError(dirname(path), cause)
  }
}
