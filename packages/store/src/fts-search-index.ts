import { hash } from 'node:crypto'
import type { Query } from '@registry/types'
import { type Database, integerOf, type Row, textOf } from './database.ts'
import type { SearchEntry, SearchIndex, SearchMatch } from './search-index.ts'
import { nameWordsOf, plainNameOf, stemOf, wordsOf } from './search-words.ts'

/** More words than this say nothing more about what is meant. */
const MAX_WORDS = 12
/** How many candidates each way of matching brings, or as many as are asked for. */
const MIN_CANDIDATES = 200
/** A word of fewer letters is not completed: it would mean a large part of all words. */
const MIN_PREFIX_LENGTH = 2
/** The trigram tokenizer finds nothing shorter. */
const MIN_INFIX_LENGTH = 3
/** Popularities 0 to 15, and 48 bits to spread the packages of each: together less than 2^53. */
const MAX_POPULARITY = 15
const SPREAD = 2 ** 48

/** How the words of a query meet a package: the higher, the surer it is the one that is meant. */
const MEETING = Object.freeze({
  someWords: 1,
  allWords: 3,
  insideName: 5.5,
  wordsOfName: 6.5,
  startOfName: 7,
  wholeName: 12
})

/** What a name gains by being made of the words and nothing else. */
const COVER_WEIGHT = 3
const RELEVANCE_WEIGHT = 4
/** The relevance that counts for half of the weight. */
const HALF_RELEVANCE = 8
const USE_WEIGHT = 6
/** Dependents and downloads, in powers of two, above which more make no difference. */
const MAX_USE = 12

const WORD_COLUMNS = '{name labels description}'
const CANDIDATE_COLUMNS = `
  packages.id AS package, packages.owner, packages.name, search_rows.plain_name, search_rows.name_words,
  coalesce(dependents.count, 0) AS dependents, coalesce(downloads.count, 0) AS downloads`
// CROSS JOIN keeps SQLite from starting anywhere but at the matches, in the order of their rows.
const CANDIDATE_JOINS = `
  CROSS JOIN packages ON packages.id = search_rows.package
  LEFT JOIN dependents ON dependents.name = packages.name
  LEFT JOIN downloads ON downloads.owner = packages.owner AND downloads.name = packages.name`
const WORD_MATCHES = `
  SELECT ${CANDIDATE_COLUMNS}, -bm25(search_words, 6, 3, 1, 0) AS relevance
  FROM search_words CROSS JOIN search_rows ON search_rows.row = search_words.rowid ${CANDIDATE_JOINS}
  WHERE search_words MATCH ? AND coalesce(downloads.count, 0) >= ?
  LIMIT ?`
const FITS_FILTER = `
  (?1 = '' OR EXISTS (SELECT 1 FROM search_words WHERE search_words MATCH ?1 AND rowid = search_rows.row))`
const INFIX_MATCHES = `
  SELECT ${CANDIDATE_COLUMNS}, 0.0 AS relevance
  FROM search_names CROSS JOIN search_rows ON search_rows.row = search_names.rowid ${CANDIDATE_JOINS}
  WHERE search_names MATCH ?2 AND coalesce(downloads.count, 0) >= ?3 AND ${FITS_FILTER}
  LIMIT ?4`
const WHOLE_NAME_MATCHES = `
  SELECT ${CANDIDATE_COLUMNS}, 0.0 AS relevance
  FROM search_rows ${CANDIDATE_JOINS}
  WHERE search_rows.plain_name = ?2 AND coalesce(downloads.count, 0) >= ?3 AND ${FITS_FILTER}
  ORDER BY search_rows.row LIMIT ?4`

/** A package as it is indexed. */
interface SearchDocument {
  package: number
  /** 0 is the most popular. */
  slot: number
  /** Below `SPREAD`. */
  spread: number
  plainName: string
  nameWords: string
  /** The columns of `search_words`. */
  name: string
  labels: string
  description: string
  filters: string
}

interface Candidate {
  package: number
  owner: string
  name: string
  plainName: string
  nameWords: readonly string[]
  dependents: number
  downloads: number
  /** bm25 over the words found, 0 where only the name was looked at. */
  relevance: number
  /** Whether all words were found somewhere. */
  complete: boolean
}

/**
 * A search index in SQLite's FTS5. The packages of a word's list are in order of popularity, so that taking the first
 * few of each list bounds the work of a query and still meets the packages that are likely meant. Those are ranked by
 * how the words meet the name, by bm25 and by how much the package is used.
 */
