import { deadline, itemsUntilAborted, untilAborted } from '@registry/timing'
import type {
  AbortOptions,
  BlobInfo,
  BlobStore,
  BlockSource,
  Clock,
  ContentId,
  ContentLocator,
  ContentProvider,
  ContentRouter,
  ContentRouterStats,
  FetchOptions,
  FetchProgress,
  Logger,
  PeerIdText,
  ProviderRouting
} from '@registry/types'
import { isRegistryError } from '@registry/types'
import { HashMismatchError, RouterStoppedError } from './errors.ts'
import { LruMap } from './lru-map.ts'
import { ProviderCache } from './provider-cache.ts'
import { Reprovider } from './reprovider.ts'
import { afterExchange, type ExchangeOutcome, type ProviderHistory, reputationOf } from './reputation.ts'
import { Slots } from './slots.ts'
import { Transfer } from './transfer.ts'

const PART = 'registry:content-routing'
const LIST_PAGE = 1000
/** Contents that are fetched at most for one integrity: of different ones all but one are wrong. */
const MAX_LOCATED = 3
/** Who took another content for the one that was asked for is not asked again for so long. */
const MISLED_MS = 600_000
/** Connected peers that are asked at a venture. */
const MAX_CANDIDATES = 8

export interface ContentRouterInit {
  /** Contents whose providers are remembered. @default 1000 */
  cacheSize?: number
  /** Providers remembered of one content. @default 20 */
  maxProvidersPerContent?: number
  /** Peers whose reputation is remembered. @default 4096 */
  maxPeers?: number
  /** How long a provider record counts, of others here and of this peer in the DHT. @default 86400000 */
  providerRecordTtlMs?: number
  /** How long the DHT may take to announce a content. @default 60000 */
  provideTimeoutMs?: number
  /** How long a look-up waits for the DHT. @default 5000 */
  lookupTimeoutMs?: number
  /** Providers that one fetch asks at once. @default 3 */
  fanOut?: number
  /** Blocks that one fetch has on their way from one provider. @default 4 */
  windowBlocks?: number
  /** Fetches at once; others wait. Bounds memory: fetches * fanOut * windowBlocks * 1.1 MiB. @default 8 */
  maxConcurrentFetches?: number
  /** A block that takes longer, and three times longer than usual, is asked of a second provider. @default 1000 */
  hedgeAfterMs?: number
  /** How long a provider may take over one block. @default 15000 */
  blockTimeoutMs?: number
  /** A fetch to which nothing came for this long is given up. @default 30000 */
  fetchTimeoutMs?: number
  /** How long connected peers may take to say whether they have a content that is asked for by its integrity. @default 1000 */
  locateTimeoutMs?: number
}

export interface ContentRouterComponents {
  /** This peer's own ID. */
  peerId: PeerIdText
  blobs: BlobStore
  blocks: BlockSource
  /** Without it a content cannot be found by its integrity. */
  locator?: ContentLocator
  /** The DHT; without one, only peers that told us themselves are known as providers. */
  routing?: ProviderRouting
  isConnected: (peerId: PeerIdText) => boolean
  /** Peers that are asked for a content of which no provider is known yet; without this, only the DHT is. */
  connectedPeers?: () => readonly PeerIdText[]
  clock: Clock
  logger?: Logger
}

/** 20 providers are as many as one Kademlia neighbourhood gives. */
export const CONTENT_ROUTER_DEFAULTS: Required<ContentRouterInit> = Object.freeze({
  cacheSize: 1000,
  maxProvidersPerContent: 20,
  maxPeers: 4096,
  providerRecordTtlMs: 86_400_000,
  provideTimeoutMs: 60_000,
  lookupTimeoutMs: 5000,
  fanOut: 3,
  windowBlocks: 4,
  maxConcurrentFetches: 8,
  hedgeAfterMs: 1000,
  blockTimeoutMs: 15_000,
  fetchTimeoutMs: 30_000,
  locateTimeoutMs: 1000
})

