import { signRelease } from '@registry/identity'
import { corpusOrSkip, makeRelease, readCorpusReleases, seededOwner } from '@registry/testing'
import { Query } from '@registry/types'
import { expect, it } from 'vitest'
import { runningStore } from './folder-store.ts'

/** What people look for, and a package that the first three must have. */
const SEARCHES: ReadonlyArray<[words: string, meant: string]> = [
  ['yojson', 'yojson'],
  ['json', 'yojson'],
  ['parser generator', 'menhir'],
  ['test framework', 'alcotest'],
  ['property based testing', 'qcheck'],
  ['command line', 'cmdliner'],
  ['big integers', 'zarith'],
  ['sqlite', 'sqlite3'],
  ['graph library', 'ocamlgraph'],
  ['code formatter', 'ocamlformat'],
  ['redis', 'redis'],
  ['build system', 'dune'],
  ['websock', 'websocket']
]

it('indexes the releases of the opam repository and finds what is meant', { timeout: 180_000 }, async ({
  skip
}) => {
  const inputs = await readCorpusReleases(corpusOrSkip('opam', skip))
  const { catalogue } = await runningStore()
  const owner = await seededOwner(0)
  await catalogue.ingest([owner.inception])
  for (let start = 0; start < inputs.length; start += 300) {
    const batch = inputs
      .slice(start, start + 300)
      .map((input) => signRelease(makeRelease(input), owner.signer))
    const outcomes = await catalogue.ingest(await Promise.all(batch))
    expect(outcomes.filter(({ status }) => status !== 'accepted')).toEqual([])
  }
  expect(catalogue.counts()).toEqual({ owners: 1, packages: 4596, releases: 18_793 })

  const missed = SEARCHES.filter(([words, meant]) => {
    const { hits } = catalogue.search(new Query(words.split(' '), { limit: 3 }))
    return !hits.some(({ record }) => record.release.name === meant)
  })
  expect(missed).toEqual([])
  const everything = catalogue.search(new Query([], { limit: 1000 }))
  expect(everything.hits).toHaveLength(1000)
  expect(everything.total).toBe(4596)
})
