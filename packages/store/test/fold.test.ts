import { parseVersion, Query, type RecordId, type Release, type ReleaseRecord } from '@registry/types'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareReleases } from '../src/fold.ts'
import { derivedTables } from './derived-tables.ts'
import { runningStore } from './folder-store.ts'
import { ownerWithTwoKeys, signedBy } from './signed-records.ts'

/** Everything the catalogue answers, as far as it is a function of the records. */
function answersOf(catalogue: Awaited<ReturnType<typeof runningStore>>['catalogue']): unknown {
  const own = ({ id, release, conflicted }: ReleaseRecord): [RecordId, Release, boolean] => [
    id,
    release,
    conflicted
  ]
  const packages = catalogue.packages({ limit: 1000 })
  const queries = [[], ['json'], ['yo'], ['library'], ['json', 'parser'], ['rare', 'library'], ['nothing']]
  return {
    summary: catalogue.summary(),
    counts: catalogue.counts(),
    ids: (['owner', 'release'] as const).map((kind) => catalogue.recordIds({ kind, limit: 1000 })),
    packages: packages.map(own),
    releases: packages.map(({ release }) => catalogue.releases(release.owner, release.name).map(own)),
    owners: packages.map(({ release }) => [
      catalogue.ownersOf(release.name),
      catalogue.ownerRecord(release.owner)
    ]),
    searches: queries.flatMap((words) =>
      [{}, { category: 'tools' }, { tags: ['a'] }].map((filter) =>
        catalogue.search(new Query(words, filter)).map(({ record, score }) => [own(record), score])
      )
    )
  }
}

async function records(): Promise<{ owners: Uint8Array[]; releases: Uint8Array[] }> {
  const first = await signedBy(
    'first',
    { name: 'json', version: '1.0.0', dependencies: { library: '*' } },
    { name: 'json', version: '1.0.0', description: 'The same version, but another release' },
    { name: 'json', version: '2.0.0-rc.1', category: 'tools' },
    { name: 'json', version: '0.9.0', dependencies: { library: '*', yojson: '*' } },
    { name: 'library', version: '1.0.0+1', tags: ['a'] },
    { name: 'library', version: '1.0.0+01', tags: ['b'] }
  )
  const second = await signedBy(
    'second',
    { name: 'json', version: '3.0.0', description: 'A rare parser', dependencies: { yojson: '*' } },
    { name: 'yojson', version: '1.0.0-alpha', keywords: ['parser'] },
    { name: 'yojson', version: '1.0.0-beta', keywords: ['library'], dependencies: { json: '*' } },
    { name: 'ppx_json', version: '1.0.0', tags: ['a', 'b'], dependencies: { library: '*', yojson: '*' } }
  )
  const team = await ownerWithTwoKeys('team')
  const inTwoEnvelopes = await Promise.all([
    team.sign({ name: 'json', version: '1.0.0' }),
    team.sign({ name: 'json', version: '1.0.0', description: 'And another for this one' }),
    team.sign({ name: 'json', version: '1.1.0', category: 'tools', dependencies: { library: '*' } })
  ])
  return {
    owners: [first.inception, second.inception, ...team.inceptions],
    releases: [...first.releases, ...second.releases, ...inTwoEnvelopes.flat()]
  }
}

it('folds the same records into the same catalogue in any order, repetition and division', {
  timeout: 60_000
}, async () => {
  const { owners, releases } = await records()
  const all = [...owners, ...releases]
  const expected = await runningStore()
  await expected.catalogue.ingest(all)
  const answers = answersOf(expected.catalogue)
  const tables = derivedTables(expected.dataDir)

  const history = fc.record({
    order: fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length }),
    cuts: fc.array(fc.nat(2 * all.length), { maxLength: 6 })
  })
  await fc.assert(
    fc.asyncProperty(history, async ({ order, cuts }) => {
      const store = await runningStore()
      const ends = [...cuts, order.length].sort((a, b) => a - b)
      for (const [index, end] of ends.entries()) {
        await store.catalogue.ingest(order.slice(ends[index - 1] ?? 0, end))
      }
      // Those that came before their owner were refused; a peer is offered them again.
      await store.catalogue.ingest(order)
      expect(answersOf(store.catalogue)).toEqual(answers)
      expect(derivedTables(store.dataDir)).toEqual(tables)
      await store.stop()
    }),
    { numRuns: 25, seed: 1 }
  )
})

it('lets a release stand for its package rather than a newer pre-release', async () => {
  const { owner, inception, releases } = await signedBy(
    1,
    { name: 'a', version: '1.0.0' },
    { name: 'a', version: '2.0.0-rc.1' },
    { name: 'b', version: '1.0.0-1' },
    { name: 'b', version: '1.0.0-2' }
  )
  const { catalogue } = await runningStore()
  await catalogue.ingest([inception, ...releases])
  expect(catalogue.packages({ limit: 9 }).map(({ release }) => `${release.name}@${release.version}`)).toEqual(
    ['a@1.0.0', 'b@1.0.0-2']
  )
  expect(catalogue.ownersOf(catalogue.packages({ limit: 1 })[0]?.release.name ?? expect.fail())).toEqual([
    owner
  ])
})

it('keeps both releases when an owner signs two for one version, and marks them', async () => {
  const { inception, releases } = await signedBy(
    1,
    { version: '1.0.0' },
    { version: '1.0.0', description: 'another' },
    { version: '1.1.0' }
  )
  const { catalogue } = await runningStore()
  await catalogue.ingest([inception, ...releases])
  const [newest] = catalogue.packages({ limit: 1 })
  const { owner, name } = newest?.release ?? expect.fail()
  expect(
    catalogue.releases(owner, name).map(({ release, conflicted }) => [release.version, conflicted])
  ).toEqual([
    ['1.1.0', false],
    ['1.0.0', true],
    ['1.0.0', true]
  ])
})

it('takes the same release in two envelopes for one, under the smaller record ID', async () => {
  const team = await ownerWithTwoKeys('team')
  const envelopes = await team.sign({ version: '1.0.0' })
  const { catalogue } = await runningStore()
  const outcomes = await catalogue.ingest([...team.inceptions, ...envelopes])
  expect(outcomes.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted', 'accepted'])
  const ids = catalogue.recordIds({ kind: 'release', limit: 9 }).ids
  expect(ids).toHaveLength(2)
  expect(catalogue.counts()).toEqual({ owners: 1, packages: 1, releases: 1 })
  expect(catalogue.changes({ after: 0, limit: 9 }).map(({ record }) => record.id)).toEqual([
    ids.toSorted()[0]
  ])
  expect(catalogue.packages({ limit: 9 })[0]?.conflicted).toBe(false)
})

it('orders releases totally, where SemVer does not', () => {
  const versions = ['1.0.0+1', '1.0.0+01', '1.0.0-a', '1.0.0', '1.0.0+a.b', '1.0.0-1', '2.0.0-0'].map(
    parseVersion
  )
  const release = fc.record({ version: fc.constantFrom(...versions), payload: fc.constantFrom('a', 'b') })
  fc.assert(
    fc.property(release, release, release, (a, b, c) => {
      expect(Math.sign(compareReleases(a, b))).toBe(-Math.sign(compareReleases(b, a)) + 0)
      if (compareReleases(a, b) <= 0 && compareReleases(b, c) <= 0)
        expect(compareReleases(a, c)).toBeLessThanOrEqual(0)
      if (compareReleases(a, b) === 0) expect(a).toEqual(b)
    })
  )
})
