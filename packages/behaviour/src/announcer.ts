import { recordIdOf } from '@registry/identity'
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
  type PeerIdText,
  type RecordId
} from '@registry/types'
import { announcedRecords } from './announced-records.ts'
import type { GossipChannel } from './gossip-channel.ts'
import { type AnnouncementInput, announcements } from './policy/announcements.ts'
import type { PeerConduct } from './policy/peer-score.ts'
import { rateLimit } from './policy/rate-limit.ts'

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

/** Works the outbox off: tells others of each record by gossip and by push, and the DHT of the content that it brings. */
export interface Announcer {
  /** Takes up every entry now, due or not. */
  announce(): void
  /** Nothing under way, and nothing due. */
  readonly idle: boolean
  /** Of the records told by gossip, the share that reached a peer; null before the first. */
  deliveryRate(): number | null
}

const MAX_PROVIDING = 8
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 600_000
/** Peers that a record is pushed to; gossip takes it from there. */
const PUSH_PEERS = 8
const PUSH_RECORDS = 64
/** A batch ends at the record that reaches it; with that one and what goes with it, it still fits a request. */
const PUSH_BYTES = 48 * 1024
/** While something is under way, its entries stay due; how often to look for others meanwhile. */
const MIN_WAKE_MS = 1000
/** What could not be written down stays due; how long to leave a disk alone that refused. */
const STORAGE_RETRY_MS = 10_000

export function announcer(init: AnnouncerInit): (components: AnnouncerComponents) => Announcer {
  return (components) => new OutboxAnnouncer(init, components)
}

interface PushBatch {
  /** With what each of them must go together with. */
  items: Array<{ entry: OutboxEntry; records: Uint8Array[] }>
  /** All of these, each once. */
  records: Map<RecordId, Uint8Array>
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
      if (content !== undefined) await provide(content, { signal })
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

  #nextBatch(): PushBatch {
    const batch: PushBatch = { items: [], records: new Map() }
    let bytes = 0
    while (batch.items.length < PUSH_RECORDS && bytes < PUSH_BYTES) {
      const entry = this.#pushQueue.shift()
      if (entry === undefined) break
      const records = this.#read(entry)
      if (records.length === 0) {
        // Of a statement another holds by now: there is nothing to tell any more. A record that is damaged may come back.
        const done = this.#stored(() => !this.#components.catalogue.has(entry.record)) ?? false
        this.#handle({ type: 'pushed', sequence: entry.sequence, done })
        continue
      }
      batch.items.push({ entry, records })
      for (const record of records) {
        const id = recordIdOf(record)
        if (batch.records.has(id)) continue
        batch.records.set(id, record)
        bytes += record.length
      }
    }
    return batch
  }

  #read({ record }: OutboxEntry): Uint8Array[] {
    try {
      return announcedRecords(this.#components.catalogue, record)
    } catch (error) {
      this.#components.logger?.warn('announcer', 'a record to announce could not be read', {
        error: String(error)
      })
      return []
    }
  }

  async #pushBatch({ items, records }: PushBatch): Promise<void> {
    const { peers, signal } = this.#components
    if (items.length === 0) return
    await this.#keepPace(items.length)
    if (signal.aborted) return
    for (const item of items) await this.#gossip(item)
    const targets = peers()
      .filter((peerId) => !this.#avoided.has(peerId))
      .slice(0, PUSH_PEERS)
    const taken = new Set((await Promise.all(targets.map((peerId) => this.#pushTo(peerId, records)))).flat())
    for (const { entry } of items) {
      this.#handle({ type: 'pushed', sequence: entry.sequence, done: taken.has(entry.record) })
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

  async #gossip({ entry, records }: PushBatch['items'][number]): Promise<void> {
    const before = this.#gossiped.get(entry.sequence)
    if (before === true) return
    const result = await this.#components.gossip.publish(records)
    if (result === 'held back') return
    if (before === undefined) this.#gossipTried++
    if (result === 'heard') this.#gossipDelivered++
    this.#gossiped.set(entry.sequence, result === 'heard')
  }

  /** Resolves to the records that the peer has now. */
  async #pushTo(peerId: PeerIdText, records: ReadonlyMap<RecordId, Uint8Array>): Promise<RecordId[]> {
    const { protocol, onConduct, logger, signal } = this.#components
    try {
      const statuses = await protocol.publishPackage(peerId, [...records.values()], { signal })
      return [...records.keys()].filter((_, index) => statuses[index] !== 'refused')
    } catch (error) {
      logger?.debug('announcer', 'a push failed', { peerId, error: String(error) })
      if (signal.aborted || isBusy(error)) return []
      this.#avoided.add(peerId)
      onConduct(peerId, 'failed')
      return []
    }
  }
}

/** The peer is at its limits, by no fault of its own. */
function isBusy(error: unknown): boolean {
  return isRegistryError(error, 'ERR_PEER_BUSY') || isRegistryError(error, 'ERR_TOO_MANY_REQUESTS')
}
