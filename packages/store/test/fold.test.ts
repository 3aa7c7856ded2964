import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { recordIdOf } from '@registry/identity'
import { manualClock, memoryStore } from '@registry/testing'
import {
  type Catalogue,
  type OwnerId,
  parseVersion,
  Query,
  type ReleaseRecord,
  statementField
} from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareReleases } from '../src/fold.ts'
import { derivedTables } from './derived-tables.ts'
import { runningStore } from './folder-store.ts'
import { FACTS, NAMES, type RecordPool, recordPool, VERSIONS } from './record-pool.ts'
import { attested, ownerWithTwoKeys, signedBy, stated } from './signed-records.ts'

/** Everything that a catalogue answers, as far as it is a function of the records. */
function answersOf(catalogue: Catalogue, owners: readonly OwnerId[]): unknown {
  const own = ({ firstSeenMs, ...record }: ReleaseRecord): unknown => ({ ...record, seen: firstSeenMs >= 0 })
  const one = (record: ReleaseRecord | undefined): unknown => (record === undefined ? null : own(record))
  const { hits, total } = catalogue.search(new Query([], { limit: 1000 }))
  const { ids } = catalogue.recordIds({ scope: { kind: 'all' }, limit: 10_000 })
  return {
    summary: catalogue.summary(),
    counts: catalogue.counts(),
    ids,
    bundles: ids.map((id) => catalogue.bundle(id).map(recordIdOf)),
    packages: catalogue.packages({ limit: 1000 }).map(own),
    ownersOf: NAMES.map((name) => catalogue.ownersOf(name)),
    inceptions: owners.map((owner) => catalogue.ownerRecord(owner)),
    about: owners.flatMap((owner) =>
      NAMES.map((name) => ({
        releases: catalogue.releases(owner, name).map(own),
        latest: one(catalogue.latest(owner, name)),
        state: catalogue.state(owner, name),
        attestations: catalogue
          .attestations(owner, name)
          .map(({ id, attestation }) => ({ id, attestation }))
          .sort(byText),
        unpublished: VERSIONS.map((version) => catalogue.isUnpublished({ owner, name, version })),
        seqs: FACTS.map((fact) => catalogue.statementSeq(owner, name, statementField(fact))),
        records: catalogue.packageRecords(owner, name).sort()
      }))
    ),
    found: [total, hits.map(({ record }) => own(record)).sort(byText)]
  }
}

/** As each engine ranks it. */
function searchesOf(catalogue: Catalogue): unknown {
  const queries = [['json'], ['Another', 'library'], ['libary'], ['nothing']].flatMap((words) =>
    [{}, { category: 'tools' }, { tags: ['a'] }].map((filter) => new Query(words, filter))
  )
  return queries.map((query) => {
    const { hits, total } = catalogue.search(query)
    return [total, hits.map(({ record, score }) => [record.id, score])]
  })
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}

/** Some records of the pool, by number, in an order; where they are cut; and which of them one peer has. */
function anyHistory(pool: RecordPool): fc.Arbitrary<{ order: number[]; cuts: number[]; here: boolean[] }> {
  return fc.record({
    order: fc.array(fc.nat(pool.records.length - 1), { maxLength: 70, size: 'max' }),
    cuts: fc.array(fc.nat(70), { maxLength: 6 }),
    here: fc.array(fc.boolean(), { minLength: 70, maxLength: 70 })
  })
}

async function ingestInParts(
  catalogue: Catalogue,
  records: readonly Uint8Array[],
  cuts: readonly number[]
): Promise<void> {
  const ends = [...cuts, records.length].sort((a, b) => a - b)
  for (const [index, end] of ends.entries()) await catalogue.ingest(records.slice(ends[index - 1] ?? 0, end))
}

