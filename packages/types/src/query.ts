import { InvalidValueError } from './errors.ts'
import { type OwnerId, parseOwnerId } from './names.ts'
import type { Package } from './package.ts'
import {
  parseCount,
  parseFlag,
  parseList,
  parseMap,
  parseOneOf,
  parseOptionalText,
  parseText
} from './parse.ts'

export const SEARCH_SORTS = ['relevance', 'updated', 'name', 'dependents'] as const
/** `relevance` without a word to find is by quality; `updated` is newest first, `dependents` most first. */
export type SearchSort = (typeof SEARCH_SORTS)[number]

export interface QueryOptions {
  keywords?: readonly string[]
  /** Runs of words that a result has side by side in its name or its description. */
  phrases?: readonly string[]
  category?: string
  /** A result has all of them. */
  tags?: readonly string[]
  owner?: OwnerId
  license?: string
  /** A result has all of them among the keywords of its manifest. */
  labels?: readonly string[]
  /** @default 20, at most 1000 */
  limit?: number
  /** Fetches through this peer, the only downloads a peer can count. */
  minDownloads?: number
  /** @default 'relevance' */
  sort?: SearchSort
  /** `next` of the page before, of the same query. */
  after?: string
  /** Count the values of category, tag, license, owner and keyword over all that fits. @default false */
  facets?: boolean
  /** Tell of what each score is made. @default false */
  explain?: boolean
}

/** A search, as frozen data: each `with…` returns a new one. No keyword at all lists everything that fits. */
export class Query {
  readonly keywords: readonly string[]
  readonly phrases: readonly string[]
  readonly category: string | undefined
  readonly tags: readonly string[]
  readonly owner: OwnerId | undefined
  readonly license: string | undefined
  readonly labels: readonly string[]
  readonly limit: number
  readonly minDownloads: number | undefined
  readonly sort: SearchSort
  readonly after: string | undefined
  readonly facets: boolean
  readonly explain: boolean

  constructor(keywords: readonly string[] = [], options: Omit<QueryOptions, 'keywords'> = {}) {
    this.keywords = frozenTexts(keywords, 'query.keywords', 32)
    this.phrases = frozenTexts(options.phrases === undefined ? [] : options.phrases, 'query.phrases', 8)
    this.category = parseOptionalText(options.category, 'query.category', 64)
    this.tags = frozenTexts(options.tags === undefined ? [] : options.tags, 'query.tags', 64)
    this.owner = options.owner === undefined ? undefined : parseOwnerId(options.owner, 'query.owner')
    this.license = parseOptionalText(options.license, 'query.license', 256)
    this.labels = frozenTexts(options.labels === undefined ? [] : options.labels, 'query.labels', 64)
    this.limit = parseCount(options.limit === undefined ? 20 : options.limit, 'query.limit', 1000)
    this.minDownloads =
      options.minDownloads === undefined ? undefined : parseCount(options.minDownloads, 'query.minDownloads')
    this.sort = parseOneOf(
      options.sort === undefined ? 'relevance' : options.sort,
      'query.sort',
      SEARCH_SORTS
    )
    this.after = parseOptionalText(options.after, 'query.after', 256)
    this.facets = parseFlag(options.facets === undefined ? false : options.facets, 'query.facets')
    this.explain = parseFlag(options.explain === undefined ? false : options.explain, 'query.explain')
    Object.freeze(this)
  }

  withCategory(category: string): Query {
    return this.with({ category })
  }

  withTags(tags: readonly string[]): Query {
    return this.with({ tags })
  }

  withLimit(limit: number): Query {
    return this.with({ limit })
  }

  withMinDownloads(minDownloads: number): Query {
    return this.with({ minDownloads })
  }

  /** The same query but for what is given. */
  with(change: Omit<QueryOptions, 'keywords'>): Query {
    return new Query(this.keywords, { ...this.toJSON(), ...change })
  }

  toJSON(): QueryOptions {
    const options: QueryOptions = { keywords: this.keywords, tags: this.tags, limit: this.limit }
    if (this.phrases.length > 0) options.phrases = this.phrases
    if (this.category !== undefined) options.category = this.category
    if (this.owner !== undefined) options.owner = this.owner
    if (this.license !== undefined) options.license = this.license
    if (this.labels.length > 0) options.labels = this.labels
    if (this.minDownloads !== undefined) options.minDownloads = this.minDownloads
    if (this.sort !== 'relevance') options.sort = this.sort
    if (this.after !== undefined) options.after = this.after
    if (this.facets) options.facets = true
    if (this.explain) options.explain = true
    return options
  }
}

