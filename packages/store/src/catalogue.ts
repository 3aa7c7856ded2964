import { hash } from 'node:crypto'
import { decodeEnvelope, recordIdOf, type VerifiedRecord, verifyRecord } from '@registry/identity'
import {
  type Catalogue,
  type CatalogueChange,
  type CatalogueCounts,
  type CatalogueSummary,
  type Clock,
  type IngestOutcome,
  isRegistryError,
  type Logger,
  type OwnerDocument,
  type OwnerId,
  type PackageName,
  parseOwnerId,
  type Query,
  type RecordId,
  type RecordIdPage,
  type RecordKind,
  type RegistryError,
  type ReleaseKey,
  type ReleaseRecord,
  type SearchHit
} from '@registry/types'
import { bytesOf, type Database, integerOf, textOf } from './database.ts'
import { compareReleases } from './fold.ts'
import { Listeners } from './listeners.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'
import { decodeRelease, RecordSet } from './record-set.ts'
import type { SearchIndex } from './search-index.ts'
import { RELEASE_ROWS, ViewUpdate } from './view-update.ts'

const PART = 'registry:store:catalogue'

/** Owners whose documents are kept at hand, so that each of their releases is checked without reading them again. */
const MAX_CACHED_OWNERS = 1024

const REFUSALS = ['ERR_INVALID_RECORD', 'ERR_BAD_SIGNATURE', 'ERR_OWNER_UNKNOWN'] as const

/** An envelope after its check; nothing of it is stored yet. */
export type CheckedEnvelope =
  | { status: 'new'; envelope: Uint8Array; record: VerifiedRecord }
  | { status: 'known'; id: RecordId }
  | { status: 'refused'; error: RegistryError }

export type NewEnvelope = Extract<CheckedEnvelope, { status: 'new' }>

export interface StoredCatalogueComponents {
  db: Database
  search: SearchIndex
  clock: Clock
  logger?: Logger
  /** A record or a view was found damaged: the views are to be rebuilt at the next start. */
  onDamage: () => void
}

/** The catalogue in SQLite. Everything returned is read from the envelopes, each compared with its hash in that read. */
export class StoredCatalogue implements Catalogue {
  readonly #db: Database
  readonly #search: SearchIndex
  readonly #clock: Clock
  readonly #logger: Logger | undefined
  readonly #onDamage: () => void
  readonly #records: RecordSet
  readonly #listeners: Listeners<[sequence: number]>
  readonly #documents = new Map<OwnerId, OwnerDocument>()
  readonly #damaged = new Set<RecordId>()
  #counts: CatalogueCounts = { owners: 0, packages: 0, releases: 0 }

