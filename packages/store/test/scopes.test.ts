import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { readRecord, signAttestation, signRelease, signStatement } from '@registry/identity'
import { sketch } from '@registry/reconciliation'
import { makeAttestation, makeRelease, makeStatement, seededOwner } from '@registry/testing'
import {
  type CatalogueScope,
  type CatalogueSketch,
  PROTOCOL_LIMITS,
  RECORD_KINDS,
  type RecordId,
  type RegistryStore,
  type SnapshotCursor
} from '@registry/types'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Fingerprint } from '../src/fingerprint.ts'
import { isInScope, LiveScopes, type Membership } from '../src/live-scopes.ts'
import { placeOf } from '../src/place.ts'
import { recordKeyOf } from '../src/record-key.ts'
import { flipped, runningStore } from './folder-store.ts'

const NAMES = ['alpha', 'beta', '@scope/gamma', 'delta', 'epsilon']
const MAX = Number.MAX_SAFE_INTEGER

let records: Uint8Array[] = []
let scopes: CatalogueScope[] = []

/** Records of three owners, one of whom has few; most statements replace another one. */
beforeAll(async () => {
  const owners = await Promise.all(['first', 'second', 'third'].map((seed) => seededOwner(seed)))
  const signed = owners.flatMap(({ id: owner, signer }, index) =>
    (index === 2 ? NAMES.slice(0, 1) : NAMES).flatMap((name) => [
      signRelease(makeRelease({ owner, name }), signer),
      signRelease(makeRelease({ owner, name, version: '1.1.0' }), signer),
      ...[1, 2, 2, 3].map((seq, claimedAtMs) =>
        signStatement(makeStatement({ owner, name, seq, claimedAtMs }), signer)
      ),
      signAttestation(makeAttestation({ issuer: owner, owner: owners[0]?.id ?? owner, name }), signer)
    ])
  )
  records = [...owners.map(({ inception }) => inception), ...(await Promise.all(signed))]
  scopes = [
    { kind: 'all' },
    { kind: 'owners' },
    ...[0, 1, 2].flatMap((bits) =>
      Array.from({ length: 2 ** bits }, (_, index): CatalogueScope => ({ kind: 'shard', bits, index }))
    ),
    { kind: 'shard', bits: 8, index: placeOf(makeRelease().name) >>> 24 },
    ...owners.map(({ id }): CatalogueScope => ({ kind: 'owner', owner: id }))
  ]
})

function membershipOf(envelope: Uint8Array): Membership {
  const record = readRecord(envelope)
  switch (record.kind) {
    case 'owner':
      return { kind: 'owner', owner: record.owner, place: null }
    case 'release':
      return { kind: 'release', owner: record.release.owner, place: placeOf(record.release.name) }
    case 'statement':
      return { kind: 'statement', owner: record.statement.owner, place: placeOf(record.statement.name) }
    case 'attestation':
      return { kind: 'attestation', owner: record.attestation.owner, place: placeOf(record.attestation.name) }
  }
}

/** The first ones, and what the probes tell of the others. */
function symbolsOf(live: CatalogueSketch): string[] {
  return [live.symbols(0, 1024), live.probes()].map((bytes) => Buffer.from(bytes).toString('base64'))
}

/** What a catalogue says of a scope. */
function saidOf({ catalogue }: RegistryStore, scope: CatalogueScope): unknown {
  const live = catalogue.sketch(scope)
  const { fingerprint, records: count } = catalogue.summary(scope)
  return {
    fingerprint: Buffer.from(fingerprint).toString('hex'),
    count,
    ids: catalogue.recordIds({ scope, limit: MAX }).ids,
    symbols: symbolsOf(live),
    size: live.size
  }
}

