import { hash } from 'node:crypto'
import { readRecord, type VerifiedRecord } from '@registry/identity'
import {
  type CatalogueSummary,
  type OwnerId,
  parseOwnerId,
  RECORD_KINDS,
  type RecordId,
  type RecordIdPage,
  type RecordKind
} from '@registry/types'
import { bytesOf, type Database, integerOf, type Row, textOf } from './database.ts'
import { Fingerprint } from './fingerprint.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'

const BEFORE_ALL = new Uint8Array(0)

/** A record as a member of the scopes. */
export interface Member {
  id: RecordId
  kind: RecordKind
  /** Whose package it is about; the owner that an inception founds. */
  owner: OwnerId
  /** The first 32 bits of the sha2-256 of the package's name; null for an inception. */
  place: number | null
}

/** A record to be stored, with the columns of `records` by the same names. */
export interface NewRow extends Member {
  /** It is told as a change, and its number the place of it. */
  told: boolean
  package: number | null
  field: string | null
  seq: number | null
  seenMs: number
  envelope: Uint8Array
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
    return (
      this.#db.get('SELECT 1 FROM records WHERE kind IN (0, 1, 2, 3) AND id = ?', recordKeyOf(id)) !==
      undefined
    )
  }

  envelope(id: RecordId): Uint8Array | undefined {
    const row = this.#db.get(
      'SELECT id, envelope FROM records WHERE kind IN (0, 1, 2, 3) AND id = ?',
      recordKeyOf(id)
    )
    return row === undefined ? undefined : this.#verified(row)
  }

  ids(options: { kind: RecordKind; after?: RecordId; limit: number }): RecordIdPage {
    const after = options.after === undefined ? BEFORE_ALL : recordKeyOf(options.after)
    const rows = this.#db.all(
      'SELECT id FROM records WHERE kind = ? AND id > ? ORDER BY id LIMIT ?',
      RECORD_KINDS.indexOf(options.kind),
      after,
      options.limit + 1
    )
    const ids = rows.slice(0, options.limit).map((row) => recordIdOfKey(bytesOf(row, 'id')))
    const next = rows.length > options.limit ? ids.at(-1) : undefined
    return next === undefined ? { ids } : { ids, next }
  }

  /** What the record of a row with `id` and `envelope` says; undefined when it is damaged. */
  read(row: Row): VerifiedRecord | undefined {
    const envelope = this.#verified(row)
    return envelope === undefined ? undefined : readRecord(envelope)
  }

  /** The place of a stored record in the scopes; undefined when there is no such record. */
  member(id: RecordId): Member | undefined {
    const row = this.#db.get(
      `SELECT kind, records.place, coalesce(owner, field) AS owner
       FROM records LEFT JOIN packages ON packages.id = records.package
       WHERE kind IN (0, 1, 2, 3) AND records.id = ?`,
      recordKeyOf(id)
    )
    const kind = row === undefined ? undefined : RECORD_KINDS[integerOf(row, 'kind')]
    if (row === undefined || kind === undefined) return undefined
    const place = row.place === null ? null : integerOf(row, 'place')
    return { id, kind, owner: parseOwnerId(textOf(row, 'owner')), place }
  }

  /**
   * Stores a record that is not here yet and returns its number. To be called within a transaction; once that is
   * committed, `committed` counts it.
   */
  insert(row: NewRow): number {
    // Those that are told take the next number by themselves.
    const number = row.told ? 'NULL' : '(SELECT min(coalesce(min(number), 0), 0) - 1 FROM records)'
    return this.#db.insert(
      `INSERT INTO records (number, kind, id, place, package, field, seq, seen_ms, envelope)
       VALUES (${number}, ?, ?, ?, ?, ?, ?, ?, ?)`,
      RECORD_KINDS.indexOf(row.kind),
      recordKeyOf(row.id),
      row.place,
      row.package,
      row.field,
      row.seq,
      row.seenMs,
      row.envelope
    )
  }

  /** To be called within a transaction; once that is committed, `committed` counts it. */
  remove(member: Member): void {
    this.#db.run(
      'DELETE FROM records WHERE kind = ? AND id = ?',
      RECORD_KINDS.indexOf(member.kind),
      recordKeyOf(member.id)
    )
  }

  /** A transaction with these was committed. */
  committed({ inserted, removed }: { inserted: readonly Member[]; removed: readonly Member[] }): void {
    for (const { id } of inserted) this.#count(recordKeyOf(id))
    for (const { id } of removed) {
      this.#fingerprint.remove(recordKeyOf(id))
      this.#size -= 1
    }
  }

  damagedView(): void {
    this.#reports.onDamagedView()
  }

  #count(key: Uint8Array): void {
    this.#fingerprint.add(key)
    this.#size += 1
  }

  #verified(row: Row): Uint8Array | undefined {
    const envelope = bytesOf(row, 'envelope')
    const key = bytesOf(row, 'id')
    if (Buffer.compare(hash('sha256', envelope, 'buffer'), key) === 0) return envelope
    this.#reports.onDamagedRecord(recordIdOfKey(key))
    return undefined
  }
}
