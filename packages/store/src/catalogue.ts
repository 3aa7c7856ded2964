import { setImmediate } from 'node:timers/promises'
import { authorizeRecord, readRecord } from '@registry/identity'
import {
  type AttestationRecord,
  type Catalogue,
  type CatalogueChange,
  type CatalogueCounts,
  type CatalogueScope,
  type CatalogueSearch,
  type CatalogueSketch,
  type CatalogueSummary,
  type Clock,
  type IngestOutcome,
  isRegistryError,
  type Logger,
  type OwnerDocument,
  type OwnerId,
  type PackageName,
  type PackageState,
  type Query,
  type RecordId,
  type RecordIdPage,
  type RegistryError,
  type ReleaseKey,
  type ReleaseRecord,
  type SearchFilter,
  type SnapshotCursor,
  type SnapshotPage,
  type StatementFact,
  type Version
} from '@registry/types'
import { type Database, type Durability, integerOf } from './database.ts'
import { Listeners } from './listeners.ts'
import { PackageSearch } from './package-search.ts'
import { PackageViews } from './package-views.ts'
import { RecordSet } from './record-set.ts'
import type { RecordCheck, RecordVerifier } from './record-verifier.ts'
import { ViewRebuild } from './view-rebuild.ts'
import { type CheckedEnvelope, ViewUpdate } from './view-update.ts'

const PART = 'registry:store:catalogue'

/** Owners whose documents are kept at hand, so that each of their records is checked without reading them again. */
const MAX_CACHED_OWNERS = 1024

/** After so long a transaction takes no further record, so that it holds up the event loop for a few milliseconds. */
const SLICE_MS = 3

/** Checked together, and a part is stored while so many others are being checked. */
const PART_RECORDS = 32
const PARTS_AHEAD = 16

const REFUSALS = ['ERR_INVALID_RECORD', 'ERR_BAD_SIGNATURE', 'ERR_OWNER_UNKNOWN'] as const

/** What the check of an envelope came to; nothing of it is stored yet. */
export type CheckOutcome =
  | ({ status: 'new' } & CheckedEnvelope)
  | { status: 'known'; id: RecordId }
  | { status: 'refused'; error: RegistryError }

/** An envelope that was handed over, as far as it could be checked without its owner. */
interface Candidate {
  at: number
  envelope: Uint8Array
  check: RecordCheck | Extract<CheckOutcome, { status: 'known' }>
}

export interface StoredCatalogueComponents {
  db: Database
  /** For the search index alone. */
  searchFolder: string
  verifier: RecordVerifier
  clock: Clock
  logger?: Logger
  /** A record or a view was found damaged: the views are to be rebuilt at the next start. */
  onDamage: () => void
}

/** The catalogue in SQLite. Everything returned is read from the envelopes, each compared with its hash in that read. */
export class StoredCatalogue implements Catalogue {
  readonly #db: Database
  readonly #search: PackageSearch
  readonly #verifier: RecordVerifier
  readonly #clock: Clock
  readonly #logger: Logger | undefined
  readonly #onDamage: () => void
  readonly #records: RecordSet
  readonly #views: PackageViews
  readonly #listeners: Listeners<[sequence: number]>
  readonly #documents = new Map<OwnerId, OwnerDocument>()
  readonly #damaged = new Set<RecordId>()
  #counts: CatalogueCounts = { owners: 0, packages: 0, releases: 0 }
  /** The last transaction that changed how a package is found. */
  #change = 0

