import { manualClock, type ReleaseInput } from '@registry/testing'
import { Query, type QueryOptions, type RegistryStore } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stemOf, wordsOf } from '../src/search-words.ts'
import { runningStore } from './folder-store.ts'
import { signedBy } from './signed-records.ts'

async function storeOf(...releases: ReleaseInput[]): Promise<RegistryStore> {
  const store = await runningStore()
  const signed = await signedBy(0, ...releases)
  await store.catalogue.ingest([signed.inception, ...signed.releases])
  return store
}

function found(
  { catalogue }: RegistryStore,
  words: string,
  options: Omit<QueryOptions, 'keywords'> = {}
): string[] {
  const keywords = words.split(' ').filter((word) => word !== '')
  return catalogue.search(new Query(keywords, options)).map(({ record }) => record.release.name)
}

describe('ranking', () => {
  it('puts the name that is the query first, then names that start with it, have it as a word, and contain it', async () => {
    const store = await storeOf(
      { name: 'unrelated', description: 'Reads json' },
      { name: 'yojson' },
      { name: 'fast-json' },
      { name: 'jsonkit' },
      { name: 'json' }
    )
    expect(found(store, 'json')).toEqual(['json', 'jsonkit', 'fast-json', 'yojson', 'unrelated'])
  })

  it('takes a query for a name however its words are parted, with the scope or without', async () => {
    const store = await storeOf({ name: '@acme/http-server' }, { name: 'web', description: 'A http server' })
    for (const query of [
      'http-server',
      'httpserver',
      'http server',
      'HttpServer',
      'http_server',
      '@acme/http-server'
    ]) {
      expect(found(store, query)[0]).toBe('@acme/http-server')
    }
  })

  it('completes the last word only', async () => {
    const store = await storeOf({ name: 'a', description: 'A parser generator' })
    expect(found(store, 'pars')).toEqual(['a'])
    expect(found(store, 'parser gen')).toEqual(['a'])
    expect(found(store, 'gen parser')).toEqual(['a'])
    expect(found(store, 'parserx')).toEqual([])
    expect(found(store, 'a', { limit: 5 })).toEqual(['a'])
  })

  it('prefers packages with all words, and falls back to some of them', async () => {
    const store = await storeOf(
      { name: 'one', description: 'blue' },
      { name: 'two', description: 'blue whale' },
      { name: 'three', description: 'whale' }
    )
    expect(found(store, 'blue whale')[0]).toBe('two')
    expect(found(store, 'blue whale').toSorted()).toEqual(['one', 'three', 'two'])
    expect(found(store, 'blue whale', { limit: 1 })).toEqual(['two'])
    expect(found(store, 'blue zebra')).toEqual(['one', 'two'])
  })

  it('prefers what others depend on, and what is downloaded here', async () => {
    const same = { description: 'Draws charts' }
    const store = await storeOf(
      { name: 'first', ...same },
      { name: 'second', ...same },
      { name: 'third', ...same },
      ...['x', 'y', 'z'].map((name) => ({ name, dependencies: { third: '*' } }))
    )
    expect(found(store, 'charts')).toEqual(['third', 'first', 'second'])
    const [hit] = store.catalogue.search(new Query(['second']))
    const { owner, name } = hit?.record.release ?? expect.fail()
    for (let count = 0; count < 20; count++) store.catalogue.countDownload(owner, name)
    expect(found(store, 'charts')).toEqual(['second', 'third', 'first'])
  })

  it('gives equals by name and then by owner, with scores above 0 that never rise', async () => {
    const store = await runningStore()
    for (const seed of ['a', 'b', 'c']) {
      const names = ['delta', 'alpha', 'beta'].map((name) => ({ name, description: 'the same words' }))
      const { inception, releases } = await signedBy(seed, ...names)
      await store.catalogue.ingest([inception, ...releases])
    }
    const hits = store.catalogue.search(new Query(['same', 'words']))
    const keys = hits.map(({ record }) => `${record.release.name} ${record.release.owner}`)
    expect(keys).toHaveLength(9)
    expect(keys).toEqual(keys.toSorted())
    const scores = hits.map(({ score }) => score)
    expect(scores.every((score) => score > 0)).toBe(true)
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
  })
})

it('finds by words as people write them: plurals, accents, camelCase, other scripts', async () => {
  const store = await storeOf(
    { name: 'libs', description: 'Two libraries for naïve Bayes and parseXmlFast' },
    { name: 'kirja', description: 'Пакет для разбора 日本語 текста' }
  )
  for (const word of ['library', 'Library', 'naive', 'NAÏVE', 'xml', 'parseXml', 'bayes']) {
    expect(found(store, word)).toEqual(['libs'])
  }
  for (const word of ['разбора', 'ПАКЕТ', '日本', '日本語']) expect(found(store, word)).toEqual(['kirja'])
})

it('finds a package by the release that stands for it, and no longer by an older one', async () => {
  const store = await storeOf({ name: 'tool', version: '1.0.0', description: 'old words' })
  const { releases } = await signedBy(
    0,
    { name: 'tool', version: '1.1.0', description: 'new ideas', tags: ['fresh'] },
    { name: 'tool', version: '2.0.0-beta', description: 'future plans' }
  )
  await store.catalogue.ingest(releases)
  expect(found(store, 'old')).toEqual([])
  expect(found(store, 'ideas')).toEqual(['tool'])
  expect(found(store, 'plans')).toEqual([])
  expect(found(store, '', { tags: ['fresh'] })).toEqual(['tool'])
})

