import { recordIdOf } from '@registry/identity'
import { MAX_ANSWERED_BYTES } from '@registry/protocol'
import { decoder } from '@registry/reconciliation'
import { manualClock, memoryStore, seededBytes, seededOwnerId } from '@registry/testing'
import {
  type Catalogue,
  type CatalogueScope,
  type ComparisonAnswer,
  type PeerIdText,
  parsePackageName,
  Query
} from '@registry/types'
import { beforeAll, describe, expect, it } from 'vitest'
import { scopeQuota } from '../src/scope-quota.ts'
import { shortIdOf } from '../src/short-id.ts'
import { signedRelease, worldRecords } from './fixtures.ts'
import { allIds, type InProcessPeer, inProcessPeer } from './in-process-peer.ts'

const from = 'asker' as PeerIdText
const all: CatalogueScope = { kind: 'all' }
/** Two owners with two packages each, of the same names. */
let world: Uint8Array[]

beforeAll(async () => {
  world = await worldRecords(2, 2)
})

async function filled(options?: Parameters<typeof inProcessPeer>[0]): Promise<InProcessPeer> {
  const peer = inProcessPeer(options)
  await peer.catalogue.ingest(world)
  return peer
}

async function taken(envelopes: readonly Uint8Array[]): Promise<Catalogue> {
  const { catalogue } = memoryStore()({ clock: manualClock() })
  const outcomes = await catalogue.ingest(envelopes)
  expect(outcomes.map(({ status }) => status)).not.toContain('refused')
  return catalogue
}

/** Compares as a peer with this catalogue does. */
function compare({ handlers }: InProcessPeer, catalogue: Catalogue, scope = all): Promise<ComparisonAnswer> {
  const comparison = { scope, summary: catalogue.summary(scope), probes: catalogue.sketch(scope).probes() }
  return handlers.compare(from, comparison)
}