  constructor(components: StoredCatalogueComponents) {
    this.#db = components.db
    this.#verifier = components.verifier
    this.#clock = components.clock
    this.#logger = components.logger
    this.#onDamage = components.onDamage
    this.#records = new RecordSet(components.db, {
      onDamagedRecord: (id) => this.#dropLater(id),
      onDamagedView: () => this.#onDamage()
    })
    this.#views = new PackageViews(components.db, this.#records)
    const parts = { ...components, records: this.#records, views: this.#views }
    this.#search = new PackageSearch(components.searchFolder, parts)
    this.#listeners = new Listeners(PART, components.logger)
  }

  /** Reads what is kept in memory. With `rebuild`, makes every view anew from the records first. */
  async load({ rebuild }: { rebuild: boolean }): Promise<void> {
    this.#documents.clear()
    this.#count()
    if (rebuild) {
      await this.#rebuild()
      this.#count()
    }
    await this.#records.load({ recount: rebuild })
    await this.#search.open({ rebuild, change: this.#change })
  }

  /** Ends what runs beside the event loop; can be loaded again. */
  async close(): Promise<void> {
    await this.#verifier.stop()
    await this.#search.close()
  }

  async ingest(envelopes: readonly Uint8Array[]): Promise<IngestOutcome[]> {
    const result: IngestOutcome[] = []
    const owners = new Map<OwnerId, OwnerDocument>()
    const orphans: Candidate[] = []
    for await (const part of this.#checked(envelopes)) {
      await this.#take(part, owners, result)
      orphans.push(...part.filter(({ at }) => isOrphan(result[at])))
    }
    // Their owner may have been behind them.
    if (owners.size > 0) await this.#take(orphans, owners, result)
    return result
  }

  /** Checks envelopes in any order against the owners known, those among them included. */
  async check(envelopes: readonly Uint8Array[]): Promise<CheckOutcome[]> {
    const outcomes: CheckOutcome[] = []
    const candidates = (await Array.fromAsync(this.#checked(envelopes))).flat()
    for (const { at, outcome } of this.#judged(candidates, new Map())) outcomes[at] = outcome
    return outcomes
  }

  /** Checks all that can be checked of envelopes without their owners, part by part. */
  async *#checked(envelopes: readonly Uint8Array[]): AsyncGenerator<Candidate[], void, undefined> {
    // Whoever gave them may write over them meanwhile.
    const own = envelopes.map((envelope) => envelope.slice())
    const ahead: Array<Promise<Candidate[]>> = []
    for (let start = 0; start < own.length || ahead.length > 0; ) {
      while (start < own.length && ahead.length < PARTS_AHEAD) {
        const part = this.#checkPart(own, start)
        // It may fail before it is waited for.
        part.catch(() => {})
        ahead.push(part)
        start += PART_RECORDS
      }
      yield (await ahead.shift()) ?? []
    }
  }

  async #checkPart(envelopes: readonly Uint8Array[], start: number): Promise<Candidate[]> {
    const part = envelopes.slice(start, start + PART_RECORDS)
    const known = part.map((envelope): Candidate['check'] | undefined => {
      const id = this.#records.idOfStored(envelope)
      return id === undefined ? undefined : { status: 'known', id }
    })
    const checks = await this.#verifier.check(part.filter((_, index) => known[index] === undefined))
    return part.flatMap((envelope, index) => {
      const check = known[index] ?? checks.shift()
      return check === undefined ? [] : { at: start + index, envelope, check }
    })
  }

  /** What candidates come to, owners first, who are known to the others from then on. */
  *#judged(
    candidates: readonly Candidate[],
    owners: Map<OwnerId, OwnerDocument>
  ): Generator<{ at: number; outcome: CheckOutcome }, void, undefined> {
    const isOwner = ({ check }: Candidate): boolean =>
      check.status === 'checked' && check.checked.record.kind === 'owner'
    const inOrder = [...candidates.filter(isOwner), ...candidates.filter((one) => !isOwner(one))]
    for (const { at, envelope, check } of inOrder) {
      if (check.status !== 'checked') {
        yield { at, outcome: check }
        continue
      }
      try {
        const record = authorizeRecord(check.checked, (owner) => owners.get(owner) ?? this.#document(owner))
        if (record.kind === 'owner') owners.set(record.owner, record.document)
        yield { at, outcome: { status: 'new', envelope, record } }
      } catch (error) {
        if (!isRefusal(error)) throw error
        yield { at, outcome: { status: 'refused', error } }
      }
    }
  }

  /** Stores those that are good, and writes down what became of each. */
  async #take(
    candidates: readonly Candidate[],
    owners: Map<OwnerId, OwnerDocument>,
    result: IngestOutcome[]
  ): Promise<void> {
    const fresh: Array<{ at: number; checked: CheckedEnvelope }> = []
    for (const { at, outcome } of this.#judged(candidates, owners)) {
      if (outcome.status === 'new') fresh.push({ at, checked: outcome })
      else result[at] = outcome
    }
    for (let next = 0; next < fresh.length; ) {
      next = this.commit('process', (update) => {
        const endMs = performance.now() + SLICE_MS
        const seenMs = this.#clock.now()
        let taken = next
        do {
          const entry = fresh[taken]
          if (entry === undefined) break
          const { at, checked } = entry
          result[at] = { status: update.add(checked, seenMs), id: checked.record.id }
          taken += 1
        } while (performance.now() < endMs && !update.isLarge)
        return taken
      })
      await Promise.all([this.#db.backpressure(), this.#search.backpressure()])
      // Others have their turn between two transactions.
      if (next < fresh.length) await setImmediate()
    }
  }

  /** Changes the record set and its views in one transaction, and tells of it once that is committed. */
  commit<T>(durability: Durability, work: (update: ViewUpdate) => T): T {
    const update = new ViewUpdate(this.#db, this.#records, this.#change + 1)
    const result = this.#db.transaction(durability, () => {
      const done = work(update)
      update.finish()
      this.#records.count(update)
      return done
    })
    this.#records.committed(update)
    this.#counts = {
      owners: this.#counts.owners + update.added.owners,
      packages: this.#counts.packages + update.added.packages,
      releases: this.#counts.releases + update.added.releases
    }
    if (update.changed.size > 0) {
      this.#change += 1
      this.#search.changed(update.changed, this.#change)
    }
    if (update.told) this.#listeners.call(this.sequence)
    return result
  }

  summary(scope: CatalogueScope = { kind: 'all' }): CatalogueSummary {
    return this.#records.summary(scope)
  }

  sketch(scope: CatalogueScope): CatalogueSketch {
    return this.#records.sketch(scope)
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

  recordOf(shortId: Uint8Array): RecordId | undefined {
    return this.#records.idOf(shortId)
  }

  recordIds(options: { scope: CatalogueScope; after?: RecordId; limit: number }): RecordIdPage {
    return this.#records.ids(options)
  }

  snapshot(options: { scope: CatalogueScope; after?: SnapshotCursor; maxBytes: number }): SnapshotPage {
    return this.#records.snapshot(options)
  }

  ownerRecord(owner: OwnerId): RecordId | undefined {
    return this.#views.ownerRecord(owner)
  }

  ownersOf(name: PackageName): OwnerId[] {
    return this.#views.ownersOf(name)
  }

  releases(owner: OwnerId, name: PackageName, version?: Version): ReleaseRecord[] {
    return this.#views.releases(owner, name, version)
  }

  latest(owner: OwnerId, name: PackageName): ReleaseRecord | undefined {
    return this.#views.latest(owner, name)
  }

  state(owner: OwnerId, name: PackageName): PackageState {
    return this.#views.state(owner, name)
  }

  isUnpublished(key: ReleaseKey): boolean {
    return this.#views.isUnpublished(key)
  }

  statement(owner: OwnerId, name: PackageName, field: string): StatementFact | undefined {
    return this.#views.statement(owner, name, field)
  }

  stating(name: PackageName, field: string, limit: number): OwnerId[] {
    return this.#views.stating(name, field, limit)
  }

  statementSeq(owner: OwnerId, name: PackageName, field: string): number {
    return this.#views.statementSeq(owner, name, field)
  }

  attestations(owner: OwnerId, name: PackageName): AttestationRecord[] {
    return this.#views.attestations(owner, name)
  }

  packageRecords(owner: OwnerId, name: PackageName): RecordId[] {
    return this.#views.packageRecords(owner, name)
  }

  bundle(id: RecordId): Uint8Array[] {
    return this.#views.bundle(id)
  }

  packages(options: { after?: { owner: OwnerId; name: PackageName }; limit: number }): ReleaseRecord[] {
    return this.#views.packages(options)
  }

  search(query: Query, filter?: SearchFilter): CatalogueSearch {
    return this.#search.search(query, filter)
  }

  changes(options: { after: number; limit: number }): CatalogueChange[] {
    return this.#views.changes(options)
  }

  get sequence(): number {
    return this.#number("SELECT max(seq, 0) AS value FROM sqlite_sequence WHERE name = 'records'")
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
    this.#search.downloaded(owner, name)
  }

  downloads(owner: OwnerId, name: PackageName): number {
    const row = this.#db.get('SELECT count FROM downloads WHERE owner = ? AND name = ?', owner, name)
    return row === undefined ? 0 : integerOf(row, 'count')
  }

  #document(owner: OwnerId): OwnerDocument | undefined {
    const cached = this.#documents.get(owner)
    if (cached !== undefined) return cached
    const id = this.ownerRecord(owner)
    const envelope = id === undefined ? undefined : this.#records.envelope(id)
    const record = envelope === undefined ? undefined : readRecord(envelope)
    if (record?.kind !== 'owner') return undefined
    if (this.#documents.size >= MAX_CACHED_OWNERS) this.#documents.clear()
    this.#documents.set(owner, record.document)
    return record.document
  }

  #count(): void {
    const about = this.#db.get(
      `SELECT count(latest) AS packages, coalesce(sum(live), 0) AS releases, coalesce(max(changed), 0) AS change
       FROM packages`
    )
    if (about === undefined) return
    this.#change = integerOf(about, 'change')
    this.#counts = {
      owners: this.#number('SELECT count(*) AS value FROM owners'),
      packages: integerOf(about, 'packages'),
      releases: integerOf(about, 'releases')
    }
  }

  async #rebuild(): Promise<void> {
    for (const work of new ViewRebuild(this.#db, this.#records).steps()) {
      this.commit('process', work)
      await setImmediate()
    }
  }

  #number(sql: string): number {
    const row = this.#db.get(sql)
    return row === undefined ? 0 : integerOf(row, 'value')
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
    this.#documents.clear()
    if (!this.#db.isOpen) return
    try {
      this.commit('process', (update) => {
        for (const id of ids) update.drop(id)
      })
    } catch (error) {
      this.#logger?.warn(PART, 'a damaged record could not be dropped', { error: String(error) })
    }
  }
}

function isOrphan(outcome: IngestOutcome | undefined): boolean {
  return outcome?.status === 'refused' && isRegistryError(outcome.error, 'ERR_OWNER_UNKNOWN')
}

/** Whether it is the record that is at fault, and not this store. */
function isRefusal(error: unknown): error is RegistryError {
  return REFUSALS.some((code) => isRegistryError(error, code))
}
