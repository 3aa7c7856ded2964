import type { AbortOptions, Startable } from './lifecycle.ts'
import type { ContentId, OwnerId, PackageName, PeerIdText, RecordId } from './names.ts'
import type { Query } from './query.ts'
import type {
  BlobInfo,
  CatalogueScope,
  CatalogueSummary,
  RecordIdPage,
  ReleaseKey,
  SnapshotCursor,
  SnapshotPage
} from './store.ts'

/** What the asked peer did with one pushed record. */
export type PushStatus = 'accepted' | 'known' | 'superseded' | 'refused'

export interface HoldingsPage {
  cids: ContentId[]
  /** Hand it back as `after` to go on; absent when this was the last page. */
  next?: ContentId
}

/** The part of the catalogue that a peer keeps in step with others. */
export type CatalogueHoldings =
  | { mode: 'full' }
  /** Shards of 2^bits, in ascending order. */
  | { mode: 'shards'; bits: number; shards: number[] }
  /** Only what it needs itself. */
  | { mode: 'light' }

export interface CatalogueComparison {
  scope: CatalogueScope
  summary: CatalogueSummary
  /** Of the sketch of the asking peer. */
  probes: Uint8Array
}

/** Coded symbols of a sketch as it was at one moment, which the fingerprint names. */
export interface SymbolChunk {
  fingerprint: Uint8Array
  /** Members of the scope. */
  records: number
  from: number
  count: number
  /** Encoded. */
  symbols: Uint8Array
}

export type ComparisonAnswer =
  | { status: 'equal' }
  | ({ status: 'different' } & SymbolChunk)
  /** The peer does not hold this scope. */
  | { status: 'absent' }

export interface RemoteSearchHit {
  /** Encoded envelopes: the owner's inception, the release, then the statements that hold of it. Unverified. */
  envelopes: Uint8Array[]
  score: number
}

/** A document of another registry, as npm's registries have one for each package. */
export interface DocumentKey {
  /** The address of that registry. */
  registry: string
  /** Of the package, there. */
  name: string
  form: 'abbreviated' | 'full'
}

/** A peer's word about a document of another registry. Nobody has signed it. */
export interface KeptDocument {
  /** The document, as one content. */
  content: BlobInfo
  /** By which that registry tells it from others; empty when it has none. */
  etag: string
  /** When that registry was last asked, ms since the epoch. */
  askedAtMs: number
}

/** What exchanges with peers have cost, summed up over the calls that were given the same meter. */
export interface TrafficMeter {
  /** Bytes of the requests with their framing, as far as they were sent. */
  sentBytes: number
  /** Bytes of the answers with their framing. */
  receivedBytes: number
  /** Requests that were answered. */
  roundTrips: number
}

export interface ExchangeOptions extends AbortOptions {
  /** Counted up as the exchange goes on. */
  meter?: TrafficMeter
}

/**
 * What a peer can be asked, over four protocols: lookup, reconcile, snapshot and content. Everything returned is parsed and bounded,
 * none of it is verified. Each call rejects with ERR_REQUEST_TIMEOUT (retryable), ERR_PEER_UNREACHABLE (retryable),
 * ERR_TOO_MANY_REQUESTS (retryable), ERR_PEER_BUSY (retryable: the asked peer's limits), ERR_PROTOCOL (the peer broke
 * the protocol), ERR_REMOTE (the peer answered with a failure), ERR_INVALID_VALUE (more than the protocol allows to ask;
 * nothing was sent) or ERR_NOT_RUNNING. Each call counts into the meter it is given, also when it fails.
 */
