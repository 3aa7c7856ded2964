import { type Catalogue, isRegistryError } from '@registry/types'
import type { SyncLedger } from './sync-ledger.ts'

/** Of records whose owner has not come yet. */
const MAX_ORPHAN_BYTES = 32 * 1024 * 1024

/** Puts the records of a synchronisation into the catalogue, in whatever order they come. */
export class IncomingRecords {
  readonly #catalogue: Pick<Catalogue, 'ingest'>
  readonly #ledger: SyncLedger
  /** Those whose owner is not known, to be tried again when all have come. */
  #orphans: Uint8Array[] = []
  #orphanBytes = 0
  #dropped = 0

  constructor(catalogue: Pick<Catalogue, 'ingest'>, ledger: SyncLedger) {
    this.#catalogue = catalogue
    this.#ledger = ledger
  }

  /**
   * Resolves to how many of them were here before.
   *
   * @throws {SyncLimitError} ERR_SYNC_LIMIT, too many are not valid. Else as `Catalogue.ingest`
   */
  async take(records: readonly Uint8Array[]): Promise<number> {
    const { orphans, known } = await this.#ingest(records)
    for (const record of orphans) {
      this.#orphanBytes += record.length
      if (this.#orphanBytes <= MAX_ORPHAN_BYTES) this.#orphans.push(record)
      else this.#dropped++
    }
    return known
  }

  /** All have come. Resolves to how many have no known owner even so; those are not taken. @throws as `take` */
  async settle(): Promise<number> {
    const orphans = this.#orphans
    const dropped = this.#dropped
    this.#orphans = []
    this.#orphanBytes = 0
    this.#dropped = 0
    return dropped + (await this.#ingest(orphans)).orphans.length
  }

  /** `orphans` are those whose owner is not known. */
  async #ingest(records: readonly Uint8Array[]): Promise<{ orphans: Uint8Array[]; known: number }> {
    if (records.length === 0) return { orphans: [], known: 0 }
    const outcomes = await this.#catalogue.ingest(records)
    const orphans: Uint8Array[] = []
    let known = 0
    let refused = 0
    for (const [index, outcome] of outcomes.entries()) {
      const record = records[index]
      if (outcome.status === 'accepted') this.#ledger.received++
      if (outcome.status === 'known') known++
      if (outcome.status !== 'refused' || record === undefined) continue
      if (isRegistryError(outcome.error, 'ERR_OWNER_UNKNOWN')) orphans.push(record)
      else refused++
    }
    this.#ledger.refuse(refused)
    this.#ledger.signal.throwIfAborted()
    return { orphans, known }
  }
}
