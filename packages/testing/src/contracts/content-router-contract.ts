import {
  type BlobStore,
  type BlockSource,
  type Clock,
  type ContentId,
  type ContentProvider,
  type ContentRouter,
  type FetchProgress,
  type PeerIdText,
  PROTOCOL_LIMITS,
  type ProviderRouting
} from '@registry/types'
import { describe, expect, it } from 'vitest'
import { type ContentBlocks, contentBlocks } from '../content.ts'
import { type ManualClock, manualClock } from '../manual-clock.ts'
import { memoryStore } from '../memory-store.ts'
import { seededBytes, seededPeerId } from '../seeded.ts'
import { type Contract, collect, listOf, rejection } from './contract.ts'

/** The world in which the router under test stands; every part of it is in memory. */
export interface ContentRouterOptions {
  peerId: PeerIdText
  blobs: BlobStore
  blocks: BlockSource
  routing: ProviderRouting
  isConnected: (peerId: PeerIdText) => boolean
  clock: Clock
}

const SELF = seededPeerId('self')
const ALICE = seededPeerId('alice')
const BOB = seededPeerId('bob')
const CAROL = seededPeerId('carol')
const SMALL = contentBlocks(seededBytes('small', 1000))
/** A root and five leaves. */
const LARGE = contentBlocks(seededBytes('large', 4 * PROTOCOL_LIMITS.chunkBytes + 7))
const DAY_MS = 86_400_000

