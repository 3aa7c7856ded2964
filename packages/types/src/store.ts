import type { RegistryError } from './errors.ts'
import type { AbortOptions, Startable } from './lifecycle.ts'
import type { ContentId, OwnerId, PackageName, RecordId, Version } from './names.ts'
import type { PackageUpdateType } from './package.ts'
import type { Query, ScoreExplanation, SearchFacets } from './query.ts'
import type { AttestationRecord, RecordKind, ReleaseRecord, StatementFact } from './records.ts'

/** What became of one record handed to the catalogue. */
export type IngestOutcome =
  | { status: 'accepted'; id: RecordId }
  | { status: 'known'; id: RecordId }
  /** A statement, and another of its field holds; or a release of a version that has more than enough. Not stored. */
  | { status: 'superseded'; id: RecordId }
  /** Not stored. `error.retryable` says whether the same bytes may pass later, as when their owner becomes known. */
  | { status: 'refused'; error: RegistryError }

export interface CatalogueSummary {
  /** 32 bytes, a function of the set of record IDs alone. Equal fingerprints and counts: equal catalogues. */
  fingerprint: Uint8Array
  records: number
}

export interface CatalogueCounts {
  owners: number
  packages: number
  releases: number
}

/**
 * A part of the record set that can be compared on its own. `shard`: releases, statements and attestations whose package
 * name is in the shard; `owners`: all owner records; `owner`: what one owner has signed or founded, attestations left out.
 */
export type CatalogueScope =
  | { kind: 'all' }
  | { kind: 'owners' }
  /** The names whose sha2-256 begins with the `bits` bits of `index`. */
  | { kind: 'shard'; bits: number; index: number }
  | { kind: 'owner'; owner: OwnerId }

/** The coded symbols of a scope, kept as records come and go; `docs/protocol/symbols.md`. */
export interface CatalogueSketch {
  /** Members of the scope. */
  readonly size: number
  /** Symbols there are. */
  readonly capacity: number
  /** One bit of each of some symbols, by which a peer estimates how much differs. */
  probes(): Uint8Array
  /** Encoded symbols `from` up to `from + count`. */
  symbols(from: number, count: number): Uint8Array
}

/** A place in the order of a snapshot, good with every peer: by kind, then by the digest in the record ID. */
export interface SnapshotCursor {
  kind: RecordKind
  /** 32 bytes. */
  digest: Uint8Array
}

export interface SnapshotPage {
  /** Encoded envelopes. */
  records: Uint8Array[]
  /** Hand it back as `after` to go on; absent when this was the last page. */
  next?: SnapshotCursor
}

export interface RecordIdPage {
  ids: RecordId[]
  /** Hand it back as `after` to go on; absent when this was the last page. */
  next?: RecordId
}

/** What to search for beside the query: packages for which it returns false are left out. */
export type SearchFilter = (owner: OwnerId, name: PackageName) => boolean

export interface CatalogueSearch {
  hits: SearchHit[]
  /** Packages that fit in all. */
  total: number
  /** The query's `after` for the next page; absent after the last. */
  next?: string
  facets?: SearchFacets
}

export interface SearchHit {
  /** The release that stands for the package: its newest that is no pre-release, else its newest. */
  record: ReleaseRecord
  /** Higher is better; comparable within one answer only. */
  score: number
  explanation?: ScoreExplanation
}

/** One accepted record that says something of a package, with its place in this peer's order of arrival. */
export interface CatalogueChange {
  /** Grows with each accepted record of a package, from 1. */
  sequence: number
  type: PackageUpdateType
  /** The record that was accepted. */
  id: RecordId
  /** When it was, ms since the epoch. */
  seenMs: number
  /** The release it is or is about; else the one that stands for the package. */
  record: ReleaseRecord
}

/** What holds of a package beside its releases. */
export interface PackageState {
  /** Name to version, of the tags that lead to a version that is there. `latest` is always among them. */
  distTags: Readonly<Record<string, Version>>
  readme?: BlobInfo
}

/**
 * The record set and every view of it. The views are a function of the set: the same records in any order, with any
 * repetition, give the same answers (but for `firstSeenMs` and `sequence`, which are this peer's own).
 * Nothing unverified is ever in it.
 */
