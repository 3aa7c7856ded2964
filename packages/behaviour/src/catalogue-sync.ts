import { setImmediate as nextTurn } from 'node:timers/promises'
import { recordIdOf } from '@registry/identity'
import { MAX_RECORD_IDS } from '@registry/protocol'
import { deadline, pause } from '@registry/timing'
import {
  type AbortOptions,
  type Catalogue,
  type CatalogueSummary,
  type Clock,
  isRegistryError,
  type PackageProtocol,
  type PeerIdText,
  RECORD_KINDS,
  type RecordId,
  type SyncReport
} from '@registry/types'
import { type SyncLimit, SyncLimitError } from './errors.ts'

/** What one synchronisation may cost. */
export interface SyncBudget {
  maxBytes: number
  maxMs: number
  /** Records that are refused, or that the peer lists and then does not hand over. */
  maxRefused: number
}

export interface CatalogueSyncComponents {
  catalogue: Catalogue
  protocol: Pick<PackageProtocol, 'catalogueSummary' | 'recordIds' | 'records'>
  clock: Clock
}

export interface CatalogueSyncResult extends SyncReport {
  /** The two catalogues were equal at the end, as far as this side can know. */
  equal: boolean
}

/** Records asked for at once; an answer has at most 512 KiB, so that more would mostly come back empty. */
const BATCH_RECORDS = 256
/** A large catalogue takes more questions than a peer answers in a second; how long to wait then, and how often in a row. */
const BUSY_PAUSE_MS = 1000
const MAX_BUSY_PAUSES = 30
/** Records in one transaction; after each, the event loop has a turn. */
const INGEST_RECORDS = 200

/**
 * Makes this catalogue a superset of a peer's: compares summaries, and when they differ goes through the peer's record
 * IDs kind by kind and asks for the records that are missing here. Equal catalogues cost one round trip.
 *
 * @throws {SyncLimitError} ERR_SYNC_LIMIT; what came before is kept. Else as `PackageProtocol`
 */
export function catalogueSync(
  budget: SyncBudget
): (
  components: CatalogueSyncComponents
) => (peerId: PeerIdText, options?: AbortOptions) => Promise<CatalogueSyncResult> {
  return (components) => async (peerId, options) => {
    const limit = deadline(components.clock, budget.maxMs, options?.signal)
    const session = new SyncSession(budget, components, peerId, limit.signal)
    try {
      return await session.run()
    } catch (error) {
      throw limit.expired ? session.limitReached('time') : error
    } finally {
      limit.clear()
    }
  }
}

class SyncSession {
  readonly #budget: SyncBudget
  readonly #components: CatalogueSyncComponents
  readonly #peerId: PeerIdText
  readonly #signal: AbortSignal
  #listed = 0
  #bytes = 0
  #received = 0
  #refused = 0

  constructor(
    budget: SyncBudget,
    components: CatalogueSyncComponents,
    peerId: PeerIdText,
    signal: AbortSignal
  ) {
    this.#budget = budget
    this.#components = components
    this.#peerId = peerId
    this.#signal = signal
  }

  async run(): Promise<CatalogueSyncResult> {
    const { catalogue, protocol, clock } = this.#components
    const startedMs = clock.now()
    const remote = await protocol.catalogueSummary(this.#peerId, { signal: this.#signal })
    if (!isEqual(remote, catalogue.summary())) {
      for (const kind of RECORD_KINDS) {
        let after: RecordId | undefined
        do {
          const wanted =
            after === undefined ? { kind, limit: MAX_RECORD_IDS } : { kind, after, limit: MAX_RECORD_IDS }
          const page = await this.#patiently(() =>
            protocol.recordIds(this.#peerId, wanted, { signal: this.#signal })
          )
          await this.#fetch(page.ids)
          after = page.next
          this.#checkListed(page.ids.length)
        } while (after !== undefined)
      }
    }
    return {
      peerId: this.#peerId,
      received: this.#received,
      refused: this.#refused,
      durationMs: clock.now() - startedMs,
      equal: isEqual(remote, catalogue.summary())
    }
  }

  limitReached(limit: SyncLimit): SyncLimitError {
    return new SyncLimitError(this.#peerId, limit, this.#received, this.#refused)
  }

  /**
   * Every listed ID is known here by now or was counted as refused, unless the peer lists IDs twice; so honest pages,
   * however many, never add up to more than the two together. An empty page that promises another counts as one.
   */
  #checkListed(ids: number): void {
    this.#listed += Math.max(1, ids)
    const accounted = this.#components.catalogue.summary().records + this.#refused
    if (this.#listed > accounted + this.#budget.maxRefused) throw this.limitReached('ids')
  }

  async #fetch(ids: readonly RecordId[]): Promise<void> {
    const { catalogue, protocol } = this.#components
    const missing = new Set(ids.filter((id) => !catalogue.has(id)))
    while (missing.size > 0) {
      const asked = new Set([...missing].slice(0, BATCH_RECORDS))
      const answer = await this.#patiently(() =>
        protocol.records(this.#peerId, [...asked], { signal: this.#signal })
      )
      const wanted: Uint8Array[] = []
      for (const bytes of answer) {
        this.#bytes += bytes.length
        const id = recordIdOf(bytes)
        if (asked.delete(id)) {
          missing.delete(id)
          wanted.push(bytes)
        } else {
          this.#refuse(1)
        }
      }
      if (wanted.length === 0) {
        // None of these: the peer lists what it does not give.
        for (const id of asked) missing.delete(id)
        this.#refuse(asked.size)
      }
      await this.#ingest(wanted)
      if (this.#bytes > this.#budget.maxBytes) throw this.limitReached('bytes')
    }
  }

  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (let pauses = 0; ; pauses++) {
      try {
        return await ask()
      } catch (error) {
        if (!isRegistryError(error, 'ERR_PEER_BUSY') || pauses === MAX_BUSY_PAUSES) throw error
      }
      await pause(this.#components.clock, BUSY_PAUSE_MS, this.#signal)
      this.#signal.throwIfAborted()
    }
  }

  async #ingest(records: readonly Uint8Array[]): Promise<void> {
    for (let at = 0; at < records.length; at += INGEST_RECORDS) {
      const outcomes = await this.#components.catalogue.ingest(records.slice(at, at + INGEST_RECORDS))
      this.#received += outcomes.filter(({ status }) => status === 'accepted').length
      this.#refuse(outcomes.filter(({ status }) => status === 'refused').length)
      await nextTurn()
      this.#signal.throwIfAborted()
    }
  }

  #refuse(count: number): void {
    this.#refused += count
    if (this.#refused > this.#budget.maxRefused) throw this.limitReached('refused')
  }
}

function isEqual(a: CatalogueSummary, b: CatalogueSummary): boolean {
  return a.records === b.records && Buffer.compare(a.fingerprint, b.fingerprint) === 0
}