/** What every `ContentRouter` does. `create` gives one that is not started. */
export function contentRouterContract({ name, create }: Contract<ContentRouter, ContentRouterOptions>): void {
  const start = async (): Promise<World> => {
    const world = new World()
    world.router = await create(world)
    await world.router.start()
    return world
  }

  describe(`content router contract: ${name}`, () => {
    describe('providers', () => {
      it('announces what this peer holds, until told to stop', async () => {
        await using world = await start()
        const { router, dht } = world
        expect(router.isLocalProvider(SMALL.cid)).toBe(false)
        await world.until(router.provide(SMALL.cid))
        expect(dht.get(SMALL.cid)).toEqual(new Set([SELF]))
        expect(router.isLocalProvider(SMALL.cid)).toBe(true)
        expect(router.providerCount(SMALL.cid)).toBe(1)
        expect(router.stats().provided).toBe(1)
        await router.stopProviding(SMALL.cid)
        expect(router.isLocalProvider(SMALL.cid)).toBe(false)
        expect(router.providerCount(SMALL.cid)).toBe(0)
      })

      it('keeps announcing what it provides', async () => {
        await using world = await start()
        await world.until(world.router.provide(SMALL.cid))
        world.dht.clear()
        await world.clock.advance(2 * DAY_MS)
        expect(world.dht.get(SMALL.cid)).toEqual(new Set([SELF]))
      })

      it('says when an announcement reached nobody, and can be asked again', async () => {
        await using world = await start()
        world.dhtFails = true
        expect(await rejection(world.until(world.router.provide(SMALL.cid)))).toBeInstanceOf(Error)
        world.dhtFails = false
        await world.until(world.router.provide(SMALL.cid))
        expect(world.dht.get(SMALL.cid)).toEqual(new Set([SELF]))
      })

      it('remembers who said to hold a content, with a reputation of 50', async () => {
        await using world = await start()
        const { router, clock } = world
        expect(router.bestProvider(SMALL.cid)).toBeUndefined()
        router.addProvider(SMALL.cid, ALICE)
        const provider = { peerId: ALICE, reputation: 50, lastSeenMs: clock.now() }
        expect(router.bestProvider(SMALL.cid)).toEqual(provider)
        expect(router.providerCount(SMALL.cid)).toBe(1)
        expect(router.stats().providerRecords).toBe(1)
        await clock.advance(1000)
        router.addProvider(SMALL.cid, ALICE)
        expect(router.bestProvider(SMALL.cid)).toEqual({ ...provider, lastSeenMs: clock.now() })
        expect(router.providerCount(SMALL.cid)).toBe(1)
        router.removeProvider(SMALL.cid, ALICE)
        expect(router.bestProvider(SMALL.cid)).toBeUndefined()
        expect(router.providerCount(SMALL.cid)).toBe(0)
      })

      it('finds nobody without an error', async () => {
        await using world = await start()
        expect(await world.find()).toEqual([])
        world.dhtFails = true
        expect(await world.find()).toEqual([])
      })

      it('finds providers in its cache, connected ones first, and then in the DHT, each once', async () => {
        await using world = await start()
        const { router } = world
        router.addProvider(SMALL.cid, ALICE)
        router.addProvider(SMALL.cid, BOB)
        world.connected.add(BOB)
        world.dht.set(SMALL.cid, new Set([ALICE, CAROL]))
        expect((await world.find()).map(({ peerId }) => peerId)).toEqual([BOB, ALICE, CAROL])
        expect((await world.find(2)).map(({ peerId }) => peerId)).toEqual([BOB, ALICE])
      })

      it('never names itself as a provider to ask', async () => {
        await using world = await start()
        await world.until(world.router.provide(SMALL.cid))
        world.dht.set(SMALL.cid, new Set([SELF, BOB]))
        expect((await world.find()).map(({ peerId }) => peerId)).toEqual([BOB])
      })

      it('prefers those with whom exchanges went well', async () => {
        await using world = await start()
        const { router } = world
        for (const peerId of [ALICE, BOB, CAROL]) router.addProvider(SMALL.cid, peerId)
        router.updateProviderReputation(BOB, { success: true, latencyMs: 10 })
        router.updateProviderReputation(ALICE, { success: false })
        expect(router.reputation(BOB)).toBeGreaterThan(50)
        expect(router.reputation(CAROL)).toBe(50)
        expect(router.reputation(ALICE)).toBeLessThan(50)
        expect((await world.find()).map(({ peerId }) => peerId)).toEqual([BOB, CAROL, ALICE])
        expect(router.bestProvider(SMALL.cid)?.peerId).toBe(BOB)
      })

      it('keeps reputations between 0 and 100', async () => {
        await using world = await start()
        for (let time = 0; time < 200; time++) {
          world.router.updateProviderReputation(ALICE, { success: true, latencyMs: 1 })
          world.router.updateProviderReputation(BOB, { success: false })
        }
        expect(world.router.reputation(ALICE)).toBeLessThanOrEqual(100)
        expect(world.router.reputation(BOB)).toBeGreaterThanOrEqual(0)
        expect(world.router.reputation(ALICE)).toBeGreaterThan(world.router.reputation(BOB))
      })

      it('forgets providers that were not heard of for days', async () => {
        await using world = await start()
        const { router, clock } = world
        router.addProvider(SMALL.cid, ALICE)
        expect(router.cleanupStaleProviders()).toBe(0)
        await clock.advance(7 * DAY_MS)
        router.addProvider(SMALL.cid, BOB)
        router.cleanupStaleProviders()
        expect((await world.find()).map(({ peerId }) => peerId)).toEqual([BOB])
        expect(router.providerCount(SMALL.cid)).toBe(1)
      })
    })

    describe('fetch', () => {
      it.each([SMALL, LARGE])(
        'gets a content of $size bytes from a provider, with progress',
        async (content) => {
          await using world = await start()
          world.gives(ALICE, content)
          world.router.addProvider(content.cid, ALICE)
          const progress: FetchProgress[] = []
          const info = await world.fetch(content, { onProgress: (step) => progress.push(step) })
          expect(info).toEqual(infoOf(content))
          await world.expectStored(content)
          expect(progress.at(-1)).toMatchObject({
            cid: content.cid,
            fetchedBytes: content.size,
            totalBytes: content.size,
            providers: 1
          })
          expect(progress.map(({ fetchedBytes }) => fetchedBytes)).toEqual(
            progress.map(({ fetchedBytes }) => fetchedBytes).toSorted((a, b) => a - b)
          )
        }
      )

      it('resolves at once when the content is here', async () => {
        await using world = await start()
        world.gives(ALICE, SMALL)
        world.router.addProvider(SMALL.cid, ALICE)
        await world.fetch(SMALL)
        const asked = world.asked.length
        expect(await world.fetch(SMALL)).toEqual(infoOf(SMALL))
        expect(world.asked).toHaveLength(asked)
      })

      it('asks the DHT for providers it does not know', async () => {
        await using world = await start()
        world.gives(CAROL, LARGE)
        world.dht.set(LARGE.cid, new Set([CAROL]))
        await world.fetch(LARGE)
        await world.expectStored(LARGE)
      })

      it('takes blocks from several providers that each have only some', async () => {
        await using world = await start()
        const cids = [...LARGE.blocks.keys()]
        world.gives(ALICE, LARGE, (cid) => cids.indexOf(cid) % 2 === 0 || cid === LARGE.cid)
        world.gives(BOB, LARGE, (cid) => cids.indexOf(cid) % 2 === 1 || cid === LARGE.cid)
        world.router.addProvider(LARGE.cid, ALICE)
        world.router.addProvider(LARGE.cid, BOB)
        await world.fetch(LARGE)
        await world.expectStored(LARGE)
      })

      it.each(['lies', 'fails', 'has nothing', 'never answers'] as const)(
        'gets round a provider that %s, and thinks less of it',
        async (fault) => {
          await using world = await start()
          world.gives(ALICE, LARGE)
          world.gives(BOB, LARGE)
          world.faults.set(ALICE, fault)
          world.connected.add(ALICE)
          world.router.addProvider(LARGE.cid, ALICE)
          world.router.addProvider(LARGE.cid, BOB)
          await world.fetch(LARGE)
          await world.expectStored(LARGE)
          expect(world.asked.some(({ peerId }) => peerId === ALICE)).toBe(true)
          expect(world.router.reputation(ALICE)).toBeLessThan(world.router.reputation(BOB))
        }
      )

      it('says that nobody has it', async () => {
        await using world = await start()
        const alone = await rejection(world.fetch(SMALL))
        expect(alone).toMatchObject({ code: 'ERR_NO_PROVIDERS', retryable: true })
        world.router.addProvider(SMALL.cid, ALICE)
        world.faults.set(ALICE, 'fails')
        const failing = await rejection(world.fetch(SMALL))
        expect(failing).toMatchObject({ code: 'ERR_NO_PROVIDERS', retryable: true })
        expect(world.blobs.has(SMALL.cid)).toBe(false)
      })

      it('takes up an earlier attempt where it stopped', async () => {
        await using world = await start()
        const [, ...rest] = [...LARGE.blocks.keys()]
        world.gives(ALICE, LARGE, (cid) => rest.includes(cid))
        world.router.addProvider(LARGE.cid, ALICE)
        await rejection(world.fetch(LARGE))
        const kept = rest.filter((cid) => world.blobs.hasBlock(cid))
        expect(kept).not.toEqual([])
        world.asked.length = 0
        world.gives(BOB, LARGE)
        world.router.addProvider(LARGE.cid, BOB)
        await world.fetch(LARGE)
        await world.expectStored(LARGE)
        expect(world.asked.filter(({ cid }) => kept.includes(cid))).toEqual([])
      })

      it('refuses a content that is not what the release says', async () => {
        await using world = await start()
        world.gives(ALICE, SMALL)
        world.router.addProvider(SMALL.cid, ALICE)
        const error = await rejection(world.fetch({ ...SMALL, integrity: LARGE.integrity }))
        expect(error).toMatchObject({ code: 'ERR_HASH_MISMATCH' })
        expect(world.blobs.has(SMALL.cid)).toBe(false)
      })

      it('gives the same content to all who ask for it at once', async () => {
        await using world = await start()
        world.gives(ALICE, LARGE)
        world.router.addProvider(LARGE.cid, ALICE)
        const all = await Promise.all([world.fetch(LARGE), world.fetch(LARGE), world.fetch(LARGE)])
        expect(all).toEqual([infoOf(LARGE), infoOf(LARGE), infoOf(LARGE)])
        await world.expectStored(LARGE)
      })

      it('ends by its signal', async () => {
        await using world = await start()
        world.gives(ALICE, SMALL)
        world.faults.set(ALICE, 'never answers')
        world.router.addProvider(SMALL.cid, ALICE)
        const controller = new AbortController()
        const reason = new Error('no longer wanted')
        const fetched = rejection(world.router.fetch(infoOf(SMALL), { signal: controller.signal }))
        controller.abort(reason)
        expect(await fetched).toBe(reason)
      })
    })

    it('can be started and stopped twice and leaves no timer behind', async () => {
      await using world = await start()
      await world.router.start()
      await world.until(world.router.provide(SMALL.cid))
      await world.router.stop()
      await world.router.stop()
      expect(world.clock.pending).toBe(0)
    })
  })
}