export class FtsSearchIndex implements SearchIndex {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  put(entries: readonly SearchEntry[]): void {
    const changed = entries.map(documentOf).filter((document) => !this.#has(document))
    this.remove(changed.map((document) => document.package))
    const placed = changed.map((document) => ({ document, row: this.#place(document) }))
    // FTS5 begins a new segment whenever a row is not above the one before.
    for (const { document, row } of placed.sort((a, b) => a.row - b.row)) {
      this.#db.run(
        'INSERT INTO search_words (rowid, name, labels, description, filters) VALUES (?, ?, ?, ?, ?)',
        row,
        document.name,
        document.labels,
        document.description,
        document.filters
      )
      this.#db.run('INSERT INTO search_names (rowid, name) VALUES (?, ?)', row, document.nameWords)
    }
  }

  remove(packages: readonly number[]): void {
    const rows = packages.map((id) => this.#db.get('SELECT row FROM search_rows WHERE package = ?', id))
    const places = rows.filter((row) => row !== undefined).map((row) => integerOf(row, 'row'))
    for (const row of places.sort((a, b) => a - b)) {
      this.#db.run('DELETE FROM search_words WHERE rowid = ?', row)
      this.#db.run('DELETE FROM search_names WHERE rowid = ?', row)
      this.#db.run('DELETE FROM search_rows WHERE row = ?', row)
    }
  }

  clear(): void {
    this.#db.exec('DELETE FROM search_words; DELETE FROM search_names; DELETE FROM search_rows')
  }

  search(query: Query): SearchMatch[] {
    if (query.keywords.length === 0) return this.#newest(query)
    const words = [...new Set(query.keywords.flatMap(wordsOf))].slice(0, MAX_WORDS)
    if (words.length === 0) return []
    return this.#candidates(query, words)
      .map((candidate) => ({ candidate, score: scoreOf(candidate, words) }))
      .sort((a, b) => b.score - a.score || compareNames(a.candidate, b.candidate))
      .slice(0, query.limit)
      .map(({ candidate, score }) => ({ package: candidate.package, score }))
  }

  #candidates(query: Query, words: readonly string[]): Candidate[] {
    const found = new Map<number, Candidate>()
    const filter = filterOf(query)
    const minDownloads = query.minDownloads ?? 0
    const limit = Math.max(MIN_CANDIDATES, query.limit)
    const terms = words.map((word, index) => termOf(word, index === words.length - 1))
    const wordMatches = (columns: string, expression: string): Row[] => {
      const match = `(${columns} : (${expression}))`
      return this.#db.all(WORD_MATCHES, filter === '' ? match : `${match} AND ${filter}`, minDownloads, limit)
    }

    for (const row of this.#db.all(WHOLE_NAME_MATCHES, filter, words.join(''), minDownloads, limit)) {
      merge(found, row, false)
    }
    const complete = wordMatches(WORD_COLUMNS, terms.join(' AND '))
    for (const row of complete) merge(found, row, true)
    if (complete.length === limit) {
      for (const row of wordMatches('name', terms.join(' AND '))) merge(found, row, true)
    }
    const infixes = words.filter((word) => [...word].length >= MIN_INFIX_LENGTH).map(quoted)
    if (infixes.length > 0) {
      const expression = infixes.join(' AND ')
      for (const row of this.#db.all(INFIX_MATCHES, filter, expression, minDownloads, limit)) {
        merge(found, row, false)
      }
    }
    if (terms.length > 1 && found.size < query.limit) {
      for (const term of terms) {
        for (const row of wordMatches(WORD_COLUMNS, term)) merge(found, row, false)
      }
    }
    return [...found.values()]
  }

  #newest(query: Query): SearchMatch[] {
    const conditions = ['coalesce(downloads.count, 0) >= ?']
    const values: Array<string | number> = [query.minDownloads ?? 0]
    if (query.category !== undefined) {
      conditions.push('packages.category = ?')
      values.push(query.category)
    }
    if (query.tags.length > 0) {
      conditions.push(
        `packages.id IN (
          SELECT package FROM search_words CROSS JOIN search_rows ON search_rows.row = search_words.rowid
          WHERE search_words MATCH ?)`
      )
      values.push(filterOf(query))
    }
    const rows = this.#db.all(
      `SELECT packages.id AS package
       FROM packages LEFT JOIN downloads ON downloads.owner = packages.owner AND downloads.name = packages.name
       WHERE ${conditions.join(' AND ')}
       ORDER BY packages.updated_ms DESC, packages.name, packages.owner LIMIT ?`,
      ...values,
      query.limit
    )
    return rows.map((row, index) => ({ package: integerOf(row, 'package'), score: 1 / (1 + index) }))
  }