/**
 * Who has a content, and getting it from them. While started, it provides every complete content of `blobs`, from those
 * found at start to those that come and go.
 */
export function contentRouter(
  init: ContentRouterInit = {}
): (components: ContentRouterComponents) => ContentRouter {
  return (components) => new ContentRouterImpl({ ...CONTENT_ROUTER_DEFAULTS, ...init }, components)
}

/** One content on its way, for everybody who wants it. */
interface Job {
  content: BlobInfo
  result: Promise<BlobInfo>
  controller: AbortController
  /** One for each caller. */
  listeners: Set<(progress: FetchProgress) => void>
  progress: FetchProgress | undefined
}

class ContentRouterImpl implements ContentRouter {
  readonly #init: Required<ContentRouterInit>
  readonly #components: ContentRouterComponents
  readonly #cache: ProviderCache
  readonly #histories: LruMap<PeerIdText, ProviderHistory>
  /** When a peer last gave another content for the one that was asked for, ms since the epoch. */
  readonly #misled: LruMap<PeerIdText, number>
  readonly #reprovider: Reprovider
  readonly #slots: Slots
  readonly #jobs = new Map<ContentId, Job>()
  #unlisten: (() => void) | undefined
  #cacheHits = 0
  #cacheMisses = 0
  #dhtQueries = 0
  #dhtQueriesSucceeded = 0

