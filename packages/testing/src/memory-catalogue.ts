import { hash } from 'node:crypto'
import { decodeEnvelope, recordIdOf, type VerifiedRecord, verifyRecord } from '@registry/identity'
import { type Sketch, sketch } from '@registry/reconciliation'
import {
  type AttestationRecord,
  type Catalogue,
  type CatalogueChange,
  type CatalogueCounts,
  type CatalogueScope,
  type CatalogueSearch,
  type CatalogueSummary,
  type Clock,
  type IngestOutcome,
  isRegistryError,
  type OwnerDocument,
  type OwnerId,
  type PackageName,
  type PackageState,
  type PackageUpdateType,
  PROTOCOL_LIMITS,
  type Query,
  RECORD_KINDS,
  type RecordId,
  type RecordIdPage,
  type ReleaseKey,
  type ReleaseRecord,
  type SearchFilter,
  type SnapshotCursor,
  type SnapshotPage,
  type StatementFact,
  statementField,
  type Version
} from '@registry/types'
import { CID } from 'multiformats/cid'
import { latestOf, type PackageRecords, releasesOf, stateOf } from './memory-fold.ts'
import { searchPackages } from './memory-search.ts'

const FINGERPRINT_DOMAIN = Buffer.from('p2p-registry/fingerprint/1\0')

interface StoredRecord {
  record: VerifiedRecord
  bytes: Uint8Array
  digest: Buffer
  /** What it adds to the fingerprint. */
  hashed: bigint
  seenMs: number
  /** Its place among what was said of packages; absent for an owner. */
  change?: { sequence: number; type: PackageUpdateType }
}

interface StoredPackage extends PackageRecords {
  owner: OwnerId
  name: PackageName
  downloads: number
}

