import {
  type Catalogue,
  type CatalogueScope,
  type PackageProtocol,
  RECORD_KINDS,
  type SnapshotCursor,
  type SnapshotPage
} from '@registry/types'
import { IncomingRecords } from './incoming-records.ts'
import { approach } from './policy/approach.ts'
import { recordDigest, recordIdAt } from './short-id.ts'
import type { SyncLedger } from './sync-ledger.ts'

export interface SnapshotTransferComponents {
  catalogue: Pick<Catalogue, 'ingest' | 'has' | 'summary' | 'sketch'>
  protocol: Pick<PackageProtocol, 'snapshot' | 'recordIds'>
}

/**
 * Fills a catalogue from a peer that has far more: page by page in the order of a snapshot, the next one on its way while
 * one is stored. What was interrupted goes on where it stopped, with whatever peer; after a restart it goes on from where
 * the records that are here thin out. What a peer lacks behind that place is left to reconciliation, as is the rest where
 * other peers have brought most of it meanwhile.
 */
export interface SnapshotTransfer {
  /**
   * Resolves to false when another peer's snapshot of the scope is under way. `claimed` is how many records the peer says
   * it has.
   *
   * @throws {SyncLimitError} ERR_SYNC_LIMIT. Else as `PackageProtocol` and `Catalogue.ingest`
   */
  run(ledger: SyncLedger, scope: CatalogueScope, claimed: number): Promise<boolean>
}

/** With fewer records it is not worth while to look where an earlier transfer has stopped. */
const MIN_RESUMED_RECORDS = 1024
/** Questions in which that place is looked for, each of which halves what is left. */
const RESUME_QUESTIONS = 7
const RESUME_SAMPLE = 64
/** Of a sample, where a transfer has been; elsewhere are owners, which come first, and what came by other ways. */
const KNOWN_SHARE = 0.75
/** Of a page, above which it is cheaper to ask for what is missing. */
const MAX_KNOWN_SHARE = 0.5

interface Transfer {
  running: boolean
  /** Where the last one has stopped. */
  after: SnapshotCursor | undefined
}

export function snapshotTransfer(components: SnapshotTransferComponents): SnapshotTransfer {
  const transfers = new Map<string, Transfer>()

  return {
    async run(ledger, scope, claimed) {
      const key = JSON.stringify(scope)
      const transfer = transfers.get(key) ?? { running: false, after: undefined }
      if (transfer.running) return false
      transfer.running = true
      transfers.set(key, transfer)
      try {
        transfer.after ??= await resumePoint(components, ledger, scope)
        await receive(components, ledger, { scope, claimed, transfer })
        transfers.delete(key)
        return true
      } finally {
        transfer.running = false
      }
    }
  }
}

async function receive(
  { catalogue, protocol }: SnapshotTransferComponents,
  ledger: SyncLedger,
  { scope, claimed, transfer }: { scope: CatalogueScope; claimed: number; transfer: Transfer }
): Promise<void> {
  const incoming = new IncomingRecords(catalogue, ledger)
  const order = new SnapshotOrder(transfer.after)
  const fromStart = transfer.after === undefined
  const ask = (after: SnapshotCursor | undefined): Promise<SnapshotPage> =>
    ledger.ask((options) =>
      protocol.snapshot(ledger.peerId, after === undefined ? { scope } : { scope, after }, options)
    )
  const isFarBehind = (): boolean => {
    const own = catalogue.summary(scope).records
    const { capacity } = catalogue.sketch(scope)
    return approach({ own, theirs: claimed, capacity }) === 'snapshot'
  }
  let listed = 0
  let isCutShort = false
  let coming: Promise<SnapshotPage> | undefined = ask(transfer.after)
  while (coming !== undefined) {
    const { records, next }: SnapshotPage = await coming
    if (!order.goesOn(records) || (next !== undefined && !isPlaceOfLast(next, records))) {
      throw ledger.limitReached('snapshot')
    }
    coming = next === undefined ? undefined : ask(next)
    // It is waited for below, unless this page is not taken.
    coming?.catch(() => {})
    const known = await incoming.take(records)
    listed += records.length
    transfer.after = next ?? transfer.after
    isCutShort = coming !== undefined && known > MAX_KNOWN_SHARE * records.length && !isFarBehind()
    if (isCutShort) break
  }
  const orphans = await incoming.settle()
  // Of a snapshot that began with another peer, this one may know owners that the other did not.
  if (!fromStart) return
  ledger.refuse(orphans)
  if (!isCutShort && listed < claimed / 2) throw ledger.limitReached('snapshot')
}

/** As far as can be told of records that are not read yet. */
function isPlaceOfLast({ digest }: SnapshotCursor, records: readonly Uint8Array[]): boolean {
  const last = records.at(-1)
  return last !== undefined && Buffer.compare(recordDigest(last), digest) === 0
}

/** The order in which the records of a snapshot come, so that none can come twice. */
class SnapshotOrder {
  #digest: Uint8Array
  /** How often the digests may begin anew: once for each kind that is still to come. */
  #turnsLeft: number

  constructor(after: SnapshotCursor | undefined) {
    this.#digest = after?.digest ?? new Uint8Array(0)
    this.#turnsLeft = RECORD_KINDS.length - 1 - (after === undefined ? 0 : RECORD_KINDS.indexOf(after.kind))
  }

  /** Whether these can be the next ones. */
  goesOn(records: readonly Uint8Array[]): boolean {
    for (const record of records) {
      const digest = recordDigest(record)
      if (Buffer.compare(digest, this.#digest) <= 0 && --this.#turnsLeft < 0) return false
      this.#digest = digest
    }
    return true
  }
}

/**
 * Where a transfer has stopped of which nothing is remembered, as after a restart: among the releases, up to where samples
 * of the peer's IDs are nearly all known here. Undefined when there is no such place.
 */
async function resumePoint(
  { catalogue, protocol }: SnapshotTransferComponents,
  ledger: SyncLedger,
  scope: CatalogueScope
): Promise<SnapshotCursor | undefined> {
  if (catalogue.summary(scope).records < MIN_RESUMED_RECORDS) return undefined
  let place = 0
  for (let question = 1; question <= RESUME_QUESTIONS; question++) {
    const middle = place + 2 ** (8 - question)
    const after = recordIdAt(digestAt(middle))
    const { ids } = await ledger.ask((options) =>
      protocol.recordIds(ledger.peerId, { scope, after, limit: RESUME_SAMPLE }, options)
    )
    const known = ids.filter((id) => catalogue.has(id)).length
    if (known >= ids.length * KNOWN_SHARE) place = middle
  }
  return place === 0 ? undefined : { kind: 'release', digest: digestAt(place) }
}

/** The lowest digest that begins with this byte. */
function digestAt(firstByte: number): Uint8Array {
  const digest = new Uint8Array(32)
  digest[0] = firstByte
  return digest
}