function frozenTexts(value: unknown, field: string, maxLength: number): readonly string[] {
  return Object.freeze(parseList(value, field, maxLength, (item, at) => parseText(item, at, 256)))
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseQuery(value: unknown): Query {
  if (value instanceof Query) return value
  const map = parseMap(value, 'query')
  if (map.keywords !== undefined && !Array.isArray(map.keywords)) {
    throw new InvalidValueError('query.keywords', 'must be a list')
  }
  // Each field is checked by the constructor, whatever its type.
  return new Query(map.keywords ?? [], map as Omit<QueryOptions, 'keywords'>)
}

/** The filters that can be written in a search text. */
const FILTERS = ['category', 'tag', 'owner', 'license', 'keyword'] as const

/**
 * Reads a search as a person writes it: words, `"a phrase"`, and `category:`, `tag:`, `owner:`, `license:` or `keyword:`
 * with a value, which may be in quotes. Any other `a:b` is words.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE, more than a query may have, or an `owner:` that is none
 */
export function parseSearchText(text: string): QueryOptions {
  const keywords: string[] = []
  const phrases: string[] = []
  const values: Record<(typeof FILTERS)[number], string[]> = {
    category: [],
    tag: [],
    owner: [],
    license: [],
    keyword: []
  }
  const parts = parseText(text, 'search', 1024).matchAll(/(?:([a-z]+):)?"([^"]*)"?|\S+/g)
  for (const [whole, prefix, quoted] of parts) {
    const colon = whole.indexOf(':')
    const filter = FILTERS.find((name) => name === (prefix ?? whole.slice(0, Math.max(0, colon))))
    const value = quoted ?? whole.slice(colon + 1)
    if (filter !== undefined && value !== '') values[filter].push(value)
    else if (filter !== undefined) continue
    else if (quoted === undefined) keywords.push(whole)
    else if (quoted.trim() !== '') phrases.push(quoted)
  }
  const options: QueryOptions = { keywords }
  if (phrases.length > 0) options.phrases = phrases
  if (values.tag.length > 0) options.tags = values.tag
  if (values.keyword.length > 0) options.labels = values.keyword
  const category = lone(values.category, 'category')
  const owner = lone(values.owner, 'owner')
  const license = lone(values.license, 'license')
  if (category !== undefined) options.category = category
  if (owner !== undefined) options.owner = parseOwnerId(owner, 'owner')
  if (license !== undefined) options.license = license
  return options
}

function lone(values: readonly string[], field: string): string | undefined {
  if (values.length > 1) throw new InvalidValueError(field, 'can be asked for once')
  return values[0]
}

/** How a word of a query led to a word of a package. */
export type TermMatch = 'exact' | 'stem' | 'prefix' | 'contains' | 'typo'

/** What one word of a query gives: `idf · impact · weight`. */
export interface TermScore {
  /** As it was asked. */
  word: string
  /** As it stands in the package. */
  term: string
  field: 'name' | 'text'
  how: TermMatch
  idf: number
  impact: number
  /** Below 1 for what is not exactly the word. */
  weight: number
}

/** Of what a score is made: the sum of the terms and the bonuses, times the factor of quality. */
export interface ScoreExplanation {
  terms: TermScore[]
  bonuses: Array<{ reason: string; score: number }>
  quality: {
    /** Shares from 0 to 1. */
    dependents: number
    providers: number
    recency: number
    trust: number
    factor: number
  }
}

export interface FacetCount {
  value: string
  count: number
}

/** The most frequent values among all that fits, most first, at most 20 each. */
export interface SearchFacets {
  category: FacetCount[]
  tag: FacetCount[]
  license: FacetCount[]
  owner: FacetCount[]
  keyword: FacetCount[]
}

export interface SearchResult {
  package: Package
  /** Higher is better; comparable within one answer only. */
  score: number
  /** Peers known to hold the content, this one included; a hint that is not verified. */
  peerCount: number
  explanation?: ScoreExplanation
}

/** What an answer is complete against. */
export interface Completeness {
  /**
   * `agreed`: at least one connected peer had an equal catalogue when last compared, and none is known to have more.
   * `behind`: a connected peer has more, and it is on its way. `alone`: no peer to compare with. `partial`: this peer holds
   * no catalogue, or only shards of it, and what it answers came from others.
   */
  state: 'agreed' | 'behind' | 'alone' | 'partial'
  /** When the catalogue was last found equal to a peer's, ms since the epoch. */
  comparedAtMs: number | null
  /** Connected peers whose catalogue was equal when last compared, and all that were compared. */
  agreeing: number
  compared: number
  /** Holders of the catalogue that answered this question; 0 when it was answered from the local catalogue alone. */
  askedHolders: number
}

/** One page of a search. */
export interface SearchPage {
  results: SearchResult[]
  /** Packages that fit in all. */
  total: number
  /** Hand it back as `after` for the next page; absent after the last. */
  next?: string
  facets?: SearchFacets
  completeness: Completeness
}
