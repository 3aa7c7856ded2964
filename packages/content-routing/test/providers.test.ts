import { type ContentBlocks, contentBlocks, seededBytes, seededPeerId } from '@registry/testing'
import type { ContentId, ContentProvider, PeerIdText } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { hanging, never, World } from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const [ALICE, BOB, CAROL] = [seededPeerId('alice'), seededPeerId('bob'), seededPeerId('carol')]
const CONTENT = numbered(0)

function numbered(index: number): ContentBlocks {
  return contentBlocks(seededBytes(`content ${index}`, 40))
}

async function stored(world: World, content: ContentBlocks): Promise<ContentId> {
  const { cid } = await world.blobs.add(
    (async function* () {
      yield* content.blocks.values()
    })()
  )
  return cid
}

async function find(
  world: World,
  options: { cid?: ContentId; limit?: number; signal?: AbortSignal } = {}
): Promise<PeerIdText[]> {
  const { cid = CONTENT.cid, ...rest } = options
  const found: ContentProvider[] = []
  const collect = async (): Promise<void> => {
    for await (const provider of world.router.findProviders(cid, rest)) found.push(provider)
  }
  await world.until(collect())
  return found.map(({ peerId }) => peerId)
}

describe('the provider cache', () => {
  it('forgets the content asked for longest ago when it is full', async () => {
    await using world = new World({ cacheSize: 3 }, { dht: false })
    const contents = [0, 1, 2, 3].map(numbered)
    const [first, second, third, fourth] = contents.map(({ cid }) => cid) as [
      ContentId,
      ContentId,
      ContentId,
      ContentId
    ]
    for (const cid of [first, second, third]) world.router.addProvider(cid, ALICE)
    expect(await find(world, { cid: first })).toEqual([ALICE])
    world.router.addProvider(fourth, ALICE)
    expect([first, second, third, fourth].map((cid) => world.router.providerCount(cid))).toEqual([1, 0, 1, 1])
    expect(world.router.stats().providerRecords).toBe(3)
  })

  it('forgets the provider reported longest ago when a content has too many', async () => {
    await using world = new World({ maxProvidersPerContent: 2 }, { dht: false })
    for (const peerId of [ALICE, BOB]) world.router.addProvider(CONTENT.cid, peerId)
    world.router.addProvider(CONTENT.cid, ALICE)
    world.router.addProvider(CONTENT.cid, CAROL)
    expect(new Set(await find(world))).toEqual(new Set([ALICE, CAROL]))
  })

  it('holds a flood of announcements in a bounded number of records', async () => {
    await using world = new World({ cacheSize: 50, maxProvidersPerContent: 5 })
    for (let content = 0; content < 200; content += 1) {
      const { cid } = numbered(content)
      for (let peer = 0; peer < 20; peer += 1) world.router.addProvider(cid, seededPeerId(peer))
    }
    expect(world.router.stats().providerRecords).toBe(250)
  })

  it('gives out nothing older than its time to live, cleaned up or not', async () => {
    await using world = new World({ providerRecordTtlMs: HOUR_MS }, { dht: false })
    world.router.addProvider(CONTENT.cid, ALICE)
    await world.clock.advance(HOUR_MS - 1)
    world.router.addProvider(CONTENT.cid, BOB)
    expect(world.router.providerCount(CONTENT.cid)).toBe(2)
    await world.clock.advance(1)
    expect(await find(world)).toEqual([BOB])
    expect(world.router.stats().providerRecords).toBe(1)
    expect(world.router.cleanupStaleProviders()).toBe(1)
    expect(world.router.cleanupStaleProviders()).toBe(0)
  })

  it('never holds this peer itself', async () => {
    await using world = new World({}, { dht: false })
    world.router.addProvider(CONTENT.cid, seededPeerId('self'))
    expect(world.router.providerCount(CONTENT.cid)).toBe(0)
  })

  it('remembers the reputation of a bounded number of peers', async () => {
    await using world = new World({ maxPeers: 2 })
    for (const peerId of [ALICE, BOB, CAROL])
      world.router.updateProviderReputation(peerId, { success: false })
    expect([ALICE, BOB, CAROL].map((peerId) => world.router.reputation(peerId) < 50)).toEqual([
      false,
      true,
      true
    ])
  })
})

