import { setImmediate } from 'node:timers/promises'
import { type SearchDocument, type SearchIndex, searchIndex } from '@registry/search'
import {
  type CatalogueSearch,
  type Logger,
  type OwnerId,
  type PackageName,
  parseOwnerId,
  parsePackageName,
  type Query,
  RECORD_KINDS,
  type SearchFilter
} from '@registry/types'
import { type Database, integerOf, type Row, textOf } from './database.ts'
import { StoreNotRunningError } from './errors.ts'
import { roundedCount } from './fold.ts'
import type { PackageViews } from './package-views.ts'
import type { RecordSet } from './record-set.ts'
import type { FreshRelease } from './view-update.ts'

const ATTESTATION = RECORD_KINDS.indexOf('attestation')

/** Packages that are put again in one turn of the event loop. */
const REPLAY_BATCH = 100

/** Attestations of a package that are looked at: anybody can sign any number of them. */
const MAX_ATTESTATIONS = 256

/** So many more who vouch than who warn are worth half of what can be had. */
const HALF_TRUST = 4

export interface PackageSearchComponents {
  db: Database
  records: RecordSet
  views: PackageViews
  logger?: Logger
}

/**
 * Finds packages by words. The index is derived from the views: it is told of every committed change, and when it is
 * opened it is told again of what it does not have on disk.
 */
export class PackageSearch {
  readonly #folder: string
  readonly #db: Database
  readonly #records: RecordSet
  readonly #views: PackageViews
  readonly #logger: Logger | undefined
  #index: SearchIndex | undefined
  /** By the package's number; counted when they are first asked for. */
  #downloads: Map<number, number> | undefined

  constructor(folder: string, components: PackageSearchComponents) {
    this.#folder = folder
    this.#db = components.db
    this.#records = components.records
    this.#views = components.views
    this.#logger = components.logger
  }