export interface PackageProtocol extends Startable {
  // lookup
  /** Encoded envelopes of the owner's inception and of the release; undefined when the peer does not have it. */
  getPackage(
    peerId: PeerIdText,
    key: ReleaseKey,
    options?: ExchangeOptions
  ): Promise<Uint8Array[] | undefined>
  /**
   * All that the peer has of the packages of a name, of one owner or of all: owner records, releases and statements, as
   * many as fit one message. Empty when it has none.
   */
  lookupName(
    peerId: PeerIdText,
    name: PackageName,
    owner: OwnerId | undefined,
    options?: ExchangeOptions
  ): Promise<Uint8Array[]>
  searchPackages(peerId: PeerIdText, query: Query, options?: ExchangeOptions): Promise<RemoteSearchHit[]>
  publishPackage(
    peerId: PeerIdText,
    envelopes: readonly Uint8Array[],
    options?: ExchangeOptions
  ): Promise<PushStatus[]>
  // reconcile
  /** Which part of the catalogue the peer holds, in its own words. */
  holdsCatalogue(peerId: PeerIdText, options?: ExchangeOptions): Promise<CatalogueHoldings>
  /** Compares a scope; when the two differ, the peer's first coded symbols come with the answer. */
  compare(
    peerId: PeerIdText,
    comparison: CatalogueComparison,
    options?: ExchangeOptions
  ): Promise<ComparisonAnswer>
  /** Further symbols of a scope. */
  symbols(
    peerId: PeerIdText,
    range: { scope: CatalogueScope; from: number; count: number },
    options?: ExchangeOptions
  ): Promise<SymbolChunk>
  /**
   * Asks for records by short ID and hands over others, at most 1,024 and 256 of them. The records that the peer has come
   * in the order asked, fewer when they do not fit one message; `given` says what became of those handed over.
   */
  exchangeRecords(
    peerId: PeerIdText,
    exchange: { want: readonly Uint8Array[]; give: readonly Uint8Array[] },
    options?: ExchangeOptions
  ): Promise<{ records: Uint8Array[]; given: PushStatus[] }>
  recordIds(
    peerId: PeerIdText,
    page: { scope: CatalogueScope; after?: RecordId; limit: number },
    options?: ExchangeOptions
  ): Promise<RecordIdPage>
  // snapshot
  snapshot(
    peerId: PeerIdText,
    page: { scope: CatalogueScope; after?: SnapshotCursor },
    options?: ExchangeOptions
  ): Promise<SnapshotPage>
  // content
  block(peerId: PeerIdText, cid: string, options?: ExchangeOptions): Promise<Uint8Array | undefined>
  holdings(
    peerId: PeerIdText,
    page: { after?: ContentId; limit: number },
    options?: ExchangeOptions
  ): Promise<HoldingsPage>
  /** The content of an integrity (`sha512-…`), where the peer has it. Unverified. */
  locate(peerId: PeerIdText, integrity: string, options?: ExchangeOptions): Promise<BlobInfo | undefined>
  /** A document of another registry, where the peer has it and gives it to this one. */
  document(peerId: PeerIdText, key: DocumentKey, options?: ExchangeOptions): Promise<KeptDocument | undefined>
  /** Tells a peer of contents that this one now holds, at most 256 at once. */
  announceHoldings(peerId: PeerIdText, cids: readonly ContentId[], options?: ExchangeOptions): Promise<void>
  /** Latencies of the answered requests of late, for `stats`. */
  requestLatencies(): { p50Ms: number; p95Ms: number; p99Ms: number; count: number }
}

/** The answering side; `from` is the authenticated peer. A rejection becomes ERR_REMOTE, or ERR_PEER_BUSY there. */
export interface PackageProtocolHandlers {
  getPackage(from: PeerIdText, key: ReleaseKey): Promise<Uint8Array[] | undefined>
  lookupName(from: PeerIdText, name: PackageName, owner: OwnerId | undefined): Promise<Uint8Array[]>
  searchPackages(from: PeerIdText, query: Query): Promise<RemoteSearchHit[]>
  publishPackage(from: PeerIdText, envelopes: readonly Uint8Array[]): Promise<PushStatus[]>
  holdsCatalogue(from: PeerIdText): Promise<CatalogueHoldings>
  compare(from: PeerIdText, comparison: CatalogueComparison): Promise<ComparisonAnswer>
  symbols(
    from: PeerIdText,
    range: { scope: CatalogueScope; from: number; count: number }
  ): Promise<SymbolChunk>
  exchangeRecords(
    from: PeerIdText,
    exchange: { want: readonly Uint8Array[]; give: readonly Uint8Array[] }
  ): Promise<{ records: Uint8Array[]; given: PushStatus[] }>
  recordIds(
    from: PeerIdText,
    page: { scope: CatalogueScope; after?: RecordId; limit: number }
  ): Promise<RecordIdPage>
  snapshot(from: PeerIdText, page: { scope: CatalogueScope; after?: SnapshotCursor }): Promise<SnapshotPage>
  block(from: PeerIdText, cid: string): Promise<Uint8Array | undefined>
  holdings(from: PeerIdText, page: { after?: ContentId; limit: number }): Promise<HoldingsPage>
  locate(from: PeerIdText, integrity: string): Promise<BlobInfo | undefined>
  document(from: PeerIdText, key: DocumentKey): Promise<KeptDocument | undefined>
  announceHoldings(from: PeerIdText, cids: readonly ContentId[]): Promise<void>
}