  constructor(init: Required<ContentRouterInit>, components: ContentRouterComponents) {
    const { clock, routing, logger } = components
    this.#init = init
    this.#components = components
    this.#cache = new ProviderCache({
      maxContents: init.cacheSize,
      maxProviders: init.maxProvidersPerContent,
      ttlMs: init.providerRecordTtlMs
    })
    this.#histories = new LruMap(init.maxPeers)
    this.#misled = new LruMap(init.maxPeers)
    this.#reprovider = new Reprovider(
      { recordTtlMs: init.providerRecordTtlMs, provideTimeoutMs: init.provideTimeoutMs },
      { routing, clock, logger }
    )
    this.#slots = new Slots(init.maxConcurrentFetches)
  }

  async start(): Promise<void> {
    if (this.#unlisten !== undefined) return
    this.#unlisten = this.#components.blobs.onChange((cid, present) => {
      if (present) this.#reprovider.add([cid])
      else this.#reprovider.remove(cid)
    })
    this.#reprovider.add(this.#stored())
    this.#reprovider.start()
  }

  async stop(): Promise<void> {
    this.#unlisten?.()
    this.#unlisten = undefined
    const jobs = [...this.#jobs.values()]
    for (const { controller } of jobs) controller.abort(new RouterStoppedError())
    await Promise.allSettled([this.#reprovider.stop(), ...jobs.map(({ result }) => result)])
  }

  async provide(cid: ContentId, { signal = new AbortController().signal }: AbortOptions = {}): Promise<void> {
    await this.#reprovider.provide(cid, signal)
  }

  async stopProviding(cid: ContentId): Promise<void> {
    this.#reprovider.remove(cid)
  }

  isLocalProvider(cid: ContentId): boolean {
    return this.#reprovider.has(cid)
  }

  addProvider(cid: ContentId, peerId: PeerIdText): void {
    if (peerId !== this.#components.peerId) this.#cache.add(cid, peerId, this.#components.clock.now())
  }

  removeProvider(cid: ContentId, peerId: PeerIdText): void {
    this.#cache.remove(cid, peerId)
  }

  async *findProviders(
    cid: ContentId,
    { limit = this.#init.maxProvidersPerContent, signal }: AbortOptions & { limit?: number } = {}
  ): AsyncIterable<ContentProvider> {
    signal?.throwIfAborted()
    const found = new Set<PeerIdText>()
    const cached = this.#cached(cid)
    this.#cache.use(cid)
    if (cached.length > 0) this.#cacheHits += 1
    else this.#cacheMisses += 1
    for (const provider of cached) {
      if (found.size >= limit) return
      found.add(provider.peerId)
      yield provider
      signal?.throwIfAborted()
    }
    if (found.size >= limit) return
    for await (const peerId of this.#askDht(cid, signal)) {
      if (peerId === this.#components.peerId || found.has(peerId)) continue
      found.add(peerId)
      this.addProvider(cid, peerId)
      yield this.#describe(peerId, this.#components.clock.now())
      if (found.size >= limit) return
    }
  }

  bestProvider(cid: ContentId): ContentProvider | undefined {
    return this.#cached(cid)[0]
  }

  providerCount(cid: ContentId): number {
    const others = this.#cache.providers(cid, this.#components.clock.now()).length
    return others + (this.isLocalProvider(cid) ? 1 : 0)
  }

  updateProviderReputation(peerId: PeerIdText, outcome: ExchangeOutcome): void {
    const history = afterExchange(this.#histories.peek(peerId), outcome, this.#components.clock.now())
    this.#histories.set(peerId, history)
  }

  reputation(peerId: PeerIdText): number {
    return reputationOf(this.#histories.peek(peerId), this.#components.clock.now())
  }

  cleanupStaleProviders(): number {
    return this.#cache.removeStale(this.#components.clock.now())
  }

  async fetch(content: BlobInfo, { signal, onProgress = () => {} }: FetchOptions = {}): Promise<BlobInfo> {
    signal?.throwIfAborted()
    const stored = this.#components.blobs.stat(content.cid)
    if (stored !== undefined) return asExpected(stored, content)
    const running = this.#jobs.get(content.cid)
    if (running !== undefined && !isSame(running.content, content)) {
      // Two records differ about one content: at most one of them is right, and this one waits for its turn to be tried.
      const settled = running.result.then(
        () => {},
        () => {}
      )
      await (signal === undefined ? settled : untilAborted(settled, signal))
      return this.fetch(content, { onProgress, ...(signal === undefined ? {} : { signal }) })
    }
    const job = running ?? this.#startJob(content)
    return this.#join(job, onProgress, signal)
  }

  async find(
    integrity: string,
    { maxBytes, signal = new AbortController().signal, onProgress }: FetchOptions & { maxBytes: number }
  ): Promise<BlobInfo | undefined> {
    signal.throwIfAborted()
    const stored = this.#components.blobs.find(integrity)
    if (stored !== undefined) return stored
    const tried = new Set<string>()
    for await (const { peerId, content } of this.#locate(integrity, signal)) {
      const { cid, size } = content
      if (size > maxBytes || tried.has(`${cid} ${size}`)) continue
      if (tried.size === MAX_LOCATED) return undefined
      tried.add(`${cid} ${size}`)
      this.addProvider(cid, peerId)
      try {
        return await this.fetch(content, onProgress === undefined ? { signal } : { signal, onProgress })
      } catch (error) {
        signal.throwIfAborted()
        if (!isRegistryError(error)) throw error
        this.updateProviderReputation(peerId, { success: false })
        if (isRegistryError(error, 'ERR_HASH_MISMATCH'))
          this.#misled.set(peerId, this.#components.clock.now())
        this.removeProvider(cid, peerId)
      }
    }
    return undefined
  }

  stats(): ContentRouterStats {
    return {
      providerRecords: this.#cache.count(this.#components.clock.now()),
      provided: this.#reprovider.size,
      cacheHits: this.#cacheHits,
      cacheMisses: this.#cacheMisses,
      dhtQueries: this.#dhtQueries,
      dhtQueriesSucceeded: this.#dhtQueriesSucceeded
    }
  }

  *#stored(): Generator<ContentId> {
    let page = this.#components.blobs.list({ limit: LIST_PAGE })
    for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
      for (const { cid } of page) yield cid
      page = this.#components.blobs.list({ after: last.cid, limit: LIST_PAGE })
    }
  }

  #describe(peerId: PeerIdText, lastSeenMs: number): ContentProvider {
    return { peerId, reputation: this.reputation(peerId), lastSeenMs }
  }

  /**
   * Providers, and while none is known the best connected peers: to ask one costs less than a walk of the DHT. When those
   * found first have all failed (`limit` is then above `fanOut`) connected peers and the DHT are asked however many
   * providers are known: anybody can say that they hold a content.
   */
  async *#findSources(
    cid: ContentId,
    limit: number,
    signal: AbortSignal
  ): AsyncGenerator<{ peerId: PeerIdText }> {
    const known = this.#cached(cid).length
    const wide = limit > this.#init.fanOut
    if (known === 0 || wide) {
      const connected = this.#components.connectedPeers?.() ?? []
      const best = connected.toSorted((a, b) => this.reputation(b) - this.reputation(a))
      for (const peerId of best.slice(0, MAX_CANDIDATES)) yield { peerId }
    }
    yield* this.findProviders(cid, { limit: wide ? known + limit : limit, signal })
  }

  /** Best first. */
  #cached(cid: ContentId): ContentProvider[] {
    return this.#cache
      .providers(cid, this.#components.clock.now())
      .map(([peerId, seenMs]) => this.#describe(peerId, seenMs))
      .sort((a, b) => this.#compare(a.peerId, b.peerId))
  }

  /** Connected ones first: to dial takes longer than any of them. */
  #compare(a: PeerIdText, b: PeerIdText): number {
    const { isConnected } = this.#components
    return Number(isConnected(b)) - Number(isConnected(a)) || this.reputation(b) - this.reputation(a)
  }

  /** What connected peers say of an integrity, as they answer, until all have or the time for it is over. */
  async *#locate(
    integrity: string,
    signal: AbortSignal
  ): AsyncGenerator<{ peerId: PeerIdText; content: BlobInfo }> {
    const { locator, connectedPeers = () => [], clock } = this.#components
    if (locator === undefined) return
    const limit = deadline(clock, this.#init.locateTimeoutMs, signal)
    const ask = async (peerId: PeerIdText): Promise<{ peerId: PeerIdText; content?: BlobInfo }> => {
      try {
        const asking = locator.locate(peerId, integrity, { signal: limit.signal })
        const content = await untilAborted(asking, limit.signal)
        return content === undefined ? { peerId } : { peerId, content }
      } catch {
        return { peerId }
      }
    }
    try {
      const best = connectedPeers()
        .filter((peerId) => clock.now() >= (this.#misled.peek(peerId) ?? 0) + MISLED_MS)
        .toSorted((a, b) => this.reputation(b) - this.reputation(a))
      const asked = new Map(best.slice(0, MAX_CANDIDATES).map((peerId) => [peerId, ask(peerId)]))
      while (asked.size > 0) {
        const { peerId, content } = await Promise.race(asked.values())
        asked.delete(peerId)
        signal.throwIfAborted()
        if (content !== undefined) yield { peerId, content }
      }
    } finally {
      limit.clear()
    }
  }

  /** Ends by itself after `lookupTimeoutMs`; a DHT that fails or hangs is one that knows nobody. */
  async *#askDht(cid: ContentId, signal: AbortSignal | undefined): AsyncGenerator<PeerIdText> {
    const { routing, clock, logger } = this.#components
    if (routing === undefined) return
    this.#dhtQueries += 1
    const timeout = new AbortController()
    const cancel = clock.schedule(() => {
      timeout.abort(new DOMException('The DHT did not answer in time', 'TimeoutError'))
    }, this.#init.lookupTimeoutMs)
    const either = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal])
    let failed = false
    try {
      yield* itemsUntilAborted(routing.findProviders(cid, { signal: either }), either)
    } catch (error) {
      signal?.throwIfAborted()
      failed = true
      logger?.debug(PART, 'a look-up in the DHT failed', { cid, error: String(error) })
    } finally {
      cancel()
      // Whoever found enough ends it early: that is no failure.
      if (!failed) this.#dhtQueriesSucceeded += 1
      timeout.abort(new DOMException('The look-up has ended', 'AbortError'))
    }
  }

  #startJob(content: BlobInfo): Job {
    const controller = new AbortController()
    const listeners: Job['listeners'] = new Set()
    const job: Job = {
      content,
      controller,
      listeners,
      progress: undefined,
      result: this.#run(content, controller.signal, (progress) => {
        job.progress = progress
        for (const listener of [...listeners]) listener(progress)
      }).finally(() => this.#forget(job))
    }
    this.#jobs.set(content.cid, job)
    return job
  }

  /** A caller that aborts leaves; the last one ends the job. */
  async #join(
    job: Job,
    onProgress: (progress: FetchProgress) => void,
    signal: AbortSignal | undefined
  ): Promise<BlobInfo> {
    const listener = (progress: FetchProgress): void => {
      try {
        onProgress(progress)
      } catch (error) {
        this.#components.logger?.warn(PART, 'a listener to progress failed', { error: String(error) })
      }
    }
    if (job.progress !== undefined) listener(job.progress)
    job.listeners.add(listener)
    try {
      return await (signal === undefined ? job.result : untilAborted(job.result, signal))
    } finally {
      job.listeners.delete(listener)
      if (job.listeners.size === 0) {
        job.controller.abort(signal?.reason)
        this.#forget(job)
      }
    }
  }

  #forget(job: Job): void {
    if (this.#jobs.get(job.content.cid) === job) this.#jobs.delete(job.content.cid)
  }

  async #run(
    content: BlobInfo,
    signal: AbortSignal,
    onProgress: (progress: FetchProgress) => void
  ): Promise<BlobInfo> {
    const { blobs } = this.#components
    const giveBack = await this.#slots.take(signal)
    try {
      for (let attempt = 1; ; attempt += 1) {
        await this.#transfer(content, onProgress).run(signal)
        try {
          return await blobs.complete(content.cid, content)
        } catch (error) {
          // A block that was here before turned out to be damaged, and is gone now.
          const damaged =
            isRegistryError(error, 'ERR_CORRUPT_BLOB') || isRegistryError(error, 'ERR_NOT_STORED')
          if (!damaged || attempt === 2) throw error
        }
      }
    } catch (error) {
      // What came is of no use to anybody with this record.
      if (isRegistryError(error, 'ERR_HASH_MISMATCH') && !blobs.has(content.cid))
        await blobs.delete(content.cid)
      throw error
    } finally {
      giveBack()
    }
  }

  #transfer(content: BlobInfo, onProgress: (progress: FetchProgress) => void): Transfer {
    const { blobs, blocks, clock, logger } = this.#components
    const { fanOut, windowBlocks, blockTimeoutMs, hedgeAfterMs, fetchTimeoutMs } = this.#init
    return new Transfer(
      content,
      { maxProviders: fanOut, windowBlocks, blockTimeoutMs, hedgeAfterMs, stallTimeoutMs: fetchTimeoutMs },
      {
        blobs,
        blocks,
        clock,
        logger,
        findProviders: (limit, signal) => this.#findSources(content.cid, limit, signal),
        compare: (a, b) => this.#compare(a, b),
        onExchange: (peerId, outcome) => this.updateProviderReputation(peerId, outcome),
        onNoProvider: (peerId) => this.removeProvider(content.cid, peerId),
        onProgress
      }
    )
  }
}

/** @throws {HashMismatchError} ERR_HASH_MISMATCH */
function asExpected(stored: BlobInfo, expected: BlobInfo): BlobInfo {
  if (isSame(stored, expected)) return stored
  throw new HashMismatchError(stored.cid, `it has ${stored.size} bytes and integrity ${stored.integrity}`)
}

function isSame(a: BlobInfo, b: BlobInfo): boolean {
  return a.size === b.size && a.integrity === b.integrity
}