  /**
   * Resolves when the index has all packages; `change` is the newest of `packages.changed`. With `rebuild`, or when the
   * index has seen changes that the views have lost, as after a power cut, it is made anew.
   */
  async open({ rebuild, change }: { rebuild: boolean; change: number }): Promise<void> {
    const components = this.#logger === undefined ? {} : { logger: this.#logger }
    const index = searchIndex({ folder: this.#folder })(components)
    this.#index = index
    const { watermark } = await index.open()
    const isStale = rebuild || watermark > change
    if (isStale) index.clear()
    if (isStale || watermark < change) await this.#replay(index, isStale ? 0 : watermark, change)
  }

  /** A transaction was committed that changed how these packages are found; `change` is that of `packages.changed`. */
  changed(packages: ReadonlyMap<number, FreshRelease | undefined>, change: number): void {
    if (this.#index !== undefined) this.#put(this.#index, packages, { before: change - 1, after: change })
  }

  /** Resolves when the index can take more. */
  async backpressure(): Promise<void> {
    await this.#index?.backpressure()
  }

  /** Brings to disk what can be brought. */
  async close(): Promise<void> {
    const index = this.#index
    this.#index = undefined
    this.#downloads = undefined
    await index?.close()
  }

  /** @throws ERR_NOT_RUNNING, ERR_INVALID_CURSOR */
  search(query: Query, filter?: SearchFilter): CatalogueSearch {
    if (this.#index === undefined) throw new StoreNotRunningError()
    const { matches, ...rest } = this.#index.search(query, this.#acceptOf(query, filter))
    const hits = matches.flatMap(({ package: id, ...match }) => {
      const record = this.#views.latestOf(id)
      return record === undefined ? [] : [{ record, ...match }]
    })
    return { hits, ...rest }
  }

  /** A package was fetched once more. */
  downloaded(owner: OwnerId, name: PackageName): void {
    if (this.#downloads === undefined) return
    const row = this.#db.get('SELECT id FROM packages WHERE owner = ? AND name = ?', owner, name)
    if (row === undefined) return
    const id = integerOf(row, 'id')
    this.#downloads.set(id, 1 + (this.#downloads.get(id) ?? 0))
  }

  /** Puts every package that was changed after the watermark. */
  async #replay(index: SearchIndex, watermark: number, newest: number): Promise<void> {
    for (let last = 0, more = true; more; ) {
      const rows = this.#db.all(
        'SELECT id FROM packages WHERE id > ? AND changed > ? ORDER BY id LIMIT ?',
        last,
        watermark,
        REPLAY_BATCH + 1
      )
      const ids = rows.slice(0, REPLAY_BATCH).map((row) => integerOf(row, 'id'))
      more = rows.length > REPLAY_BATCH
      last = ids.at(-1) ?? last
      // Only with the last one has the index what there was at the newest change.
      const packages = new Map(ids.map((id) => [id, undefined]))
      this.#put(index, packages, { before: watermark, after: more ? watermark : newest })
      await index.backpressure()
      await setImmediate()
    }
  }

  /** `before` and `after` are the watermarks without and with all of this. */
  #put(
    index: SearchIndex,
    packages: ReadonlyMap<number, FreshRelease | undefined>,
    { before, after }: { before: number; after: number }
  ): void {
    const documents: SearchDocument[] = []
    const unlisted: number[] = []
    for (const [id, fresh] of packages) {
      const document = this.#document(id, fresh)
      if (document === undefined) unlisted.push(id)
      else documents.push(document)
    }
    if (documents.length > 0) index.put(documents, unlisted.length === 0 ? after : before)
    if (unlisted.length > 0) index.remove(unlisted, after)
  }

  #document(id: number, fresh: FreshRelease | undefined): SearchDocument | undefined {
    const record = fresh ?? this.#views.latestOf(id)
    if (record === undefined) return undefined
    const { owner, name, description, category, tags, keywords, license, claimedAtMs } = record.release
    const document: SearchDocument = {
      ...{ package: id, owner, name, description, category, tags, keywords },
      // A claim of the past is believed, one of the future only up to when it came.
      updatedAtMs: Math.min(claimedAtMs, record.firstSeenMs),
      dependents: roundedCount(this.#dependents(name)),
      // Who holds a content is not known to the catalogue.
      providers: 0,
      trust: this.#trust(id, owner)
    }
    if (license !== undefined) document.license = license
    return document
  }

  #dependents(name: PackageName): number {
    const row = this.#db.get('SELECT count FROM dependents WHERE name = ?', name)
    return row === undefined ? 0 : integerOf(row, 'count')
  }

  /**
   * From 0 to 1, by how many more owners vouch for a package than warn of it. An owner's word on his own package does not
   * count, nor what one who warns says for it. It costs nothing to be many owners, so this weighs little in a score.
   */
  #trust(id: number, owner: OwnerId): number {
    const vouches = new Map<OwnerId, boolean>()
    const rows = this.#db.all(
      'SELECT id, envelope FROM records WHERE package = ? AND kind = ? ORDER BY number LIMIT ?',
      id,
      ATTESTATION,
      MAX_ATTESTATIONS
    )
    for (const row of rows) {
      const record = this.#records.read(row)
      if (record?.kind !== 'attestation' || record.attestation.issuer === owner) continue
      const { issuer, claim } = record.attestation
      vouches.set(issuer, (claim === 'rebuild' || claim === 'review') && vouches.get(issuer) !== false)
    }
    let more = 0
    for (const vouch of vouches.values()) more += vouch ? 1 : -1
    return more <= 0 ? 0 : more / (more + HALF_TRUST)
  }

  #acceptOf(
    { minDownloads = 0 }: Query,
    filter: SearchFilter | undefined
  ): ((id: number) => boolean) | undefined {
    if (filter === undefined && minDownloads === 0) return undefined
    const downloads = minDownloads === 0 ? undefined : this.#countedDownloads()
    return (id) => {
      if (downloads !== undefined && (downloads.get(id) ?? 0) < minDownloads) return false
      if (filter === undefined) return true
      const row = this.#db.get('SELECT owner, name FROM packages WHERE id = ?', id)
      return row !== undefined && filter(ownerOf(row), parsePackageName(textOf(row, 'name')))
    }
  }

  #countedDownloads(): Map<number, number> {
    this.#downloads ??= new Map(
      this.#db
        .all('SELECT id, count FROM downloads JOIN packages USING (owner, name)')
        .map((row) => [integerOf(row, 'id'), integerOf(row, 'count')])
    )
    return this.#downloads
  }
}

function ownerOf(row: Row): OwnerId {
  return parseOwnerId(textOf(row, 'owner'))
}
