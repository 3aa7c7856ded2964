import { symbolsFor } from '@registry/reconciliation'
import type {
  Catalogue,
  CatalogueScope,
  ComparisonAnswer,
  PackageProtocol,
  RecordId,
  SymbolChunk
} from '@registry/types'
import { decodeDifference } from './difference-decoding.ts'
import { listDifferences } from './id-listing.ts'
import { IncomingRecords } from './incoming-records.ts'
import { approach } from './policy/approach.ts'
import { MAX_HANDED_OVER, transferRecords } from './record-transfer.ts'
import type { RecordsUnderway } from './records-underway.ts'
import type { SnapshotTransfer } from './snapshot-transfer.ts'
import type { SyncLedger } from './sync-ledger.ts'

export interface ReconciliationComponents {
  catalogue: Pick<Catalogue, 'summary' | 'sketch' | 'recordOf' | 'has' | 'record' | 'recordIds' | 'ingest'>
  protocol: Pick<PackageProtocol, 'compare' | 'symbols' | 'exchangeRecords' | 'recordIds'>
  snapshots: SnapshotTransfer
  /** Of the sessions with all peers. */
  underway: RecordsUnderway
}

export interface ReconciliationOptions {
  scope: CatalogueScope
  ledger: SyncLedger
  /** The peer has records that are not here. */
  onAhead: () => void
}

export interface ReconciliationOutcome {
  /** `equal`: both sides have the same now, as far as this one can know. `absent`: the peer does not hold this scope. */
  status: 'equal' | 'different' | 'absent'
  /** The peer has more that did not come. */
  ahead: boolean
  /** The peer's coded symbols were not those of its records. */
  misled: boolean
}

/** IDs of a listing whose records are asked for together. */
const LISTED_BATCH = 1024
/** Symbols that seemed to be needed, as a multiple of what would have done and more, to be no honest mistake. */
const MISLEADING = 4
const MISLEADING_SYMBOLS = 256

/**
 * Makes a scope of this catalogue and of a peer's the union of both. Equal ones cost one round trip, a few differences two:
 * coded symbols come with the peer's answer, and their decoding names exactly the records to ask for and those to hand
 * over. A catalogue that is far behind takes a snapshot first; where symbols do not decode, the IDs of all records are gone through.
 * What a bounded push does not get over, the other side fetches in a session of its own.
 *
 * @throws {SyncLimitError} ERR_SYNC_LIMIT; what came before is kept. Else as `PackageProtocol` and `Catalogue.ingest`
 */
export async function reconcile(
  components: ReconciliationComponents,
  options: ReconciliationOptions
): Promise<ReconciliationOutcome> {
  return new ReconciliationSession(components, options).run()
}

class ReconciliationSession {
  readonly #components: ReconciliationComponents
  readonly #scope: CatalogueScope
  readonly #ledger: SyncLedger
  readonly #options: ReconciliationOptions
  #listed = false
  #misled = false

  constructor(components: ReconciliationComponents, options: ReconciliationOptions) {
    this.#components = components
    this.#scope = options.scope
    this.#ledger = options.ledger
    this.#options = options
  }

  async run(): Promise<ReconciliationOutcome> {
    for (let comparison = 1; comparison <= this.#ledger.maxComparisons; comparison++) {
      this.#ledger.enter('comparing', null)
      const answer = await this.#compare()
      if (answer.status !== 'different') return this.#outcome(answer.status, false)
      const outcome = await this.#approach(answer)
      if (outcome !== undefined) return outcome
    }
    return this.#outcome('different', true)
  }