describe('a look-up by name', () => {
  const name = parsePackageName('package-0')

  it('brings all there is of its owners, but for what others say', async () => {
    const { handlers, catalogue } = await filled()
    const found = await taken(await handlers.lookupName(from, name, undefined))
    expect(found.ownersOf(name)).toEqual(catalogue.ownersOf(name))
    for (const owner of found.ownersOf(name)) {
      expect(found.releases(owner, name)).toMatchObject([{ deprecated: 'for reason 2' }])
      expect(found.attestations(owner, name)).toEqual([])
    }
    expect(found.ownersOf(parsePackageName('package-1'))).toEqual([])
  })

  it('brings that of one owner alone, when it is asked for', async () => {
    const { handlers, catalogue } = await filled()
    const [owner] = catalogue.ownersOf(name)
    const found = await taken(await handlers.lookupName(from, name, owner))
    expect(found.ownersOf(name)).toEqual([owner])
    expect(await handlers.lookupName(from, name, seededOwnerId('nobody'))).toEqual([])
  })

  it('brings as much as one answer has room for, something of each owner', async () => {
    const peer = inProcessPeer()
    const description = 'd'.repeat(16_000)
    for (let number = 0; number < 60; number++) {
      const overrides = { name: 'large', version: `1.0.${number}`, description }
      for (const seed of ['a', 'b'])
        await peer.catalogue.ingest((await signedRelease(overrides, seed)).records)
    }
    const answer = await peer.handlers.lookupName(from, parsePackageName('large'), undefined)
    expect(answer.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(MAX_ANSWERED_BYTES)
    const found = await taken(answer)
    expect(found.ownersOf(parsePackageName('large'))).toHaveLength(2)
    expect(found.counts().releases).toBeGreaterThan(25)
  })
})

it('tells two of however many releases an owner signs for one version, which prove it', async () => {
  const { handlers, catalogue } = inProcessPeer()
  const signed = await Promise.all(
    Array.from({ length: 5 }, (_, number) => signedRelease({ description: `Number ${number}` }))
  )
  await catalogue.ingest(signed.flatMap(({ records }) => records))
  const [one] = signed.map(({ release }) => release)
  const answer = one === undefined ? undefined : await handlers.getPackage(from, one)
  const found = await taken(answer ?? [])
  expect(found.counts().releases).toBe(2)
  expect(found.packages({ limit: 1 })).toMatchObject([{ conflicted: true }])
})

it('answers a search with what holds of each hit', async () => {
  const { handlers } = await filled()
  const hits = await handlers.searchPackages(from, new Query(['package']))
  expect(hits).toHaveLength(4)
  const found = await taken(hits.flatMap(({ envelopes }) => envelopes))
  for (const { release } of found.packages({ limit: 10 })) {
    expect(found.releases(release.owner, release.name)).toMatchObject([{ deprecated: 'for reason 2' }])
  }
})

describe('a comparison', () => {
  it('of equal catalogues says just that', async () => {
    const peer = await filled()
    expect(await compare(peer, (await filled()).catalogue)).toEqual({ status: 'equal' })
  })

  it('of different ones brings the symbols that tell them apart', async () => {
    const peer = await filled()
    const other = inProcessPeer()
    await other.catalogue.ingest(world.slice(0, 5))
    const answer = await compare(peer, other.catalogue)
    if (answer.status !== 'different') throw new Error('they are different')
    expect(answer).toMatchObject({ ...peer.catalogue.summary(), from: 0 })
    const decoding = decoder()
    decoding.add(other.catalogue.sketch(all).symbols(0, answer.count), answer.symbols)
    expect(decoding.done).toBe(true)
  })

  it('brings one symbol where a snapshot is due', async () => {
    const peer = await filled({ capacity: 8 })
    const { catalogue } = memoryStore()({ clock: manualClock() })
    expect(await compare(peer, catalogue)).toMatchObject({ status: 'different', count: 1 })
  })

  it('of what is not kept says so', async () => {
    const part = await filled({ holds: { mode: 'shards', bits: 1, shards: [1] } })
    const { catalogue } = await filled()
    for (const scope of [all, { kind: 'shard', bits: 1, index: 0 } as const]) {
      expect(await compare(part, catalogue, scope)).toEqual({ status: 'absent' })
      await expect(part.handlers.symbols(from, { scope, from: 0, count: 1 })).rejects.toMatchObject({
        code: 'ERR_SCOPE_ABSENT'
      })
      await expect(part.handlers.recordIds(from, { scope, limit: 1 })).rejects.toMatchObject({
        code: 'ERR_SCOPE_ABSENT'
      })
      await expect(part.handlers.snapshot(from, { scope })).rejects.toMatchObject({
        code: 'ERR_SCOPE_ABSENT'
      })
    }
    expect(await compare(part, catalogue, { kind: 'owners' })).toEqual({ status: 'equal' })
  })

  it('of many parts out of the ordinary is refused after some, and those again are not', async () => {
    const peer = await filled()
    const { catalogue } = memoryStore()({ clock: manualClock() })
    const owners = Array.from({ length: 9 }, (_, seed) => ({
      kind: 'owner' as const,
      owner: seededOwnerId(seed)
    }))
    for (const scope of owners.slice(0, 8)) await compare(peer, catalogue, scope)
    await expect(compare(peer, catalogue, owners[8])).rejects.toMatchObject({ code: 'ERR_PEER_BUSY' })
    await compare(peer, catalogue, owners[0])
    await peer.clock.advance(10_000)
    await compare(peer, catalogue, owners[8])
  })

  it('of the shards by which the network is cut costs nothing out of the ordinary', () => {
    const clock = manualClock()
    const quota = scopeQuota({ holds: { mode: 'full' }, shardBits: 5, maxPeers: 10 })({ clock })
    for (let index = 0; index < 32; index++) {
      expect(quota.admit(from, { kind: 'shard', bits: 5, index })).toBe('admitted')
    }
  })
})

it('gives no symbols beyond those there are', async () => {
  const { handlers } = await filled({ capacity: 64 })
  expect(await handlers.symbols(from, { scope: all, from: 60, count: 10 })).toMatchObject({ count: 4 })
  expect(await handlers.symbols(from, { scope: all, from: 64, count: 10 })).toMatchObject({ count: 0 })
})

it('exchanges records in the order asked, leaving out what it does not have', async () => {
  const { handlers, catalogue } = await filled()
  const ids = allIds(catalogue).toReversed()
  const want = [seededBytes('unknown', 16), ...ids.map(shortIdOf)]
  const { records, given } = await handlers.exchangeRecords(from, { want, give: world.slice(0, 2) })
  expect(records.map(recordIdOf)).toEqual(ids)
  expect(given).toEqual(['known', 'known'])
})

it('refuses a push of what it does not keep, so that its sender looks for somebody else', async () => {
  const light = inProcessPeer({ holds: { mode: 'light' } })
  const { records } = await signedRelease()
  expect(await light.handlers.publishPackage(from, records)).toEqual(['refused', 'refused'])
})