describe('the fold', () => {
  it('is that of plain loops over the records, in any order, with any repetition, split and merged', {
    timeout: 60_000
  }, async () => {
    const pool = await recordPool()
    await fc.assert(
      fc.asyncProperty(anyHistory(pool), async ({ order: numbers, cuts, here }) => {
        const order = numbers.map((number) => pool.records[number] ?? expect.fail())
        const reference = memoryStore()({ clock: manualClock() }).catalogue
        await reference.ingest([...pool.inceptions, ...order])
        const expected = answersOf(reference, pool.owners)

        const [one, other] = [await runningStore(), await runningStore()]
        const parts = [order.filter((_, index) => here[index]), order.filter((_, index) => !here[index])]
        for (const [index, store] of [one, other].entries()) {
          await store.catalogue.ingest(pool.inceptions)
          await ingestInParts(store.catalogue, parts[index] ?? [], cuts)
        }
        const held = ({ catalogue }: typeof one): Uint8Array[] =>
          catalogue
            .recordIds({ scope: { kind: 'all' }, limit: 10_000 })
            .ids.map((id) => catalogue.record(id) ?? expect.fail(id))
        const [fromOne, fromOther] = [held(one), held(other)]
        await one.catalogue.ingest(fromOther)
        await other.catalogue.ingest(fromOne.toReversed())
        for (const { catalogue } of [one, other]) expect(answersOf(catalogue, pool.owners)).toEqual(expected)
        expect(searchesOf(one.catalogue)).toEqual(searchesOf(other.catalogue))
        expect(derivedTables(one.dataDir)).toEqual(derivedTables(other.dataDir))
        await one.stop()
        await other.stop()
      }),
      { numRuns: 25, seed: 1 }
    )
  })

  it('says of each record whether it is in the set then', { timeout: 60_000 }, async () => {
    const pool = await recordPool()
    await fc.assert(
      fc.asyncProperty(anyHistory(pool), async ({ order }) => {
        const store = await runningStore()
        const { catalogue } = store
        await catalogue.ingest(pool.inceptions)
        for (const number of order) {
          const record = pool.records[number] ?? expect.fail()
          const [outcome] = await catalogue.ingest([record])
          expect(outcome?.status).toMatch(/^(accepted|known|superseded)$/)
          expect(catalogue.has(recordIdOf(record))).toBe(outcome?.status !== 'superseded')
        }
        await store.stop()
      }),
      { numRuns: 6, seed: 1 }
    )
  })

  it('made anew from the records is the one that was kept, with the order of arrival', {
    timeout: 60_000
  }, async () => {
    const pool = await recordPool()
    await fc.assert(
      fc.asyncProperty(anyHistory(pool), async ({ order, cuts }) => {
        const store = await runningStore()
        const { catalogue, dataDir } = store
        const records = order.map((number) => pool.records[number] ?? expect.fail())
        await ingestInParts(catalogue, [...pool.inceptions, ...records], cuts)
        const told = (): unknown => [catalogue.sequence, catalogue.changes({ after: 0, limit: 1000 })]
        const before = [answersOf(catalogue, pool.owners), derivedTables(dataDir), told()]
        await store.stop()
        await writeFile(join(dataDir, 'catalogue.suspect'), '')
        await store.start()
        expect([answersOf(catalogue, pool.owners), derivedTables(dataDir), told()]).toEqual(before)
        await store.stop()
      }),
      { numRuns: 8, seed: 2 }
    )
  })
})

it('keeps both releases when an owner signs two for one version, and marks them', async () => {
  const { owner, inception, releases } = await signedBy(
    1,
    { version: '1.0.0' },
    { version: '1.0.0', description: 'another' },
    { version: '1.1.0' }
  )
  const { catalogue } = await runningStore()
  await catalogue.ingest([inception, ...releases])
  const { name } = catalogue.packages({ limit: 1 })[0]?.release ?? expect.fail()
  expect(
    catalogue.releases(owner, name).map(({ release, conflicted }) => [release.version, conflicted])
  ).toEqual([
    ['1.1.0', false],
    ['1.0.0', true],
    ['1.0.0', true]
  ])
  const ids = releases.map(recordIdOf)
  for (const [index, rival] of [
    [0, 1],
    [1, 0]
  ]) {
    const bundle = catalogue.bundle(ids[index ?? 0] ?? expect.fail()).map(recordIdOf)
    expect(bundle).toEqual([recordIdOf(inception), ids[rival ?? 0], ids[index ?? 0]])
  }
})

it('takes the same release in two envelopes for one, under the smaller record ID', async () => {
  const team = await ownerWithTwoKeys('team')
  const envelopes = await team.release({ version: '1.0.0' })
  const [smallest] = envelopes.map(recordIdOf).sort()
  for (const order of [envelopes, envelopes.toReversed()]) {
    const { catalogue, clock } = await runningStore()
    const startMs = clock.now()
    const statuses: unknown[] = []
    for (const record of [...team.inceptions, ...order]) {
      statuses.push(...(await catalogue.ingest([record])).map(({ status }) => status))
      await clock.advance(1000)
    }
    expect(statuses).toEqual(['accepted', 'accepted', 'accepted', 'accepted'])
    expect(catalogue.counts()).toEqual({ owners: 1, packages: 1, releases: 1 })
    expect(catalogue.packages({ limit: 9 })).toMatchObject([
      { id: smallest, conflicted: false, firstSeenMs: startMs + 2000 }
    ])
    expect(catalogue.changes({ after: 0, limit: 9 })).toMatchObject([
      { sequence: 1, type: 'NewPackage', id: recordIdOf(order[0] ?? expect.fail()), record: { id: smallest } }
    ])
    expect(catalogue.sequence).toBe(1)
  }
})