/** The same of each scope, from scratch. */
function countedOf({ catalogue }: RegistryStore, asked: readonly CatalogueScope[]): unknown[] {
  const all = catalogue.recordIds({ scope: { kind: 'all' }, limit: MAX }).ids.map((id) => {
    return { id, key: recordKeyOf(id), membership: membershipOf(catalogue.record(id) ?? expect.fail(id)) }
  })
  return asked.map((scope) => {
    const members = all.filter(({ membership }) => isInScope(scope, membership))
    const fingerprint = new Fingerprint()
    const made = sketch({ capacity: catalogue.sketch(scope).capacity })
    for (const { key } of members) {
      fingerprint.add(key)
      made.add(key.subarray(0, 16))
    }
    return {
      fingerprint: Buffer.from(fingerprint.bytes()).toString('hex'),
      count: members.length,
      ids: members.map(({ id }) => id),
      symbols: symbolsOf(made),
      size: members.length
    }
  })
}

function expectInStep(store: RegistryStore, asked: readonly CatalogueScope[]): void {
  expect(asked.map((scope) => saidOf(store, scope))).toEqual(countedOf(store, asked))
}

/** Damages a stored record behind the store's back and reads it, so that it is dropped. */
async function damage(
  { catalogue, dataDir }: RegistryStore & { dataDir: string },
  id: RecordId
): Promise<void> {
  const db = new DatabaseSync(join(dataDir, 'catalogue.sqlite'))
  try {
    const key = recordKeyOf(id)
    const row = db.prepare('SELECT envelope FROM records WHERE id = ?').get(key)
    if (!(row?.envelope instanceof Uint8Array)) throw new Error(`No record ${id} is stored`)
    db.prepare('UPDATE records SET envelope = ? WHERE id = ?').run(flipped(row.envelope), key)
  } finally {
    db.close()
  }
  expect(catalogue.record(id)).toBeUndefined()
  await new Promise((resolve) => setImmediate(resolve))
}

it('keeps the fingerprint and the sketch of every scope as if made from its records, whatever comes and goes', {
  timeout: 60_000
}, async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ take: fc.array(fc.nat(MAX), { minLength: 1, maxLength: 30 }) }) },
    { weight: 1, arbitrary: fc.record({ damage: fc.nat(MAX) }) }
  )
  const history = fc.array(step, { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(history, fc.nat(10), async (steps, asked) => {
      const store = await runningStore()
      const { catalogue } = store
      // Some are kept from the beginning, the others are made later.
      for (const scope of scopes.slice(0, asked)) catalogue.summary(scope)
      await catalogue.ingest(records.slice(0, 3))
      for (const one of steps) {
        const { ids } = catalogue.recordIds({ scope: { kind: 'all' }, limit: MAX })
        if ('take' in one) {
          await catalogue.ingest(one.take.map((at) => records[at % records.length] ?? new Uint8Array()))
        } else {
          await damage(store, ids[one.damage % ids.length] ?? expect.fail())
        }
        expectInStep(store, scopes)
      }
      await store.stop()
      await store.start()
      expectInStep(store, scopes)
      await store.stop()
    }),
    { numRuns: 12 }
  )
})

it('gives up the scope of an owner for those of others, and makes it again', async () => {
  const store = await runningStore()
  const owners = await Promise.all(Array.from({ length: 20 }, (_, seed) => seededOwner(seed)))
  await store.catalogue.ingest(owners.map(({ inception }) => inception))
  const held = owners.map(({ id }) => store.catalogue.sketch({ kind: 'owner', owner: id }))
  const { id: owner, signer } = owners[0] ?? expect.fail()
  await store.catalogue.ingest([await signRelease(makeRelease({ owner }), signer)])
  expect(held.map(({ size }) => size)).toEqual(owners.map((_, index) => (index === 0 ? 2 : 1)))
  expectInStep(store, [{ kind: 'owner', owner }])
})