describe('a look-up', () => {
  it('does not ask the DHT when the cache knows enough', async () => {
    await using world = new World()
    for (const peerId of [ALICE, BOB]) world.router.addProvider(CONTENT.cid, peerId)
    expect(await find(world, { limit: 2 })).toHaveLength(2)
    expect(world.router.stats()).toMatchObject({ cacheHits: 1, cacheMisses: 0, dhtQueries: 0 })
    await find(world)
    expect(world.router.stats()).toMatchObject({ cacheHits: 2, cacheMisses: 0, dhtQueries: 1 })
  })

  it('remembers whom the DHT named, and counts how it went', async () => {
    await using world = new World()
    world.dht.findProviders = async function* () {
      yield CAROL
      yield BOB
    }
    expect(await find(world, { limit: 1 })).toEqual([CAROL])
    expect(world.router.providerCount(CONTENT.cid)).toBe(1)
    expect(world.router.stats()).toMatchObject({ cacheMisses: 1, dhtQueries: 1, dhtQueriesSucceeded: 1 })
  })

  it('gives what the DHT found before it failed', async () => {
    await using world = new World()
    world.dht.findProviders = async function* () {
      yield CAROL
      throw new DOMException('The query timed out', 'TimeoutError')
    }
    expect(await find(world)).toEqual([CAROL])
    expect(world.router.stats()).toMatchObject({ dhtQueries: 1, dhtQueriesSucceeded: 0 })
  })

  it('waits five seconds for a DHT that hangs, whether it listens to the signal or not', async () => {
    await using world = new World()
    world.dht.findProviders = () => hanging(CAROL)
    const startMs = world.clock.now()
    expect(await find(world)).toEqual([CAROL])
    expect(world.clock.now() - startMs).toBe(5000)
    expect(world.clock.pending).toBe(0)
  })

  it('waits as long as lookupTimeoutMs says', async () => {
    await using world = new World({ lookupTimeoutMs: 300 })
    world.dht.findProviders = () => hanging()
    const startMs = world.clock.now()
    expect(await find(world)).toEqual([])
    expect(world.clock.now() - startMs).toBe(300)
  })

  it('ends with the reason of its signal', async () => {
    await using world = new World()
    world.dht.findProviders = () => hanging()
    const controller = new AbortController()
    const reason = new Error('enough')
    const found = world.rejection(find(world, { signal: controller.signal }))
    controller.abort(reason)
    expect(await found).toBe(reason)
    expect(world.clock.pending).toBe(0)
    // Whoever asked has lost interest; the DHT has not failed.
    expect(world.router.stats()).toMatchObject({ dhtQueries: 1, dhtQueriesSucceeded: 1 })
  })

  it('hands the DHT a signal that ends when enough was found', async () => {
    await using world = new World()
    let given: AbortSignal | undefined
    world.dht.findProviders = (_, options) => {
      given = options?.signal
      return hanging(CAROL)
    }
    expect(await find(world, { limit: 1 })).toEqual([CAROL])
    expect(given?.aborted).toBe(true)
  })
})