  constructor(components: StoredCatalogueComponents) {
    this.#db = components.db
    this.#search = components.search
    this.#clock = components.clock
    this.#logger = components.logger
    this.#onDamage = components.onDamage
    this.#records = new RecordSet(components.db, {
      onDamagedRecord: (id) => this.#dropLater(id),
      onDamagedView: () => this.#onDamage()
    })
    this.#listeners = new Listeners(PART, components.logger)
  }

  /** Reads what is kept in memory. With `rebuild`, makes every view anew from the records first. */
  load(options: { rebuild: boolean }): void {
    this.#documents.clear()
    if (options.rebuild) this.#rebuild()
    this.#records.load()
    this.#counts = {
      owners: this.#countRows('owners'),
      packages: this.#countRows('packages'),
      releases: this.#countRows('releases')
    }
  }

  async ingest(envelopes: readonly Uint8Array[]): Promise<IngestOutcome[]> {
    const checked = this.check(envelopes)
    const fresh = checked.filter((envelope) => envelope.status === 'new')
    if (fresh.length > 0) {
      const update = this.#db.transaction('process', () => this.accept(fresh))
      this.accepted(fresh, update)
    }
    return checked.map((envelope) =>
      envelope.status === 'new' ? { status: 'accepted', id: envelope.record.id } : envelope
    )
  }

  /** Checks envelopes in any order against the owners known, those among them included. */
  check(envelopes: readonly Uint8Array[]): CheckedEnvelope[] {
    const owners = new Map<OwnerId, OwnerDocument>()
    const ids = new Set<RecordId>()
    const checkOne = (envelope: Uint8Array): CheckedEnvelope => {
      const id = recordIdOf(envelope)
      if (ids.has(id) || this.#records.has(id)) return { status: 'known', id }
      try {
        const record = verifyRecord(envelope, (owner) => owners.get(owner) ?? this.#document(owner))
        if (record.kind === 'owner') owners.set(record.owner, record.document)
        ids.add(id)
        return { status: 'new', envelope, record }
      } catch (error) {
        if (!isRefusal(error)) throw error
        return { status: 'refused', error }
      }
    }
    const checked = envelopes.map((envelope) => ({ envelope, outcome: checkOne(envelope) }))
    return checked.map(({ envelope, outcome }) => {
      const orphaned = outcome.status === 'refused' && isRegistryError(outcome.error, 'ERR_OWNER_UNKNOWN')
      return orphaned && owners.size > 0 ? checkOne(envelope) : outcome
    })
  }

  /** Stores checked envelopes; to be called within a transaction, and `accepted` once that is committed. */
  accept(fresh: readonly NewEnvelope[]): ViewUpdate {
    const update = new ViewUpdate(this.#db, this.#records, this.#search)
    const seenMs = this.#clock.now()
    for (const { envelope, record } of fresh) {
      let release: number | null = null
      if (record.kind === 'owner') update.addOwner(record.owner, record.id)
      else {
        const payload = payloadHash(decodeEnvelope(envelope).payload)
        release = update.addRelease({
          record: record.id,
          payload,
          release: record.release,
          seenMs,
          sequence: null
        })
      }
      this.#records.insert({ id: record.id, kind: record.kind, release, envelope, seenMs })
    }
    update.finish()
    return update
  }

  accepted(fresh: readonly NewEnvelope[], { added }: ViewUpdate): void {
    this.#records.inserted(fresh.map(({ record }) => record.id))
    this.#counts = {
      owners: this.#counts.owners + added.owners,
      packages: this.#counts.packages + added.packages,
      releases: this.#counts.releases + added.releases
    }
    this.#listeners.call(this.sequence)
  }

  summary(): CatalogueSummary {
    return this.#records.summary()
  }

  counts(): CatalogueCounts {
    return { ...this.#counts }
  }

  has(id: RecordId): boolean {
    return this.#records.has(id)
  }

  record(id: RecordId): Uint8Array | undefined {
    return this.#records.envelope(id)
  }

  recordIds(options: { kind: RecordKind; after?: RecordId; limit: number }): RecordIdPage {
    return this.#records.ids(options)
  }

  ownerRecord(owner: OwnerId): RecordId | undefined {
    const row = this.#db.get(
      'SELECT record FROM owners JOIN records ON records.id = owners.record WHERE owner = ?',
      owner
    )
    return row === undefined ? undefined : recordIdOfKey(bytesOf(row, 'record'))
  }

  ownersOf(name: PackageName): OwnerId[] {
    return this.#db
      .all('SELECT owner FROM packages WHERE name = ? ORDER BY owner', name)
      .map((row) => parseOwnerId(textOf(row, 'owner')))
  }

  releases(owner: OwnerId, name: PackageName): ReleaseRecord[] {
    return this.#db
      .all(`${RELEASE_ROWS} WHERE packages.owner = ? AND packages.name = ?`, owner, name)
      .flatMap((row) => {
        const record = this.#records.release(row)
        const payload = Buffer.from(bytesOf(row, 'payload')).toString('hex')
        return record === undefined ? [] : { record, payload, version: record.release.version }
      })
      .sort((a, b) => compareReleases(b, a))
      .map(({ record }) => record)
  }

  /** The release that a record states; undefined when there is no such record or it is of another kind. */
  releaseOf(id: RecordId): ReleaseRecord | undefined {
    return this.#oneRelease(
      `${RELEASE_ROWS} WHERE releases.sequence = (SELECT release FROM records WHERE id = ?)`,
      recordKeyOf(id)
    )
  }

  hasVersion({ owner, name, version }: ReleaseKey): boolean {
    const row = this.#db.get(
      `SELECT 1 FROM releases JOIN packages ON packages.id = releases.package
       WHERE packages.owner = ? AND packages.name = ? AND releases.version = ?`,
      owner,
      name,
      version
    )
    return row !== undefined
  }

  packages(options: { after?: { owner: OwnerId; name: PackageName }; limit: number }): ReleaseRecord[] {
    return this.#db
      .all(
        `${RELEASE_ROWS} WHERE releases.sequence = packages.latest AND (packages.owner, packages.name) > (?, ?)
         ORDER BY packages.owner, packages.name LIMIT ?`,
        options.after?.owner ?? '',
        options.after?.name ?? '',
        options.limit
      )
      .map((row) => this.#records.release(row))
      .filter((record) => record !== undefined)
  }

  search(query: Query): SearchHit[] {
    return this.#search.search(query).flatMap(({ package: id, score }) => {
      const record = this.#oneRelease(
        `${RELEASE_ROWS} WHERE packages.id = ? AND releases.sequence = packages.latest`,
        id
      )
      return record === undefined ? [] : { record, score }
    })
  }

  changes(options: { after: number; limit: number }): CatalogueChange[] {
    return this.#db
      .all(
        `${RELEASE_ROWS} WHERE releases.sequence > ? ORDER BY releases.sequence LIMIT ?`,
        options.after,
        options.limit
      )
      .flatMap((row) => {
        const record = this.#records.release(row)
        const sequence = integerOf(row, 'sequence')
        return record === undefined
          ? []
          : { sequence, record, firstOfPackage: sequence === integerOf(row, 'first') }
      })
  }

  get sequence(): number {
    const row = this.#db.get('SELECT coalesce(max(sequence), 0) AS sequence FROM releases')
    return row === undefined ? 0 : integerOf(row, 'sequence')
  }

  onChange(listener: (sequence: number) => void): () => void {
    return this.#listeners.add(listener)
  }

  countDownload(owner: OwnerId, name: PackageName): void {
    this.#db.run(
      `INSERT INTO downloads (owner, name, count) VALUES (?, ?, 1)
       ON CONFLICT (owner, name) DO UPDATE SET count = count + 1`,
      owner,
      name
    )
  }

  downloads(owner: OwnerId, name: PackageName): number {
    const row = this.#db.get('SELECT count FROM downloads WHERE owner = ? AND name = ?', owner, name)
    return row === undefined ? 0 : integerOf(row, 'count')
  }

  #oneRelease(sql: string, value: number | Uint8Array): ReleaseRecord | undefined {
    const row = this.#db.get(sql, value)
    return row === undefined ? undefined : this.#records.release(row)
  }

  #document(owner: OwnerId): OwnerDocument | undefined {
    const cached = this.#documents.get(owner)
    if (cached !== undefined) return cached
    const id = this.ownerRecord(owner)
    const envelope = id === undefined ? undefined : this.#records.envelope(id)
    if (envelope === undefined) return undefined
    const record = verifyRecord(envelope, () => undefined)
    if (record.kind !== 'owner') return undefined
    if (this.#documents.size >= MAX_CACHED_OWNERS) this.#documents.clear()
    this.#documents.set(owner, record.document)
    return record.document
  }

  #rebuild(): void {
    this.#db.transaction('process', () => {
      this.#db.exec('DELETE FROM owners; DELETE FROM packages; DELETE FROM releases; DELETE FROM dependents')
      this.#search.clear()
      const update = new ViewUpdate(this.#db, this.#records, this.#search)
      for (const { id, release: sequence, envelope, seenMs } of this.#records.all()) {
        const { kind, payload } = decodeEnvelope(envelope)
        // The ID of an owner is the CID of its document, as that of a record is the CID of its envelope.
        if (kind === 'owner') update.addOwner(parseOwnerId(recordIdOf(payload)), id)
        else {
          const release = decodeRelease(payload)
          update.addRelease({ record: id, payload: payloadHash(payload), release, seenMs, sequence })
        }
      }
      update.finish()
    })
  }

  #countRows(table: 'owners' | 'packages' | 'releases'): number {
    const row = this.#db.get(`SELECT count(*) AS count FROM ${table}`)
    return row === undefined ? 0 : integerOf(row, 'count')
  }

  #dropLater(id: RecordId): void {
    this.#logger?.warn(PART, 'a record is damaged and is dropped, to be taken from a peer again', { id })
    this.#onDamage()
    // Not now: it may have been found while reading within a transaction.
    if (this.#damaged.size === 0) queueMicrotask(() => this.#dropDamaged())
    this.#damaged.add(id)
  }

  #dropDamaged(): void {
    const ids = [...this.#damaged]
    this.#damaged.clear()
    if (!this.#db.isOpen) return
    try {
      const removed = this.#db.transaction('process', () => ids.filter((id) => this.#records.remove(id)))
      for (const id of removed) this.#records.removed(id)
      this.#documents.clear()
    } catch (error) {
      this.#logger?.warn(PART, 'a damaged record could not be dropped', { error: String(error) })
    }
  }
}

/** Whether it is the record that is at fault, and not this store. */
function isRefusal(error: unknown): error is RegistryError {
  return REFUSALS.some((code) => isRegistryError(error, code))
}

function payloadHash(payload: Uint8Array): Uint8Array {
  return hash('sha256', payload, 'buffer')
}
