import { hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { VerifiedRecord } from '@registry/identity'
import { SHORT_ID_BYTES, sketch } from '@registry/reconciliation'
import {
  type CatalogueScope,
  type CatalogueSketch,
  type CatalogueSummary,
  parseOwnerId,
  RECORD_KINDS,
  type RecordId,
  type RecordIdPage,
  type SnapshotCursor,
  type SnapshotPage
} from '@registry/types'
import { bytesOf, type Database, integerOf, type Row, textOf } from './database.ts'
import { DecodedRecords } from './decoded-records.ts'
import { DIGEST_BYTES, digestsIn, Fingerprint } from './fingerprint.ts'
import { LiveScopes, type Membership } from './live-scopes.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'
import { type Rows, rowsOf } from './scope-rows.ts'

const BEFORE_ALL = new Uint8Array(0)

/** Digests that are read in one go, and taken into a sketch in one turn of the event loop. */
const DIGESTS_BATCH = 4096

/** An owner with more than this share of all records is looked for among all records. */
const LARGE_SHARE = 1 / 8

/** A record as a member of the scopes. */
export interface Member extends Membership {
  id: RecordId
}

/** What a transaction did to the set. */
export interface MemberChanges {
  inserted: readonly Member[]
  removed: readonly Member[]
}

/** A record to be stored, with the columns of `records` by the same names. */
export interface NewRow extends Member {
  /** It is told as a change, and its number the place of it. */
  told: boolean
  package: number | null
  field: string | null
  seq: number | null
  says: number | null
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
 * The verified records as they came, and of each scope the fingerprint and the sketch of their IDs. What is read is
 * compared with its hash in that very read, and never returned when it is damaged.
 */
export class RecordSet {
  readonly #db: Database
  readonly #reports: DamageReports
  /** Of all records. The fingerprint is stored with them, the sketch is made at the start. */
  readonly #sketch = sketch()
  #fingerprint = new Fingerprint()
  /** The fingerprint when the transaction under way is committed. */
  #counted: Fingerprint | undefined
  readonly #scopes: LiveScopes
  readonly #decoded = new DecodedRecords()

  constructor(db: Database, reports: DamageReports) {
    this.#db = db
    this.#reports = reports
    this.#scopes = new LiveScopes((scope) => this.#digests(scope))
  }

  /** Reads what is kept in memory, a piece in each turn of the event loop. With `recount` the stored fingerprint is mended. */
  async load(options: { recount: boolean }): Promise<void> {
    this.#scopes.clear()
    this.#sketch.clear()
    const stored = this.#db.get('SELECT records, fingerprint FROM record_set')
    const recount = options.recount || stored === undefined
    this.#fingerprint = new Fingerprint(recount ? undefined : bytesOf(stored, 'fingerprint'))
    for (const digests of this.#digests({ kind: 'all' })) {
      if (recount) for (const digest of digestsIn(digests)) this.#fingerprint.add(digest)
      this.#sketch.addAll(shortIds(digests))
      await setImmediate()
    }
    if (recount) this.#storeCount(this.#fingerprint, this.#sketch.size)
    else if (integerOf(stored, 'records') !== this.#sketch.size) {
      this.#reports.onDamagedView()
      await this.load({ recount: true })
    }
  }

  summary(scope: CatalogueScope): CatalogueSummary {
    return scope.kind === 'all'
      ? { fingerprint: this.#fingerprint.bytes(), records: this.#sketch.size }
      : this.#scopes.get(scope).summary()
  }

  /** Asks for the sketch anew with each call, for one that is not used is given up. */
  sketch(scope: CatalogueScope): CatalogueSketch {
    const live = (): CatalogueSketch => (scope.kind === 'all' ? this.#sketch : this.#scopes.get(scope).sketch)
    return {
      get size() {
        return live().size
      },
      get capacity() {
        return live().capacity
      },
      probes: () => live().probes(),
      symbols: (from, count) => live().symbols(from, count)
    }
  }

  has(id: RecordId): boolean {
    return this.#hasDigest(recordKeyOf(id))
  }

  /** The ID of an envelope, if it is here. */
  idOfStored(envelope: Uint8Array): RecordId | undefined {
    const digest = hash('sha256', envelope, 'buffer')
    return this.#hasDigest(digest) ? recordIdOfKey(digest) : undefined
  }

  envelope(id: RecordId): Uint8Array | undefined {
    const row = this.#db.get(
      'SELECT id, envelope FROM records WHERE kind IN (0, 1, 2, 3) AND id = ?',
      recordKeyOf(id)
    )
    return row === undefined ? undefined : this.#verified(row)
  }

  idOf(shortId: Uint8Array): RecordId | undefined {
    const rest = DIGEST_BYTES - SHORT_ID_BYTES
    const row = this.#db.get(
      'SELECT id FROM records WHERE kind IN (0, 1, 2, 3) AND id BETWEEN ? AND ?',
      Buffer.concat([shortId, Buffer.alloc(rest)]),
      Buffer.concat([shortId, Buffer.alloc(rest, 0xff)])
    )
    return row === undefined ? undefined : recordIdOfKey(bytesOf(row, 'id'))
  }

  ids(options: { scope: CatalogueScope; after?: RecordId; limit: number }): RecordIdPage {
    const after = options.after === undefined ? BEFORE_ALL : recordKeyOf(options.after)
    const digests = this.#rowsOf(options.scope).flatMap(({ sql, values }) =>
      this.#db
        .all(sql('records.id AS id', 'LIMIT ?'), ...values(after), options.limit + 1)
        .map((row) => bytesOf(row, 'id'))
    )
    const ids = digests.sort(Buffer.compare).slice(0, options.limit).map(recordIdOfKey)
    const next = digests.length > options.limit ? ids.at(-1) : undefined
    return next === undefined ? { ids } : { ids, next }
  }

  snapshot(options: { scope: CatalogueScope; after?: SnapshotCursor; maxBytes: number }): SnapshotPage {
    const { scope, after, maxBytes } = options
    const records: Uint8Array[] = []
    let bytes = 0
    let last = after
    for (const { kind, sql, values } of this.#rowsOf(scope)) {
      const order = after === undefined ? 1 : RECORD_KINDS.indexOf(kind) - RECORD_KINDS.indexOf(after.kind)
      if (order < 0) continue
      const start = order === 0 && after !== undefined ? after.digest : BEFORE_ALL
      for (const row of this.#db.each(sql('records.id AS id, envelope', ''), ...values(start))) {
        const envelope = this.#verified(row)
        if (envelope === undefined) continue
        bytes += envelope.length
        if (records.length > 0 && last !== undefined && bytes > maxBytes) return { records, next: last }
        records.push(envelope)
        last = { kind, digest: bytesOf(row, 'id') }
      }
    }
    return { records }
  }

  /** What the record of a row with `id` and `envelope` says; undefined when it is damaged. */
  read(row: Row): VerifiedRecord | undefined {
    const envelope = this.#verified(row)
    return envelope === undefined ? undefined : this.#decoded.read(bytesOf(row, 'id'), envelope)
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

  /** Stores a record that is not here yet, within a transaction, and returns its number. */
  insert(row: NewRow): number {
    // Those that are told take the next number by themselves.
    const number = row.told ? 'NULL' : '(SELECT min(coalesce(min(number), 0), 0) - 1 FROM records)'
    return this.#db.insert(
      `INSERT INTO records (number, kind, id, place, package, field, seq, says, seen_ms, envelope)
       VALUES (${number}, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      RECORD_KINDS.indexOf(row.kind),
      recordKeyOf(row.id),
      row.place,
      row.package,
      row.field,
      row.seq,
      row.says,
      row.seenMs,
      row.envelope
    )
  }

  /** To be called within a transaction. */
  remove(member: Member): void {
    this.#db.run(
      'DELETE FROM records WHERE kind = ? AND id = ?',
      RECORD_KINDS.indexOf(member.kind),
      recordKeyOf(member.id)
    )
  }

  /** To be called at the end of the transaction that has made these changes. */
  count({ inserted, removed }: MemberChanges): void {
    this.#counted = undefined
    if (inserted.length === 0 && removed.length === 0) return
    const fingerprint = new Fingerprint(this.#fingerprint.bytes())
    for (const { id } of inserted) fingerprint.add(recordKeyOf(id))
    for (const { id } of removed) fingerprint.remove(recordKeyOf(id))
    this.#storeCount(fingerprint, this.#sketch.size + inserted.length - removed.length)
    this.#counted = fingerprint
  }

  /** The transaction with these changes, which were counted, is committed. */
  committed({ inserted, removed }: MemberChanges): void {
    this.#fingerprint = this.#counted ?? this.#fingerprint
    for (const member of inserted) {
      const digest = recordKeyOf(member.id)
      this.#sketch.add(digest.subarray(0, SHORT_ID_BYTES))
      this.#scopes.add(digest, member)
    }
    for (const member of removed) {
      const digest = recordKeyOf(member.id)
      this.#sketch.remove(digest.subarray(0, SHORT_ID_BYTES))
      this.#scopes.remove(digest, member)
    }
  }

  damagedView(): void {
    this.#reports.onDamagedView()
  }

  #hasDigest(digest: Uint8Array): boolean {
    return this.#db.get('SELECT 1 FROM records WHERE kind IN (0, 1, 2, 3) AND id = ?', digest) !== undefined
  }

  #storeCount(fingerprint: Fingerprint, records: number): void {
    this.#db.run('DELETE FROM record_set')
    this.#db.run('INSERT INTO record_set (records, fingerprint) VALUES (?, ?)', records, fingerprint.bytes())
  }

  /** The digests of all members, one behind the other, in pieces. */
  *#digests(scope: CatalogueScope): Generator<Uint8Array, void, undefined> {
    for (const { sql, values } of rowsOf(scope, { isLarge: false })) {
      if (scope.kind === 'owner') {
        for (const row of this.#db.each(sql('records.id AS id', ''), ...values(BEFORE_ALL)))
          yield bytesOf(row, 'id')
        continue
      }
      // SQLite puts them together several times as fast as it gives them one by one.
      const page = `SELECT group_concat(hex(id), '') AS digests FROM (${sql('id', 'LIMIT ?')})`
      for (let last: Uint8Array | undefined = BEFORE_ALL; last !== undefined; ) {
        const row = this.#db.get(page, ...values(last), DIGESTS_BATCH)
        if (row === undefined || row.digests === null) break
        const digests = Buffer.from(textOf(row, 'digests'), 'hex')
        yield digests
        last = digests.length < DIGESTS_BATCH * DIGEST_BYTES ? undefined : digests.subarray(-DIGEST_BYTES)
      }
    }
  }

  #rowsOf(scope: CatalogueScope): Rows[] {
    const isLarge = scope.kind === 'owner' && this.summary(scope).records > this.#sketch.size * LARGE_SHARE
    return rowsOf(scope, { isLarge })
  }

  #verified(row: Row): Uint8Array | undefined {
    const envelope = bytesOf(row, 'envelope')
    const key = bytesOf(row, 'id')
    if (Buffer.compare(hash('sha256', envelope, 'buffer'), key) === 0) return envelope
    this.#reports.onDamagedRecord(recordIdOfKey(key))
    return undefined
  }
}

/** Of digests one behind the other the short IDs, likewise. */
function shortIds(digests: Uint8Array): Uint8Array {
  const short = new Uint8Array((digests.length / DIGEST_BYTES) * SHORT_ID_BYTES)
  let end = 0
  for (const digest of digestsIn(digests)) {
    short.set(digest.subarray(0, SHORT_ID_BYTES), end)
    end += SHORT_ID_BYTES
  }
  return short
}
