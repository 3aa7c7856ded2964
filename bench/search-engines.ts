import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { create, insert, remove, search } from '@orama/orama'
import { searchIndex } from '@registry/search'
import { Query } from '@registry/types'
import FlexSearch from 'flexsearch'
import MiniSearch from 'minisearch'
import { nameWords, type PackageDocument, textWords } from './package-documents.ts'
import { xapian } from './xapian-engine.ts'

/** What a search asks of an engine beside its words. An engine of ours always gives both. */
export interface SearchFeatures {
  /** The last word is not yet typed to its end. */
  prefix?: boolean
  /** Words may be misspelt. */
  typos?: boolean
  /** Packages that others depend on come first, where the engine has a place for it. */
  weighted?: boolean
}

export interface Answer {
  /** Numbers of packages, best first. */
  packages: number[]
  /** Where the engine is another process, by its own clock. */
  elapsedMs?: number
}

/** A search engine with one index, as the benchmark drives it. */
export interface SearchEngine {
  /** Adds packages, or changes those of the same number. They are found from then on. */
  put(documents: readonly PackageDocument[]): Promise<void> | void
  /** Resolves when all that was put is where the engine keeps it for good. */
  flushed(): Promise<void> | void
  /** The best `limit`. */
  search(text: string, limit: number, features: SearchFeatures): Promise<Answer> | Answer
  close(): Promise<void> | void
  /** What it has taken of memory and time in another process, for its index alone; absent where there is none. */
  elsewhere?(): { residentBytes: number; elapsedMs: number }
}

/** The engine cannot be had on this machine. */
export class EngineMissingError extends Error {}

/** Each opens the index that it has in `folder`, which is empty at first; some keep nothing there. */
export const SEARCH_ENGINES: Readonly<Record<string, (folder: string) => Promise<SearchEngine>>> = {
  ours,
  minisearch: async () => miniSearch(),
  orama: async () => orama(),
  flexsearch: async () => flexSearch(),
  fts5: async (folder) => fts5(folder),
  xapian: (folder) => xapian(folder)
}

/** What an engine does not do at all, and is therefore not asked. */
export const UNSUPPORTED: Readonly<Record<string, readonly (keyof SearchFeatures)[]>> = {
  // It has encoders by sound, which are no help against a slip of the finger.
  flexsearch: ['typos'],
  fts5: ['typos']
}

const NAME_BOOST = 5
const TAGS_BOOST = 2

interface Fields {
  id: number
  /** The name as it is, and its words. */
  name: string
  tags: string
  description: string
}

/** What engines without words of code names of their own are given. */
export function fieldsOf({
  package: id,
  name,
  tags,
  keywords,
  category,
  description
}: PackageDocument): Fields {
  return {
    id,
    name: [name, ...nameWords(name)].join(' '),
    tags: [...tags, ...keywords, category].join(' '),
    description
  }
}

async function ours(folder: string): Promise<SearchEngine> {
  const index = searchIndex({ folder })({})
  await index.open()
  let watermark = 0
  return {
    put: async (documents) => {
      watermark += documents.length
      index.put(documents, watermark)
      await index.backpressure()
    },
    flushed: () => index.flushed(),
    search: (text, limit) => {
      const { matches } = index.search(new Query(text.split(' '), { limit }))
      return { packages: matches.map((match) => match.package) }
    },
    close: () => index.close()
  }
}

function miniSearch(): SearchEngine {
  const index = new MiniSearch<Fields>({ fields: ['name', 'tags', 'description'] })
  return {
    put: (documents) => {
      for (const document of documents) {
        const fields = fieldsOf(document)
        if (index.has(fields.id)) index.replace(fields)
        else index.add(fields)
      }
    },
    flushed: () => undefined,
    search: (text, limit, { prefix, typos }) => {
      const found = index.search(text, {
        boost: { name: NAME_BOOST, tags: TAGS_BOOST },
        prefix: prefix === true ? (_, at, terms) => at === terms.length - 1 : false,
        fuzzy: typos === true ? (term) => (term.length > 3 ? 0.2 : false) : false
      })
      return { packages: found.slice(0, limit).map(({ id }) => Number(id)) }
    },
    close: () => undefined
  }
}

function orama(): SearchEngine {
  const index = create({
    schema: { name: 'string', tags: 'string', description: 'string' } as const,
    sort: { enabled: false }
  })
  const known = new Set<string>()
  return {
    put: async (documents) => {
      for (const document of documents) {
        const fields = fieldsOf(document)
        const id = String(fields.id)
        if (known.has(id)) await remove(index, id)
        known.add(id)
        await insert(index, { ...fields, id })
      }
    },
    flushed: () => undefined,
    // It always takes words as beginnings of words.
    search: async (term, limit, { typos }) => {
      const { hits } = await search(index, {
        term,
        limit,
        boost: { name: NAME_BOOST, tags: TAGS_BOOST },
        ...(typos === true ? { tolerance: 1 } : {})
      })
      return { packages: hits.map(({ id }) => Number(id)) }
    },
    close: () => undefined
  }
}

function flexSearch(): SearchEngine {
  // It ranks by how far at the beginning of a text a word stands, so what matters most comes first.
  const index = new FlexSearch.Index({ tokenize: 'forward', fastupdate: true })
  return {
    put: (documents) => {
      for (const document of documents) {
        const { id, name, tags, description } = fieldsOf(document)
        const text = `${name} ${tags} ${description}`
        if (index.contain(id)) index.update(id, text)
        else index.add(id, text)
      }
    },
    flushed: () => undefined,
    search: (text, limit) => {
      // After updates it answers some searches with nothing at all, whatever its types say.
      const found: Array<string | number> | undefined = index.search(text, { limit, suggest: true })
      return { packages: (found ?? []).map(Number) }
    },
    close: () => undefined
  }
}

/** Plain: its own table, its own bm25, nothing kept beside it. */
function fts5(folder: string): SearchEngine {
  const database = new DatabaseSync(join(folder, 'fts5.db'))
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
    CREATE VIRTUAL TABLE IF NOT EXISTS packages USING fts5 (name, tags, description,
      content = '', contentless_delete = 1, tokenize = 'porter unicode61', prefix = '2 3')`)
  const insert = database.prepare(
    'INSERT OR REPLACE INTO packages (rowid, name, tags, description) VALUES (?, ?, ?, ?)'
  )
  const select = database.prepare(`SELECT rowid FROM packages WHERE packages MATCH ?
    ORDER BY bm25(packages, ${NAME_BOOST}, ${TAGS_BOOST}, 1) LIMIT ?`)
  return {
    put: (documents) => {
      database.exec('BEGIN')
      for (const document of documents) {
        const { id, name, tags, description } = fieldsOf(document)
        insert.run(id, name, tags, description)
      }
      database.exec('COMMIT')
    },
    flushed: () => {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    },
    search: (text, limit, { prefix }) => {
      const words = textWords(text)
      const isPrefix = (at: number): boolean => prefix === true && at === words.length - 1
      const terms = words.map((word, at) => `"${word}"${isPrefix(at) ? '*' : ''}`)
      return { packages: select.all(terms.join(' OR '), limit).map(({ rowid }) => Number(rowid)) }
    },
    close: () => database.close()
  }
}