describe('filters', () => {
  const releases: ReleaseInput[] = [
    { name: 'red', category: 'colours', tags: ['warm', 'primary'], description: 'A thing' },
    { name: 'orange', category: 'colours', tags: ['warm'], description: 'A thing' },
    { name: 'blue', category: 'colours', tags: ['primary', 'cold'], description: 'A thing' },
    { name: 'warm', category: 'other "things"', tags: ['AND', 'a*', 'a b', ''], description: 'A thing' }
  ]

  it('keep the category, with words and without', async () => {
    const store = await storeOf(...releases)
    expect(found(store, '', { category: 'colours' }).toSorted()).toEqual(['blue', 'orange', 'red'])
    expect(found(store, 'thing', { category: 'colours' }).toSorted()).toEqual(['blue', 'orange', 'red'])
    expect(found(store, 'warm', { category: 'colours' }).toSorted()).toEqual(['orange', 'red'])
    expect(found(store, 'war', { category: 'other "things"' })).toEqual(['warm'])
    expect(found(store, '', { category: 'colour' })).toEqual([])
  })

  it('keep what has all the tags, whatever is in them', async () => {
    const store = await storeOf(...releases)
    expect(found(store, '', { tags: ['warm', 'primary'] })).toEqual(['red'])
    expect(found(store, 'thing', { tags: ['primary'] }).toSorted()).toEqual(['blue', 'red'])
    expect(found(store, 'blu', { tags: ['primary', 'warm'] })).toEqual([])
    for (const tag of ['AND', 'a*', 'a b', ''])
      expect(found(store, 'warm', { tags: [tag] })).toEqual(['warm'])
    expect(found(store, '', { tags: ['a'] })).toEqual([])
  })

  it('keep what was downloaded often enough, with words, by name alone and without words', async () => {
    const store = await storeOf(...releases)
    const [hit] = store.catalogue.search(new Query(['red']))
    const { owner, name } = hit?.record.release ?? expect.fail()
    store.catalogue.countDownload(owner, name)
    store.catalogue.countDownload(owner, name)
    for (const words of ['', 'thing', 'red', 're']) {
      expect(found(store, words, { minDownloads: 2 })).toEqual(['red'])
      expect(found(store, words, { minDownloads: 3 })).toEqual([])
    }
  })
})

describe('without words', () => {
  it('lists everything, the newest first, and believes no claim of the future', async () => {
    const clock = manualClock()
    const store = await runningStore({}, clock)
    const startMs = clock.now()
    const { inception, releases } = await signedBy(
      0,
      { name: 'long-ago', claimedAtMs: startMs - 1000 },
      { name: 'just-now', claimedAtMs: startMs },
      { name: 'tomorrow', claimedAtMs: startMs + 1e9 }
    )
    await store.catalogue.ingest([inception, ...releases])
    await clock.advance(10)
    const later = await signedBy(0, { name: 'later', claimedAtMs: startMs + 5 })
    await store.catalogue.ingest(later.releases)
    expect(found(store, '')).toEqual(['later', 'just-now', 'tomorrow', 'long-ago'])
    expect(found(store, '', { limit: 2 })).toEqual(['later', 'just-now'])
    expect(found(store, '', { limit: 0 })).toEqual([])
  })
})

it('finds nothing for words that are none', async () => {
  const store = await storeOf({ name: 'example' })
  for (const words of ['!!!', '""', '* - +', '🎉']) expect(found(store, words)).toEqual([])
})

it('finds as many as are asked for, also more than it looks at otherwise', { timeout: 30_000 }, async () => {
  const names = Array.from({ length: 260 }, (_, index) => `common-${index}`)
  const store = await storeOf(...names.map((name) => ({ name, description: 'shared by all' })))
  for (const words of ['shared', 'common', 'mmo', 'shared nonsense']) {
    expect(found(store, words, { limit: 1000 }).toSorted()).toEqual(names.toSorted())
  }
})

it('takes no query for anything but words', { timeout: 30_000 }, async () => {
  const store = await storeOf({ name: 'example', description: 'some words in here', tags: ['tag'] })
  const syntax = fc.constantFrom(
    ...[
      '"',
      "'",
      'AND',
      'OR',
      'NOT',
      'NEAR(',
      ')',
      '*',
      '^',
      ':',
      'name:',
      '{name}',
      '-',
      '+',
      ';',
      '--',
      '%',
      '_',
      '\\'
    ]
  )
  const word = fc.oneof(
    syntax,
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc
      .array(fc.oneof(syntax, fc.constantFrom('some', 'words', 'ex')), { maxLength: 5 })
      .map((parts) => parts.join(' ')),
    fc.string({
      unit: fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCharCode(code)),
      maxLength: 20
    })
  )
  const query = fc.record({
    words: fc.array(word, { maxLength: 8 }),
    category: fc.option(word, { nil: undefined }),
    tags: fc.array(word, { maxLength: 3 })
  })
  fc.assert(
    fc.property(query, ({ words, category, tags }) => {
      const options = category === undefined ? { tags } : { tags, category }
      for (const hit of store.catalogue.search(new Query(words, options)))
        expect(hit.score).toBeGreaterThan(0)
    }),
    { numRuns: 500, seed: 1 }
  )
  expect(store.catalogue.search(new Query(Array(32).fill('x y '.repeat(60))))).toEqual([])
  expect(found(store, 'some')).toEqual(['example'])
})

it('cuts texts into words', () => {
  expect(wordsOf('HTTPServer v2, parseJSON—naïve_case; ５!')).toEqual([
    ...['http', 'server', 'v2', 'parse', 'json', 'naive', 'case', '5']
  ])
  expect(wordsOf('')).toEqual([])
  expect(
    ['libraries', 'parsers', 'classes', 'class', 'status', 'bus', 'js', 'css', 'axes'].map(stemOf)
  ).toEqual([...['library', 'parser', 'classe', 'class', 'status', 'bus', 'js', 'css', 'axe']])
})