/** The catalogue of `memoryStore`: views by plain loops over the records, so that nobody needs to test them. */
export class MemoryCatalogue implements Catalogue {
  readonly #clock: Clock
  readonly #records = new Map<RecordId, StoredRecord>()
  readonly #byShortId = new Map<string, RecordId>()
  readonly #owners = new Map<OwnerId, { document: OwnerDocument; ids: RecordId[] }>()
  readonly #packages = new Map<string, StoredPackage>()
  readonly #listeners = new Set<(sequence: number) => void>()
  /** By the scope as JSON. */
  readonly #sketches = new Map<string, { scope: CatalogueScope; sketch: Sketch }>()
  #sequence = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async ingest(envelopes: readonly Uint8Array[]): Promise<IngestOutcome[]> {
    const before = this.#sequence
    const outcomes = envelopes.map((bytes) => this.#ingestOne(bytes))
    // An owner may stand behind what he signed: that is tried once more.
    const result = outcomes.map((outcome, index) => {
      const bytes = envelopes[index]
      const unknownOwner = outcome.status === 'refused' && isRegistryError(outcome.error, 'ERR_OWNER_UNKNOWN')
      return unknownOwner && bytes !== undefined ? this.#ingestOne(bytes) : outcome
    })
    if (this.#sequence > before) {
      for (const listener of [...this.#listeners]) listener(this.#sequence)
    }
    return result
  }

  /** As `ingest` would check it, storing nothing. */
  verify(bytes: Uint8Array, owners: ReadonlyMap<OwnerId, OwnerDocument> = new Map()): VerifiedRecord {
    return verifyRecord(bytes, (id) => this.#owners.get(id)?.document ?? owners.get(id))
  }

  #ingestOne(bytes: Uint8Array): IngestOutcome {
    const id = recordIdOf(bytes)
    if (this.#records.has(id)) return { status: 'known', id }
    let record: VerifiedRecord
    try {
      record = this.verify(bytes)
    } catch (error) {
      if (isRegistryError(error)) return { status: 'refused', error }
      throw error
    }
    const digest = Buffer.from(digestOf(id))
    const hashed = fingerprintOf(digest)
    const stored: StoredRecord = { record, bytes: bytes.slice(), digest, hashed, seenMs: this.#clock.now() }
    if (record.kind === 'owner') this.#addOwner(record)
    else if (!this.#addToPackage(record, stored)) return { status: 'superseded', id }
    this.#records.set(id, stored)
    this.#byShortId.set(shortIdOf(stored).toString('hex'), id)
    for (const { scope, sketch } of this.#sketches.values()) {
      if (isIn(scope, record)) sketch.add(shortIdOf(stored))
    }
    return { status: 'accepted', id }
  }

  #addOwner({ id, owner, document }: Extract<VerifiedRecord, { kind: 'owner' }>): void {
    const ids = [...(this.#owners.get(owner)?.ids ?? []), id].sort(compareText)
    this.#owners.set(owner, { document, ids })
  }

  /** False for a statement that does not hold, and for a release of a version that has enough of them. */
  #addToPackage(record: Exclude<VerifiedRecord, { kind: 'owner' }>, stored: StoredRecord): boolean {
    const { owner, name } = subjectOf(record)
    const known = this.#packages.get(packageKey(owner, name))
    const about = known ?? newPackage(owner, name)
    let type: PackageUpdateType = 'Attested'
    if (record.kind === 'release') {
      const { version } = record.release
      let rivals = about.releases.filter(({ release }) => release.version === version)
      if (rivals.length >= PROTOCOL_LIMITS.maxReleasesPerVersion) {
        const greatest = rivals.reduce((a, b) => (a.id > b.id ? a : b))
        if (record.id > greatest.id) return false
        this.#drop(greatest.id)
        about.releases = about.releases.filter((release) => release !== greatest)
        rivals = rivals.filter((release) => release !== greatest)
      }
      const payload = hash('sha256', decodeEnvelope(stored.bytes).payload)
      const twin = rivals.find((rival) => rival.payload === payload)
      type = rivals.length > 0 ? 'Conflicted' : about.releases.length > 0 ? 'NewVersion' : 'NewPackage'
      const firstSeenMs = twin?.firstSeenMs ?? stored.seenMs
      about.releases.push({ id: record.id, release: record.release, firstSeenMs, payload })
      // The same release in another envelope is nothing new.
      if (twin !== undefined) return true
    } else if (record.kind === 'statement') {
      const { fact, seq } = record.statement
      const field = statementField(fact)
      const current = about.statements.get(field)
      if (current !== undefined) {
        if (current.seq > seq || (current.seq === seq && current.id > record.id)) return false
        this.#drop(current.id)
      }
      about.statements.set(field, { id: record.id, seq, fact })
      type = updateTypeOf(fact)
    } else {
      const { id, attestation } = record
      about.attestations.push({ id, attestation, firstSeenMs: stored.seenMs })
    }
    this.#packages.set(packageKey(owner, name), about)
    this.#sequence += 1
    stored.change = { sequence: this.#sequence, type }
    return true
  }

  #drop(id: RecordId): void {
    const stored = this.#records.get(id)
    if (stored === undefined) return
    this.#records.delete(id)
    this.#byShortId.delete(shortIdOf(stored).toString('hex'))
    for (const { scope, sketch } of this.#sketches.values()) {
      if (isIn(scope, stored.record)) sketch.remove(shortIdOf(stored))
    }
  }

  summary(scope: CatalogueScope = { kind: 'all' }): CatalogueSummary {
    const members = this.#members(scope)
    const sum = BigInt.asUintN(
      256,
      members.reduce((total, { hashed }) => total + hashed, 0n)
    )
    const fingerprint = new Uint8Array(Buffer.from(sum.toString(16).padStart(64, '0'), 'hex'))
    return { fingerprint, records: members.length }
  }

  sketch(scope: CatalogueScope): Sketch {
    const key = JSON.stringify(scope)
    const known = this.#sketches.get(key)
    if (known !== undefined) return known.sketch
    const made = sketch()
    for (const stored of this.#members(scope)) made.add(shortIdOf(stored))
    this.#sketches.set(key, { scope, sketch: made })
    return made
  }

  counts(): CatalogueCounts {
    const listed = [...this.#packages.values()].map((about) =>
      releasesOf(about).filter(({ unpublished }) => !unpublished)
    )
    return {
      owners: this.#owners.size,
      packages: listed.filter((releases) => releases.length > 0).length,
      releases: listed.flat().length
    }
  }

  has(id: RecordId): boolean {
    return this.#records.has(id)
  }

  record(id: RecordId): Uint8Array | undefined {
    return this.#records.get(id)?.bytes.slice()
  }

  recordOf(shortId: Uint8Array): RecordId | undefined {
    return this.#byShortId.get(Buffer.from(shortId).toString('hex'))
  }

  recordIds(options: { scope: CatalogueScope; after?: RecordId; limit: number }): RecordIdPage {
    const after = options.after === undefined ? Buffer.alloc(0) : digestOf(options.after)
    const members = this.#members(options.scope)
      .filter(({ digest }) => Buffer.compare(digest, after) > 0)
      .sort((a, b) => Buffer.compare(a.digest, b.digest))
    const ids = members.slice(0, options.limit).map(({ record }) => record.id)
    const next = ids.at(-1)
    return members.length > ids.length && next !== undefined ? { ids, next } : { ids }
  }

  snapshot(options: { scope: CatalogueScope; after?: SnapshotCursor; maxBytes: number }): SnapshotPage {
    const { scope, after, maxBytes } = options
    const members = this.#members(scope).map((stored) => ({ ...stored, kind: stored.record.kind }))
    members.sort(comparePlaces)
    const rest = members.filter((member) => after === undefined || comparePlaces(member, after) > 0)
    const records: Uint8Array[] = []
    let bytes = 0
    for (const member of rest) {
      bytes += member.bytes.length
      if (records.length > 0 && bytes > maxBytes) break
      records.push(member.bytes.slice())
    }
    const last = rest[records.length - 1]
    return records.length < rest.length && last !== undefined
      ? { records, next: { kind: last.kind, digest: new Uint8Array(last.digest) } }
      : { records }
  }

  ownerRecord(owner: OwnerId): RecordId | undefined {
    return this.#owners.get(owner)?.ids[0]
  }

  ownersOf(name: PackageName): OwnerId[] {
    return [...this.#packages.values()]
      .filter((about) => about.name === name && latestOf(about) !== undefined)
      .map((about) => about.owner)
      .sort(compareText)
  }

  releases(owner: OwnerId, name: PackageName, version?: Version): ReleaseRecord[] {
    const releases = releasesOf(this.#package(owner, name))
    return version === undefined ? releases : releases.filter(({ release }) => release.version === version)
  }

  latest(owner: OwnerId, name: PackageName): ReleaseRecord | undefined {
    return latestOf(this.#package(owner, name))
  }

  state(owner: OwnerId, name: PackageName): PackageState {
    return stateOf(this.#package(owner, name))
  }

  isUnpublished({ owner, name, version }: ReleaseKey): boolean {
    return this.#package(owner, name).statements.has(`unpublish ${version}`)
  }

  statementSeq(owner: OwnerId, name: PackageName, field: string): number {
    return this.#package(owner, name).statements.get(field)?.seq ?? 0
  }

  statement(owner: OwnerId, name: PackageName, field: string): StatementFact | undefined {
    return this.#package(owner, name).statements.get(field)?.fact
  }

  stating(name: PackageName, field: string, limit: number): OwnerId[] {
    return [...this.#packages.values()]
      .filter((about) => about.name === name && isSaying(about.statements.get(field)?.fact))
      .map(({ owner }) => owner)
      .sort(compareText)
      .slice(0, limit)
  }

  attestations(owner: OwnerId, name: PackageName): AttestationRecord[] {
    return this.#package(owner, name).attestations.map((attested) => ({ ...attested }))
  }

  bundle(id: RecordId): Uint8Array[] {
    const record = this.#records.get(id)?.record
    if (record === undefined) return []
    if (record.kind === 'owner') return this.#envelopes([id])
    if (record.kind === 'statement') return this.#envelopes([this.ownerRecord(record.statement.owner), id])
    if (record.kind === 'attestation') {
      return this.#envelopes([this.ownerRecord(record.attestation.issuer), id])
    }
    const { owner, name, version } = record.release
    const rivals = this.releases(owner, name).filter(
      (rival) => rival.release.version === version && rival.conflicted && rival.id !== id
    )
    return this.#envelopes([this.ownerRecord(owner), ...rivals.map((rival) => rival.id), id])
  }

  packageRecords(owner: OwnerId, name: PackageName): RecordId[] {
    return [...this.#records.values()]
      .map(({ record }) => record)
      .filter((record) => {
        if (record.kind === 'owner') return false
        const subject = subjectOf(record)
        return subject.owner === owner && subject.name === name
      })
      .sort((a, b) => RECORD_KINDS.indexOf(a.kind) - RECORD_KINDS.indexOf(b.kind) || compareText(a.id, b.id))
      .map(({ id }) => id)
  }

  packages(options: { after?: { owner: OwnerId; name: PackageName }; limit: number }): ReleaseRecord[] {
    const { after, limit } = options
    return [...this.#packages.values()]
      .filter((about) => after === undefined || comparePackages(about, after) > 0)
      .sort(comparePackages)
      .map((about) => latestOf(about))
      .filter((record) => record !== undefined)
      .slice(0, limit)
  }

  search(query: Query, filter?: SearchFilter): CatalogueSearch {
    const candidates = [...this.#packages.values()]
      .filter(({ downloads }) => downloads >= (query.minDownloads ?? 0))
      .map(latestOf)
      .filter((record) => record !== undefined)
      .filter(({ release }) => filter?.(release.owner, release.name) ?? true)
    return searchPackages(candidates, query)
  }

  changes({ after, limit }: { after: number; limit: number }): CatalogueChange[] {
    const changes: CatalogueChange[] = []
    for (const { record, seenMs, change } of this.#records.values()) {
      if (change === undefined || change.sequence <= after) continue
      const release = this.#releaseAbout(record)
      if (release !== undefined) changes.push({ ...change, id: record.id, seenMs, record: release })
    }
    return changes.sort((a, b) => a.sequence - b.sequence).slice(0, limit)
  }

  get sequence(): number {
    return this.#sequence
  }

  onChange(listener: (sequence: number) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  countDownload(owner: OwnerId, name: PackageName): void {
    const about = this.#packages.get(packageKey(owner, name))
    if (about !== undefined) about.downloads += 1
  }

  downloads(owner: OwnerId, name: PackageName): number {
    return this.#package(owner, name).downloads
  }

  #package(owner: OwnerId, name: PackageName): StoredPackage {
    return this.#packages.get(packageKey(owner, name)) ?? newPackage(owner, name)
  }

  #members(scope: CatalogueScope): StoredRecord[] {
    return [...this.#records.values()].filter(({ record }) => isIn(scope, record))
  }

  #envelopes(ids: ReadonlyArray<RecordId | undefined>): Uint8Array[] {
    return ids
      .map((id) => (id === undefined ? undefined : this.record(id)))
      .filter((bytes) => bytes !== undefined)
  }

  /** The release that a record is or is about, else the one that stands for the package. */
  #releaseAbout(record: VerifiedRecord): ReleaseRecord | undefined {
    if (record.kind === 'owner') return undefined
    const { owner, name } = subjectOf(record)
    const about = this.#package(owner, name)
    const all = releasesOf(about)
    if (record.kind === 'release') return all.find(({ id }) => id === record.id)
    const fact = record.kind === 'statement' ? record.statement.fact : undefined
    const version = fact !== undefined && 'version' in fact ? fact.version : null
    if (version === null) return latestOf(about)
    return all.find(({ release }) => release.version === version)
  }
}

function newPackage(owner: OwnerId, name: PackageName): StoredPackage {
  return { owner, name, releases: [], statements: new Map(), attestations: [], downloads: 0 }
}

function subjectOf(record: Exclude<VerifiedRecord, { kind: 'owner' }>): {
  owner: OwnerId
  name: PackageName
} {
  if (record.kind === 'release') return record.release
  return record.kind === 'statement' ? record.statement : record.attestation
}

/** Not of a fact that only takes back what was said before. */
function isSaying(fact: StatementFact | undefined): boolean {
  if (fact === undefined) return false
  const { field: _, ...said } = fact
  return Object.values(said).every((value) => value !== null && value !== false)
}

function updateTypeOf(fact: StatementFact): PackageUpdateType {
  if (fact.field === 'unpublish') return 'Unpublished'
  if (fact.field === 'deprecation' && fact.message !== null) return 'Deprecated'
  return fact.field === 'yank' && fact.reason !== null ? 'Yanked' : 'MetadataUpdate'
}

function isIn(scope: CatalogueScope, record: VerifiedRecord): boolean {
  switch (scope.kind) {
    case 'all':
      return true
    case 'owners':
      return record.kind === 'owner'
    case 'shard':
      return record.kind !== 'owner' && shardOf(subjectOf(record).name, scope.bits) === scope.index
    case 'owner':
      if (record.kind === 'owner') return record.owner === scope.owner
      return record.kind !== 'attestation' && subjectOf(record).owner === scope.owner
  }
}

function shardOf(name: PackageName, bits: number): number {
  return bits === 0 ? 0 : hash('sha256', name, 'buffer').readUInt32BE() >>> (32 - bits)
}

function packageKey(owner: OwnerId, name: PackageName): string {
  return `${owner}/${name}`
}

/** What a record adds to the fingerprint, which is the sum of these modulo 2^256. */
function fingerprintOf(digest: Uint8Array): bigint {
  return BigInt(`0x${hash('sha256', Buffer.concat([FINGERPRINT_DOMAIN, digest]))}`)
}

function digestOf(id: RecordId): Uint8Array {
  return CID.parse(id).multihash.digest
}

function shortIdOf({ digest }: StoredRecord): Buffer {
  return digest.subarray(0, 16)
}

function comparePlaces(a: SnapshotCursor, b: SnapshotCursor): number {
  return RECORD_KINDS.indexOf(a.kind) - RECORD_KINDS.indexOf(b.kind) || Buffer.compare(a.digest, b.digest)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function comparePackages(
  a: { owner: OwnerId; name: PackageName },
  b: { owner: OwnerId; name: PackageName }
): number {
  return compareText(a.owner, b.owner) || compareText(a.name, b.name)
}
