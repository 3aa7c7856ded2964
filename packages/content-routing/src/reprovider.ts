import { untilAborted, withDeadline } from '@registry/timing'
import {
  type Clock,
  type ContentId,
  isRegistryError,
  type Logger,
  type ProviderRouting
} from '@registry/types'
import { CID } from 'multiformats/cid'
import { NotProvidedError } from './errors.ts'

const PART = 'registry:content-routing:provide'
/** Announcements on their way at once. */
const MAX_CONCURRENT = 4
/** Between announcements that nobody waits for: one costs a DHT some seventy messages. */
const SPACING_MS = 1000
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 60_000

export interface ReproviderInit {
  /** How long the DHT keeps a provider record. */
  recordTtlMs: number
  provideTimeoutMs: number
}

export interface ReproviderComponents {
  routing: ProviderRouting | undefined
  clock: Clock
  logger: Logger | undefined
}

interface Holding {
  cid: ContentId
  dueMs: number
  /** The last announcement went well. */
  announced: boolean
  /** Failed announcements in a row. */
  failures: number
  /** The announcement under way. */
  running: Promise<void> | undefined
  /** Aborted when the content is not provided any more. */
  withdrawn: AbortController
}

/**
 * Keeps the provider records of this peer alive: each content is announced soon after it came, and again after half to three
 * quarters of a record's life, where in between depends on its CID, so that announcements spread over time. A failed one
 * is repeated after a wait that doubles; meanwhile nothing else is announced either, for it is mostly the network that
 * fails.
 */
export class Reprovider {
  readonly #init: ReproviderInit
  readonly #components: ReproviderComponents
  readonly #holdings = new Map<ContentId, Holding>()
  #running = false
  #active = 0
  /** Failed announcements in a row, of whatever. */
  #failures = 0
  #pausedUntilMs = 0
  /** When the next content that nobody waits for may have its turn. */
  #nextTurnMs = 0
  #cancelTimer = (): void => {}

  constructor(init: ReproviderInit, components: ReproviderComponents) {
    this.#init = init
    this.#components = components
  }

  get size(): number {
    return this.#holdings.size
  }

  has(cid: ContentId): boolean {
    return this.#holdings.has(cid)
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#failures = 0
    this.#pausedUntilMs = 0
    this.#nextTurnMs = 0
    this.#wake()
  }

  /** Ends what is under way and forgets all contents. */
  async stop(): Promise<void> {
    this.#running = false
    this.#cancelTimer()
    const announcements = [...this.#holdings.values()].map(({ running }) => running)
    for (const cid of [...this.#holdings.keys()]) this.remove(cid)
    await Promise.allSettled(announcements)
  }

  /** Takes up contents, to be announced one after the other: a whole tree of packages may have come at once. */
  add(cids: Iterable<ContentId>): void {
    for (const cid of cids) {
      if (this.#holdings.has(cid)) continue
      const dueMs = Math.max(this.#nextTurnMs, this.#components.clock.now())
      this.#holdings.set(cid, newHolding(cid, dueMs))
      this.#nextTurnMs = dueMs + SPACING_MS
    }
    this.#wake()
  }

  remove(cid: ContentId): void {
    this.#holdings.get(cid)?.withdrawn.abort(new DOMException('The content is withdrawn', 'AbortError'))
    this.#holdings.delete(cid)
  }

  /**
   * Takes up a content, announces it now, and resolves when the DHT has it: at once when it has since not long ago.
   *
   * @throws {NotProvidedError} ERR_NOT_PROVIDED (retryable); the content stays taken up
   */
  async provide(cid: ContentId, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const holding = this.#holding(cid)
    if (holding.announced && holding.dueMs > this.#components.clock.now()) return
    await untilAborted(holding.running ?? this.#announce(holding), signal)
  }

  #holding(cid: ContentId): Holding {
    const holding = this.#holdings.get(cid) ?? newHolding(cid, this.#components.clock.now())
    this.#holdings.set(cid, holding)
    return holding
  }

  /** Starts what is due, and has itself called when the next one is. */
  #wake(): void {
    const { clock, routing } = this.#components
    this.#cancelTimer()
    // One alone finds out whether the network is back.
    const room = (): boolean => this.#active < (this.#failures === 0 ? MAX_CONCURRENT : 1)
    while (this.#running && routing !== undefined && room()) {
      const next = this.#next()
      if (next === undefined) return
      const waitMs = Math.max(next.dueMs, this.#pausedUntilMs) - clock.now()
      if (waitMs > 0) {
        this.#cancelTimer = clock.schedule(() => this.#wake(), waitMs)
        return
      }
      void this.#announce(next)
    }
  }

  #next(): Holding | undefined {
    let next: Holding | undefined
    for (const holding of this.#holdings.values()) {
      if (holding.running === undefined && (next === undefined || holding.dueMs < next.dueMs)) next = holding
    }
    return next
  }

  #announce(holding: Holding): Promise<void> {
    this.#active += 1
    const running = this.#announceOnce(holding).finally(() => {
      holding.running = undefined
      this.#active -= 1
      this.#wake()
    })
    holding.running = running
    running.catch((error: unknown) => {
      this.#components.logger?.debug(PART, 'an announcement failed', {
        cid: holding.cid,
        error: String(error)
      })
    })
    return running
  }

  async #announceOnce(holding: Holding): Promise<void> {
    const { clock, routing } = this.#components
    const { cid, withdrawn } = holding
    const options = { timeoutMs: this.#init.provideTimeoutMs, signal: withdrawn.signal }
    try {
      if (routing !== undefined) {
        await withDeadline(clock, options, (signal) => routing.provide(cid, { signal }))
      }
    } catch (error) {
      withdrawn.signal.throwIfAborted()
      holding.announced = false
      holding.failures += 1
      holding.dueMs = clock.now() + retryAfterMs(holding.failures)
      // Announcements that failed together are one sign.
      if (clock.now() >= this.#pausedUntilMs) this.#failures += 1
      this.#pausedUntilMs = clock.now() + retryAfterMs(this.#failures)
      throw isRegistryError(error) ? error : new NotProvidedError(cid, error)
    }
    holding.announced = true
    holding.failures = 0
    holding.dueMs = clock.now() + this.#init.recordTtlMs * (0.5 + 0.25 * fraction(cid))
    this.#failures = 0
    this.#pausedUntilMs = 0
  }
}

function newHolding(cid: ContentId, dueMs: number): Holding {
  return {
    cid,
    dueMs,
    announced: false,
    failures: 0,
    running: undefined,
    withdrawn: new AbortController()
  }
}

function retryAfterMs(failures: number): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 30))
}

/** From 0 up to 1, as the hash in the CID has it. */
function fraction(cid: ContentId): number {
  return (CID.parse(cid).multihash.digest[0] ?? 0) / 256
}
