import { cp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { manualClock, type ReleaseInput, seededOwnerId } from '@registry/testing'
import {
  parsePackageName,
  parseVersion,
  Query,
  type QueryOptions,
  type RegistryStore,
  type ScoreExplanation
} from '@registry/types'
import { describe, expect, it } from 'vitest'
import { roundedCount } from '../src/fold.ts'
import { runningStore } from './folder-store.ts'
import { attested, signedBy, stated } from './signed-records.ts'

type Store = RegistryStore & { dataDir: string }

async function storeOf(...releases: ReleaseInput[]): Promise<Store> {
  const store = await runningStore()
  const signed = await signedBy(0, ...releases)
  await store.catalogue.ingest([signed.inception, ...signed.releases])
  return store
}

function found({ catalogue }: RegistryStore, words: string, options: QueryOptions = {}): string[] {
  const keywords = words.split(' ').filter((word) => word !== '')
  return catalogue.search(new Query(keywords, options)).hits.map(({ record }) => record.release.name)
}

function qualityOf({ catalogue }: RegistryStore, name: string): ScoreExplanation['quality'] {
  const [hit] = catalogue.search(new Query([name], { explain: true })).hits
  expect(hit?.record.release.name).toBe(name)
  return hit?.explanation?.quality ?? expect.fail(name)
}

async function introduce({ catalogue }: RegistryStore, ...seeds: Array<string | number>): Promise<void> {
  const signed = await Promise.all(seeds.map((seed) => signedBy(seed)))
  await catalogue.ingest(signed.map(({ inception }) => inception))
}

it('finds a package by the release that stands for it, and no longer by another', async () => {
  const store = await storeOf({ name: 'tool', version: '1.0.0', description: 'old words' })
  const { catalogue } = store
  const { releases } = await signedBy(
    0,
    { name: 'tool', version: '1.1.0', description: 'new ideas', tags: ['fresh'] },
    { name: 'tool', version: '2.0.0-beta', description: 'future plans' }
  )
  await catalogue.ingest(releases)
  expect(found(store, 'old')).toEqual([])
  expect(found(store, 'ideas')).toEqual(['tool'])
  expect(found(store, 'plans')).toEqual([])
  expect(found(store, '', { tags: ['fresh'] })).toEqual(['tool'])

  const version = parseVersion('1.1.0')
  await catalogue.ingest([await stated(0, { field: 'yank', version, reason: '' }, { name: 'tool' })])
  expect(found(store, 'old')).toEqual(['tool'])
  expect(found(store, 'ideas')).toEqual([])
  for (const gone of ['1.0.0', '1.1.0', '2.0.0-beta'].map(parseVersion)) {
    await catalogue.ingest([
      await stated(0, { field: 'unpublish', version: gone, reason: '' }, { name: 'tool' })
    ])
  }
  expect(catalogue.search(new Query())).toEqual({ hits: [], total: 0 })
})

it('gives pages that together are everything that fits, with how much that is and its facets', async () => {
  const names = Array.from({ length: 25 }, (_, index) => `common-${index}`)
  const store = await storeOf(...names.map((name, index) => ({ name, tags: [index < 5 ? 'few' : 'many'] })))
  const seen: string[] = []
  let after: string | undefined
  do {
    const options = after === undefined ? {} : { after }
    const page = store.catalogue.search(new Query(['common'], { limit: 10, facets: true, ...options }))
    expect(page.total).toBe(25)
    expect(page.facets?.tag).toEqual([
      { value: 'many', count: 20 },
      { value: 'few', count: 5 }
    ])
    seen.push(...page.hits.map(({ record }) => record.release.name))
    after = page.next
  } while (after !== undefined)
  expect(seen.toSorted()).toEqual(names.toSorted())
  expect(() => store.catalogue.search(new Query(['common'], { after: 'nonsense' }))).toThrowError(
    expect.objectContaining({ code: 'ERR_INVALID_CURSOR' })
  )
})

it('leaves out what was not downloaded often enough, as it is counted on', async () => {
  const store = await storeOf({ name: 'red' }, { name: 'orange' })
  const owner = seededOwnerId(0)
  const download = (name: string): void => store.catalogue.countDownload(owner, parsePackageName(name))
  download('red')
  expect(found(store, '', { minDownloads: 1 })).toEqual(['red'])
  expect(found(store, '', { minDownloads: 2 })).toEqual([])
  download('red')
  download('orange')
  download('no-package-here')
  expect(found(store, '', { minDownloads: 2 })).toEqual(['red'])
  expect(found(store, 'orange', { minDownloads: 1 })).toEqual(['orange'])
  await store.stop()
  await store.start()
  expect(found(store, '', { minDownloads: 2 })).toEqual(['red'])
})

it('leaves out what a filter refuses, and does not count it', async () => {
  const store = await storeOf({ name: 'red' }, { name: 'orange' })
  const { hits, total } = store.catalogue.search(
    new Query(),
    (owner, name) => owner === seededOwnerId(0) && name !== 'red'
  )
  expect(hits.map(({ record }) => record.release.name)).toEqual(['orange'])
  expect(total).toBe(1)
})

it('lists everything by when it was released, and believes no claim of the future', async () => {
  const clock = manualClock()
  const store = await runningStore({}, clock)
  const startMs = clock.now()
  const { inception, releases } = await signedBy(
    0,
    { name: 'long-ago', claimedAtMs: startMs - 86_400_000 },
    { name: 'just-now', claimedAtMs: startMs },
    { name: 'tomorrow', claimedAtMs: startMs + 86_400_000 }
  )
  await store.catalogue.ingest([inception, ...releases])
  await clock.advance(10_000)
  const later = await signedBy(0, { name: 'later', claimedAtMs: startMs + 5000 })
  await store.catalogue.ingest(later.releases)
  expect(found(store, '', { sort: 'updated' })).toEqual(['later', 'just-now', 'tomorrow', 'long-ago'])
})

describe('the quality of a package', () => {
  it('grows with the packages that depend on it, whenever these came', async () => {
    const dependents = ['x', 'y', 'z'].map((name) => ({ name, dependencies: { third: '*' } }))
    const store = await storeOf({ name: 'third' }, ...dependents.slice(0, 1))
    const before = qualityOf(store, 'third').dependents
    expect(before).toBeGreaterThan(0)
    await store.catalogue.ingest((await signedBy(0, ...dependents)).releases)
    expect(qualityOf(store, 'third').dependents).toBeGreaterThan(before)
    const other = await storeOf(...dependents, { name: 'third' })
    expect(qualityOf(other, 'third')).toEqual(qualityOf(store, 'third'))
    expect(found(store, '', { sort: 'dependents', limit: 1 })).toEqual(['third'])
  })

  it('grows with the owners who vouch for it, less those who warn, and not by its own', async () => {
    const store = await storeOf({ name: 'example' })
    const { catalogue } = store
    await introduce(store, 'a', 'b', 'c')
    const attest = async (
      seed: string | number,
      claim: 'review' | 'rebuild' | 'block',
      text = 'So it is'
    ): Promise<void> => {
      await catalogue.ingest([await attested(seed, { owner: seededOwnerId(0), claim, text })])
    }
    const trust = (): number => qualityOf(store, 'example').trust
    await attest(0, 'review')
    expect(trust()).toBe(0)
    await attest('a', 'review')
    const one = trust()
    expect(one).toBeGreaterThan(0)
    await attest('a', 'rebuild', 'Once more')
    expect(trust()).toBe(one)
    await attest('b', 'review')
    expect(trust()).toBeGreaterThan(one)
    await attest('c', 'block')
    expect(trust()).toBe(one)
    await attest('c', 'review', 'But good')
    expect(trust()).toBe(one)
    await attest('b', 'block', 'No longer')
    expect(trust()).toBe(0)
  })

  it('takes counts by their leading digits, which differ by a quarter at most', () => {
    expect([0, 1, 2, 7, 8, 9, 10, 100, 1000].map(roundedCount)).toEqual([0, 1, 2, 7, 8, 8, 10, 96, 896])
    for (let count = 1; count < 5000; count++) {
      expect(roundedCount(count)).toBeLessThanOrEqual(count)
      expect(roundedCount(count) * 1.25).toBeGreaterThanOrEqual(count)
    }
  })
})

describe('after a restart', () => {
  const releases = Array.from({ length: 130 }, (_, index) => ({
    name: `package-${index}`,
    tags: [`tag-${index % 3}`]
  }))
  const everything = new Query([], { facets: true, explain: true, limit: 1000 })

  it('answers as before, also without the index or with a damaged one', async () => {
    const store = await storeOf(...releases)
    const folder = join(store.dataDir, 'search')
    const expected = store.catalogue.search(everything)
    expect(expected.total).toBe(130)
    const losses = [
      async () => {},
      async () => rm(folder, { recursive: true }),
      async () => {
        for (const file of await readdir(folder)) await writeFile(join(folder, file), 'damaged')
      }
    ]
    for (const lose of losses) {
      await store.stop()
      await lose()
      await store.start()
      expect(store.catalogue.search(everything)).toEqual(expected)
    }
  })

  it('has what the index on disk had not seen yet, what is gone included', async () => {
    const store = await storeOf(...releases.slice(0, 60))
    const folder = join(store.dataDir, 'search')
    const earlier = join(store.dataDir, 'earlier')
    await store.stop()
    await cp(folder, earlier, { recursive: true })
    await store.start()
    const { catalogue } = store
    await catalogue.ingest((await signedBy(0, ...releases)).releases)
    const version = parseVersion('1.0.0')
    await catalogue.ingest([
      await stated(0, { field: 'unpublish', version, reason: '' }, { name: 'package-7' })
    ])
    const expected = catalogue.search(everything)
    expect(expected.total).toBe(129)
    await store.stop()
    await rm(folder, { recursive: true })
    await cp(earlier, folder, { recursive: true })
    await store.start()
    expect(catalogue.search(everything)).toEqual(expected)
  })

  it('forgets what the index has seen and the records have lost', async () => {
    const store = await storeOf(...releases.slice(0, 3))
    await store.stop()
    const lost = join(store.dataDir, 'catalogue.sqlite')
    const before = join(store.dataDir, 'before.sqlite')
    await cp(lost, before)
    await store.start()
    await store.catalogue.ingest((await signedBy(0, ...releases)).releases)
    expect(found(store, '', { limit: 1000 })).toHaveLength(130)
    await store.stop()
    await cp(before, lost)
    await store.start()
    expect(found(store, '').toSorted()).toEqual(['package-0', 'package-1', 'package-2'])
  })

  it('is made anew with the views', async () => {
    const store = await storeOf(...releases.slice(0, 3))
    const expected = store.catalogue.search(everything)
    const db = new DatabaseSync(join(store.dataDir, 'catalogue.sqlite'))
    db.exec("UPDATE packages SET latest = NULL, changed = 0 WHERE name = 'package-1'")
    db.close()
    await store.stop()
    await writeFile(join(store.dataDir, 'catalogue.suspect'), '')
    await store.start()
    expect(store.catalogue.search(everything)).toEqual(expected)
  })
})