  #compare(): Promise<ComparisonAnswer> {
    const { catalogue, protocol } = this.#components
    const comparison = {
      scope: this.#scope,
      summary: catalogue.summary(this.#scope),
      probes: catalogue.sketch(this.#scope).probes()
    }
    return this.#ledger.ask((options) => protocol.compare(this.#ledger.peerId, comparison, options))
  }

  /** Resolves to undefined when it takes another comparison to tell what came of it. */
  async #approach(first: SymbolChunk): Promise<ReconciliationOutcome | undefined> {
    const { catalogue, snapshots } = this.#components
    const own = catalogue.summary(this.#scope).records
    const { capacity } = catalogue.sketch(this.#scope)
    const way = approach({ own, theirs: first.records, capacity })
    if (way === 'wait') return this.#outcome('different', false)
    if (first.records > own) this.#options.onAhead()
    if (way === 'snapshot') {
      this.#ledger.enter('snapshot', first.records - own)
      const ran = await snapshots.run(this.#ledger, this.#scope, first.records)
      return ran ? undefined : this.#outcome('different', true)
    }
    // A single symbol is what a peer sends that takes the difference to be too large for any number of them.
    if (way === 'decode' && first.count > 1) return this.#decode(first)
    return this.#list({ needed: way === 'decode' ? capacity : 0, contradictory: false })
  }

  async #decode(first: SymbolChunk): Promise<ReconciliationOutcome | undefined> {
    const { catalogue } = this.#components
    this.#ledger.enter('reconciling', null)
    const decoded = await decodeDifference(this.#components, this.#ledger, { scope: this.#scope, first })
    if (decoded.status === 'moved') return undefined
    if (decoded.status === 'undecoded') return this.#list(decoded)
    const { onlyRemote, onlyLocal } = decoded
    if (onlyRemote.length > 0) this.#options.onAhead()
    this.#ledger.enter('reconciling', onlyRemote.length)
    const give = onlyLocal.map((shortId) => catalogue.recordOf(shortId)).filter((id) => id !== undefined)
    const incoming = new IncomingRecords(catalogue, this.#ledger)
    const { missing, untaken } = await transferRecords(this.#components, this.#ledger, {
      want: onlyRemote,
      give,
      incoming
    })
    return this.#result(missing + (await this.#settle(incoming)), untaken)
  }

  /** `needed` is how many symbols would do, as the peer's seemed to show. */
  async #list({
    needed,
    contradictory
  }: {
    needed: number
    contradictory: boolean
  }): Promise<ReconciliationOutcome | undefined> {
    if (contradictory) this.#misled = true
    if (this.#listed) return this.#outcome('different', true)
    this.#listed = true
    this.#ledger.enter('listing', null)
    const { catalogue } = this.#components
    const incoming = new IncomingRecords(catalogue, this.#ledger)
    const want: Uint8Array[] = []
    const give: RecordId[] = []
    let differing = 0
    let missing = 0
    const transfer = async (given: readonly RecordId[]): Promise<number> => {
      const exchange = { want: want.splice(0), give: given, incoming }
      const result = await transferRecords(this.#components, this.#ledger, exchange)
      missing += result.missing
      return result.untaken
    }
    const listing = { scope: this.#scope, maxOnlyLocal: MAX_HANDED_OVER + 1 }
    for await (const { onlyRemote, onlyLocal } of listDifferences(this.#components, this.#ledger, listing)) {
      if (onlyRemote.length > 0) this.#options.onAhead()
      want.push(...onlyRemote)
      give.push(...onlyLocal)
      differing += onlyRemote.length + onlyLocal.length
      if (want.length >= LISTED_BATCH) await transfer([])
    }
    const untaken = await transfer(give)
    // Far fewer than it seemed: an estimate may err, but not so much.
    const claimed = needed > MISLEADING * symbolsFor(differing) + MISLEADING_SYMBOLS
    if (claimed && give.length <= MAX_HANDED_OVER) this.#misled = true
    missing += await this.#settle(incoming)
    return missing + untaken > 0 ? this.#result(missing, untaken) : undefined
  }

  /** Resolves to how many records lack an owner. */
  async #settle(incoming: IncomingRecords): Promise<number> {
    const orphans = await incoming.settle()
    // The owners of a shard's packages are no part of it, so there may be new ones.
    if (this.#scope.kind !== 'shard') this.#ledger.refuse(orphans)
    return orphans
  }

  #result(missing: number, untaken: number): ReconciliationOutcome {
    return this.#outcome(missing + untaken === 0 ? 'equal' : 'different', missing > 0)
  }

  #outcome(status: ReconciliationOutcome['status'], ahead: boolean): ReconciliationOutcome {
    return { status, ahead, misled: this.#misled }
  }
}
