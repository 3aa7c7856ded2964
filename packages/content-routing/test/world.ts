import {
  type ContentBlocks,
  type ManualClock,
  type MemoryRegistryStore,
  manualClock,
  memoryStore,
  seededPeerId
} from '@registry/testing'
import type {
  BlobInfo,
  BlobStore,
  BlockSource,
  ContentId,
  ContentRouter,
  PeerIdText,
  ProviderRouting
} from '@registry/types'
import { type ContentRouterInit, contentRouter } from '../src/index.ts'

/** What a provider answers; by default, after `delayMs`, the block if it has it. */
export interface Provider {
  peerId: PeerIdText
  blocks: Map<string, Uint8Array>
  delayMs: number
  /** Its answer in place of the true one; undefined leaves that as it is. */
  answer?: (
    cid: string,
    block: Uint8Array | undefined
  ) => Uint8Array | Promise<Uint8Array | undefined> | undefined
  /** What it says of an integrity. */
  located?: (integrity: string) => BlobInfo | 'never' | undefined
}

export interface Request {
  peerId: PeerIdText
  cid: string
  atMs: number
}

/** A router among providers in memory, in a time that only the test moves. */
export class World implements AsyncDisposable {
  readonly clock: ManualClock = manualClock()
  readonly store: MemoryRegistryStore
  readonly blobs: BlobStore
  readonly connected: Set<PeerIdText> = new Set()
  readonly requests: Request[] = []
  /** Requests under way now, and at most so far. */
  readonly inFlight: Map<PeerIdText, number> = new Map()
  readonly maxInFlight: Map<PeerIdText, number> = new Map()
  readonly announced: Array<{ cid: ContentId; atMs: number }> = []
  maxAskedAtOnce = 0
  dht: ProviderRouting = {
    provide: async (cid) => {
      this.announced.push({ cid, atMs: this.clock.now() })
    },
    findProviders: async function* () {}
  }
  readonly router: ContentRouter
  readonly #providers = new Map<PeerIdText, Provider>()

  constructor(
    init: ContentRouterInit = {},
    options: { dht?: boolean; quotaBytes?: number; askConnected?: boolean } = {}
  ) {
    this.store = memoryStore({ quotaBytes: options.quotaBytes ?? 2 ** 40 })({ clock: this.clock })
    this.blobs = this.store.blobs

    const blocks: BlockSource = { block: (peerId, cid, { signal } = {}) => this.#block(peerId, cid, signal) }
    const routing: ProviderRouting = {
      provide: (cid, abort) => this.dht.provide(cid, abort),
      findProviders: (cid, abort) => this.dht.findProviders(cid, abort)
    }
    this.router = contentRouter(init)({
      peerId: seededPeerId('self'),
      blobs: this.blobs,
      blocks,
      locator: {
        locate: async (peerId, integrity) => {
          const located = this.#providers.get(peerId)?.located?.(integrity)
          if (located === 'never') return new Promise<never>(() => {})
          return located
        }
      },
      ...(options.dht === false ? {} : { routing }),
      isConnected: (peerId) => this.connected.has(peerId),
      connectedPeers: () => (options.askConnected === true ? [...this.connected] : []),
      clock: this.clock
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.router.stop()
  }

  /** A provider of a content, known to the router and connected. */
  provider(name: string, content: ContentBlocks, rest: Partial<Provider> = {}): Provider {
    const provider = { peerId: seededPeerId(name), blocks: new Map(content.blocks), delayMs: 10, ...rest }
    this.#providers.set(provider.peerId, provider)
    this.connected.add(provider.peerId)
    this.router.addProvider(content.cid, provider.peerId)
    return provider
  }

  /** Lets the time run in small steps until the promise has settled, at most two minutes. */
  async until<T>(promise: Promise<T>, stepMs = 5): Promise<T> {
    let settled = false
    const noted = promise.finally(() => {
      settled = true
    })
    noted.catch(() => {})
    for (let elapsedMs = 0; elapsedMs < 120_000 && !settled; elapsedMs += stepMs)
      await this.clock.advance(stepMs)
    if (!settled) throw new Error('It had not settled after two minutes')
    return noted
  }

  fetch(content: ContentBlocks): Promise<BlobInfo> {
    return this.until(this.router.fetch(infoOf(content)))
  }

  /** What `promise` is rejected with. */
  async rejection(promise: Promise<unknown>): Promise<unknown> {
    return this.until(
      promise.then(
        () => {
          throw new Error('It was not rejected')
        },
        (error: unknown) => error
      )
    )
  }

  requestsTo(provider: Provider): Request[] {
    return this.requests.filter(({ peerId }) => peerId === provider.peerId)
  }

  async #block(peerId: PeerIdText, cid: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const provider = this.#providers.get(peerId)
    if (provider === undefined) throw new Error('There is no such peer')
    this.requests.push({ peerId, cid, atMs: this.clock.now() })
    const now = (this.inFlight.get(peerId) ?? 0) + 1
    this.inFlight.set(peerId, now)
    this.maxInFlight.set(peerId, Math.max(now, this.maxInFlight.get(peerId) ?? 0))
    this.maxAskedAtOnce = Math.max(
      this.maxAskedAtOnce,
      [...this.inFlight.values()].filter((n) => n > 0).length
    )
    try {
      await this.#delay(provider.delayMs, signal)
      const block = provider.blocks.get(cid)
      return provider.answer === undefined ? block : await provider.answer(cid, block)
    } finally {
      this.inFlight.set(peerId, (this.inFlight.get(peerId) ?? 1) - 1)
    }
  }

  #delay(delayMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const cancel = this.clock.schedule(resolve, delayMs)
    signal?.addEventListener('abort', () => {
      cancel()
      reject(signal.reason)
    })
    return promise
  }
}

export function infoOf({ cid, size, integrity }: BlobInfo): BlobInfo {
  return { cid, size, integrity }
}

/** Never settles. */
export function never<T>(): Promise<T> {
  return Promise.withResolvers<T>().promise
}

/** Gives these items, and then never ends. */
export async function* hanging<T>(...items: T[]): AsyncGenerator<T> {
  yield* items
  await never()
}
