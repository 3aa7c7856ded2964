import { signingOwnerOf } from '@registry/identity'
import {
  type AttestationRecord,
  type BlobInfo,
  type CatalogueChange,
  type OwnerId,
  type PackageName,
  type PackageState,
  type PackageUpdateType,
  parseOwnerId,
  parseVersion,
  RECORD_KINDS,
  type RecordId,
  type Release,
  type ReleaseKey,
  type ReleaseRecord,
  type StatementFact,
  type Version
} from '@registry/types'
import { bytesOf, type Database, integerOf, type Row, textOf } from './database.ts'
import {
  compareReleases,
  type Facts,
  foldTags,
  marksOf,
  NO_FACTS,
  type ReleasePlace,
  smallerId,
  updateTypeOf
} from './fold.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'
import type { RecordSet } from './record-set.ts'

const RELEASE = RECORD_KINDS.indexOf('release')
const STATEMENT = RECORD_KINDS.indexOf('statement')
const ATTESTATION = RECORD_KINDS.indexOf('attestation')

/** A record with its package; a condition is to follow. */
const ROWS = `
  SELECT number, kind, records.id, field, seen_ms, envelope, package, owner, name, latest, plain
  FROM records JOIN packages ON packages.id = records.package`

/** Rows of changes looked at in one go. */
const CHANGES_BATCH = 256

interface FoldedRelease extends ReleasePlace {
  /** Its ID is that of the envelope with the smallest one. */
  record: ReleaseRecord
}

/**
 * What there is of packages, read from the records. Every record is compared with its hash as it is read, and one that is
 * damaged is left out.
 */
export class PackageViews {
  readonly #db: Database
  readonly #records: RecordSet

  constructor(db: Database, records: RecordSet) {
    this.#db = db
    this.#records = records
  }

  ownerRecord(owner: OwnerId): RecordId | undefined {
    const row = this.#db.get('SELECT id FROM owners JOIN records ON number = record WHERE owner = ?', owner)
    return row === undefined ? undefined : idOf(row)
  }

  ownersOf(name: PackageName): OwnerId[] {
    return this.#db
      .all('SELECT owner FROM packages WHERE name = ? AND latest IS NOT NULL ORDER BY owner', name)
      .map((row) => parseOwnerId(textOf(row, 'owner')))
  }