type Fault = 'lies' | 'fails' | 'has nothing' | 'never answers'

class World implements ContentRouterOptions, AsyncDisposable {
  readonly peerId: PeerIdText = SELF
  readonly clock: ManualClock = manualClock()
  readonly blobs: BlobStore = memoryStore()({ clock: this.clock }).blobs
  readonly connected = new Set<PeerIdText>()
  readonly dht = new Map<ContentId, Set<PeerIdText>>()
  readonly faults = new Map<PeerIdText, Fault>()
  readonly asked: Array<{ peerId: PeerIdText; cid: string }> = []
  readonly #held = new Map<PeerIdText, Map<string, Uint8Array>>()
  dhtFails = false
  #router: ContentRouter | undefined

  get router(): ContentRouter {
    if (this.#router === undefined) throw new Error('There is no router yet')
    return this.#router
  }

  set router(router: ContentRouter) {
    this.#router = router
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.router.stop()
  }

  readonly isConnected = (peerId: PeerIdText): boolean => this.connected.has(peerId)

  readonly blocks: BlockSource = {
    block: async (peerId, cid, { signal } = {}) => {
      signal?.throwIfAborted()
      this.asked.push({ peerId, cid })
      const block = this.#held.get(peerId)?.get(cid)
      switch (this.faults.get(peerId)) {
        case 'lies':
          return seededBytes('a lie', block?.length ?? 10)
        case 'fails':
          throw new Error('The peer is gone')
        case 'has nothing':
          return undefined
        case 'never answers':
          return new Promise((_, reject) => {
            signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
          })
        case undefined:
          return block?.slice()
      }
    }
  }

  readonly routing: ProviderRouting = {
    provide: async (cid) => {
      if (this.dhtFails) throw new Error('No DHT peer took it')
      this.dht.set(cid, (this.dht.get(cid) ?? new Set()).add(SELF))
    },
    findProviders: (cid) => this.#findInDht(cid)
  }

  async *#findInDht(cid: ContentId): AsyncIterable<PeerIdText> {
    if (this.dhtFails) throw new Error('The query failed')
    yield* this.dht.get(cid) ?? []
  }

