import { setImmediate } from 'node:timers/promises'
import { verifyRecord } from '@registry/identity'
import {
  type CatalogueFileOptions,
  type CatalogueFileReport,
  type OwnerDocument,
  type OwnerId,
  RECORD_KINDS,
  type RecordKind
} from '@registry/types'
import { reasonOf } from '../packing/errors.ts'
import { Faults } from './faults.ts'
import { type Block, type CatalogueRoot, RecordSum } from './format.ts'
import { readCatalogueFile } from './read.ts'

export interface CatalogueFileVerification extends CatalogueFileReport {
  /** How many of the records are of each kind. */
  kinds: Record<RecordKind, number>
  /** Of the set of records, 64 hexadecimal digits. */
  fingerprint: string
}

/** Signatures that are checked before the event loop gets its turn: a few milliseconds. */
const CHECKED_AT_ONCE = 16

/**
 * Checks a catalogue file by itself: the hash, form and signatures of each record, with the owners that are in the file; that
 * they stand in the order of a snapshot, each once; and that they are those the file says it has. Needs no store. Only the
 * owners are held in memory.
 *
 * @throws {InvalidCatalogueFileError} ERR_INVALID_CATALOGUE_FILE, with what is wrong and where
 */
export async function verifyCatalogueFile(
  path: string,
  { signal, onProgress }: CatalogueFileOptions = {}
): Promise<CatalogueFileVerification> {
  const faults = new Faults(path)
  const sum = new RecordSum()
  const owners = new Map<OwnerId, OwnerDocument>()
  const kinds: Record<RecordKind, number> = { owner: 0, release: 0, statement: 0, attestation: 0 }
  let root: CatalogueRoot | undefined
  let last: { kind: RecordKind; block: Block } | undefined
  let bytes = 0
  for await (const part of readCatalogueFile(path, signal)) {
    bytes = part.end
    if (part.kind === 'root') root = part.root
    if (part.kind === 'fault') faults.add(part.offset, part.reason)
    if (part.kind !== 'record') continue
    const { block, offset } = part
    sum.add(block)
    try {
      const record = verifyRecord(block.bytes, (owner) => owners.get(owner))
      if (record.kind === 'owner') owners.set(record.owner, record.document)
      kinds[record.kind]++
      if (last !== undefined && !isBefore(last, { kind: record.kind, block })) {
        faults.add(offset, 'a record does not stand where it belongs')
      }
      last = { kind: record.kind, block }
    } catch (error) {
      faults.add(offset, `a record is not valid: ${reasonOf(error)}`)
    }
    const { records } = sum
    if (records % CHECKED_AT_ONCE !== 0) continue
    onProgress?.({ records, total: Math.max(records, root?.records ?? 0) })
    await setImmediate()
  }
  const found = sum.root()
  faults.compare(root, found, bytes)
  faults.check()
  return {
    path,
    records: found.records,
    bytes,
    kinds,
    fingerprint: Buffer.from(found.fingerprint).toString('hex')
  }
}

function isBefore(a: { kind: RecordKind; block: Block }, b: { kind: RecordKind; block: Block }): boolean {
  const order = RECORD_KINDS.indexOf(a.kind) - RECORD_KINDS.indexOf(b.kind)
  if (order !== 0) return order < 0
  return Buffer.compare(a.block.cid.multihash.digest, b.block.cid.multihash.digest) < 0
}
