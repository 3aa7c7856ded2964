import {
  type CatalogueCounts,
  type OwnerId,
  parseVersion,
  type RecordId,
  type Release,
  type Version
} from '@registry/types'
import { bytesOf, type Database, integerOf, type Row, textOf } from './database.ts'
import { type FoldedRelease, foldDependencies, foldRecord, foldRelease } from './fold.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'
import type { RecordSet } from './record-set.ts'
import { popularityOf, type SearchEntry, type SearchIndex } from './search-index.ts'

/** Releases with the columns that `RecordSet.release` reads; a condition is to follow. */
export const RELEASE_ROWS = `
  SELECT releases.sequence, releases.version, releases.payload, releases.record, releases.conflicted,
    releases.seen_ms, packages.owner, packages.name, packages.first, records.envelope
  FROM releases
  JOIN packages ON packages.id = releases.package
  JOIN records ON records.id = releases.record`

/** Packages indexed at once; bounds the memory of a large update. */
const INDEX_BATCH = 1000

export interface IncomingRelease {
  record: RecordId
  /** sha2-256 of what was signed. */
  payload: Uint8Array
  release: Release
  seenMs: number
  /** Its place in the order of arrival, when it has one from before. */
  sequence: number | null
}

interface StoredRelease extends FoldedRelease {
  sequence: number
}

/**
 * One change of the views, within one transaction: takes records in one after the other, and with `finish` brings the
 * search index in step with all of them. To be forgotten when the transaction is rolled back.
 */
export class ViewUpdate {
  readonly #db: Database
  readonly #records: RecordSet
  readonly #search: SearchIndex
  /** Packages that another release stands for, with that one, or whose popularity is another. */
  readonly #changed = new Map<number, Release | undefined>()
  /** By how many the dependents of a name have changed. */
  readonly #dependents = new Map<string, number>()
  /** What has come so far. */
  readonly added: CatalogueCounts = { owners: 0, packages: 0, releases: 0 }

  constructor(db: Database, records: RecordSet, search: SearchIndex) {
    this.#db = db
    this.#records = records
    this.#search = search
  }