  /** Makes a peer hold the blocks of a content, all or some. */
  gives(peerId: PeerIdText, { blocks }: ContentBlocks, some: (cid: string) => boolean = () => true): void {
    this.#held.set(peerId, new Map([...blocks].filter(([cid]) => some(cid))))
  }

  find(limit?: number): Promise<ContentProvider[]> {
    const options = limit === undefined ? {} : { limit }
    return this.until(listOf(this.router.findProviders(SMALL.cid, options)))
  }

  fetch(
    content: ContentBlocks | ReturnType<typeof infoOf>,
    options: { onProgress?: (progress: FetchProgress) => void } = {}
  ): ReturnType<ContentRouter['fetch']> {
    return this.until(this.router.fetch(infoOf(content), options))
  }

  /** Lets the time run, an hour at most, until the promise has settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const noted = promise.finally(() => {
      settled = true
    })
    noted.catch(() => {})
    for (let second = 0; second < 3600 && !settled; second++) await this.clock.advance(1000)
    if (!settled) throw new Error('It had not settled after an hour')
    return noted
  }

  async expectStored(content: ContentBlocks): Promise<void> {
    expect(this.blobs.stat(content.cid)).toEqual(infoOf(content))
    const bytes = await collect(this.blobs.read(content.cid))
    expect(contentBlocks(bytes).cid).toBe(content.cid)
  }
}

function infoOf({ cid, size, integrity }: { cid: ContentId; size: number; integrity: string }): {
  cid: ContentId
  size: number
  integrity: string
} {
  return { cid, size, integrity }
}