describe('providing', () => {
  it('announces what is stored at start, then what comes, and stops with what goes', async () => {
    await using world = new World()
    const before = await stored(world, numbered(1))
    await world.router.start()
    expect(world.router.isLocalProvider(before)).toBe(true)
    const later = await stored(world, numbered(2))
    await world.clock.advance(0)
    expect(world.announced.map(({ cid }) => cid).sort()).toEqual([before, later].sort())
    expect(world.router.stats().provided).toBe(2)
    await world.blobs.delete(before)
    expect(world.router.isLocalProvider(before)).toBe(false)
    await world.clock.advance(DAY_MS)
    expect(world.announced.filter(({ cid }) => cid === before)).toHaveLength(1)
    expect(world.announced.filter(({ cid }) => cid === later).length).toBeGreaterThan(1)
  })

  it('repeats each announcement before its record dies, not all at one time', async () => {
    await using world = new World({ providerRecordTtlMs: 10 * HOUR_MS })
    const cids = await Promise.all(Array.from({ length: 30 }, (_, index) => stored(world, numbered(index))))
    await world.router.start()
    await world.clock.advance(3 * DAY_MS)
    const gapsMs = cids.flatMap((cid) => {
      const times = world.announced.filter((announced) => announced.cid === cid).map(({ atMs }) => atMs)
      return times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0))
    })
    expect(gapsMs.length).toBeGreaterThan(30 * 8)
    expect(Math.max(...gapsMs)).toBeLessThan(10 * HOUR_MS)
    expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(5 * HOUR_MS)
    const spreadMs = new Set(gapsMs.map((gapMs) => Math.round(gapMs / (5 * MINUTE_MS))))
    expect(spreadMs.size).toBeGreaterThan(10)
  })

  it('spreads the announcements of what was stored before over time', async () => {
    await using world = new World()
    for (let index = 0; index < 40; index += 1) await stored(world, numbered(index))
    await world.router.start()
    await world.clock.advance(4000)
    expect(world.announced).toHaveLength(5)
    await world.clock.advance(35_000)
    expect(world.announced).toHaveLength(40)
  })

  it('spreads the announcements of what was fetched at once, and lets one that is waited for pass them', async () => {
    await using world = new World()
    await world.router.start()
    for (let index = 0; index < 10; index += 1) await stored(world, numbered(index))
    await world.clock.advance(0)
    expect(world.announced).toHaveLength(1)
    const last = await stored(world, numbered(10))
    await world.router.provide(last)
    expect(world.announced.map(({ cid }) => cid)).toContain(last)
    expect(world.announced).toHaveLength(2)
    await world.clock.advance(9000)
    expect(world.announced).toHaveLength(11)
  })

  it('retries what failed after a wait that grows, leaves the DHT alone meanwhile, and goes on when it is back', async () => {
    await using world = new World()
    let failing = true
    const attempts: number[] = []
    const startMs = world.clock.now()
    world.dht.provide = async (cid) => {
      attempts.push(world.clock.now() - startMs)
      if (failing) throw new Error('No peer of the DHT is connected')
      world.announced.push({ cid, atMs: world.clock.now() })
    }
    for (let index = 0; index < 10; index += 1) await stored(world, numbered(index))
    await world.router.start()
    await world.clock.advance(HOUR_MS)
    // One after 0, 1, 3, 7, … s, and once a minute in the end: not ten times that, for ten contents.
    expect(attempts.slice(0, 3)).toEqual([0, 1000, 3000])
    expect(attempts.length).toBeLessThan(70)
    failing = false
    await world.clock.advance(2 * MINUTE_MS)
    expect(new Set(world.announced.map(({ cid }) => cid)).size).toBe(10)
  })

  it('resolves provide at once while the DHT has the record', async () => {
    await using world = new World()
    await world.router.start()
    await world.until(world.router.provide(CONTENT.cid))
    await world.until(world.router.provide(CONTENT.cid))
    expect(world.announced).toHaveLength(1)
    await world.clock.advance(DAY_MS)
    expect(world.announced.length).toBeGreaterThan(1)
  })

  it('announces once for all who ask at one time', async () => {
    await using world = new World()
    const { promise: taken, resolve } = Promise.withResolvers<void>()
    let announcements = 0
    world.dht.provide = () => {
      announcements += 1
      return taken
    }
    const controller = new AbortController()
    const reason = new Error('enough')
    const leaving = world.rejection(world.router.provide(CONTENT.cid, { signal: controller.signal }))
    const both = Promise.all([world.router.provide(CONTENT.cid), world.router.provide(CONTENT.cid)])
    controller.abort(reason)
    expect(await leaving).toBe(reason)
    resolve()
    await world.until(both)
    expect(announcements).toBe(1)
  })

  it('rejects with ERR_NOT_PROVIDED when the DHT fails or hangs, and keeps at it', async () => {
    await using world = new World({ provideTimeoutMs: 2000 })
    await world.router.start()
    world.dht.provide = () => never()
    const startMs = world.clock.now()
    expect(await world.rejection(world.router.provide(CONTENT.cid))).toMatchObject({
      code: 'ERR_NOT_PROVIDED',
      retryable: true
    })
    expect(world.clock.now() - startMs).toBe(2000)
    expect(world.router.isLocalProvider(CONTENT.cid)).toBe(true)
    let taken = 0
    world.dht.provide = async () => {
      taken += 1
    }
    await world.clock.advance(MINUTE_MS)
    expect(taken).toBe(1)
  })

  it('ends an announcement under way when told to stop providing', async () => {
    await using world = new World()
    let given: AbortSignal | undefined
    world.dht.provide = (_, options) => {
      given = options?.signal
      return never()
    }
    const announced = world.rejection(world.router.provide(CONTENT.cid))
    await world.router.stopProviding(CONTENT.cid)
    expect(await announced).toMatchObject({ name: 'AbortError' })
    expect(given?.aborted).toBe(true)
    expect(world.router.isLocalProvider(CONTENT.cid)).toBe(false)
  })

  it('leaves nothing running when it is stopped, and takes everything up again when started', async () => {
    await using world = new World()
    const cid = await stored(world, numbered(1))
    world.dht.provide = () => never()
    await world.router.start()
    await world.clock.advance(0)
    expect(world.clock.pending).toBeGreaterThan(0)
    await world.router.stop()
    expect(world.clock.pending).toBe(0)
    expect(world.router.isLocalProvider(cid)).toBe(false)
    await world.router.start()
    expect(world.router.isLocalProvider(cid)).toBe(true)
  })

  it('is content without a DHT', async () => {
    await using world = new World({}, { dht: false })
    await world.router.start()
    await world.router.provide(CONTENT.cid)
    expect(world.router.isLocalProvider(CONTENT.cid)).toBe(true)
    expect(world.clock.pending).toBe(0)
  })
})