it('mends the stored fingerprint when the views are made anew, and when it cannot be that of the records', async () => {
  const store = await runningStore()
  await store.catalogue.ingest(records)
  const expected = store.catalogue.summary()
  const forge = (sql: string): void => {
    const db = new DatabaseSync(join(store.dataDir, 'catalogue.sqlite'))
    db.exec(sql)
    db.close()
  }
  for (const sql of [
    'UPDATE record_set SET records = 7, fingerprint = zeroblob(32)',
    'DELETE FROM record_set'
  ]) {
    await store.stop()
    forge(sql)
    await store.start()
    expect(store.catalogue.summary()).toEqual(expected)
  }
  forge('UPDATE packages SET name = name || 1')
  store.catalogue.packages({ limit: 100 })
  expect(existsSync(join(store.dataDir, 'catalogue.suspect'))).toBe(true)
  forge('UPDATE record_set SET fingerprint = zeroblob(32)')
  await store.stop()
  await store.start()
  expect(store.catalogue.summary()).toEqual(expected)
})

describe('a snapshot', () => {
  function pagesOf({ catalogue }: RegistryStore, scope: CatalogueScope, maxBytes: number): Uint8Array[][] {
    const pages: Uint8Array[][] = []
    let after: SnapshotCursor | undefined
    do {
      const page = catalogue.snapshot(after === undefined ? { scope, maxBytes } : { scope, after, maxBytes })
      pages.push(page.records)
      after = page.next
    } while (after !== undefined)
    return pages
  }

  const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

  it('has the records of a scope by kind and digest, each once, in pages of any size', async () => {
    const store = await runningStore()
    await store.catalogue.ingest(records)
    for (const scope of scopes) {
      const ids = store.catalogue.recordIds({ scope, limit: MAX }).ids
      const placed = ids.map((id) => {
        const envelope = store.catalogue.record(id) ?? expect.fail(id)
        return {
          envelope,
          order: `${RECORD_KINDS.indexOf(membershipOf(envelope).kind)} ${hexOf(recordKeyOf(id))}`
        }
      })
      const expected = placed
        .sort((a, b) => (a.order < b.order ? -1 : 1))
        .map(({ envelope }) => hexOf(envelope))
      for (const maxBytes of [1, 700, 2000, 1_000_000]) {
        const pages = pagesOf(store, scope, maxBytes)
        expect(pages.flat().map(hexOf)).toEqual(expected)
        if (expected.length > 0) expect(pages.every(({ length }) => length > 0)).toBe(true)
        for (const page of pages.filter(({ length }) => length > 1)) {
          expect(page.reduce((bytes, { length }) => bytes + length, 0)).toBeLessThanOrEqual(maxBytes)
        }
      }
    }
  })

  it('goes on where it was when records come meanwhile, and leaves out what is damaged', async () => {
    const store = await runningStore()
    const { catalogue } = store
    const later = records.filter((_, index) => index % 3 === 2)
    await catalogue.ingest(records.filter((record) => !later.includes(record)))
    const scope: CatalogueScope = { kind: 'all' }
    const first = catalogue.snapshot({ scope, maxBytes: 8000 })
    const { next: after = expect.fail() } = first
    await catalogue.ingest(later)
    const place = `${RECORD_KINDS.indexOf(after.kind)} ${hexOf(after.digest)}`
    const behind = catalogue.recordIds({ scope, limit: MAX }).ids.filter((id) => {
      const { kind } = membershipOf(catalogue.record(id) ?? expect.fail(id))
      return `${RECORD_KINDS.indexOf(kind)} ${hexOf(recordKeyOf(id))}` > place
    })
    const damaged = behind[0] ?? expect.fail()
    const left = behind.slice(1).map((id) => hexOf(catalogue.record(id) ?? expect.fail(id)))
    await damage(store, damaged)
    const rest = catalogue.snapshot({ scope, after, maxBytes: MAX })
    expect(rest.records.map(hexOf).sort()).toEqual(left.sort())
    expect(rest.next).toBeUndefined()
  })
})

it('makes the sketch of a shard but once, into however many shards a network is cut', () => {
  let made = 0
  const live = new LiveScopes(() => {
    made++
    return []
  })
  const bits = PROTOCOL_LIMITS.maxShardBits
  for (let round = 0; round < 2; round++) {
    live.get({ kind: 'owners' })
    for (let index = 0; index < 2 ** bits; index++) live.get({ kind: 'shard', bits, index })
  }
  expect(made).toBe(1 + 2 ** bits)
})
