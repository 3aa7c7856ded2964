import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededOwnerId } from '@registry/testing'
import type { PackageName } from '@registry/types'
import { parseSearchText, Query, type QueryOptions } from '@registry/types'
import { onTestFinished } from 'vitest'
import { type SearchDocument, type SearchIndex, type SearchMatches, searchIndex } from '../src/index.ts'
import type { SearchIndexInit } from '../src/segmented-index.ts'

type DocumentInput = Omit<Partial<SearchDocument>, 'name'> & { package: number; name: string }

/** A document; what is not given is of no interest to the test. */
export function makeDocument(input: DocumentInput): SearchDocument {
  return {
    owner: seededOwnerId(0),
    description: '',
    category: '',
    tags: [],
    keywords: [],
    updatedAtMs: 1_600_000_000_000,
    dependents: 0,
    providers: 0,
    trust: 0,
    ...input,
    name: input.name as PackageName
  }
}

/** An index that is closed at the end of the test. */
export function openIndex(init: SearchIndexInit = {}): SearchIndex {
  const index = searchIndex(init)()
  onTestFinished(() => index.close())
  return index
}

/** An index of these packages, by name and description. */
export function indexOf(...documents: Array<Omit<DocumentInput, 'package'>>): SearchIndex {
  const index = openIndex()
  index.put(
    documents.map((document, at) => makeDocument({ package: at + 1, ...document })),
    1
  )
  return index
}

export function queryOf(text: string, options: Omit<QueryOptions, 'keywords'> = {}): Query {
  const { keywords, ...filters } = parseSearchText(text)
  return new Query(keywords, { ...filters, ...options })
}

/** What is found, as numbers of packages. */
export function found(
  index: SearchIndex,
  text: string,
  options: Omit<QueryOptions, 'keywords'> = {}
): number[] {
  return packagesOf(index.search(queryOf(text, options)))
}

export function packagesOf({ matches }: SearchMatches): number[] {
  return matches.map((match) => match.package)
}

/** A folder that is deleted at the end of the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'registry-search-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
