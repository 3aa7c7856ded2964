import type { RegistryError } from './errors.ts'
import type { AbortOptions, Startable } from './lifecycle.ts'
import type { ContentId, OwnerId, PackageName, RecordId, Version } from './names.ts'
import type { Query } from './query.ts'
import type { RecordKind, Release, ReleaseRecord } from './records.ts'

/** What became of one record handed to the catalogue. */
export type IngestOutcome =
  | { status: 'accepted'; id: RecordId }
  | { status: 'known'; id: RecordId }
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

export interface RecordIdPage {
  ids: RecordId[]
  /** Hand it back as `after` to go on; absent when this was the last page. */
  next?: RecordId
}

export interface SearchHit {
  /** The release that stands for the package: its newest that is no pre-release, else its newest. */
  record: ReleaseRecord
  /** Higher is better; comparable within one answer only. */
  score: number
}

/** One accepted release with its place in this peer's order of arrival. */
export interface CatalogueChange {
  /** Grows with each accepted release, from 1. */
  sequence: number
  record: ReleaseRecord
  /** Whether it was the first release of its owner and name here. */
  firstOfPackage: boolean
}

/**
 * The record set and every view of it. The views are a function of the set: the same records in any order, with any
 * repetition, give the same answers (but for `firstSeenMs` and `sequence`, which are this peer's own).
 * Nothing unverified is ever in it.
 */
export interface Catalogue {
  /**
   * Verifies and stores encoded envelopes, owners before the releases they sign for. One transaction for the call, so
   * callers hand over up to a few hundred at once. Survives a crash of the process; a record lost with the machine's
   * power comes back by synchronisation. Never throws for a bad record: that is an outcome.
   */
  ingest(envelopes: readonly Uint8Array[]): Promise<IngestOutcome[]>
  summary(): CatalogueSummary
  counts(): CatalogueCounts
  has(id: RecordId): boolean
  /** The encoded envelope, or undefined. */
  record(id: RecordId): Uint8Array | undefined
  /** IDs of one kind in ascending order of their bytes, after `after`. */
  recordIds(options: { kind: RecordKind; after?: RecordId; limit: number }): RecordIdPage
  /** The record of the owner's inception, or undefined. */
  ownerRecord(owner: OwnerId): RecordId | undefined
  /** Owners that have released under this name, in ascending order. */
  ownersOf(name: PackageName): OwnerId[]
  /** All releases of one package, newest version first; a conflicted version stands twice. */
  releases(owner: OwnerId, name: PackageName): ReleaseRecord[]
  /** All packages as their newest release, by owner and name, for listing. `after` is the last one seen. */
  packages(options: { after?: { owner: OwnerId; name: PackageName }; limit: number }): ReleaseRecord[]
  /** Packages that fit, best first. */
  search(query: Query): SearchHit[]
  /** Accepted releases with a sequence above `after`, in order, at most `limit`. */
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

/** A duty to announce one published release, kept until it is done. */
export interface OutboxEntry {
  sequence: number
  record: RecordId
  content: ContentId
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
   * The durable half of a publish, in one transaction that is on disk when it resolves: the records, the pin of the
   * content (already in `blobs`) and one outbox entry a release.
   * @throws the first refused record's error, ERR_VERSION_EXISTS, ERR_NOT_STORED, ERR_STORAGE; then nothing has changed
   */
  publish(envelopes: readonly Uint8Array[]): Promise<Array<{ id: RecordId; release: Release }>>
}

export interface ReleaseKey {
  owner: OwnerId
  name: PackageName
  version: Version
}
