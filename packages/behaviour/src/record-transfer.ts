import { MAX_GIVEN, MAX_GIVEN_BYTES } from '@registry/protocol'
import { SHORT_ID_BYTES } from '@registry/reconciliation'
import type { Catalogue, PackageProtocol, RecordId } from '@registry/types'
import { inTurns } from './in-turns.ts'
import type { IncomingRecords } from './incoming-records.ts'
import type { RecordsUnderway } from './records-underway.ts'
import { recordDigest } from './short-id.ts'
import type { SyncLedger } from './sync-ledger.ts'

export interface RecordTransferComponents {
  catalogue: Pick<Catalogue, 'record' | 'recordOf'>
  protocol: Pick<PackageProtocol, 'exchangeRecords'>
  /** Of the transfers with all peers. */
  underway: RecordsUnderway
}

/** Records asked for at once; of the usual size, that many take half of an answer. */
const BATCH_RECORDS = 256
/** Exchanges under way at once: one is answered while another one is stored. */
const PIPELINE = 3
/** More are not handed over: the other side hears of the difference too, and asks for what it wants. */
export const MAX_HANDED_OVER: number = 2 * MAX_GIVEN

/** What is left, for now. */
export interface TransferResult {
  /** Records that the other side does not hand over. */
  missing: number
  /** Records that it does not take. */
  untaken: number
}

/**
 * Gets the records with these short IDs from a peer, into `incoming`, and hands it others, in batches that overlap. What
 * comes from another peer meanwhile is not asked for. Both sides keep what they got when it throws.
 *
 * @throws {SyncLimitError} ERR_SYNC_LIMIT. Else as `PackageProtocol` and `Catalogue.ingest`
 */
export async function transferRecords(
  components: RecordTransferComponents,
  ledger: SyncLedger,
  exchange: { want: readonly Uint8Array[]; give: readonly RecordId[]; incoming: IncomingRecords }
): Promise<TransferResult> {
  const transfer = new RecordTransfer(components, ledger, exchange.incoming)
  return transfer.run(exchange.want, exchange.give)
}

class RecordTransfer {
  readonly #components: RecordTransferComponents
  readonly #ledger: SyncLedger
  readonly #incoming: IncomingRecords
  #missing = 0
  /** Handed over and not taken. */
  #untaken: Uint8Array[] = []

  constructor(components: RecordTransferComponents, ledger: SyncLedger, incoming: IncomingRecords) {
    this.#components = components
    this.#ledger = ledger
    this.#incoming = incoming
  }

  async run(want: readonly Uint8Array[], give: readonly RecordId[]): Promise<TransferResult> {
    const handsOver = give.length <= MAX_HANDED_OVER
    const giveBatches = handsOver ? batchesToGive(this.#recordsOf(give)) : []
    const several = giveBatches.length > 1
    await this.#exchangeAll(batchesToWant(want), giveBatches)
    // What an owner signed may have gone before the owner.
    if (several) await this.#exchangeAll([], batchesToGive(this.#untaken.splice(0)))
    return { missing: this.#missing, untaken: handsOver ? this.#untaken.length : give.length }
  }

  #exchangeAll(want: Uint8Array[][], give: Uint8Array[][]): Promise<void> {
    return inTurns(PIPELINE, async () => {
      if (want.length + give.length === 0) return false
      // What nobody was asked for goes before what may come from another peer.
      const [batch = []] = want.splice(Math.max(0, want.findIndex(this.#hasUnasked)), 1)
      const rest = await this.#exchange(batch, give.shift() ?? [])
      if (rest.length > 0) want.push(rest)
      return true
    })
  }

  readonly #hasUnasked = (batch: readonly Uint8Array[]): boolean =>
    batch.some((shortId) => this.#components.underway.arrival(keyOf(shortId)) === undefined)

  /** Resolves to those that are still to be asked for. */
  async #exchange(batch: Uint8Array[], give: Uint8Array[]): Promise<Uint8Array[]> {
    const { catalogue, underway } = this.#components
    const absent = batch.filter((shortId) => catalogue.recordOf(shortId) === undefined)
    const { want = [], elsewhere = [] } = Object.groupBy(absent, (shortId) =>
      underway.arrival(keyOf(shortId)) === undefined ? 'want' : 'elsewhere'
    )
    const [first] = elsewhere
    if (want.length + give.length > 0) {
      const rest = await underway.during(want.map(keyOf), () => this.#ask(want, give))
      return [...rest, ...elsewhere]
    }
    if (first !== undefined) await underway.arrival(keyOf(first))
    this.#ledger.signal.throwIfAborted()
    return elsewhere
  }

  /** Resolves to those for which there was no room in the answer. */
  async #ask(want: Uint8Array[], give: Uint8Array[]): Promise<Uint8Array[]> {
    const { protocol } = this.#components
    const { records, given } = await this.#ledger.ask((options) =>
      protocol.exchangeRecords(this.#ledger.peerId, { want, give }, options)
    )
    for (const [index, status] of given.entries()) {
      const record = give[index]
      if (status === 'accepted') this.#ledger.sent++
      if (status === 'refused' && record !== undefined) this.#untaken.push(record)
    }
    const places = new Map(want.map((shortId, place) => [keyOf(shortId), place]))
    const wanted: Uint8Array[] = []
    let last = -1
    for (const record of records) {
      const key = keyOf(recordDigest(record).subarray(0, SHORT_ID_BYTES))
      const place = places.get(key)
      if (place === undefined) continue
      places.delete(key)
      wanted.push(record)
      last = Math.max(last, place)
    }
    this.#ledger.refuse(records.length - wanted.length)
    // They come in the order asked: what was passed over, the peer does not have. Nor any, when none came.
    const passedOver = [...places.values()].filter((place) => last === -1 || place < last).length
    this.#missing += passedOver
    this.#ledger.refuse(passedOver)
    await this.#incoming.take(wanted)
    return last === -1 ? [] : want.slice(last + 1)
  }

  #recordsOf(ids: readonly RecordId[]): Uint8Array[] {
    // One that does not hold any more is not here either.
    return ids.map((id) => this.#components.catalogue.record(id)).filter((record) => record !== undefined)
  }
}

function batchesToWant(shortIds: readonly Uint8Array[]): Uint8Array[][] {
  const batches: Uint8Array[][] = []
  for (let at = 0; at < shortIds.length; at += BATCH_RECORDS) {
    batches.push(shortIds.slice(at, at + BATCH_RECORDS))
  }
  return batches
}

function batchesToGive(records: readonly Uint8Array[]): Uint8Array[][] {
  const batches: Uint8Array[][] = []
  let bytes = 0
  for (const record of records) {
    const batch = batches.at(-1)
    if (batch === undefined || batch.length === MAX_GIVEN || bytes + record.length > MAX_GIVEN_BYTES) {
      batches.push([record])
      bytes = record.length
    } else {
      batch.push(record)
      bytes += record.length
    }
  }
  return batches
}

function keyOf(shortId: Uint8Array): string {
  return Buffer.from(shortId.buffer, shortId.byteOffset, shortId.length).toString('latin1')
}