export interface Catalogue {
  /**
   * Verifies and stores encoded envelopes, in any order. Many are verified beside the event loop and stored in
   * transactions small enough for it; each transaction is whole. Survives a crash of the process; a record lost with the
   * machine's power comes back by synchronisation. Never throws for a bad record: that is an outcome.
   */
  ingest(envelopes: readonly Uint8Array[]): Promise<IngestOutcome[]>
  /** @default scope all */
  summary(scope?: CatalogueScope): CatalogueSummary
  /** The sketch of a scope, kept up to date from then on; that of a scope not used before is made from its records. */
  sketch(scope: CatalogueScope): CatalogueSketch
  counts(): CatalogueCounts
  has(id: RecordId): boolean
  /** The encoded envelope, or undefined. */
  record(id: RecordId): Uint8Array | undefined
  /** The record of a short ID: the first 16 bytes of the digest in its ID. */
  recordOf(shortId: Uint8Array): RecordId | undefined
  /** IDs in ascending order of their bytes, after `after`. */
  recordIds(options: { scope: CatalogueScope; after?: RecordId; limit: number }): RecordIdPage
  /** Records in the order of a snapshot, at most `maxBytes` of them and at least one; those damaged are left out. */
  snapshot(options: { scope: CatalogueScope; after?: SnapshotCursor; maxBytes: number }): SnapshotPage
  /** The record of the owner's inception, or undefined. */
  ownerRecord(owner: OwnerId): RecordId | undefined
  /** Owners that have released under this name, in ascending order. */
  ownersOf(name: PackageName): OwnerId[]
  /**
   * All releases of one package, or of one version of it, newest version first; a conflicted version stands twice, one
   * unpublished is marked.
   */
  releases(owner: OwnerId, name: PackageName, version?: Version): ReleaseRecord[]
  /** The release that stands for a package: that of its tag `latest`, else the newest fit to be used. */
  latest(owner: OwnerId, name: PackageName): ReleaseRecord | undefined
  state(owner: OwnerId, name: PackageName): PackageState
  /** Whether the owner unpublished this version, be its release here or not. */
  isUnpublished(key: ReleaseKey): boolean
  /** The highest `seq` of the statements of a field (`statementField`), 0 when there is none. */
  statementSeq(owner: OwnerId, name: PackageName, field: string): number
  /** The statement of a field (`statementField`) that holds, undefined when there is none. */
  statement(owner: OwnerId, name: PackageName, field: string): StatementFact | undefined
  /** Owners of whom a statement of this field under this name says something, in ascending order, at most `limit`. */
  stating(name: PackageName, field: string, limit: number): OwnerId[]
  /** All attestations about a package, oldest first seen first. */
  attestations(owner: OwnerId, name: PackageName): AttestationRecord[]
  /**
   * The records that others must have in order to check and understand this one, itself the last: owners, and the other
   * release when this one makes a version conflicted. Empty when it is not here.
   */
  bundle(id: RecordId): Uint8Array[]
  /** Everything there is of one package, in the order of `RECORD_KINDS`: its releases, its statements, attestations about it. */
  packageRecords(owner: OwnerId, name: PackageName): RecordId[]
  /** All packages that have a release, as the one that stands for them, by owner and name. `after` is the last one seen. */
  packages(options: { after?: { owner: OwnerId; name: PackageName }; limit: number }): ReleaseRecord[]
  /** Packages that fit, best first. */
  search(query: Query, filter?: SearchFilter): CatalogueSearch
  /** Changes with a sequence above `after`, in order, at most `limit`. One whose release is not here is left out. */
  changes(options: { after: number; limit: number }): CatalogueChange[]
  /** The highest sequence so far; 0 when nothing was accepted yet. */
  readonly sequence: number
  /** Calls back after each transaction that accepted something, with the new highest sequence. Returns its undoing. */
  onChange(listener: (sequence: number) => void): () => void
  /** Counts one fetch of a package through this peer. */
  countDownload(owner: OwnerId, name: PackageName): void
  downloads(owner: OwnerId, name: PackageName): number
}

export interface BlobInfo {
  cid: ContentId
  /** Bytes of the whole content. */
  size: number
  /** `sha512-` and base64 of the whole content. */
  integrity: string
}

