import { InvalidProjectNamesError } from './errors.ts'
import { isOwnerId, type OwnerId, type PackageName, parsePackageName } from './names.ts'

/** Whose package a short name means to one project, whatever it means to the peer. */
export type ProjectNames = ReadonlyMap<PackageName, OwnerId>

const NONE: ProjectNames = new Map()
const PREFIX = '/~/'
/** The head of a request has room for no more. */
const MAX_NAMES = 200

/**
 * Takes a project's names off the path of a request: `/~/kit@<owner ID>,@acme/log@<owner ID>/kit` is `/kit`, in which
 * `kit` is that owner's. So they are in the address of the registry, which a project commits, and reach every peer by it.
 *
 * @throws {InvalidProjectNamesError} ERR_INVALID_PROJECT_NAMES
 */
export function splitProjectNames(path: string): { names: ProjectNames; path: string } {
  if (!path.startsWith(PREFIX)) return { names: NONE, path }
  const end = path.indexOf('/', PREFIX.length)
  const text = path.slice(PREFIX.length, end === -1 ? undefined : end)
  return { names: parseProjectNames(text), path: end === -1 ? '/' : path.slice(end) }
}

/** Reads `kit@<owner ID>,@acme%2flog@<owner ID>`. @throws {InvalidProjectNamesError} ERR_INVALID_PROJECT_NAMES */
export function parseProjectNames(text: string): ProjectNames {
  const names = new Map<PackageName, OwnerId>()
  for (const item of text.split(',')) {
    const [, encoded = '', owner = ''] = /^(.+)@([^@]+)$/.exec(item) ?? []
    const name = readName(encoded)
    if (name === undefined || !isOwnerId(owner)) throw new InvalidProjectNamesError(item)
    if (names.has(name)) throw new InvalidProjectNamesError(item, 'names a package that was named before')
    names.set(name, owner)
    if (names.size > MAX_NAMES) throw new InvalidProjectNamesError(item, `is more than the ${MAX_NAMES}th`)
  }
  return names
}

/** The names as `parseProjectNames` reads them back, in one order whatever order they are given in. */
export function formatProjectNames(names: ProjectNames): string {
  return [...names]
    .map(([name, owner]) => `${name.replace('/', '%2f')}@${owner}`)
    .sort()
    .join(',')
}

function readName(encoded: string): PackageName | undefined {
  try {
    return parsePackageName(decodeURIComponent(encoded))
  } catch {
    return undefined
  }
}
