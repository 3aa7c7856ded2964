import {
  isOwnerId,
  type P2PRegistry,
  type Package,
  parseCount,
  parseText,
  type QueryOptions,
  type SearchResult
} from '@registry/types'
import semver from 'semver'
import { accountOf, personOf } from './document.ts'
import type { ShortNames } from './short-names.ts'

/** Results of one answer, as npm's registry bounds them. */
const MAX_SIZE = 250
/** Nobody reads on so far; each page further in costs all before it. */
const MAX_FROM = 10_000
const PAGE = 1000

/** A search as npm's clients write it. */
export interface NpmSearch {
  query: QueryOptions
  /** Only names of this scope. */
  scope?: string
  /** Without versions below 1.0.0 and pre-releases. */
  isStable: boolean
  from: number
  size: number
}

/**
 * Reads words and npm's qualifiers: `keywords:a,b`, `author:`, `maintainer:`, `scope:`, `not:unstable`. What weighs results
 * (`quality`, `popularity`, `maintenance`, `boost-exact:`) has no counterpart here and changes nothing.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE
 */
export function parseNpmSearch(params: URLSearchParams): NpmSearch {
  const keywords: string[] = []
  const labels: string[] = []
  const search: NpmSearch = {
    query: { keywords, labels },
    isStable: false,
    from: parseNumber(params.get('from'), 'from', 0, MAX_FROM),
    size: Math.min(parseNumber(params.get('size'), 'size', 20, Number.MAX_SAFE_INTEGER), MAX_SIZE)
  }
  for (const word of parseText(params.get('text') ?? '', 'text', 1024).split(/\s+/)) {
    const [, qualifier = '', value = ''] = /^([a-z-]+):(.+)$/.exec(word) ?? []
    if (qualifier === 'keywords' || qualifier === 'keyword')
      labels.push(...value.split(/[,+]/).filter(Boolean))
    else if ((qualifier === 'maintainer' || qualifier === 'author') && isOwnerId(value))
      search.query.owner = value
    else if (qualifier === 'maintainer' || qualifier === 'author') keywords.push(value)
    else if (qualifier === 'scope') search.scope = value.replace(/^@/, '')
    else if (qualifier === 'not' || qualifier === 'is') search.isStable ||= word === 'not:unstable'
    else if (word !== '' && qualifier !== 'boost-exact') keywords.push(word)
  }
  if (search.scope !== undefined) keywords.push(search.scope)
  return search
}

/** One page of what is found, in npm's form. */
export async function npmSearch(
  { registry, names }: { registry: P2PRegistry; names: ShortNames },
  { query, scope, isStable, from, size }: NpmSearch,
  baseUrl: string,
  signal: AbortSignal
): Promise<{ objects: object[]; total: number }> {
  const fits = ({ package: { npm, name, version } }: SearchResult): boolean =>
    npm !== undefined &&
    (scope === undefined || name.startsWith(`@${scope}/`)) &&
    !(isStable && isUnstable(version))
  const found: SearchResult[] = []
  let total = 0
  let leftOut = 0
  for (let after: string | undefined; ; ) {
    const limit = Math.min(PAGE, Math.max(1, from + size - found.length))
    const page = await registry.searchPage(
      { ...query, limit, explain: true, ...(after === undefined ? {} : { after }) },
      { signal }
    )
    const fitting = page.results.filter(fits)
    leftOut += page.results.length - fitting.length
    total = page.total
    found.push(...fitting)
    after = page.next
    if (after === undefined || found.length >= from + size) break
  }
  const best = Math.max(...found.map(({ score }) => score), Number.MIN_VALUE)
  const objects = await Promise.all(
    found.slice(from, from + size).map(async (result) => ({
      package: await packageSummary(names, result.package, baseUrl),
      score: { final: result.score / best, detail: scoreDetail(result) },
      searchScore: result.score,
      ...(isUnstable(result.package.version) ? { flags: { unstable: true } } : {})
    }))
  )
  return { objects, total: total - leftOut }
}

/** A package in a list. */
export async function packageSummary(
  names: ShortNames,
  one: Package,
  baseUrl: string
): Promise<Record<string, unknown>> {
  const name = await names.installable(one)
  const [, scope = 'unscoped'] = /^@([^/]+)\//.exec(name) ?? []
  const account = accountOf(one.owner)
  const user = { username: account.name, email: account.email }
  return {
    name,
    scope,
    version: one.version,
    description: one.description,
    keywords: one.metadata.keywords,
    date: new Date(Math.min(one.updatedAtMs, 8.64e15)).toISOString(),
    ...(one.license === undefined ? {} : { license: one.license }),
    ...(one.author === undefined ? {} : { author: personOf(one.author) }),
    links: {
      npm: `${baseUrl}/${name}`,
      ...(one.homepage === undefined ? {} : { homepage: one.homepage }),
      ...(one.repository === undefined ? {} : { repository: one.repository })
    },
    publisher: user,
    maintainers: [user]
  }
}

function scoreDetail({ explanation }: SearchResult): Record<string, number> {
  const { trust = 0, dependents = 0, recency = 0 } = explanation?.quality ?? {}
  return { quality: trust, popularity: dependents, maintenance: recency }
}

function isUnstable(version: string): boolean {
  return semver.major(version) === 0 || semver.prerelease(version) !== null
}

function parseNumber(text: string | null, field: string, otherwise: number, max: number): number {
  return text === null || text === '' ? otherwise : parseCount(Number(text), field, max)
}
