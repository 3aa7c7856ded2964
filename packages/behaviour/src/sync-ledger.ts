import { pause } from '@registry/timing'
import {
  type Clock,
  type ExchangeOptions,
  isRegistryError,
  type PeerIdText,
  type SyncProgress,
  type TrafficMeter
} from '@registry/types'
import { type SyncLimit, SyncLimitError } from './errors.ts'

/** What one synchronisation with one peer may cost. */
export interface SyncBudget {
  /** Of requests and answers. */
  maxBytes: number
  maxMs: number
  /** Records that are refused, not asked for, or told of and then not handed over. */
  maxRefused: number
  /** Comparisons of one scope, of which there are more than one when a catalogue moves meanwhile. */
  maxComparisons: number
}

/** How often in a row to wait for a peer that answers no more for now, as it does when it was asked much. */
const BUSY_PAUSE_MS = 1000
const MAX_BUSY_PAUSES = 30

/** What a synchronisation has come to and cost so far, and its end when that is too much. */
export class SyncLedger {
  readonly peerId: PeerIdText
  /** Ends all of it. */
  readonly signal: AbortSignal
  readonly meter: TrafficMeter = { sentBytes: 0, receivedBytes: 0, roundTrips: 0 }
  /** Records that were new here. */
  received = 0
  /** Records that were new there. */
  sent = 0
  readonly #budget: SyncBudget
  readonly #clock: Clock
  #refused = 0
  #stage: SyncProgress['stage'] = 'comparing'
  #expected: number | null = null

  constructor(budget: SyncBudget, peerId: PeerIdText, clock: Clock, signal: AbortSignal) {
    this.#budget = budget
    this.peerId = peerId
    this.#clock = clock
    this.signal = signal
  }

  get refused(): number {
    return this.#refused
  }

  get bytes(): number {
    return this.meter.sentBytes + this.meter.receivedBytes
  }

  get maxComparisons(): number {
    return this.#budget.maxComparisons
  }

  /** What is being done from now on, and how many records are still to come; null while not known. */
  enter(stage: SyncProgress['stage'], expected: number | null): void {
    this.#stage = stage
    this.#expected = expected === null ? null : this.received + expected
  }

  progress(): SyncProgress {
    return { peerId: this.peerId, stage: this.#stage, received: this.received, expected: this.#expected }
  }

  /** @throws {SyncLimitError} ERR_SYNC_LIMIT, it has cost too much. Else as what is asked */
  async ask<T>(request: (options: ExchangeOptions) => Promise<T>): Promise<T> {
    const answer = await this.#patiently(() => request({ signal: this.signal, meter: this.meter }))
    this.signal.throwIfAborted()
    if (this.bytes > this.#budget.maxBytes) throw this.limitReached('bytes')
    return answer
  }

  /** @throws {SyncLimitError} ERR_SYNC_LIMIT */
  refuse(records: number): void {
    this.#refused += records
    if (this.#refused > this.#budget.maxRefused) throw this.limitReached('refused')
  }

  limitReached(limit: SyncLimit): SyncLimitError {
    return new SyncLimitError(this.peerId, limit, this.received, this.#refused)
  }

  async #patiently<T>(request: () => Promise<T>): Promise<T> {
    for (let pauses = 0; ; pauses++) {
      try {
        return await request()
      } catch (error) {
        if (!isRegistryError(error, 'ERR_PEER_BUSY') || pauses === MAX_BUSY_PAUSES) throw error
      }
      await pause(this.#clock, BUSY_PAUSE_MS, this.signal)
      this.signal.throwIfAborted()
    }
  }
}
