import { describeContent } from '@registry/testing'
import { type PackageName, parsePackageName, Query } from '@registry/types'
import { describe, expect, it } from 'vitest'
import type { CatalogueInit } from '../src/index.ts'
import { shardOf } from '../src/policy/holdings.ts'
import { shardKey } from '../src/shard-key.ts'
import { publish, signedRelease } from './fixtures.ts'
import { eventually, memoryPeer, rawPeer, type TestPeer, untilReleases } from './peers.ts'

const names: PackageName[] = Array.from({ length: 12 }, (_, number) => parsePackageName(`package-${number}`))
const inShard = (shard: number): PackageName[] => names.filter((name) => shardOf(name, 1) === shard)

const peerKeeping = (catalogue: CatalogueInit): Promise<TestPeer> =>
  memoryPeer({ init: { catalogue: { shardBits: 1, ...catalogue } } })

async function fill({ store }: TestPeer): Promise<void> {
  for (const name of names) await store.catalogue.ingest((await signedRelease({ name }, 1)).records)
}

const releasedNames = ({ store: { catalogue } }: TestPeer): PackageName[] =>
  names.filter((name) => catalogue.ownersOf(name).length > 0)

const settled = (...peers: TestPeer[]): Promise<unknown> =>
  Promise.all(peers.map(({ behaviour }) => behaviour.settled()))

describe('a peer that keeps a shard', () => {
  it('has what is in it, and others what it has', async () => {
    const [full, part] = await Promise.all([peerKeeping({}), peerKeeping({ shards: [1] })])
    await fill(full)
    const own = await signedRelease({ name: inShard(1)[0] ?? '', version: '2.0.0' }, 2)
    await part.store.catalogue.ingest(own.records)
    await part.behaviour.connect(full.address())
    await settled(full, part)
    expect(releasedNames(part)).toEqual(inShard(1))
    expect(full.store.catalogue.counts()).toMatchObject({ releases: names.length + 1, owners: 2 })
    expect(part.behaviour.peers()).toMatchObject([{ holds: { mode: 'full' }, inSync: true }])
    expect(full.behaviour.peers()).toMatchObject([{ holds: { mode: 'shards', bits: 1, shards: [1] } }])
    expect(part.behaviour.completeness()).toMatchObject({ state: 'partial', agreeing: 1, compared: 1 })
    const [inside, outside] = [inShard(1)[0], inShard(0)[0]]
    expect(part.behaviour.isPartial(inside)).toBe(false)
    expect(part.behaviour.isPartial(outside)).toBe(true)
    expect(part.behaviour.isPartial()).toBe(true)
    expect(full.behaviour.isPartial()).toBe(false)
  })

  it('has nothing to say to one that keeps another', async () => {
    const [one, other] = await Promise.all([peerKeeping({ shards: [0] }), peerKeeping({ shards: [1] })])
    await one.store.catalogue.ingest((await signedRelease({ name: inShard(0)[0] ?? '' })).records)
    await one.behaviour.connect(other.address())
    await settled(one, other)
    expect(other.store.catalogue.summary().records).toBe(0)
    expect(await one.behaviour.sync(other.behaviour.peerId)).toMatchObject([{ sent: 0, roundTrips: 0 }])
  })

  it('makes a whole together with another, for a peer that asks both', async () => {
    const [full, one, other, light] = await Promise.all([
      peerKeeping({}),
      peerKeeping({ shards: [0] }),
      peerKeeping({ shards: [1] }),
      peerKeeping({ mode: 'light' })
    ])
    await fill(full)
    await one.behaviour.connect(full.address())
    await other.behaviour.connect(full.address())
    await settled(full, one, other)
    await full.behaviour.stop()
    await light.behaviour.connect(one.address())
    await light.behaviour.connect(other.address())
    await settled(light)
    expect(await light.behaviour.searchHolders(new Query(['package']))).toMatchObject({ answered: 2 })
    expect(releasedNames(light)).toEqual(names)
  })
})

