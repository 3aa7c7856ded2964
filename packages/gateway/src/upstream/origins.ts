import { InvalidValueError, isOwnerId } from '@registry/types'

/** Where the packages of names come from: the peers of this network, or a registry by its address. */
export type Origin = 'peers' | URL

/** One rule: names that fit the pattern come from there and from nowhere else. */
export interface OriginRule {
  pattern: string
  origin: Origin
}

/**
 * Reads `@acme/* peers` or `* https://registry.example.org/`: a pattern, in which `*` stands for anything, and where the names
 * that fit it come from.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE
 */
export function parseOriginRule(text: string, field = 'origin'): OriginRule {
  const [pattern = '', where = '', ...more] = text.trim().split(/\s+/)
  if (pattern.length > 0 && pattern.length <= 214 && more.length === 0) {
    if (where === 'peers') return { pattern, origin: 'peers' }
    const url = URL.canParse(where) ? new URL(where) : undefined
    if (url !== undefined && /^https?:$/.test(url.protocol)) return { pattern, origin: url }
  }
  throw new InvalidValueError(field, 'must be a pattern and "peers" or an address, such as "@acme/* peers"')
}

/**
 * The one origin of a name: that of the first rule that fits, else the peers. What names its owner comes from the peers
 * always. Nothing else decides it, least of all what there happens to be: a name never comes from two origins.
 */
export function originOf(rules: readonly OriginRule[], npmName: string): Origin {
  if (isOwnerId(/^@([^/]*)\//.exec(npmName)?.[1] ?? '')) return 'peers'
  return rules.find(({ pattern }) => fits(pattern, npmName))?.origin ?? 'peers'
}

function fits(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return name === first
  if (!name.startsWith(first)) return false
  const last = rest.pop() ?? ''
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
