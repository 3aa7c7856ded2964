import { pause } from '@registry/timing'
import {
  type AbortOptions,
  type Catalogue,
  type Clock,
  type ContentId,
  isRegistryError,
  type Logger,
  type Outbox,
  type OutboxEntry,
  type PackageProtocol,
  type PeerIdText
} from '@registry/types'
import type { GossipChannel } from './gossip-channel.ts'
import { type AnnouncementInput, announcements } from './policy/announcements.ts'
import type { PeerConduct } from './policy/peer-score.ts'
import { rateLimit } from './policy/rate-limit.ts'
import { type RecordBundle, recordBundle } from './record-bundle.ts'

export interface AnnouncerInit {
  /** Whether there is a DHT to provide in. */
  provide: boolean
  /** What the peers take from one of them in a second, so that a bulk publish does not run into their limits. */
  recordsPerSecond: number
}

export interface AnnouncerComponents {
  outbox: Outbox
  catalogue: Catalogue
  gossip: Pick<GossipChannel, 'publish'>
  protocol: Pick<PackageProtocol, 'publishPackage'>
  provide: (cid: ContentId, options: AbortOptions) => Promise<void>
  /** Whom to push to, best first. */
  peers: () => PeerIdText[]
  onConduct: (peerId: PeerIdText, conduct: PeerConduct) => void
  track: <T>(task: Promise<T>) => Promise<T>
  clock: Clock
  logger?: Logger
  /** Ends everything under way. */
  signal: AbortSignal
}

/** Works the outbox off: tells others of each release by gossip and by push, and the DHT of its content. */
export interface Announcer {
  /** Takes up every entry now, due or not. */
  announce(): void
  /** Nothing under way, and nothing due. */
  readonly idle: boolean
  /** Of the releases told by gossip, the share that reached a peer; null before the first. */
  deliveryRate(): number | null
}

const MAX_PROVIDING = 8
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 600_000
/** Peers that a release is pushed to; gossip takes it from there. */
const PUSH_PEERS = 8
const PUSH_RELEASES = 64
/** A batch ends at the release that reaches it; with that one it still fits a request. */
const PUSH_BYTES = 96 * 1024
/** While something is under way, its entries stay due; how often to look for others meanwhile. */
const MIN_WAKE_MS = 1000
/** What could not be written down stays due; how long to leave a disk alone that refused. */
const STORAGE_RETRY_MS = 10_000

export function announcer(init: AnnouncerInit): (components: AnnouncerComponents) => Announcer {
  return (components) => new OutboxAnnouncer(init, components)
}

interface PushItem {
  entry: OutboxEntry
  bundle: RecordBundle
}

class OutboxAnnouncer implements Announcer {
  readonly #components: AnnouncerComponents
  readonly #policy: ReturnType<typeof announcements>
  readonly #pace: ReturnType<typeof rateLimit>
  readonly #pushQueue: OutboxEntry[] = []
  /** Of entries still in the outbox: whether gossip has reached a peer. */
  readonly #gossiped = new Map<number, boolean>()
  #gossipTried = 0
  #gossipDelivered = 0
  /** Peers that failed in this run of pushes, which would wait for each of them once a batch. */
  readonly #avoided = new Set<PeerIdText>()
  #pushing = false
  #again = false
  #storageFailed = false
  #cancelWake: () => void = () => {}

