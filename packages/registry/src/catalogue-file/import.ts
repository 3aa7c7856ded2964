import { setImmediate } from 'node:timers/promises'
import type { Catalogue, CatalogueFileOptions, CatalogueImportReport, IngestOutcome } from '@registry/types'
import { Faults } from './faults.ts'
import { type CatalogueRoot, RecordSum } from './format.ts'
import { readCatalogueFile } from './read.ts'

/** Handed to the catalogue at once, and all of the file that is in memory. */
const BATCH_RECORDS = 256
const BATCH_BYTES = 512 * 1024

/**
 * Hands what is whole of a catalogue file to a catalogue, which verifies it. Resolves when all of it is there; a file that was
 * not whole is an error after that.
 *
 * @throws {InvalidCatalogueFileError} ERR_INVALID_CATALOGUE_FILE
 * @throws whatever the catalogue throws; what was taken up to then stays
 */
export async function importCatalogueFile(
  path: string,
  catalogue: Pick<Catalogue, 'ingest'>,
  { signal, onProgress }: CatalogueFileOptions = {}
): Promise<CatalogueImportReport> {
  const report: CatalogueImportReport = {
    path,
    records: 0,
    bytes: 0,
    accepted: 0,
    known: 0,
    superseded: 0,
    refused: 0
  }
  const faults = new Faults(path)
  const sum = new RecordSum()
  let root: CatalogueRoot | undefined
  let batch: Uint8Array[] = []
  let batchBytes = 0
  const take = async (): Promise<void> => {
    for (const { status } of await catalogue.ingest(batch)) report[status satisfies IngestOutcome['status']]++
    report.records += batch.length
    batch = []
    batchBytes = 0
    onProgress?.({ records: report.records, total: Math.max(report.records, root?.records ?? 0) })
    signal?.throwIfAborted()
    // What is known already is passed over without a pause.
    await setImmediate()
  }
  for await (const part of readCatalogueFile(path, signal)) {
    report.bytes = part.end
    if (part.kind === 'root') root = part.root
    else if (part.kind === 'fault') faults.add(part.offset, part.reason)
    else {
      sum.add(part.block)
      batch.push(part.block.bytes)
      batchBytes += part.block.bytes.length
      if (batch.length >= BATCH_RECORDS || batchBytes >= BATCH_BYTES) await take()
    }
  }
  if (batch.length > 0) await take()
  faults.compare(root, sum.root(), report.bytes)
  faults.check(report)
  return report
}