export interface BlobUsage {
  blobs: number
  bytes: number
  quotaBytes: number
}

/** Contents by CID. Everything read from it was compared with its hash in that very read. */
export interface BlobStore {
  /**
   * Stores a content given as a stream and resolves once it is durable.
   * @throws ERR_TOO_LARGE more than `maxBytes`; ERR_QUOTA_EXCEEDED; ERR_STORAGE the disk refused
   */
  add(source: AsyncIterable<Uint8Array>, options?: AbortOptions & { maxBytes?: number }): Promise<BlobInfo>
  has(cid: ContentId): boolean
  /** Of a complete content, or undefined. */
  stat(cid: ContentId): BlobInfo | undefined
  /** The complete content of this integrity (`sha512-…`), or undefined. */
  find(integrity: string): BlobInfo | undefined
  /**
   * The bytes of a complete content.
   * @throws ERR_NOT_STORED; ERR_CORRUPT_BLOB a block does not match its hash: it is dropped, so that `has` turns false
   */
  read(cid: ContentId, options?: AbortOptions): AsyncIterable<Uint8Array>
  /**
   * One block of any content, complete or partial: the raw block of a small content, a leaf or a dag-pb node of a large
   * one; undefined when it is not here or was found damaged.
   */
  block(cid: string): Promise<Uint8Array | undefined>
  hasBlock(cid: string): boolean
  /**
   * Stores one block of a content that is being fetched; kept for a later attempt.
   * @throws ERR_HASH_MISMATCH the bytes are not those of `cid`; ERR_QUOTA_EXCEEDED; ERR_STORAGE
   */
  putBlock(root: ContentId, cid: string, bytes: Uint8Array): Promise<void>
  /**
   * Declares a fetched content complete, after reading it through once.
   * @throws ERR_HASH_MISMATCH size or integrity is not as expected: the content is dropped
   */
  complete(cid: ContentId, expected: { size: number; integrity: string }): Promise<BlobInfo>
  /** Complete contents in ascending order of CID, after `after`. */
  list(options: { after?: ContentId; limit: number }): BlobInfo[]
  /** Calls back when a content became complete or was deleted. Returns its undoing. */
  onChange(listener: (cid: ContentId, present: boolean) => void): () => void
  /** A pinned content is never collected. Own publishes are pinned. */
  pin(cid: ContentId): void
  unpin(cid: ContentId): void
  delete(cid: ContentId): Promise<void>
  usage(): BlobUsage
}

/** A duty to announce one published record, kept until it is done. */
export interface OutboxEntry {
  sequence: number
  record: RecordId
  /** What the record brings with it: the tarball of a release. */
  content?: ContentId
  attempts: number
  /** What is already done, so that a retry does only the rest. */
  pushed: boolean
  provided: boolean
}

export interface Outbox {
  /** Entries due at `nowMs`, oldest first. */
  due(options: { nowMs: number; limit: number }): OutboxEntry[]
  /** When the next entry falls due, ms since the epoch; undefined when empty. */
  nextDueMs(): number | undefined
  /** Writes down progress; an entry with both parts done is removed, else it falls due again at `nextAttemptMs`. */
  record(sequence: number, progress: { pushed: boolean; provided: boolean; nextAttemptMs: number }): void
  readonly size: number
}

/** All that is durable. Closing it ends every transaction; a second process is refused (ERR_DATA_DIR_IN_USE). */
export interface RegistryStore extends Startable {
  readonly catalogue: Catalogue
  readonly blobs: BlobStore
  readonly outbox: Outbox
  /**
   * The durable half of a publish, in one transaction that is on disk when it resolves: the records, the pin of each
   * release's content (already in `blobs`) and one outbox entry for each release, statement and attestation.
   * @throws the first refused record's error, ERR_VERSION_EXISTS (also for a number that was unpublished),
   * ERR_STALE_STATEMENT another of its field holds, ERR_NOT_STORED, ERR_STORAGE; then nothing has changed
   */
  publish(envelopes: readonly Uint8Array[]): Promise<RecordId[]>
}

export interface ReleaseKey {
  owner: OwnerId
  name: PackageName
  version: Version
}
