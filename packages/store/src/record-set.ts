import { hash } from 'node:crypto'
import { decode } from '@ipld/dag-cbor'
import { decodeEnvelope } from '@registry/identity'
import {
  type CatalogueSummary,
  parseRelease,
  type RecordId,
  type RecordIdPage,
  type RecordKind,
  type Release,
  type ReleaseRecord
} from '@registry/types'
import { bytesOf, type Database, integerOf, type Row } from './database.ts'
import { Fingerprint } from './fingerprint.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'

const BEFORE_ALL = new Uint8Array(0)

export interface StoredRecord {
  id: RecordId
  kind: RecordKind
  /** Sequence of the release that a release record states. */
  release: number | null
  envelope: Uint8Array
  seenMs: number
}

export interface DamageReports {
  /** An envelope does not hash to its ID. It counts as absent, and is to be removed after this read. */
  onDamagedRecord: (id: RecordId) => void
  /** A view leads to a record that says something else. */
  onDamagedView: () => void
}

/**
 * The verified records as they came, and the fingerprint of their IDs. What is read is compared with its hash in that
 * very read, and never returned when it is damaged.
 */
export class RecordSet {
  readonly #db: Database
  readonly #reports: DamageReports
  readonly #fingerprint = new Fingerprint()
  #size = 0

  constructor(db: Database, reports: DamageReports) {
    this.#db = db
    this.#reports = reports
  }

  /** Computes the fingerprint of what is stored. */
  load(): void {
    this.#fingerprint.clear()
    this.#size = 0
    for (const row of this.#db.each('SELECT id FROM records')) this.#count(bytesOf(row, 'id'))
  }

  summary(): CatalogueSummary {
    return { fingerprint: this.#fingerprint.bytes(), records: this.#size }
  }

  has(id: RecordId): boolean {
    return this.#db.get('SELECT 1 FROM records WHERE id = ?', recordKeyOf(id)) !== undefined
  }

  envelope(id: RecordId): Uint8Array | undefined {
    const key = recordKeyOf(id)
    const row = this.#db.get('SELECT envelope FROM records WHERE id = ?', key)
    return row === undefined ? undefined : this.#verified(key, row)
  }

  ids(options: { kind: RecordKind; after?: RecordId; limit: number }): RecordIdPage {
    const after = options.after === undefined ? BEFORE_ALL : recordKeyOf(options.after)
    const rows = this.#db.all(
      'SELECT id FROM records WHERE kind = ? AND id > ? ORDER BY id LIMIT ?',
      options.kind,
      after,
      options.limit + 1
    )
    const ids = rows.slice(0, options.limit).map((row) => recordIdOfKey(bytesOf(row, 'id')))
    const next = rows.length > options.limit ? ids.at(-1) : undefined
    return next === undefined ? { ids } : { ids, next }
  }

  /** Every record, in the order in which they came. */
  *all(): Generator<Omit<StoredRecord, 'kind'>, void, undefined> {
    for (const row of this.#db.each('SELECT id, release, seen_ms, envelope FROM records ORDER BY rowid')) {
      const key = bytesOf(row, 'id')
      const envelope = this.#verified(key, row)
      if (envelope === undefined) continue
      const release = row.release === null ? null : integerOf(row, 'release')
      yield { id: recordIdOfKey(key), release, envelope, seenMs: integerOf(row, 'seen_ms') }
    }
  }

  /** The release of a row of `RELEASE_ROWS`; undefined when the record or the row is damaged. */
  release(row: Row): ReleaseRecord | undefined {
    const key = bytesOf(row, 'record')
    const envelope = this.#verified(key, row)
    if (envelope === undefined) return undefined
    const release = decodeRelease(decodeEnvelope(envelope).payload)
    if (release.owner !== row.owner || release.name !== row.name || release.version !== row.version) {
      this.#reports.onDamagedView()
      return undefined
    }
    return {
      id: recordIdOfKey(key),
      release,
      firstSeenMs: integerOf(row, 'seen_ms'),
      conflicted: integerOf(row, 'conflicted') === 1
    }
  }

  /** To be called within a transaction; once that is committed, `inserted` counts them. */
  insert(record: StoredRecord): void {
    this.#db.run(
      'INSERT INTO records (id, kind, release, seen_ms, envelope) VALUES (?, ?, ?, ?, ?)',
      recordKeyOf(record.id),
      record.kind,
      record.release,
      record.seenMs,
      record.envelope
    )
  }

  inserted(ids: readonly RecordId[]): void {
    for (const id of ids) this.#count(recordKeyOf(id))
  }

  /** To be called within a transaction; once that is committed, `removed` counts it. False when it was not there. */
  remove(id: RecordId): boolean {
    return this.#db.run('DELETE FROM records WHERE id = ?', recordKeyOf(id)) > 0
  }

  removed(id: RecordId): void {
    this.#fingerprint.remove(recordKeyOf(id))
    this.#size -= 1
  }

  #count(key: Uint8Array): void {
    this.#fingerprint.add(key)
    this.#size += 1
  }

  #verified(key: Uint8Array, row: Row): Uint8Array | undefined {
    const envelope = bytesOf(row, 'envelope')
    if (Buffer.compare(hash('sha256', envelope, 'buffer'), key) === 0) return envelope
    this.#reports.onDamagedRecord(recordIdOfKey(key))
    return undefined
  }
}

/** The release in the payload of an envelope that was verified before. */
export function decodeRelease(payload: Uint8Array): Release {
  return parseRelease(decode(payload))
}