describe('a light peer', () => {
  it('keeps no catalogue, and asks those who do', async () => {
    const [full, light] = await Promise.all([peerKeeping({}), peerKeeping({ mode: 'light' })])
    await fill(full)
    await light.behaviour.connect(full.address())
    await settled(full, light)
    expect(light.store.catalogue.summary().records).toBe(0)
    const [name = parsePackageName('none')] = names
    expect(light.behaviour.isPartial(name)).toBe(true)
    expect(await light.behaviour.lookupHolders(name, undefined)).toEqual({ answered: 1, received: 2 })
    expect(releasedNames(light)).toEqual([name])
    expect(await light.behaviour.lookupHolders(name, undefined)).toEqual({ answered: 1, received: 0 })
    const nowhere = parsePackageName('nowhere')
    expect(await light.behaviour.lookupHolders(nowhere, undefined)).toEqual({ answered: 1, received: 0 })
    await light.behaviour.searchHolders(new Query(['package']))
    expect(releasedNames(light)).toEqual(names)
    expect(full.behaviour.completeness()).toMatchObject({ state: 'alone', compared: 0 })
  })

  it('finds a holder by the DHT when none of its peers is one', async () => {
    const [full, middle, light] = await Promise.all([
      peerKeeping({}),
      peerKeeping({ mode: 'light' }),
      peerKeeping({ mode: 'light', holdersTimeoutMs: 20_000 })
    ])
    await fill(full)
    await middle.behaviour.connect(full.address())
    await settled(full, middle)
    await light.behaviour.connect(middle.address())
    await settled(light)
    const [name = parsePackageName('none')] = names
    await eventually(async () => {
      expect(await light.behaviour.lookupHolders(name, undefined)).toMatchObject({ answered: 1 })
    })
    expect(releasedNames(light)).toEqual([name])
  })

  it('passes on what others publish', async () => {
    // By the DHT the two would find each other.
    const init = { dht: { enabled: false } }
    const [one, light, other] = await Promise.all([
      memoryPeer({ init }),
      memoryPeer({ init: { ...init, catalogue: { mode: 'light' } } }),
      memoryPeer({ init })
    ])
    await light.behaviour.connect(one.address())
    await light.behaviour.connect(other.address())
    await settled(one, light, other)
    for (const { behaviour } of [one, other]) {
      await eventually(() => expect(behaviour.peers()).toMatchObject([{ holds: { mode: 'light' } }]))
    }
    await publish(one.store)
    one.behaviour.announce()
    await untilReleases(other, 1)
    expect(light.store.catalogue.summary().records).toBe(0)
    // Nobody keeps it of those whom its publisher can push it to.
    await settled(one)
    expect(one.store.outbox.size).toBe(1)
  })

  it('has its own packages kept by others', async () => {
    const [full, light] = await Promise.all([peerKeeping({}), peerKeeping({ mode: 'light' })])
    await light.behaviour.connect(full.address())
    await settled(full, light)
    await publish(light.store)
    light.behaviour.announce()
    await untilReleases(full, 1)
    await eventually(() => expect(light.store.outbox.size).toBe(0))
  })

  it('waits no longer for an answer than it may, and takes what others say meanwhile', async () => {
    const late = Promise.withResolvers<Uint8Array[]>()
    const [full, light, slow] = await Promise.all([
      peerKeeping({}),
      peerKeeping({ mode: 'light', holdersTimeoutMs: 400 }),
      rawPeer({ lookupName: () => late.promise })
    ])
    await fill(full)
    await light.behaviour.connect(slow.address())
    await settled(light)
    const [name = parsePackageName('none')] = names
    expect(await light.behaviour.lookupHolders(name, undefined)).toEqual({ answered: 0, received: 0 })
    await light.behaviour.connect(full.address())
    await settled(light)
    expect(await light.behaviour.lookupHolders(name, undefined)).toEqual({ answered: 1, received: 2 })
    late.resolve([])
  })

  it('takes nothing that is forged, and thinks worse of who answers with it', async () => {
    const { records } = await signedRelease({ name: names[0] ?? '' })
    const forged = records[1].with(-1, (records[1].at(-1) ?? 0) ^ 1)
    const [light, liar] = await Promise.all([
      peerKeeping({ mode: 'light' }),
      rawPeer({ lookupName: async () => [records[0], forged] })
    ])
    await light.behaviour.connect(liar.address())
    await settled(light)
    const [name = parsePackageName('none')] = names
    const before = light.behaviour.peers()[0]?.reputation ?? 0
    expect(await light.behaviour.lookupHolders(name, undefined)).toEqual({ answered: 1, received: 1 })
    expect(light.store.catalogue.counts().releases).toBe(0)
    expect(light.behaviour.peers()[0]?.reputation).toBeLessThan(before)
  })

  it('ends its question by the signal alone with an error', async () => {
    const light = await peerKeeping({ mode: 'light' })
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(light.behaviour.searchHolders(new Query(), { signal })).rejects.toThrow('enough')
    expect(await light.behaviour.searchHolders(new Query())).toEqual({ answered: 0, received: 0 })
  })
})

describe('a shard', () => {
  it('is found under the hash of its name', () => {
    const text = new TextEncoder().encode('/p2p-registry/main/shard/0/0')
    expect(shardKey('main', { bits: 0, index: 0 })).toBe(describeContent(text).cid)
    expect(describeContent(text).cid).toBe('bafkreiezgp2sj7kloj2dg2mlyo5ptqy3hnpxyo4aounmhc2mss4c7bczdy')
    expect(shardKey('main', { bits: 4, index: 11 })).toBe(
      'bafkreidst2jl3zjojalv2iv6aqkyuzhnrywib22lgcmyyjhxzoed7vsn4y'
    )
  })
})
