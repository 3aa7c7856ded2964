import {
  type AbortOptions,
  type CatalogueHoldings,
  type Clock,
  type Completeness,
  isRegistryError,
  type Logger,
  type PeerIdText,
  type SyncProgress,
  type SyncReport
} from '@registry/types'
import type { PeerSync, PeerSyncOptions } from './peer-sync.ts'
import type { PeerConduct } from './policy/peer-score.ts'
import { type Freshness, type ReplicationInput, replication } from './policy/replication.ts'

export interface ReplicatorInit {
  intervalMs: number
  /** Of the choice of random peers. */
  seed: number
  /** What this peer keeps of the catalogue. */
  holds: CatalogueHoldings
}

export interface ReplicatorComponents {
  sync: (peerId: PeerIdText, options: PeerSyncOptions) => PeerSync
  /** What a peer keeps of the catalogue; asked once a connection. */
  holdsCatalogue: (peerId: PeerIdText, options: AbortOptions) => Promise<CatalogueHoldings>
  /** Done once a connection. */
  pullHoldings: (peerId: PeerIdText, options: AbortOptions) => Promise<void>
  onConduct: (peerId: PeerIdText, conduct: PeerConduct) => void
  track: <T>(task: Promise<T>) => Promise<T>
  clock: Clock
  logger?: Logger
  /** Ends everything under way. */
  signal: AbortSignal
}

/** Keeps the catalogue in step with those of the connected peers. */
export interface Replicator {
  /** `initiator`: it was this peer that dialled. */
  connected(peerId: PeerIdText, initiator: boolean): void
  disconnected(peerId: PeerIdText): void
  /** The peer may have something that did not come here. */
  doubted(peerId: PeerIdText): void
  /** The peer has compared its whole catalogue with this one. */
  compared(peerId: PeerIdText, equal: boolean): void
  /** The peer has handed over records that were new here. */
  given(peerId: PeerIdText): void
  /** Resolves when a synchronisation that began after this call has ended. @throws as `PackageProtocol` */
  request(peerId: PeerIdText, options?: AbortOptions): Promise<SyncReport>
  freshness(peerId: PeerIdText): Freshness
  completeness(): Completeness
  /** Synchronisations under way. */
  progress(): SyncProgress[]
  /** So much is still to come that what is here is not to be relied on. */
  readonly catchingUp: boolean
}

const MAX_CONCURRENT = 4
const FIRST_RETRY_MS = 1000
const SPREAD = 3
const MAX_RETRY_MS = 600_000
/** Records that one exchange brings; as many are here before anybody could ask for them elsewhere. */
const FEW_RECORDS = 1024

export function replicator(init: ReplicatorInit): (components: ReplicatorComponents) => Replicator {
  return (components) => new PolicyReplicator(init, components)
}

class PolicyReplicator implements Replicator {
  readonly #components: ReplicatorComponents
  readonly #policy: ReturnType<typeof replication>
  readonly #waiting = new Map<PeerIdText, Array<PromiseWithResolvers<SyncReport>>>()
  readonly #running = new Map<PeerIdText, PeerSync>()
  /** What connected peers say they keep, asked for or told. */
  readonly #declared = new Map<PeerIdText, Promise<CatalogueHoldings>>()
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

  freshness(peerId: PeerIdText): Freshness {
    return this.#policy.freshness(peerId)
  }

  completeness(): Completeness {
    return this.#policy.completeness()
  }

