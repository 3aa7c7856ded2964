import type { OwnerId, PackageName, Query } from '@registry/types'

/** A package as it is found: by the words of the release that stands for it. */
export interface SearchEntry {
  /** The package's number in this store. */
  package: number
  owner: OwnerId
  name: PackageName
  description: string
  category: string
  tags: readonly string[]
  keywords: readonly string[]
  /** Order of magnitude of how many packages depend on one of this name. */
  popularity: number
}

export interface SearchMatch {
  package: number
  /** Above 0, higher is better. */
  score: number
}

/**
 * Finds packages by words. What it answers is a function of the entries put and not of their order, and of the tables
 * `packages`, `dependents` and `downloads`, which it may read. Changes are made within the caller's transaction.
 */
export interface SearchIndex {
  /** Adds entries, each in place of an earlier one for the same package. */
  put(entries: readonly SearchEntry[]): void
  remove(packages: readonly number[]): void
  clear(): void
  /** Best first, at most `query.limit`; without a keyword the most recently released first. Never throws for a query. */
  search(query: Query): SearchMatch[]
}

/** Counts that differ less are of one popularity, so that a package is not indexed again with each new dependent. */
export function popularityOf(dependents: number): number {
  return Math.floor(Math.log2(1 + dependents))
}
