import type { VerifiedRecord } from '@registry/identity'
import {
  type Attestation,
  type CatalogueCounts,
  type OwnerId,
  type PackageName,
  PROTOCOL_LIMITS,
  parsePackageName,
  parseVersion,
  RECORD_KINDS,
  type RecordId,
  type Release,
  type ReleaseKey,
  type Statement,
  statementField,
  type Version
} from '@registry/types'
import { bytesOf, type Database, integerOf, type Row, textOf } from './database.ts'
import {
  foldDependencies,
  isAboutStanding,
  isSaying,
  NOTHING_STATED,
  type ReleasePlace,
  roundedCount,
  type StandingFacts,
  smallerId,
  standingRelease,
  supersedes
} from './fold.ts'
import { placeOf } from './place.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'
import type { Member, NewRow, RecordSet } from './record-set.ts'

const OWNER = RECORD_KINDS.indexOf('owner')
const RELEASE = RECORD_KINDS.indexOf('release')
const STATEMENT = RECORD_KINDS.indexOf('statement')

/** Packages of one name that are put in the search index again when that name is depended on more or less. */
const MAX_NAMESAKES = 1000

/** Names whose dependents change in one transaction, but for those of its last record: each may put packages in the index. */
const MAX_DEPENDENCIES = 128

const FIELDS = 'SELECT field, says FROM records WHERE package = ? AND kind = ?'

/** A record that was checked, and may be stored. */
export interface CheckedEnvelope {
  envelope: Uint8Array
  record: VerifiedRecord
}

/** A release that came in this transaction. */
export interface FreshRelease {
  release: Release
  firstSeenMs: number
}

/** A row of `packages`, as far as it is folded. */
interface FoldedPackage {
  readonly id: number
  readonly owner: OwnerId
  readonly name: PackageName
  readonly place: number
  /** There is a row of it. */
  readonly stored: boolean
  /** There may be records about it. */
  known: boolean
  latest: (ReleasePlace & { number: number; fresh?: FreshRelease }) | undefined
  live: number
  plain: boolean
  /** As the row has them. */
  readonly before: { latest: number | undefined; live: number; plain: boolean }
  /** Of the release that stands for it in the row; absent until they are needed. */
  dependenciesBefore?: Readonly<Record<string, string>>
  /** Its releases are to be looked at as a whole. */
  stale: boolean
  /** Other owners say more or less of it than before. */
  attested: boolean
}

/** A release as it lies in `records`, once for all envelopes around it. */
interface StoredRelease extends ReleasePlace {
  /** Of the envelope with the smallest ID. */
  number: number
}

/**
 * One change of the record set and its views, within one transaction: takes records in one after the other, and `finish`
 * brings in step what is folded from several. To be forgotten when the transaction is rolled back.
 */
export class ViewUpdate {
  readonly #db: Database
  readonly #records: RecordSet
  readonly #change: number
  readonly #packages = new Map<string, FoldedPackage>()
  #nextPackage: number | undefined
  #dependencies = 0

  /** What was stored, and what was taken away. */
  readonly inserted: Member[] = []
  readonly removed: Member[] = []
  /** By how much there is more of each. */
  readonly added: CatalogueCounts = { owners: 0, packages: 0, releases: 0 }
  /** Something was stored that is told as a change. */
  told: boolean = false
  /**
   * Packages that are found by other words than before, or no longer, with the release that stands for each if that is
   * at hand; filled by `finish`.
   */
  readonly changed: Map<number, FreshRelease | undefined> = new Map()

  /** `change` is the number of this transaction, for `packages.changed`. */
  constructor(db: Database, records: RecordSet, change: number) {
    this.#db = db
    this.#records = records
    this.#change = change
  }

  /** Takes a record in. */
  add(checked: CheckedEnvelope, seenMs: number): 'accepted' | 'known' | 'superseded' {
    const { record } = checked
    switch (record.kind) {
      case 'owner':
        return this.#addOwner(record.owner, checked, seenMs)
      case 'release':
        return this.#addRelease(record.release, Buffer.from(record.digest).toString('hex'), checked, seenMs)
      case 'statement':
        return this.#addStatement(record.statement, checked, seenMs)
      case 'attestation':
        return this.#addAttestation(record.attestation, checked, seenMs)
    }
  }

