import type { OwnerId, PackageName, Query, ScoreExplanation, SearchFacets } from '@registry/types'

/** A package as it is found: by the words of the release that stands for it, and by what is known of its use. */
export interface SearchDocument {
  /** The caller's key of the package, from 1 to 4,294,967,295. */
  package: number
  owner: OwnerId
  name: PackageName
  /** Its first line counts more than the rest. */
  description: string
  category: string
  tags: readonly string[]
  keywords: readonly string[]
  /** An SPDX expression. */
  license?: string
  updatedAtMs: number
  /** Packages that depend on this one. */
  dependents: number
  /** Peers that hold it. */
  providers: number
  /** From 0 to 1. */
  trust: number
}

export interface SearchMatch {
  package: number
  /** Above 0, higher is better; comparable within one answer only. */
  score: number
  /** Where the query asks for it. */
  explanation?: ScoreExplanation
}

export interface SearchMatches {
  /** Best first, or in the order the query asks for; at most `query.limit`. */
  matches: SearchMatch[]
  /** All that fit. */
  total: number
  /** The query's `after` for the next page; absent after the last. */
  next?: string
  /** Where the query asks for them. */
  facets?: SearchFacets
}

export interface SearchIndexStats {
  /** Packages that can be found. */
  packages: number
  segments: number
  /** Of the segments in memory; on disk they are as large. */
  bytes: number
  /** Changes that a worker has not yet brought into segments. */
  waiting: number
  /** What `open` would answer after a crash now. */
  watermark: number
}

/**
 * Finds packages by words. What it answers is a function of the set of documents it holds: not of the order in which
 * they were put, and not of how they lie in segments.
 */
export interface SearchIndex {
  /**
   * Loads what an earlier index wrote to the folder and answers the watermark of the last change in it: the caller puts
   * again what came later. Answers 0 and holds nothing where nothing was written, or any of it is damaged.
   *
   * @throws {SearchStorageError} ERR_SEARCH_STORAGE, the folder cannot be made or read
   */
  open(options?: { signal?: AbortSignal }): Promise<{ watermark: number }>
  /**
   * Adds documents, each in place of an earlier one of the same package; the next search finds them. They are not
   * copied at once, so the caller leaves them as they are. `watermark` grows with each change and is what `open` answers
   * once the change is durable.
   *
   * @throws {InvalidValueError} ERR_INVALID_VALUE, a package key or a watermark out of range; nothing was added
   */
  put(documents: readonly SearchDocument[], watermark: number): void
  /** @throws {InvalidValueError} ERR_INVALID_VALUE, as `put` */
  remove(packages: readonly number[], watermark: number): void
  /** Forgets all, on disk too. */
  clear(): void
  /**
   * Without a word to find it lists all that fits. What `accept` refuses is left out.
   *
   * @throws {InvalidCursorError} ERR_INVALID_CURSOR, `query.after` is not of this query; it throws nothing else
   */
  search(query: Query, accept?: (packageKey: number) => boolean): SearchMatches
  /**
   * Resolves when few enough changes wait that a search, which has to look at them, does not take long. To be awaited
   * between batches by whoever puts thousands.
   */
  backpressure(): Promise<void>
  /**
   * Resolves when all that was put is in segments, and these on disk where there is a folder.
   *
   * @throws {SearchStorageError} ERR_SEARCH_STORAGE, they could not be written
   */
  flushed(): Promise<void>
  /** Flushes what it can and ends the worker. Idempotent. */
  close(): Promise<void>
  stats(): SearchIndexStats
}
