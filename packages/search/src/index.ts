/**
 * @packageDocumentation
 *
 * A search index over the packages of a catalogue: several words, prefixes, typing errors, phrases, filters, facets and
 * pages, ranked by text and quality. It is made of immutable segments that a worker thread writes and merges.
 */

export { InvalidCursorError, SearchStorageError } from './errors.ts'
export type {
  SearchDocument,
  SearchIndex,
  SearchIndexStats,
  SearchMatch,
  SearchMatches
} from './search-index.ts'
export { type SearchIndexComponents, type SearchIndexInit, searchIndex } from './segmented-index.ts'