  /** There is enough for one transaction: `finish` has much to do. */
  get isLarge(): boolean {
    return this.#dependencies >= MAX_DEPENDENCIES
  }

  /** Takes a damaged record out. */
  drop(id: RecordId): void {
    const member = this.#records.member(id)
    if (member === undefined) return
    const row = this.#db.get(
      `SELECT number, name FROM records LEFT JOIN packages ON packages.id = package
       WHERE kind = ? AND records.id = ?`,
      RECORD_KINDS.indexOf(member.kind),
      recordKeyOf(id)
    )
    if (row === undefined) return
    this.#remove(member)
    if (member.kind === 'owner') {
      this.added.owners -= this.#db.run('DELETE FROM owners WHERE record = ?', integerOf(row, 'number'))
    } else {
      const about = this.#package({ owner: member.owner, name: parsePackageName(textOf(row, 'name')) })
      about.stale = true
      about.attested = true
    }
  }

  /** Looks at all that there is of a package. */
  refold(owner: OwnerId, name: PackageName): void {
    this.#package({ owner, name }).stale = true
  }

  /** Lets a stored inception stand for its owner, if it is the one to. */
  restoreOwner(owner: OwnerId, number: number, id: RecordId): void {
    const standing = this.#ownerRecord(owner)
    if (standing === undefined) this.added.owners += 1
    else if (smallerId(standing, id) === standing) return
    this.#db.run('INSERT OR REPLACE INTO owners (owner, record) VALUES (?, ?)', owner, number)
  }

  /** The number of a package, which is made when there is none. */
  packageOf(owner: OwnerId, name: PackageName): { id: number; place: number } {
    return this.#package({ owner, name })
  }

  hasVersion({ owner, name, version }: ReleaseKey): boolean {
    return this.#row({ owner, name }, RELEASE, version) !== undefined
  }

  isUnpublished({ owner, name, version }: ReleaseKey): boolean {
    return this.#row({ owner, name }, STATEMENT, `unpublish ${version}`) !== undefined
  }

  /** The `seq` of the statement of this field that holds, 0 when there is none. */
  statementSeq({ owner, name, fact }: Statement): number {
    const row = this.#row({ owner, name }, STATEMENT, statementField(fact))
    return row === undefined ? 0 : integerOf(row, 'seq')
  }

  /** To be called once, last. */
  finish(): void {
    const dependents = new Map<string, number>()
    for (const about of this.#packages.values()) {
      if (about.stale) this.#refold(about)
      this.#store(about, dependents)
    }
    for (const [name, difference] of dependents) {
      if (difference !== 0) this.#countDependents(name, difference)
    }
  }

  #addOwner(
    owner: OwnerId,
    { envelope, record: { id } }: CheckedEnvelope,
    seenMs: number
  ): 'accepted' | 'known' {
    if (this.#records.has(id)) return 'known'
    const views = { place: null, package: null, field: owner, seq: null, says: null }
    const number = this.#insert({ id, kind: 'owner', owner, ...views, told: false, seenMs, envelope })
    this.restoreOwner(owner, number, id)
    return 'accepted'
  }

  #addRelease(
    release: Release,
    payload: string,
    { envelope, record: { id } }: CheckedEnvelope,
    seenMs: number
  ): 'accepted' | 'known' | 'superseded' {
    const about = this.#package(release)
    const { version } = release
    let rows = about.known ? this.#rows(about.id, RELEASE, version) : []
    if (rows.some((row) => idOf(row) === id)) return 'known'
    if (rows.length >= PROTOCOL_LIMITS.maxReleasesPerVersion) {
      const greatest = rows.map(idOf).reduce((a, b) => (smallerId(a, b) === a ? b : a))
      if (id > greatest) return 'superseded'
      this.#remove({ id: greatest, kind: 'release', owner: about.owner, place: about.place })
      rows = rows.filter((row) => idOf(row) !== greatest)
    }
    const twin = rows.find((row) => this.#payloadOf(row) === payload)
    const number = this.#insertAbout(about, {
      ...{ id, kind: 'release', field: version, seq: null, says: null, told: twin === undefined, envelope },
      seenMs: twin === undefined ? seenMs : integerOf(twin, 'seen_ms')
    })
    if (rows.length > 0) about.stale = true
    if (about.stale) return 'accepted'
    const standing = about.latest === undefined ? [] : [about.latest]
    const facts = this.#standingFacts(about, [version, ...standing.map((other) => other.version)])
    if (facts.unpublished.has(version)) return 'accepted'
    about.live += 1
    const fresh = { release, firstSeenMs: seenMs }
    about.latest = standingRelease([...standing, { number, version, payload, fresh }], facts)
    if (about.latest?.number === number) {
      this.#dependencies += namesIn(release.dependencies) + namesIn(this.#dependenciesBefore(about))
    }
    return 'accepted'
  }

  #addStatement(
    statement: Statement,
    { envelope, record: { id } }: CheckedEnvelope,
    seenMs: number
  ): 'accepted' | 'known' | 'superseded' {
    const about = this.#package(statement)
    const { fact, seq } = statement
    const field = statementField(fact)
    const [current] = about.known ? this.#rows(about.id, STATEMENT, field) : []
    if (current !== undefined) {
      const holding = { id: idOf(current), seq: integerOf(current, 'seq') }
      if (holding.id === id) return 'known'
      if (!supersedes({ id, seq }, holding)) return 'superseded'
      this.#remove({ id: holding.id, kind: 'statement', owner: about.owner, place: about.place })
    }
    const says = Number(isSaying(fact))
    this.#insertAbout(about, { id, kind: 'statement', field, seq, says, told: true, seenMs, envelope })
    about.plain = false
    if (isAboutStanding(fact)) {
      about.stale = true
      this.#dependencies += namesIn(this.#dependenciesBefore(about))
    }
    if (fact.field === 'unpublish') this.#unpin(about, fact.version)
    return 'accepted'
  }

  #addAttestation(
    attestation: Attestation,
    { envelope, record: { id } }: CheckedEnvelope,
    seenMs: number
  ): 'accepted' | 'known' {
    if (this.#records.has(id)) return 'known'
    const about = this.#package(attestation)
    about.attested = true
    this.#insertAbout(about, {
      id,
      kind: 'attestation',
      field: null,
      seq: null,
      says: null,
      told: true,
      seenMs,
      envelope
    })
    return 'accepted'
  }

  #insert(row: NewRow): number {
    const { id, kind, owner, place } = row
    this.inserted.push({ id, kind, owner, place })
    this.told ||= row.told
    return this.#records.insert(row)
  }

  #insertAbout(about: FoldedPackage, row: Omit<NewRow, 'owner' | 'place' | 'package'>): number {
    about.known = true
    return this.#insert({ ...row, owner: about.owner, place: about.place, package: about.id })
  }

  #remove(member: Member): void {
    this.#records.remove(member)
    this.removed.push(member)
  }

  /** What was published here is no longer kept for the sake of a version that is gone. */
  #unpin({ id }: FoldedPackage, version: Version): void {
    for (const row of this.#rows(id, RELEASE, version)) {
      const record = this.#records.read(row)
      if (record?.kind !== 'release') continue
      const { content } = record.release
      this.#db.run('DELETE FROM pins WHERE cid = ? AND holder = ?', content, bytesOf(row, 'id'))
    }
  }

  #package({ owner, name }: { owner: OwnerId; name: PackageName }): FoldedPackage {
    const key = `${owner}/${name}`
    const known = this.#packages.get(key)
    if (known !== undefined) return known
    const row = this.#db.get(
      `SELECT packages.id, packages.place, latest, live, plain, field
       FROM packages LEFT JOIN records ON number = latest WHERE owner = ? AND name = ?`,
      owner,
      name
    )
    const about = row === undefined ? this.#newPackage(owner, name) : storedPackage(owner, name, row)
    this.#packages.set(key, about)
    return about
  }

  /** Its row is written by `finish`. */
  #newPackage(owner: OwnerId, name: PackageName): FoldedPackage {
    this.#nextPackage ??= this.#number('SELECT coalesce(max(id), 0) + 1 AS value FROM packages')
    const id = this.#nextPackage
    this.#nextPackage += 1
    return {
      ...{ id, owner, name, place: placeOf(name), stored: false, known: false },
      ...{ latest: undefined, live: 0, plain: true, stale: false, attested: false },
      before: { latest: undefined, live: 0, plain: true }
    }
  }

  /** Brings in step what depends on all releases of a package and all that is stated of them. */
  #refold(about: FoldedPackage): void {
    const { releases, repeated } = this.#releases(about)
    const stated = this.#db.get('SELECT 1 FROM records WHERE package = ? AND kind = ?', about.id, STATEMENT)
    about.plain = !repeated && stated === undefined
    const facts = this.#standingFacts(about)
    about.live = releases.filter(({ version }) => !facts.unpublished.has(version)).length
    about.latest = standingRelease(releases, facts)
  }

  /** `repeated`: there is more than one record for a version. */
  #releases({ id }: FoldedPackage): { releases: StoredRelease[]; repeated: boolean } {
    const releases: StoredRelease[] = []
    const repeated = new Set<Version>()
    const versions = new Set<Version>()
    const rows = this.#db.all('SELECT number, field FROM records WHERE package = ? AND kind = ?', id, RELEASE)
    for (const row of rows) {
      const version = parseVersion(textOf(row, 'field'))
      if (versions.has(version)) repeated.add(version)
      versions.add(version)
      releases.push({ number: integerOf(row, 'number'), version, payload: '' })
    }
    if (repeated.size === 0) return { releases, repeated: false }
    const rivals = [...repeated].flatMap((version) => this.#releasesOfVersion(id, version))
    return {
      releases: [...releases.filter(({ version }) => !repeated.has(version)), ...rivals],
      repeated: true
    }
  }

  /** Those that an owner has signed for one version, each once. */
  #releasesOfVersion(about: number, version: Version): StoredRelease[] {
    const byPayload = new Map<string, StoredRelease & { id: RecordId }>()
    for (const row of this.#rows(about, RELEASE, version)) {
      const payload = this.#payloadOf(row)
      if (payload === undefined) continue
      const id = idOf(row)
      const known = byPayload.get(payload)
      if (known !== undefined && smallerId(known.id, id) === known.id) continue
      byPayload.set(payload, { number: integerOf(row, 'number'), version, payload, id })
    }
    return [...byPayload.values()]
  }

  /** What is stated of all versions, or of these. */
  #standingFacts({ id, plain }: FoldedPackage, versions?: readonly Version[]): StandingFacts {
    if (plain) return NOTHING_STATED
    const said = (field: string): Set<Version> => {
      const rows =
        versions === undefined
          ? this.#db.all(`${FIELDS} AND field BETWEEN ? AND ?`, id, STATEMENT, `${field} `, `${field} ~`)
          : versions.flatMap((version) =>
              this.#db.all(`${FIELDS} AND field = ?`, id, STATEMENT, `${field} ${version}`)
            )
      const saying = rows.filter((row) => row.says === 1)
      return new Set(saying.map((row) => parseVersion(textOf(row, 'field').slice(field.length + 1))))
    }
    const [tag] = this.#rows(id, STATEMENT, 'dist-tag latest')
    const record = tag === undefined ? undefined : this.#records.read(tag)
    const fact = record?.kind === 'statement' ? record.statement.fact : undefined
    const latest = fact?.field === 'dist-tag' ? fact.version : null
    return { latest, yanked: said('yank'), unpublished: said('unpublish') }
  }

  #store(about: FoldedPackage, dependents: Map<string, number>): void {
    const { id, owner, name, place, latest, live, plain, attested, before } = about
    const moved = latest?.number !== before.latest
    if (moved) this.#countDependencies(about, dependents)
    const refound = moved || (attested && latest !== undefined)
    if (refound) this.changed.set(id, latest?.fresh)
    this.added.releases += live - before.live
    this.added.packages += Number(latest !== undefined) - Number(before.latest !== undefined)
    if (!about.stored) {
      this.#db.run(
        `INSERT INTO packages (id, owner, name, place, latest, live, plain, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[id, owner, name, place, latest?.number ?? null, live, Number(plain), refound ? this.#change : 0]
      )
    } else if (refound) {
      this.#db.run(
        'UPDATE packages SET latest = ?, live = ?, plain = ?, changed = ? WHERE id = ?',
        ...[latest?.number ?? null, live, Number(plain), this.#change, id]
      )
    } else if (live !== before.live || plain !== before.plain) {
      this.#db.run('UPDATE packages SET live = ?, plain = ? WHERE id = ?', live, Number(plain), id)
    }
  }

  #countDependencies(about: FoldedPackage, dependents: Map<string, number>): void {
    const { latest } = about
    const old = this.#dependenciesBefore(about)
    const fresh = latest?.fresh?.release.dependencies ?? this.#dependenciesOf(latest?.number)
    for (const [name, difference] of foldDependencies(old, fresh)) {
      dependents.set(name, (dependents.get(name) ?? 0) + difference)
    }
  }

  #countDependents(name: string, difference: number): void {
    const row = this.#db.get('SELECT count FROM dependents WHERE name = ?', name)
    const before = row === undefined ? 0 : integerOf(row, 'count')
    const after = Math.max(0, before + difference)
    if (after === 0) this.#db.run('DELETE FROM dependents WHERE name = ?', name)
    else this.#db.run('INSERT OR REPLACE INTO dependents (name, count) VALUES (?, ?)', name, after)
    if (roundedCount(before) === roundedCount(after)) return
    const namesakes = this.#db.all(
      'SELECT id FROM packages WHERE name = ? AND latest IS NOT NULL ORDER BY owner LIMIT ?',
      name,
      MAX_NAMESAKES
    )
    for (const namesake of namesakes) {
      const id = integerOf(namesake, 'id')
      if (this.changed.has(id)) continue
      this.changed.set(id, undefined)
      this.#db.run('UPDATE packages SET changed = ? WHERE id = ?', this.#change, id)
    }
  }

  #dependenciesBefore(about: FoldedPackage): Readonly<Record<string, string>> {
    about.dependenciesBefore ??= this.#dependenciesOf(about.before.latest)
    return about.dependenciesBefore
  }

  #dependenciesOf(number: number | undefined): Readonly<Record<string, string>> {
    const row =
      number === undefined
        ? undefined
        : this.#db.get('SELECT id, envelope FROM records WHERE number = ?', number)
    const record = row === undefined ? undefined : this.#records.read(row)
    return record?.kind === 'release' ? record.release.dependencies : {}
  }

  #payloadOf(row: Row): string | undefined {
    const record = this.#records.read(row)
    return record?.kind === 'release' ? Buffer.from(record.digest).toString('hex') : undefined
  }

  #ownerRecord(owner: OwnerId): RecordId | undefined {
    const row = this.#db.get(
      'SELECT id FROM owners JOIN records ON number = record WHERE owner = ? AND kind = ?',
      owner,
      OWNER
    )
    return row === undefined ? undefined : idOf(row)
  }

  #row(of: { owner: OwnerId; name: PackageName }, kind: number, field: string): Row | undefined {
    return this.#rows(this.#package(of).id, kind, field)[0]
  }

  #rows(about: number, kind: number, field: string): Row[] {
    return this.#db.all(
      'SELECT number, id, seq, seen_ms, envelope FROM records WHERE package = ? AND kind = ? AND field = ?',
      about,
      kind,
      field
    )
  }

  #number(sql: string): number {
    const row = this.#db.get(sql)
    return row === undefined ? 0 : integerOf(row, 'value')
  }
}

function namesIn(dependencies: Readonly<Record<string, string>>): number {
  return Object.keys(dependencies).length
}

function storedPackage(owner: OwnerId, name: PackageName, row: Row): FoldedPackage {
  const number = row.latest === null ? undefined : integerOf(row, 'latest')
  const live = integerOf(row, 'live')
  const plain = integerOf(row, 'plain') === 1
  // One that leads nowhere was dropped as damaged.
  const dangling = number !== undefined && row.field === null
  return {
    ...{ id: integerOf(row, 'id'), owner, name, place: integerOf(row, 'place'), stored: true, known: true },
    latest:
      number === undefined || dangling
        ? undefined
        : { number, version: parseVersion(textOf(row, 'field')), payload: '' },
    ...{ live, plain, stale: dangling, attested: false },
    before: { latest: number, live, plain }
  }
}

function idOf(row: Row): RecordId {
  return recordIdOfKey(bytesOf(row, 'id'))
}
