import {
  type AbortOptions,
  type Clock,
  isRegistryError,
  type Logger,
  type PeerIdText,
  type SyncReport
} from '@registry/types'
import type { CatalogueSyncResult } from './catalogue-sync.ts'
import type { PeerConduct } from './policy/peer-score.ts'
import { type ReplicationInput, replication } from './policy/replication.ts'

export interface ReplicatorInit {
  intervalMs: number
  /** Of the choice of random peers. */
  seed: number
}

export interface ReplicatorComponents {
  sync: (peerId: PeerIdText, options: AbortOptions) => Promise<CatalogueSyncResult>
  /** Done once a connection, after its first synchronisation. */
  pullHoldings: (peerId: PeerIdText, options: AbortOptions) => Promise<void>
  onConduct: (peerId: PeerIdText, conduct: PeerConduct) => void
  track: <T>(task: Promise<T>) => Promise<T>
  clock: Clock
  logger?: Logger
  /** Ends everything under way. */
  signal: AbortSignal
}

/** Keeps the catalogue a superset of those of the connected peers. */
export interface Replicator {
  connected(peerId: PeerIdText): void
  disconnected(peerId: PeerIdText): void
  /** The peer may have something that did not come here. */
  doubted(peerId: PeerIdText): void
  /** Resolves when a synchronisation that began after this call has ended. @throws as `PackageProtocol` */
  request(peerId: PeerIdText, options?: AbortOptions): Promise<SyncReport>
  /** The peer's catalogue was equal to this one when last compared. */
  inSync(peerId: PeerIdText): boolean
  /** When last a comparison found two catalogues equal, ms since the epoch. */
  readonly lastSyncedAtMs: number | null
}

const MAX_CONCURRENT = 4
const FIRST_RETRY_MS = 1000
const SPREAD = 3
const MAX_RETRY_MS = 600_000

export function replicator(init: ReplicatorInit): (components: ReplicatorComponents) => Replicator {
  return (components) => new PolicyReplicator(init, components)
}

class PolicyReplicator implements Replicator {
  readonly #components: ReplicatorComponents
  readonly #policy: ReturnType<typeof replication>
  readonly #waiting = new Map<PeerIdText, Array<PromiseWithResolvers<SyncReport>>>()
  readonly #equal = new Set<PeerIdText>()
  /** Connected peers whose holdings are not known yet. */
  readonly #strangers = new Set<PeerIdText>()
  #lastSyncedAtMs: number | null = null
  #cancelWake: () => void = () => {}

  constructor(init: ReplicatorInit, components: ReplicatorComponents) {
    this.#components = components
    this.#policy = replication({
      ...init,
      maxConcurrent: MAX_CONCURRENT,
      firstRetryMs: FIRST_RETRY_MS,
      spread: SPREAD,
      maxRetryMs: MAX_RETRY_MS
    })
    components.signal.addEventListener('abort', () => this.#end(), { once: true })
  }

  get lastSyncedAtMs(): number | null {
    return this.#lastSyncedAtMs
  }

  inSync(peerId: PeerIdText): boolean {
    return this.#equal.has(peerId)
  }

  connected(peerId: PeerIdText): void {
    this.#strangers.add(peerId)
    this.#handle({ type: 'connected', peerId })
  }

  disconnected(peerId: PeerIdText): void {
    this.#strangers.delete(peerId)
    this.#equal.delete(peerId)
    this.#handle({ type: 'disconnected', peerId })
  }

  doubted(peerId: PeerIdText): void {
    this.#handle({ type: 'doubted', peerId })
  }

  async request(peerId: PeerIdText, { signal }: AbortOptions = {}): Promise<SyncReport> {
    signal?.throwIfAborted()
    this.#components.signal.throwIfAborted()
    const waiter = Promise.withResolvers<SyncReport>()
    const abort = (): void => waiter.reject(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    this.#waiting.set(peerId, [...(this.#waiting.get(peerId) ?? []), waiter])
    this.#handle({ type: 'requested', peerId })
    try {
      return await waiter.promise
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  #handle(input: ReplicationInput): void {
    const { clock, track, signal } = this.#components
    if (signal.aborted) return
    const { start, wakeAtMs } = this.#policy.handle(input, clock.now())
    for (const peerId of start) void track(this.#run(peerId))
    this.#cancelWake()
    if (wakeAtMs === undefined) return
    this.#cancelWake = clock.schedule(
      () => this.#handle({ type: 'tick' }),
      Math.max(0, wakeAtMs - clock.now())
    )
  }

  async #run(peerId: PeerIdText): Promise<void> {
    const waiters = this.#waiting.get(peerId) ?? []
    this.#waiting.delete(peerId)
    let outcome: 'equal' | 'different' | 'failed'
    let received = 0
    try {
      const { equal, ...report } = await this.#components.sync(peerId, { signal: this.#components.signal })
      outcome = equal ? 'equal' : 'different'
      received = report.received
      this.#note(peerId, equal, report)
      for (const waiter of waiters) waiter.resolve(report)
      await this.#pullHoldings(peerId)
    } catch (error) {
      outcome = isRegistryError(error, 'ERR_SYNC_LIMIT') && error.retryable ? 'different' : 'failed'
      this.#equal.delete(peerId)
      this.#blame(peerId, error)
      for (const waiter of waiters) waiter.reject(error)
    }
    this.#handle({ type: 'finished', peerId, outcome, received })
  }

  #note(peerId: PeerIdText, equal: boolean, report: SyncReport): void {
    const { clock, logger, onConduct } = this.#components
    if (equal) {
      this.#equal.add(peerId)
      this.#lastSyncedAtMs = clock.now()
    } else {
      this.#equal.delete(peerId)
    }
    if (report.received > 0) {
      logger?.info('replicator', 'synchronised', { ...report })
      onConduct(peerId, 'good')
    }
  }

  async #pullHoldings(peerId: PeerIdText): Promise<void> {
    const { pullHoldings, logger, signal } = this.#components
    if (!this.#strangers.delete(peerId)) return
    try {
      await pullHoldings(peerId, { signal })
    } catch (error) {
      logger?.debug('replicator', 'the holdings of a peer are not known', { peerId, error: String(error) })
    }
  }

  #blame(peerId: PeerIdText, error: unknown): void {
    const { logger, onConduct, signal } = this.#components
    if (signal.aborted) return
    logger?.debug('replicator', 'a synchronisation failed', { peerId, error: String(error) })
    if (isRegistryError(error, 'ERR_PEER_BUSY') || isRegistryError(error, 'ERR_TOO_MANY_REQUESTS')) return
    const abused = isRegistryError(error, 'ERR_SYNC_LIMIT') && !error.retryable
    onConduct(peerId, abused ? 'abused' : 'failed')
  }

  #end(): void {
    this.#cancelWake()
    for (const waiters of this.#waiting.values()) {
      for (const waiter of waiters) waiter.reject(this.#components.signal.reason)
    }
    this.#waiting.clear()
  }
}
