import { NothingFoundError } from './errors.ts'

/** What a path means; the method decides what is done with it. */
export type Route =
  | {
      kind:
        | 'root'
        | 'ping'
        | 'whoami'
        | 'search'
        | 'login'
        | 'all'
        | 'changes'
        | 'profile'
        | 'tokens'
        | 'keys'
    }
  | { kind: 'document'; name: string }
  | { kind: 'revision'; name: string; revision: string }
  | { kind: 'version'; name: string; version: string }
  | { kind: 'tarball'; name: string; file: string; revision?: string }
  | { kind: 'dist-tags'; name: string; tag?: string }
  | { kind: 'visibility' | 'collaborators'; name: string }
  | { kind: 'login-page' | 'login-done'; id: string }
  | { kind: 'user'; user: string }
  | { kind: 'user-packages'; user: string }
  | { kind: 'token'; token: string }
  | { kind: 'audit'; form: 'bulk' | 'tree' }
  | { kind: 'downloads'; name: string }

/** Reads the path of a request, its query cut off. @throws {NothingFoundError} ERR_NOT_FOUND */
export function parseRoute(path: string): Route {
  const parts = segments(path)
  const [first = '', ...rest] = parts
  if (parts.length === 0) return { kind: 'root' }
  if (first === '-') return specialRoute(rest)
  if (first === '_changes' && rest.length === 0) return { kind: 'changes' }
  if (first === 'downloads' && rest[0] === 'point' && rest.length > 2) {
    const [name, beyond] = leadingName(rest.slice(2))
    if (beyond.length === 0) return { kind: 'downloads', name }
  }
  const [name, [second, third, ...more]] = leadingName(parts)
  if (second === undefined) return { kind: 'document', name }
  if (third === undefined) return { kind: 'version', name, version: second }
  if (second === '-rev' && more.length === 0) return { kind: 'revision', name, revision: third }
  if (second !== '-') throw new NothingFoundError()
  // The address that npm makes up for a scoped package has its scope once more.
  const file = third.startsWith('@') ? `${third}/${more.shift() ?? ''}` : third
  const [mark, revision, ...beyond] = more
  if (mark === undefined) return { kind: 'tarball', name, file }
  if (mark !== '-rev' || revision === undefined || beyond.length > 0) throw new NothingFoundError()
  return { kind: 'tarball', name, file, revision }
}

const WHOLE_PATHS: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['ping', { kind: 'ping' }],
  ['whoami', { kind: 'whoami' }],
  ['all', { kind: 'all' }],
  ['v1/search', { kind: 'search' }],
  ['v1/login', { kind: 'login' }],
  ['npm/v1/keys', { kind: 'keys' }],
  ['npm/v1/user', { kind: 'profile' }],
  ['npm/v1/tokens', { kind: 'tokens' }],
  ['npm/v1/security/advisories/bulk', { kind: 'audit', form: 'bulk' }],
  ['npm/v1/security/audits', { kind: 'audit', form: 'tree' }],
  ['npm/v1/security/audits/quick', { kind: 'audit', form: 'tree' }]
])

const USER = 'org.couchdb.user:'

function specialRoute(parts: readonly string[]): Route {
  const whole = WHOLE_PATHS.get(parts.join('/'))
  if (whole !== undefined) return whole
  const [area, second = '', third = '', ...rest] = parts
  if (area === 'package') {
    const [name, [what, tag, ...more]] = leadingName(parts.slice(1))
    if (what === 'dist-tags' && more.length === 0) {
      return tag === undefined ? { kind: 'dist-tags', name } : { kind: 'dist-tags', name, tag }
    }
    if ((what === 'visibility' || what === 'collaborators') && tag === undefined) return { kind: what, name }
  }
  if (area === 'user' && rest.length === 0) {
    if (third === '' && second.startsWith(USER)) return { kind: 'user', user: second.slice(USER.length) }
    if (second === 'token' && third !== '') return { kind: 'token', token: third }
    if (third === 'package') return { kind: 'user-packages', user: second }
  }
  if (area === 'v1' && second === 'login' && rest[0] !== undefined && rest.length === 1) {
    if (third === 'page') return { kind: 'login-page', id: rest[0] }
    if (third === 'done') return { kind: 'login-done', id: rest[0] }
  }
  if (
    area === 'npm' &&
    second === 'v1' &&
    third === 'tokens' &&
    rest[0] === 'token' &&
    rest[1] !== undefined
  ) {
    return { kind: 'token', token: rest[1] }
  }
  throw new NothingFoundError()
}

/** A scope and a name, or a name; and what comes after it. */
function leadingName(parts: readonly string[]): [name: string, rest: readonly string[]] {
  const [first = '', second] = parts
  if (!first.startsWith('@')) return [first, parts.slice(1)]
  if (second === undefined) throw new NothingFoundError()
  return [`${first}/${second}`, parts.slice(2)]
}

/** A slash of a name may be written as itself or as `%2f`; neither leads anywhere else. */
function segments(path: string): string[] {
  let text: string
  try {
    text = decodeURIComponent(path)
  } catch {
    throw new NothingFoundError()
  }
  const parts = text.split('/').slice(1)
  if (parts.at(-1) === '') parts.pop()
  if (parts.some((part) => part === '' || part === '.' || part === '..')) throw new NothingFoundError()
  return parts
}