  /** Whether a package is there with the same words, as most new versions have, and the same popularity. */
  #has(document: SearchDocument): boolean {
    const row = this.#db.get(
      `SELECT row, name, labels, description, filters
       FROM search_rows CROSS JOIN search_words ON search_words.rowid = search_rows.row WHERE package = ?`,
      document.package
    )
    return (
      row !== undefined &&
      Math.floor(integerOf(row, 'row') / SPREAD) === document.slot &&
      row.name === document.name &&
      row.labels === document.labels &&
      row.description === document.description &&
      row.filters === document.filters
    )
  }

  /** Takes the row of a package: the more popular ones first, those of one popularity spread by their hash. */
  #place(document: SearchDocument): number {
    let row = document.slot * SPREAD + document.spread
    while (this.#db.get('SELECT 1 FROM search_rows WHERE row = ?', row) !== undefined) row += 1
    this.#db.run(
      'INSERT INTO search_rows (row, package, plain_name, name_words) VALUES (?, ?, ?, ?)',
      row,
      document.package,
      document.plainName,
      document.nameWords
    )
    return row
  }
}

function documentOf(entry: SearchEntry): SearchDocument {
  const nameWords = nameWordsOf(entry.name)
  const filters = entry.tags.map((tag) => filterTerm('tag', tag))
  return {
    package: entry.package,
    slot: MAX_POPULARITY - Math.min(entry.popularity, MAX_POPULARITY),
    spread: hash('sha256', `${entry.owner}/${entry.name}`, 'buffer').readUIntBE(0, 6),
    plainName: plainNameOf(entry.name),
    nameWords: nameWords.join(' '),
    name: stemmed(nameWords),
    labels: stemmed([...entry.keywords, ...entry.tags, entry.category].flatMap(wordsOf)),
    description: stemmed(wordsOf(entry.description)),
    filters: [filterTerm('category', entry.category), ...filters].join(' ')
  }
}

function merge(found: Map<number, Candidate>, row: Row, complete: boolean): void {
  const relevance = row.relevance
  if (typeof relevance !== 'number') return
  const id = integerOf(row, 'package')
  const known = found.get(id)
  if (known === undefined) {
    found.set(id, {
      package: id,
      owner: textOf(row, 'owner'),
      name: textOf(row, 'name'),
      plainName: textOf(row, 'plain_name'),
      nameWords: textOf(row, 'name_words').split(' '),
      dependents: integerOf(row, 'dependents'),
      downloads: integerOf(row, 'downloads'),
      relevance,
      complete
    })
  } else if (complete) {
    known.relevance = Math.max(known.relevance, relevance)
    known.complete = true
  } else if (!known.complete) {
    // bm25 is a sum over the words, so one word after the other gives what all together would have.
    known.relevance += relevance
  }
}

function scoreOf(candidate: Candidate, words: readonly string[]): number {
  const { relevance, dependents, downloads } = candidate
  const use = Math.min(MAX_USE, Math.log2(1 + dependents) + Math.log2(1 + downloads))
  return (
    meetingOf(candidate, words) +
    (RELEVANCE_WEIGHT * relevance) / (relevance + HALF_RELEVANCE) +
    (USE_WEIGHT * use) / MAX_USE
  )
}

function meetingOf({ plainName, nameWords, complete }: Candidate, words: readonly string[]): number {
  const joined = words.join('')
  // The scope's words included.
  const wholeName = nameWords.at(-1) ?? plainName
  if (plainName === joined || wholeName === joined) return MEETING.wholeName
  const cover = COVER_WEIGHT * Math.min(1, joined.length / plainName.length)
  if (plainName.startsWith(joined) || wholeName.startsWith(joined)) return MEETING.startOfName + cover
  const stems = nameWords.map(stemOf)
  const isWordOfName = (word: string, index: number): boolean =>
    stems.includes(stemOf(word)) ||
    (index === words.length - 1 && nameWords.some((nameWord) => nameWord.startsWith(word)))
  if (words.every(isWordOfName)) return MEETING.wordsOfName + cover
  if (words.every((word) => wholeName.includes(word))) return MEETING.insideName + cover
  return complete ? MEETING.allWords : MEETING.someWords
}

function filterOf(query: Query): string {
  const terms = query.tags.map((tag) => filterTerm('tag', tag))
  if (query.category !== undefined) terms.push(filterTerm('category', query.category))
  return terms.length === 0 ? '' : `(filters : (${terms.map(quoted).join(' AND ')}))`
}

/** One word that stands for exactly this text, whatever is in it. */
function filterTerm(field: 'category' | 'tag', value: string): string {
  return hash('sha256', `${field}\0${value}`, 'hex').slice(0, 32)
}

function termOf(word: string, isLast: boolean): string {
  const term = quoted(stemOf(word))
  return isLast && word.length >= MIN_PREFIX_LENGTH ? `${term}*` : term
}

/** As FTS5 writes a string: nothing in it is syntax. */
function quoted(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}

function stemmed(words: readonly string[]): string {
  return words.map(stemOf).join(' ')
}

function compareNames(a: Candidate, b: Candidate): number {
  return compareTexts(a.name, b.name) || compareTexts(a.owner, b.owner)
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
