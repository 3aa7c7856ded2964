import { InvalidValueError } from './errors.ts'
import type { Package } from './package.ts'
import { parseCount, parseList, parseMap, parseOptionalText, parseText } from './parse.ts'

export interface QueryOptions {
  keywords?: readonly string[]
  category?: string
  /** A result has all of them. */
  tags?: readonly string[]
  /** @default 20, at most 1000 */
  limit?: number
  /** Fetches through this peer, the only downloads a peer can count. */
  minDownloads?: number
}

/** A search, as frozen data: each `with…` returns a new one. No keyword at all lists everything that fits. */
export class Query {
  readonly keywords: readonly string[]
  readonly category: string | undefined
  readonly tags: readonly string[]
  readonly limit: number
  readonly minDownloads: number | undefined

  constructor(keywords: readonly string[] = [], options: Omit<QueryOptions, 'keywords'> = {}) {
    this.keywords = frozenTexts(keywords, 'query.keywords', 32)
    this.category = parseOptionalText(options.category, 'query.category', 64)
    this.tags = frozenTexts(options.tags ?? [], 'query.tags', 64)
    this.limit = parseCount(options.limit ?? 20, 'query.limit', 1000)
    this.minDownloads =
      options.minDownloads === undefined ? undefined : parseCount(options.minDownloads, 'query.minDownloads')
    Object.freeze(this)
  }

  withCategory(category: string): Query {
    return this.#with({ category })
  }

  withTags(tags: readonly string[]): Query {
    return this.#with({ tags })
  }

  withLimit(limit: number): Query {
    return this.#with({ limit })
  }

  withMinDownloads(minDownloads: number): Query {
    return this.#with({ minDownloads })
  }

  toJSON(): QueryOptions {
    const options: QueryOptions = { keywords: this.keywords, tags: this.tags, limit: this.limit }
    if (this.category !== undefined) options.category = this.category
    if (this.minDownloads !== undefined) options.minDownloads = this.minDownloads
    return options
  }

  #with(change: Omit<QueryOptions, 'keywords'>): Query {
    return new Query(this.keywords, { ...this.toJSON(), ...change })
  }
}

function frozenTexts(value: unknown, field: string, maxLength: number): readonly string[] {
  return Object.freeze(parseList(value, field, maxLength, (item, at) => parseText(item, at, 256)))
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseQuery(value: unknown): Query {
  if (value instanceof Query) return value
  const map = parseMap(value, 'query')
  const options: Omit<QueryOptions, 'keywords'> = {}
  if (map.category !== undefined) options.category = parseText(map.category, 'query.category', 64)
  if (map.tags !== undefined)
    options.tags = parseList(map.tags, 'query.tags', 64, (tag, at) => parseText(tag, at, 256))
  if (map.limit !== undefined) options.limit = parseCount(map.limit, 'query.limit', 1000)
  if (map.minDownloads !== undefined)
    options.minDownloads = parseCount(map.minDownloads, 'query.minDownloads')
  if (map.keywords !== undefined && !Array.isArray(map.keywords)) {
    throw new InvalidValueError('query.keywords', 'must be a list')
  }
  return new Query(map.keywords ?? [], options)
}

export interface SearchResult {
  package: Package
  /** Higher is better; comparable within one answer only. */
  score: number
  /** Peers known to hold the content, this one included; a hint that is not verified. */
  peerCount: number
}
