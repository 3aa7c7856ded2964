import { InvalidValueError } from './errors.ts'
import { parseList, parseMap, parseText, parseTextMap } from './parse.ts'

/**
 * What npm's clients decide by before they have a tarball, as its `package.json` says it: signed with the release, so that
 * what a peer tells them is complete from its catalogue alone. What would be empty or false is left out.
 */
export interface NpmFields {
  /** sha1 of the tarball, 40 lower-case hexadecimal digits, for clients that know no better; nothing is trusted by it. */
  shasum: string
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  /** Peers that may be missing. */
  optionalPeers?: string[]
  /** Dependencies that the tarball brings with it. */
  bundled?: string[]
  /** Name of a command to its file. */
  bin?: Record<string, string>
  /** Name of a program to the range of its versions. */
  engines?: Record<string, string>
  os?: string[]
  cpu?: string[]
  libc?: string[]
  /** Something runs when it is installed. */
  hasInstallScript?: true
  /** An `npm-shrinkwrap.json` in it decides its dependencies. */
  hasShrinkwrap?: true
}

const MAPS = ['optionalDependencies', 'peerDependencies', 'bin', 'engines'] as const
const LISTS = ['optionalPeers', 'bundled', 'os', 'cpu', 'libc'] as const
const FLAGS = ['hasInstallScript', 'hasShrinkwrap'] as const

/** @throws {InvalidValueError} ERR_INVALID_VALUE, also for a map or list that is empty: it has one form, which is absence */
export function parseNpmFields(value: unknown, field = 'npm'): NpmFields {
  const map = parseMap(value, field)
  const shasum = parseText(map.shasum, `${field}.shasum`, 40)
  if (!/^[0-9a-f]{40}$/.test(shasum)) {
    throw new InvalidValueError(`${field}.shasum`, 'must be 40 lower-case hexadecimal digits')
  }
  const fields: NpmFields = { shasum }
  for (const key of MAPS) {
    if (map[key] === undefined) continue
    const table = parseTextMap(map[key], `${field}.${key}`, 1024, 256, 1024)
    if (Object.keys(table).length === 0) throw emptyError(`${field}.${key}`)
    fields[key] = table
  }
  for (const key of LISTS) {
    if (map[key] === undefined) continue
    fields[key] = parseList(map[key], `${field}.${key}`, 1024, (item, at) => parseText(item, at, 256))
    if (fields[key].length === 0) throw emptyError(`${field}.${key}`)
  }
  for (const key of FLAGS) {
    if (map[key] === undefined) continue
    if (map[key] !== true) throw new InvalidValueError(`${field}.${key}`, 'must be true or absent')
    fields[key] = true
  }
  return fields
}

function emptyError(field: string): InvalidValueError {
  return new InvalidValueError(field, 'must be absent when it is empty')
}
