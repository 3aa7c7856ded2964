import type { FileHandle } from 'node:fs/promises'
import { readRecord, signingOwnerOf } from '@registry/identity'
import type {
  Catalogue,
  CatalogueFileOptions,
  CatalogueFileReport,
  CatalogueScope,
  OwnerId,
  SnapshotCursor
} from '@registry/types'
import { writeDurably } from '../durable-file.ts'
import { type Block, blockOf, encodeBlocks, encodeHead, RecordSum } from './format.ts'

/** Read and written at once. */
const PAGE_BYTES = 64 * 1024

/** After every owner, in the order of a snapshot. */
const AFTER_OWNERS: SnapshotCursor = { kind: 'owner', digest: new Uint8Array(32).fill(0xff) }

/**
 * Writes a catalogue into a CARv1 file: as its root a block that says how many records there are and which, then each record
 * as a block, in the order of a snapshot. Equal catalogues give equal files, byte for byte. What arrives meanwhile may or may
 * not be in it; it always has the owners of what it has.
 *
 * @throws {UnwritableError} ERR_STORAGE; then no file has appeared or changed
 */
export async function exportCatalogueFile(
  path: string,
  catalogue: Catalogue,
  options: CatalogueFileOptions = {}
): Promise<CatalogueFileReport> {
  return writeDurably(path, async (file) => {
    // The head has room for what is said at the end, unless the number of records needs another length by then.
    for (let expected = catalogue.summary(); ; expected = catalogue.summary()) {
      const start = encodeHead(expected).length
      const { sum, end } = await writeRecords(file, start, catalogue, options)
      const head = encodeHead(sum.root())
      if (head.length === start) {
        await file.write(head, 0, start, 0)
        await file.truncate(end)
        return { path, records: sum.records, bytes: end }
      }
    }
  })
}

async function writeRecords(
  file: FileHandle,
  start: number,
  catalogue: Catalogue,
  { signal, onProgress }: CatalogueFileOptions
): Promise<{ sum: RecordSum; end: number }> {
  const sum = new RecordSum()
  const owners = new Set<OwnerId>()
  let end = start
  let ownerRecords = 0
  const write = async (blocks: readonly Block[]): Promise<void> => {
    for (const block of blocks) sum.add(block)
    const bytes = encodeBlocks(blocks)
    await file.write(bytes, 0, bytes.length, end)
    end += bytes.length
    const { records } = sum
    onProgress?.({ records, total: Math.max(records, catalogue.summary().records) })
    signal?.throwIfAborted()
  }
  for (const page of pagesOf(catalogue, { kind: 'owners' })) {
    for (const bytes of page) owners.add(signingOwnerOf(readRecord(bytes)))
    ownerRecords += page.length
    await write(page.map(blockOf))
  }
  for (const page of pagesOf(catalogue, { kind: 'all' }, AFTER_OWNERS)) {
    // What an owner signed who came meanwhile could not be checked by a reader.
    const isMoving = catalogue.summary({ kind: 'owners' }).records !== ownerRecords
    const checkable = isMoving ? page.filter((bytes) => owners.has(signingOwnerOf(readRecord(bytes)))) : page
    await write(checkable.map(blockOf))
  }
  return { sum, end }
}

function* pagesOf(
  catalogue: Catalogue,
  scope: CatalogueScope,
  from?: SnapshotCursor
): Generator<readonly Uint8Array[]> {
  for (let after = from; ; ) {
    const page = catalogue.snapshot(
      after === undefined ? { scope, maxBytes: PAGE_BYTES } : { scope, after, maxBytes: PAGE_BYTES }
    )
    if (page.records.length > 0) yield page.records
    if (page.next === undefined) return
    after = page.next
  }
}