  releases(owner: OwnerId, name: PackageName, version?: Version): ReleaseRecord[] {
    if (version !== undefined) {
      const about = this.#db.get(
        'SELECT id AS package, plain FROM packages WHERE owner = ? AND name = ?',
        owner,
        name
      )
      return about === undefined ? [] : this.#releasesOfVersion(about, version).map(({ record }) => record)
    }
    const rows = this.#rowsOf(owner, name, RELEASE)
    const [first] = rows
    return first === undefined ? [] : this.#fold(rows, this.#facts(first)).map(({ record }) => record)
  }

  latest(owner: OwnerId, name: PackageName): ReleaseRecord | undefined {
    return this.#standing(`${ROWS} WHERE number = latest AND owner = ? AND name = ?`, owner, name)
  }

  /** The release that stands for a package by its number; undefined when it is not listed. */
  latestOf(id: number): ReleaseRecord | undefined {
    return this.#standing(`${ROWS} WHERE number = latest AND packages.id = ?`, id)
  }

  packages(options: { after?: { owner: OwnerId; name: PackageName }; limit: number }): ReleaseRecord[] {
    return this.#db
      .all(
        `${ROWS} WHERE number = latest AND (owner, name) > (?, ?) ORDER BY owner, name LIMIT ?`,
        options.after?.owner ?? '',
        options.after?.name ?? '',
        options.limit
      )
      .map((row) => this.#releaseOfRow(row))
      .filter((record) => record !== undefined)
  }

  state(owner: OwnerId, name: PackageName): PackageState {
    const about = this.#db.get(
      `SELECT packages.id AS package, plain, field
       FROM packages LEFT JOIN records ON number = latest WHERE owner = ? AND name = ?`,
      owner,
      name
    )
    if (about === undefined) return { distTags: {} }
    const facts = this.#facts(about)
    const latest = about.field === null ? undefined : versionOf(about)
    const distTags = foldTags(this.#versions(integerOf(about, 'package'), facts), facts)
    if (latest !== undefined) distTags.latest = latest
    const readme = readmeOf(facts)
    return readme === undefined ? { distTags } : { distTags, readme }
  }

  isUnpublished({ owner, name, version }: ReleaseKey): boolean {
    return this.#statement(owner, name, `unpublish ${version}`) !== undefined
  }

  statementSeq(owner: OwnerId, name: PackageName, field: string): number {
    const row = this.#statement(owner, name, field)
    return row === undefined ? 0 : integerOf(row, 'seq')
  }

  statement(owner: OwnerId, name: PackageName, field: string): StatementFact | undefined {
    const row = this.#statement(owner, name, field)
    const record = row === undefined ? undefined : this.#records.read(row)
    return record?.kind === 'statement' ? record.statement.fact : undefined
  }

  stating(name: PackageName, field: string, limit: number): OwnerId[] {
    return this.#db
      .all(
        `SELECT owner FROM packages JOIN records ON package = packages.id
         WHERE name = ? AND kind = ${STATEMENT} AND field = ? AND says = 1 ORDER BY owner LIMIT ?`,
        name,
        field,
        limit
      )
      .map((row) => parseOwnerId(textOf(row, 'owner')))
  }

  attestations(owner: OwnerId, name: PackageName): AttestationRecord[] {
    return this.#rowsOf(owner, name, ATTESTATION).flatMap((row) => {
      const record = this.#records.read(row)
      if (record?.kind !== 'attestation') return []
      return { id: record.id, attestation: record.attestation, firstSeenMs: integerOf(row, 'seen_ms') }
    })
  }

  packageRecords(owner: OwnerId, name: PackageName): RecordId[] {
    return this.#db
      .all(
        `SELECT records.id FROM records JOIN packages ON packages.id = package
         WHERE owner = ? AND name = ? ORDER BY kind, records.id`,
        owner,
        name
      )
      .map(idOf)
  }

  bundle(id: RecordId): Uint8Array[] {
    const envelope = this.#records.envelope(id)
    if (envelope === undefined) return []
    return [...this.#neededWith(id), envelope]
  }

  changes({ after, limit }: { after: number; limit: number }): CatalogueChange[] {
    const changes: CatalogueChange[] = []
    for (let last = Math.max(0, after), more = true; more && changes.length < limit; ) {
      const batch = Math.min(CHANGES_BATCH, limit - changes.length)
      const rows = this.#db.all(
        `${ROWS} WHERE number > ? AND (kind <= ${STATEMENT} OR latest IS NOT NULL) ORDER BY number LIMIT ?`,
        last,
        batch
      )
      for (const row of rows) {
        last = integerOf(row, 'number')
        const change = this.#change(row)
        if (change !== undefined) changes.push(change)
      }
      more = rows.length === batch
    }
    return changes
  }

  #change(row: Row): CatalogueChange | undefined {
    const record = this.#records.read(row)
    const told = { sequence: integerOf(row, 'number'), id: idOf(row), seenMs: integerOf(row, 'seen_ms') }
    switch (record?.kind) {
      case 'release': {
        const payload = payloadOf(record.digest)
        const folded = this.#releasesOfVersion(row, record.release.version)
        const release = folded.find((other) => other.payload === payload)
        return release === undefined
          ? undefined
          : { ...told, type: this.#typeOfRelease(row), record: release.record }
      }
      case 'statement': {
        const { fact } = record.statement
        const version = 'version' in fact ? fact.version : null
        const about =
          version === null
            ? this.latestOf(integerOf(row, 'package'))
            : this.#releasesOfVersion(row, version)[0]?.record
        return about === undefined ? undefined : { ...told, type: updateTypeOf(fact), record: about }
      }
      case 'attestation': {
        const about = this.latestOf(integerOf(row, 'package'))
        return about === undefined ? undefined : { ...told, type: 'Attested', record: about }
      }
      default:
        return undefined
    }
  }

  #typeOfRelease(row: Row): PackageUpdateType {
    const first = this.#db.get(
      `SELECT max(field = ?1) AS rival FROM (
         SELECT field FROM records WHERE package = ?2 AND kind = ${RELEASE} AND number BETWEEN 1 AND ?3 - 1
       )`,
      textOf(row, 'field'),
      integerOf(row, 'package'),
      integerOf(row, 'number')
    )
    if (first === undefined || first.rival === null) return 'NewPackage'
    return first.rival === 1 ? 'Conflicted' : 'NewVersion'
  }

  /** Those that others need in order to check and understand a record. */
  #neededWith(id: RecordId): Uint8Array[] {
    const row = this.#db.get(
      `SELECT number, kind, records.id, field, seen_ms, envelope, package, plain
       FROM records LEFT JOIN packages ON packages.id = package WHERE kind IN (0, 1, 2, 3) AND records.id = ?`,
      recordKeyOf(id)
    )
    const record = row === undefined ? undefined : this.#records.read(row)
    if (row === undefined || record === undefined || record.kind === 'owner') return []
    const ids = [this.ownerRecord(signingOwnerOf(record))]
    if (record.kind === 'release') {
      const rivals = this.#releasesOfVersion(row, record.release.version)
      if (rivals.length > 1)
        ids.push(...rivals.map((rival) => rival.record.id).filter((rival) => rival !== id))
    }
    return ids.flatMap((needed) => (needed === undefined ? [] : (this.#records.envelope(needed) ?? [])))
  }

  #standing(sql: string, ...values: Array<string | number>): ReleaseRecord | undefined {
    const row = this.#db.get(sql, ...values)
    return row === undefined ? undefined : this.#releaseOfRow(row)
  }

  /** The release of one of `ROWS` that stands for its payload. */
  #releaseOfRow(row: Row): ReleaseRecord | undefined {
    if (row.plain === 1) return this.#fold([row], NO_FACTS)[0]?.record
    const id = idOf(row)
    return this.#releasesOfVersion(row, versionOf(row)).find(({ record }) => record.id === id)?.record
  }

  /** What its owner has signed for one version, as of `#fold`. */
  #releasesOfVersion(about: Row, version: Version): FoldedRelease[] {
    const rows = this.#db.all(
      `${ROWS} WHERE package = ? AND kind = ${RELEASE} AND field = ?`,
      integerOf(about, 'package'),
      version
    )
    const facts = this.#facts(about, [`deprecation ${version}`, `yank ${version}`, `unpublish ${version}`])
    return this.#fold(rows, facts)
  }

  /** Releases of rows of one package, newest first, each once for all envelopes around it. */
  #fold(rows: readonly Row[], facts: Facts): FoldedRelease[] {
    const releases = new Map<string, FoldedRelease>()
    const versions = new Map<Version, number>()
    for (const row of rows) {
      const read = this.#readRelease(row)
      if (read === undefined) continue
      const { version } = read.release
      const key = `${version} ${read.payload}`
      const twin = releases.get(key)
      if (twin === undefined) versions.set(version, (versions.get(version) ?? 0) + 1)
      if (twin !== undefined && smallerId(twin.record.id, read.id) === twin.record.id) continue
      const firstSeenMs = integerOf(row, 'seen_ms')
      const marks = marksOf(version, facts)
      releases.set(key, {
        version,
        payload: read.payload,
        record: { id: read.id, release: read.release, firstSeenMs, conflicted: false, ...marks }
      })
    }
    const folded = [...releases.values()].sort((a, b) => compareReleases(b, a))
    for (const { version, record } of folded) record.conflicted = (versions.get(version) ?? 0) > 1
    return folded
  }

  #readRelease(row: Row): { id: RecordId; release: Release; payload: string } | undefined {
    const record = this.#records.read(row)
    if (record === undefined) return undefined
    if (
      record.kind === 'release' &&
      record.release.owner === row.owner &&
      record.release.name === row.name &&
      record.release.version === row.field
    ) {
      return { id: record.id, release: record.release, payload: payloadOf(record.digest) }
    }
    this.#records.damagedView()
    return undefined
  }

  /** What holds of a package, of all fields or of these. */
  #facts(about: Row, fields?: readonly string[]): Facts {
    if (about.plain === 1) return NO_FACTS
    const id = integerOf(about, 'package')
    const of = `FROM records WHERE package = ? AND kind = ${STATEMENT}`
    const rows =
      fields === undefined
        ? this.#db.all(`SELECT id, field, envelope ${of}`, id)
        : fields.flatMap((field) => this.#db.all(`SELECT id, field, envelope ${of} AND field = ?`, id, field))
    const facts = new Map<string, StatementFact>()
    for (const row of rows) {
      const record = this.#records.read(row)
      if (record?.kind === 'statement') facts.set(textOf(row, 'field'), record.statement.fact)
    }
    return facts
  }

  /** Versions that are there and not unpublished. */
  #versions(about: number, facts: Facts): Set<Version> {
    const rows = this.#db.all(
      `SELECT DISTINCT field FROM records WHERE package = ? AND kind = ${RELEASE}`,
      about
    )
    return new Set(rows.map(versionOf).filter((version) => !marksOf(version, facts).unpublished))
  }

  #statement(owner: OwnerId, name: PackageName, field: string): Row | undefined {
    return this.#db.get(
      `SELECT records.id, seq, envelope FROM records JOIN packages ON packages.id = package
       WHERE owner = ? AND name = ? AND kind = ${STATEMENT} AND field = ?`,
      owner,
      name,
      field
    )
  }

  #rowsOf(owner: OwnerId, name: PackageName, kind: number): Row[] {
    return this.#db.all(
      `${ROWS} WHERE owner = ? AND name = ? AND kind = ? ORDER BY number`,
      owner,
      name,
      kind
    )
  }
}

function readmeOf(facts: Facts): BlobInfo | undefined {
  const fact = facts.get('readme')
  return fact?.field === 'readme' && fact.content !== null ? fact.content : undefined
}

function payloadOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex')
}

function versionOf(row: Row): Version {
  return parseVersion(textOf(row, 'field'))
}

function idOf(row: Row): RecordId {
  return recordIdOfKey(bytesOf(row, 'id'))
}