  progress(): SyncProgress[] {
    return [...this.#running.values()].map((sync) => sync.progress())
  }

  get catchingUp(): boolean {
    return this.progress().some(
      ({ stage, received, expected }) => stage === 'snapshot' || (expected ?? 0) - received > FEW_RECORDS
    )
  }

  connected(peerId: PeerIdText, initiator: boolean): void {
    const { track } = this.#components
    // A synchronisation that begins waits for the same answer, and has its failure.
    void track(this.#holdsOf(peerId).catch(() => {}))
    void track(this.#pullHoldings(peerId))
    this.#handle({ type: 'connected', peerId, initiator })
  }

  disconnected(peerId: PeerIdText): void {
    this.#declared.delete(peerId)
    this.#handle({ type: 'disconnected', peerId })
  }

  doubted(peerId: PeerIdText): void {
    this.#handle({ type: 'doubted', peerId })
  }

  compared(peerId: PeerIdText, equal: boolean): void {
    this.#handle({ type: 'compared', peerId, equal })
  }

  given(peerId: PeerIdText): void {
    this.#handle({ type: 'given', peerId })
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
    let finished: ReplicationInput
    try {
      const holds = await this.#holdsOf(peerId)
      const sync = this.#components.sync(peerId, {
        holds,
        onAhead: () => this.#handle({ type: 'compared', peerId, equal: false, ahead: true }),
        signal: this.#components.signal
      })
      this.#running.set(peerId, sync)
      const { equal, ahead, misled, ...report } = await sync.result
      this.#note(report, misled)
      for (const waiter of waiters) waiter.resolve(report)
      const outcome = equal ? 'equal' : 'different'
      finished = { type: 'finished', peerId, outcome, received: report.received, ahead }
    } catch (error) {
      this.#blame(peerId, error)
      for (const waiter of waiters) waiter.reject(error)
      finished = { type: 'finished', peerId, ...outcomeOf(error) }
    }
    this.#running.delete(peerId)
    this.#handle(finished)
  }

  #note(report: SyncReport, misled: boolean): void {
    const { logger, onConduct } = this.#components
    if (report.received > 0 || report.sent > 0) logger?.info('replicator', 'synchronised', { ...report })
    if (report.received > 0) onConduct(report.peerId, 'good')
    if (misled) onConduct(report.peerId, 'forged')
  }

  async #pullHoldings(peerId: PeerIdText): Promise<void> {
    const { pullHoldings, logger, signal } = this.#components
    try {
      await pullHoldings(peerId, { signal })
    } catch (error) {
      logger?.debug('replicator', 'the contents of a peer are not known', { peerId, error: String(error) })
    }
  }

  #holdsOf(peerId: PeerIdText): Promise<CatalogueHoldings> {
    const known = this.#declared.get(peerId)
    if (known !== undefined) return known
    const asked = this.#askHoldings(peerId)
    this.#declared.set(peerId, asked)
    return asked
  }

  async #askHoldings(peerId: PeerIdText): Promise<CatalogueHoldings> {
    const { holdsCatalogue, signal } = this.#components
    try {
      const holds = await holdsCatalogue(peerId, { signal })
      this.#handle({ type: 'declared', peerId, holds })
      return holds
    } catch (error) {
      // The next synchronisation asks again.
      this.#declared.delete(peerId)
      throw error
    }
  }

  #blame(peerId: PeerIdText, error: unknown): void {
    const { logger, onConduct, signal } = this.#components
    if (signal.aborted) return
    logger?.debug('replicator', 'a synchronisation failed', { peerId, error: String(error) })
    const conduct = conductOf(error)
    if (conduct !== undefined) onConduct(peerId, conduct)
  }

  #end(): void {
    this.#cancelWake()
    for (const waiters of this.#waiting.values()) {
      for (const waiter of waiters) waiter.reject(this.#components.signal.reason)
    }
    this.#waiting.clear()
  }
}

/** What came before a limit was reached that an honest peer may run into is kept, and the rest follows. */
function outcomeOf(error: unknown): { outcome: 'different' | 'failed'; received: number } {
  if (!isRegistryError(error, 'ERR_SYNC_LIMIT') || !error.retryable) return { outcome: 'failed', received: 0 }
  const { received } = error.details
  return { outcome: 'different', received: typeof received === 'number' ? received : 0 }
}

function conductOf(error: unknown): PeerConduct | undefined {
  if (isRegistryError(error, 'ERR_PEER_BUSY') || isRegistryError(error, 'ERR_TOO_MANY_REQUESTS')) {
    return undefined
  }
  // Our own disk.
  if (isRegistryError(error, 'ERR_STORAGE')) return undefined
  return isRegistryError(error, 'ERR_SYNC_LIMIT') && !error.retryable ? 'abused' : 'failed'
}
