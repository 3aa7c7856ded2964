import type { AbortOptions, Startable } from './lifecycle.ts'
import type { ContentId, PeerIdText, RecordId } from './names.ts'
import type { Query } from './query.ts'
import type { RecordKind } from './records.ts'
import type { CatalogueSummary, ReleaseKey } from './store.ts'

/** What the asked peer did with one pushed record. */
export type PushStatus = 'accepted' | 'known' | 'refused'

export interface HoldingsPage {
  cids: ContentId[]
  /** Hand it back as `after` to go on; absent when this was the last page. */
  next?: ContentId
}

export interface RemoteSearchHit {
  /** Encoded envelopes: the owner's inception, then the release. Unverified. */
  envelopes: Uint8Array[]
  score: number
}

/**
 * What a peer can be asked, over three protocols: lookup, sync and content. Everything returned is parsed and bounded,
 * none of it is verified. Each call rejects with ERR_REQUEST_TIMEOUT (retryable), ERR_PEER_UNREACHABLE (retryable),
 * ERR_TOO_MANY_REQUESTS (retryable), ERR_PEER_BUSY (retryable: the asked peer's limits), ERR_PROTOCOL (the peer broke
 * the protocol), ERR_REMOTE (the peer answered with a failure), ERR_INVALID_VALUE (more than the protocol allows to ask;
 * nothing was sent) or ERR_NOT_RUNNING.
 */
export interface PackageProtocol extends Startable {
  // lookup
  /** Encoded envelopes of the owner's inception and of the release; undefined when the peer does not have it. */
  getPackage(peerId: PeerIdText, key: ReleaseKey, options?: AbortOptions): Promise<Uint8Array[] | undefined>
  searchPackages(peerId: PeerIdText, query: Query, options?: AbortOptions): Promise<RemoteSearchHit[]>
  publishPackage(
    peerId: PeerIdText,
    envelopes: readonly Uint8Array[],
    options?: AbortOptions
  ): Promise<PushStatus[]>
  // sync
  catalogueSummary(peerId: PeerIdText, options?: AbortOptions): Promise<CatalogueSummary>
  recordIds(
    peerId: PeerIdText,
    page: { kind: RecordKind; after?: RecordId; limit: number },
    options?: AbortOptions
  ): Promise<{ ids: RecordId[]; next?: RecordId }>
  /** The envelopes of those the peer has, in the order asked; fewer when they do not fit one message. */
  records(peerId: PeerIdText, ids: readonly RecordId[], options?: AbortOptions): Promise<Uint8Array[]>
  // content
  block(peerId: PeerIdText, cid: string, options?: AbortOptions): Promise<Uint8Array | undefined>
  holdings(
    peerId: PeerIdText,
    page: { after?: ContentId; limit: number },
    options?: AbortOptions
  ): Promise<HoldingsPage>
  /** Tells a peer of contents that this one now holds, at most 256 at once. */
  announceHoldings(peerId: PeerIdText, cids: readonly ContentId[], options?: AbortOptions): Promise<void>
  /** Latencies of the answered requests of late, for `stats`. */
  requestLatencies(): { p50Ms: number; p95Ms: number; p99Ms: number; count: number }
}

/** The answering side; `from` is the authenticated peer. A rejection becomes ERR_REMOTE, or ERR_PEER_BUSY there. */
export interface PackageProtocolHandlers {
  getPackage(from: PeerIdText, key: ReleaseKey): Promise<Uint8Array[] | undefined>
  searchPackages(from: PeerIdText, query: Query): Promise<RemoteSearchHit[]>
  publishPackage(from: PeerIdText, envelopes: readonly Uint8Array[]): Promise<PushStatus[]>
  catalogueSummary(from: PeerIdText): Promise<CatalogueSummary>
  recordIds(
    from: PeerIdText,
    page: { kind: RecordKind; after?: RecordId; limit: number }
  ): Promise<{ ids: RecordId[]; next?: RecordId }>
  records(from: PeerIdText, ids: readonly RecordId[]): Promise<Uint8Array[]>
  block(from: PeerIdText, cid: string): Promise<Uint8Array | undefined>
  holdings(from: PeerIdText, page: { after?: ContentId; limit: number }): Promise<HoldingsPage>
  announceHoldings(from: PeerIdText, cids: readonly ContentId[]): Promise<void>
}