  addOwner(owner: OwnerId, record: RecordId): void {
    const row = this.#db.get('SELECT record FROM owners WHERE owner = ?', owner)
    const current = row === undefined ? undefined : recordIdOfKey(bytesOf(row, 'record'))
    if (current === undefined) this.added.owners += 1
    this.#db.run(
      'INSERT OR REPLACE INTO owners (owner, record) VALUES (?, ?)',
      owner,
      recordKeyOf(foldRecord(current, record))
    )
  }

  /** Returns the sequence of the release, its first one when it came before in another envelope. */
  addRelease(incoming: IncomingRelease): number {
    const { record, release } = incoming
    const known = this.#db.get(
      'SELECT id, latest FROM packages WHERE owner = ? AND name = ?',
      release.owner,
      release.name
    )
    const id = known === undefined ? this.#addPackage(release) : integerOf(known, 'id')
    const sameVersion = this.#version(id, release.version)
    const latest = known === undefined ? undefined : this.#release(integerOf(known, 'latest'))
    const payload = Buffer.from(incoming.payload).toString('hex')
    const change = foldRelease({ sameVersion, latest }, { payload, version: release.version, record })

    if (change.status === 'repeated') {
      const { sequence } = change.release
      this.#db.run('UPDATE releases SET record = ? WHERE sequence = ?', recordKeyOf(change.record), sequence)
      return sequence
    }
    const sequence = this.#db.insert(
      `INSERT INTO releases (sequence, package, version, payload, record, conflicted, seen_ms)
       VALUES (?, ?, ?, ?, ?, 0, ?)`,
      incoming.sequence,
      id,
      release.version,
      incoming.payload,
      recordKeyOf(record),
      incoming.seenMs
    )
    if (known === undefined) this.#db.run('UPDATE packages SET first = ? WHERE id = ?', sequence, id)
    if (change.conflicted) {
      this.#db.run(
        'UPDATE releases SET conflicted = 1 WHERE package = ? AND version = ?',
        id,
        release.version
      )
    }
    if (change.latest) this.#stand(id, sequence, incoming, latest)
    this.added.releases += 1
    return sequence
  }

  finish(): void {
    for (const [name, difference] of this.#dependents) this.#countDependents(name, difference)
    const changed = [...this.#changed]
    for (let start = 0; start < changed.length; start += INDEX_BATCH) {
      const entries = changed.slice(start, start + INDEX_BATCH).map(([id, latest]) => this.#entry(id, latest))
      this.#search.put(entries.filter((entry) => entry !== undefined))
    }
  }

  #addPackage(release: Release): number {
    this.added.packages += 1
    return this.#db.insert(
      "INSERT INTO packages (owner, name, first, latest, category, updated_ms) VALUES (?, ?, 0, 0, '', 0)",
      release.owner,
      release.name
    )
  }

  #version(id: number, version: Version): StoredRelease[] {
    return this.#db
      .all(
        'SELECT sequence, version, payload, record FROM releases WHERE package = ? AND version = ?',
        id,
        version
      )
      .map(storedRelease)
  }

  #release(sequence: number): StoredRelease | undefined {
    const row = this.#db.get(
      'SELECT sequence, version, payload, record FROM releases WHERE sequence = ?',
      sequence
    )
    return row === undefined ? undefined : storedRelease(row)
  }

  /** Lets a release stand for its package in place of `before`. */
  #stand(id: number, sequence: number, incoming: IncomingRelease, before: StoredRelease | undefined): void {
    const { release, seenMs } = incoming
    this.#db.run(
      'UPDATE packages SET latest = ?, category = ?, updated_ms = ? WHERE id = ?',
      sequence,
      release.category,
      // For listing by recency: a claim of the past is believed, one of the future only up to when it came.
      Math.min(release.claimedAtMs, seenMs),
      id
    )
    const old = before === undefined ? undefined : this.#read(before.sequence)
    const { added, dropped } = foldDependencies(
      Object.keys(old?.dependencies ?? {}),
      Object.keys(release.dependencies)
    )
    for (const name of added) this.#dependents.set(name, (this.#dependents.get(name) ?? 0) + 1)
    for (const name of dropped) this.#dependents.set(name, (this.#dependents.get(name) ?? 0) - 1)
    // Kept at hand while they are few; an update may be the whole catalogue.
    this.#changed.set(id, this.#changed.size < INDEX_BATCH ? release : undefined)
  }

  #countDependents(name: string, difference: number): void {
    const before = this.#dependentsOf(name)
    const after = Math.max(0, before + difference)
    if (after === 0) this.#db.run('DELETE FROM dependents WHERE name = ?', name)
    else this.#db.run('INSERT OR REPLACE INTO dependents (name, count) VALUES (?, ?)', name, after)
    if (popularityOf(before) === popularityOf(after)) return
    for (const row of this.#db.all('SELECT id FROM packages WHERE name = ?', name)) {
      const id = integerOf(row, 'id')
      if (!this.#changed.has(id)) this.#changed.set(id, undefined)
    }
  }

  #dependentsOf(name: string): number {
    const row = this.#db.get('SELECT count FROM dependents WHERE name = ?', name)
    return row === undefined ? 0 : integerOf(row, 'count')
  }

  #entry(id: number, latest: Release | undefined): SearchEntry | undefined {
    const release = latest ?? this.#latest(id)
    if (release === undefined) return undefined
    const { owner, name, description, category, tags, keywords } = release
    const popularity = popularityOf(this.#dependentsOf(name))
    return { package: id, owner, name, description, category, tags, keywords, popularity }
  }

  #latest(id: number): Release | undefined {
    const row = this.#db.get('SELECT latest FROM packages WHERE id = ?', id)
    return row === undefined ? undefined : this.#read(integerOf(row, 'latest'))
  }

  #read(sequence: number): Release | undefined {
    const row = this.#db.get(`${RELEASE_ROWS} WHERE releases.sequence = ?`, sequence)
    return row === undefined ? undefined : this.#records.release(row)?.release
  }
}

function storedRelease(row: Row): StoredRelease {
  return {
    sequence: integerOf(row, 'sequence'),
    payload: Buffer.from(bytesOf(row, 'payload')).toString('hex'),
    version: parseVersion(textOf(row, 'version')),
    record: recordIdOfKey(bytesOf(row, 'record'))
  }
}