  constructor(init: AnnouncerInit, components: AnnouncerComponents) {
    this.#components = components
    this.#policy = announcements({
      provide: init.provide,
      maxProviding: MAX_PROVIDING,
      firstRetryMs: FIRST_RETRY_MS,
      maxRetryMs: MAX_RETRY_MS
    })
    this.#pace = rateLimit({ perSecond: init.recordsPerSecond, burst: init.recordsPerSecond, maxPeers: 1 })
    components.signal.addEventListener('abort', () => this.#cancelWake(), { once: true })
  }

  get idle(): boolean {
    const { outbox, clock } = this.#components
    const nextDueMs = outbox.nextDueMs()
    return this.#policy.pending === 0 && (nextDueMs === undefined || nextDueMs > clock.now())
  }

  deliveryRate(): number | null {
    return this.#gossipTried === 0 ? null : this.#gossipDelivered / this.#gossipTried
  }

  announce(): void {
    // A run that is under way looks again when it is through; so a bulk publish reads the outbox once a batch.
    if (this.#pushing) this.#again = true
    else this.#takeAll()
  }

  #takeAll(): void {
    this.#take(Number.MAX_SAFE_INTEGER, true)
  }

  #take(nowMs: number, news: boolean): void {
    const { outbox, signal } = this.#components
    if (signal.aborted) return
    this.#again = false
    this.#storageFailed = false
    const entries = this.#stored(() => outbox.due({ nowMs, limit: Math.max(1, outbox.size) })) ?? []
    this.#handle({ type: 'taken', entries, news })
  }

  /** The outbox's answer, or undefined when the disk refused: then everything is done again later. */
  #stored<T>(ask: () => T): T | undefined {
    try {
      return ask()
    } catch (error) {
      this.#storageFailed = true
      this.#components.logger?.warn('announcer', 'the outbox could not be used', { error: String(error) })
      return undefined
    }
  }

  #handle(input: AnnouncementInput): void {
    const { outbox, clock, track, signal } = this.#components
    if (signal.aborted) return
    const effect = this.#policy.handle(input, clock.now())
    for (const { sequence, ...progress } of effect.record) {
      this.#stored(() => outbox.record(sequence, progress))
      if (progress.pushed && progress.provided) this.#gossiped.delete(sequence)
    }
    for (const entry of effect.provide) void track(this.#provide(entry))
    for (const entry of effect.push) this.#pushQueue.push(entry)
    if (this.#pushQueue.length > 0 && !this.#pushing) void track(this.#pushAll())
    this.#schedule()
  }

  #schedule(): void {
    const { outbox, clock } = this.#components
    this.#cancelWake()
    const nextDueMs = this.#stored(() => outbox.nextDueMs())
    if (nextDueMs === undefined && !this.#storageFailed) return
    const earliestMs = this.#storageFailed ? STORAGE_RETRY_MS : this.#policy.pending > 0 ? MIN_WAKE_MS : 0
    const delayMs = Math.max(earliestMs, (nextDueMs ?? 0) - clock.now())
    this.#cancelWake = clock.schedule(() => this.#take(clock.now(), false), delayMs)
  }

  async #provide({ sequence, content }: OutboxEntry): Promise<void> {
    const { provide, signal, logger } = this.#components
    let done = true
    try {
      await provide(content, { signal })
    } catch (error) {
      done = false
      logger?.debug('announcer', 'not provided yet', { content, error: String(error) })
    }
    this.#handle({ type: 'provided', sequence, done })
  }

  async #pushAll(): Promise<void> {
    this.#pushing = true
    try {
      while (this.#pushQueue.length > 0 && !this.#components.signal.aborted) {
        await this.#pushBatch(this.#nextBatch())
      }
    } finally {
      this.#pushing = false
      this.#avoided.clear()
    }
    if (this.#again) this.#takeAll()
  }

  #nextBatch(): PushItem[] {
    const { catalogue, logger } = this.#components
    const batch: PushItem[] = []
    let bytes = 0
    while (batch.length < PUSH_RELEASES && bytes < PUSH_BYTES) {
      const entry = this.#pushQueue.shift()
      if (entry === undefined) break
      let bundle: RecordBundle | undefined
      try {
        bundle = recordBundle(catalogue, entry.record)
      } catch (error) {
        logger?.warn('announcer', 'a release to announce could not be read', { error: String(error) })
      }
      if (bundle === undefined) {
        this.#handle({ type: 'pushed', sequence: entry.sequence, done: false })
        continue
      }
      batch.push({ entry, bundle })
      bytes += bundle.inception.length + bundle.release.length
    }
    return batch
  }

  async #pushBatch(batch: readonly PushItem[]): Promise<void> {
    const { peers, signal } = this.#components
    await this.#keepPace(batch.length)
    if (signal.aborted) return
    const pushed = new Set<number>()
    for (const item of batch) await this.#gossip(item)
    const targets = peers()
      .filter((peerId) => !this.#avoided.has(peerId))
      .slice(0, PUSH_PEERS)
    await Promise.all(targets.map((peerId) => this.#pushTo(peerId, batch, pushed)))
    for (const { entry } of batch) {
      this.#handle({ type: 'pushed', sequence: entry.sequence, done: pushed.has(entry.sequence) })
    }
  }

  async #keepPace(amount: number): Promise<void> {
    const { clock, signal } = this.#components
    for (;;) {
      const { admitted, retryAfterMs } = this.#pace.handle({ peerId: 'own', amount }, clock.now())
      if (admitted || signal.aborted) return
      await pause(clock, retryAfterMs, signal)
    }
  }

  async #gossip({ entry, bundle }: PushItem): Promise<void> {
    const before = this.#gossiped.get(entry.sequence)
    if (before === true) return
    const result = await this.#components.gossip.publish(bundle)
    if (result === 'held back') return
    if (before === undefined) this.#gossipTried++
    if (result === 'heard') this.#gossipDelivered++
    this.#gossiped.set(entry.sequence, result === 'heard')
  }

  async #pushTo(peerId: PeerIdText, batch: readonly PushItem[], pushed: Set<number>): Promise<void> {
    const { protocol, onConduct, logger, signal } = this.#components
    const envelopes: Uint8Array[] = []
    const releaseAt = new Map<number, number>()
    const inceptions: Uint8Array[] = []
    for (const { entry, bundle } of batch) {
      if (!inceptions.some((known) => Buffer.compare(known, bundle.inception) === 0)) {
        inceptions.push(bundle.inception)
        envelopes.push(bundle.inception)
      }
      releaseAt.set(envelopes.length, entry.sequence)
      envelopes.push(bundle.release)
    }
    try {
      const statuses = await protocol.publishPackage(peerId, envelopes, { signal })
      for (const [index, sequence] of releaseAt) {
        const status = statuses[index]
        if (status === 'accepted' || status === 'known') pushed.add(sequence)
      }
    } catch (error) {
      logger?.debug('announcer', 'a push failed', { peerId, error: String(error) })
      if (signal.aborted || isBusy(error)) return
      this.#avoided.add(peerId)
      onConduct(peerId, 'failed')
    }
  }
}

/** The peer is at its limits, by no fault of its own. */
function isBusy(error: unknown): boolean {
  return isRegistryError(error, 'ERR_PEER_BUSY') || isRegistryError(error, 'ERR_TOO_MANY_REQUESTS')
}