it('lets the same statement in two envelopes hold once', async () => {
  const team = await ownerWithTwoKeys('team')
  const envelopes = await team.statement({ field: 'readme', content: null })
  const greatest = envelopes.map(recordIdOf).sort().at(-1)
  for (const order of [envelopes, envelopes.toReversed()]) {
    const { catalogue } = await runningStore()
    await catalogue.ingest([...team.inceptions.slice(0, 1), ...order])
    expect(order.map(recordIdOf).filter((id) => catalogue.has(id))).toEqual([greatest])
    expect(catalogue.summary().records).toBe(2)
  }
})

it('tells of a record in the same place after a restart, and of a superseded statement no longer', async () => {
  const version = parseVersion('1.0.0')
  const { inception, releases } = await signedBy(0, { version }, { version, description: 'another' })
  const yank = (seq: number, reason: string | null): Promise<Uint8Array> =>
    stated(0, { field: 'yank', version, reason }, { seq })
  const store = await runningStore()
  const { catalogue } = store
  await catalogue.ingest([await attested(0), inception, await attested(0), await yank(1, 'Broken')])
  await catalogue.ingest(releases)
  await catalogue.ingest([await yank(2, null)])
  const told = (after: number): unknown[] =>
    catalogue.changes({ after, limit: 9 }).map(({ sequence, type }) => [sequence, type])
  const before = told(0)
  expect(before).toEqual([
    [1, 'Attested'],
    [3, 'NewPackage'],
    [4, 'Conflicted'],
    [5, 'MetadataUpdate']
  ])
  await store.stop()
  await store.start()
  expect(told(0)).toEqual(before)
  expect(told(3)).toEqual(before.slice(2))
  expect(catalogue.changes({ after: 0, limit: 1 })).toHaveLength(1)
  await catalogue.ingest([await yank(3, 'Broken again')])
  expect(told(4)).toEqual([[6, 'Yanked']])
})

it('looks past changes that say nothing yet, however many there are', async () => {
  const { inception, releases } = await signedBy(0, { name: 'here' })
  const versions = Array.from({ length: 300 }, (_, index) => parseVersion(`1.0.${index}`))
  const early = await Promise.all(
    versions.map((version) => stated(0, { field: 'yank', version, reason: '' }, { name: 'here' }))
  )
  const { catalogue } = await runningStore()
  await catalogue.ingest([inception, ...early, ...releases])
  expect(catalogue.changes({ after: 0, limit: 2 })).toMatchObject([
    { sequence: 1, type: 'Yanked' },
    { sequence: 301, type: 'NewPackage' }
  ])
})

it('gives others their turn while it takes in many records', { timeout: 60_000 }, async () => {
  const names = Array.from({ length: 1500 }, (_, index) => ({ name: `package-${index}` }))
  const { inception, releases } = await signedBy(0, ...names)
  const { catalogue } = await runningStore()
  const sequences: number[] = []
  catalogue.onChange((sequence) => sequences.push(sequence))
  const ingested = catalogue.ingest([...releases, inception])
  let done = false
  let turns = 0
  const turn = (): void => {
    turns += 1
    if (!done) setImmediate(turn)
  }
  setImmediate(turn)
  const outcomes = await ingested
  done = true
  expect(outcomes.every(({ status }) => status === 'accepted')).toBe(true)
  expect(sequences.length).toBeGreaterThan(2)
  expect(sequences.at(-1)).toBe(1500)
  // The first began before, the last ends with it.
  expect(turns).toBeGreaterThanOrEqual(sequences.length - 2)
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

it('takes few releases of many dependencies in one transaction, so that the event loop has its turn', async () => {
  const store = await runningStore()
  const dependencies = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`library-${at}`, '*']))
  const names = ['a', 'b', 'c', 'd'].map((name) => ({ name, dependencies }))
  const without = names.map(({ name }) => ({ name, version: '2.0.0' }))
  const { inception, releases } = await signedBy(0, ...names, ...without)
  let transactions = 0
  store.catalogue.onChange(() => transactions++)
  await store.catalogue.ingest([inception, ...releases.slice(0, 4)])
  expect(transactions).toBe(4)
  // As much changes when they depend on nothing any more.
  await store.catalogue.ingest(releases.slice(4))
  expect(transactions).toBe(8)
})
