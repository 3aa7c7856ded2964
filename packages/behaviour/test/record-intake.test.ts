import { recordIdOf, signAttestation, signStatement } from '@registry/identity'
import { manualClock, memoryStore, seededOwner } from '@registry/testing'
import { type CatalogueHoldings, type PeerIdText, parsePackageName } from '@registry/types'
import { beforeEach, describe, expect, it } from 'vitest'
import { acceptance } from '../src/index.ts'
import { shardOf } from '../src/policy/holdings.ts'
import type { PeerConduct } from '../src/policy/peer-score.ts'
import { recordIntake } from '../src/record-intake.ts'
import { signedRelease } from './fixtures.ts'

const from = 'peer' as PeerIdText
const forge = (record: Uint8Array): Uint8Array => record.with(-1, (record.at(-1) ?? 0) ^ 1)
let conducts: PeerConduct[]

beforeEach(() => {
  conducts = []
})

function intake(holds: CatalogueHoldings) {
  const clock = manualClock()
  const { catalogue } = memoryStore()({ clock })
  const subject = recordIntake({
    catalogue,
    acceptance: acceptance({ recordsPerSecondPerPeer: 10, maxPeers: 10 }),
    holds,
    clock,
    onConduct: (_, conduct) => conducts.push(conduct)
  })
  return { catalogue, subject }
}

/** A name in the shard of two that is asked for. */
const nameIn = (shard: number): string =>
  Array.from({ length: 20 }, (_, number) => `package-${number}`).find(
    (name) => shardOf(parsePackageName(name), 1) === shard
  ) ?? ''

describe('a peer that keeps the whole catalogue', () => {
  it('stores what it is given', async () => {
    const { catalogue, subject } = intake({ mode: 'full' })
    const { records } = await signedRelease()
    expect(await subject.take(from, records)).toMatchObject({
      verdict: 'accept',
      outcomes: [{ status: 'accepted' }, { status: 'accepted' }]
    })
    expect(catalogue.counts().releases).toBe(1)
    expect(conducts).toEqual(['good'])
  })

  it('does not look at more than a peer may hand over, nor at what is no message', async () => {
    const { subject } = intake({ mode: 'full' })
    const { records } = await signedRelease()
    const flood = Array.from({ length: 19 }, (_, number) => new Uint8Array([number]))
    await subject.take(from, flood)
    conducts = []
    expect(await subject.take(from, records)).toEqual({ verdict: 'ignore' })
    expect(conducts).toEqual([])
    expect(await subject.take(from, undefined)).toEqual({ verdict: 'reject' })
    expect(conducts).toEqual(['forged'])
  })
})

describe('a peer that keeps no catalogue', () => {
  it('checks what it is given, to pass it on, and does not store it', async () => {
    const { catalogue, subject } = intake({ mode: 'light' })
    const { records } = await signedRelease()
    expect(await subject.take(from, records)).toEqual({
      verdict: 'accept',
      outcomes: records.map((record) => ({ status: 'passed', id: recordIdOf(record) }))
    })
    expect(catalogue.summary().records).toBe(0)
  })

  it('passes nothing on that is forged, or whose owner it does not know', async () => {
    const { subject } = intake({ mode: 'light' })
    const { records } = await signedRelease()
    expect(await subject.take(from, [records[0], forge(records[1])])).toMatchObject({
      verdict: 'reject',
      outcomes: [{ status: 'passed' }, { status: 'refused' }]
    })
    expect(conducts).toEqual(['forged'])
    expect(await subject.take(from, [records[1]])).toMatchObject({ verdict: 'ignore' })
  })

  it('gives others their turn while it checks much', async () => {
    const { subject } = intake({ mode: 'light' })
    const some = await Promise.all(
      Array.from(
        { length: 40 },
        async (_, number) => (await signedRelease({ version: `1.0.${number}` })).records
      )
    )
    let turns = 0
    let ended = false
    const turn = (): void => {
      turns++
      if (!ended) setImmediate(turn)
    }
    setImmediate(turn)
    const { outcomes } = await subject.take(from, some.flat())
    ended = true
    expect(outcomes).toHaveLength(80)
    expect(turns).toBeGreaterThanOrEqual(4)
  })

  it('keeps what is said of the packages that it has', async () => {
    const { catalogue, subject } = intake({ mode: 'light' })
    const { owner, release, records } = await signedRelease()
    await catalogue.ingest(records)
    const reviewer = await seededOwner('reviewer')
    const about = { owner: owner.id, name: release.name, claimedAtMs: 1 }
    const fact = { field: 'yank', version: release.version, reason: 'broken' } as const
    const yank = await signStatement({ ...about, seq: 1, fact }, owner.signer)
    const warning = { issuer: reviewer.id, claim: 'block', versions: '*', text: 'do not use' } as const
    const block = await signAttestation({ ...about, ...warning }, reviewer.signer)
    const { outcomes } = await subject.take(from, [reviewer.inception, yank, block])
    expect(outcomes?.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted'])
    expect(catalogue.releases(owner.id, release.name)).toMatchObject([{ yanked: 'broken' }])
    expect(catalogue.attestations(owner.id, release.name)).toHaveLength(1)
  })
})

describe('a peer that keeps some shards', () => {
  it('stores what is in them, and all owners', async () => {
    const { catalogue, subject } = intake({ mode: 'shards', bits: 1, shards: [1] })
    const inside = await signedRelease({ name: nameIn(1) }, 'inside')
    const outside = await signedRelease({ name: nameIn(0) }, 'outside')
    const { outcomes } = await subject.take(from, [...outside.records, ...inside.records])
    expect(outcomes?.map(({ status }) => status)).toEqual(['accepted', 'passed', 'accepted', 'accepted'])
    expect(catalogue.counts()).toMatchObject({ releases: 1, owners: 2 })
  })
})
