import type { AbortOptions, Startable } from './lifecycle.ts'
import type { ContentId, PeerIdText } from './names.ts'
import type { BlobInfo } from './store.ts'

/** A peer that is said to hold a content. Unverified until a block of it was checked. */
export interface ContentProvider {
  peerId: PeerIdText
  /** 0 to 100; a new provider has 50. */
  reputation: number
  /** When it was last reported, ms since the epoch. */
  lastSeenMs: number
}

export interface ContentRouterStats {
  /** Provider records in the cache, this peer's own not counted. */
  providerRecords: number
  /** Contents this peer provides. */
  provided: number
  /** Of the look-ups so far, how many the cache answered. */
  cacheHits: number
  cacheMisses: number
  /** Of the look-ups in the DHT, how many ended without error. */
  dhtQueries: number
  dhtQueriesSucceeded: number
}

/** One step of a fetch, for progress. */
export interface FetchProgress {
  cid: ContentId
  fetchedBytes: number
  totalBytes: number
  /** Peers that gave a good block so far. */
  providers: number
}

export interface FetchOptions extends AbortOptions {
  onProgress?: (progress: FetchProgress) => void
}

/** Who holds a content, and getting it from them. */
export interface ContentRouter extends Startable {
  /** Announces that this peer holds `cid` and keeps announcing it. Rejects when no DHT peer took it; may be retried. */
  provide(cid: ContentId, options?: AbortOptions): Promise<void>
  stopProviding(cid: ContentId): Promise<void>
  isLocalProvider(cid: ContentId): boolean
  /** Writes down that a peer said it holds a content. */
  addProvider(cid: ContentId, peerId: PeerIdText): void
  removeProvider(cid: ContentId, peerId: PeerIdText): void
  /**
   * Providers of `cid`, best first: the cache, connected ones before others, then the DHT; ends when `limit` are found
   * or every source has answered. Nothing found is an empty sequence, not an error.
   */
  findProviders(cid: ContentId, options?: AbortOptions & { limit?: number }): AsyncIterable<ContentProvider>
  /** The best of the cached providers, or undefined. */
  bestProvider(cid: ContentId): ContentProvider | undefined
  /** Providers in the cache, this peer's own holding included. */
  providerCount(cid: ContentId): number
  /** One exchange with a provider went well or not; `latencyMs` of the one that did. */
  updateProviderReputation(peerId: PeerIdText, outcome: { success: boolean; latencyMs?: number }): void
  /** 0 to 100. */
  reputation(peerId: PeerIdText): number
  /** Forgets provider records older than their time to live; returns how many. */
  cleanupStaleProviders(): number
  /**
   * Gets a whole content into the blob store from several providers at once, verified block by block, taking up an
   * earlier attempt where it stopped. Resolves at once when it is already there.
   * @throws ERR_NO_PROVIDERS (retryable) nobody has it or all failed; ERR_HASH_MISMATCH the record and the content
   *   disagree; ERR_FETCH_TIMEOUT (retryable)
   */
  fetch(content: BlobInfo, options?: FetchOptions): Promise<BlobInfo>
  /**
   * Gets the content of an integrity, of which no record tells, from connected peers, as `fetch` does. Undefined when none of
   * them has it, or none gives what has this integrity; contents above `maxBytes` are not taken. Never waits long: those who
   * have not answered within `locateTimeoutMs` have not got it.
   */
  find(integrity: string, options: FetchOptions & { maxBytes: number }): Promise<BlobInfo | undefined>
  stats(): ContentRouterStats
}

/** How the router asks one peer for one block; `behaviour` gives it the content protocol. */
export interface BlockSource {
  /** The bytes, unverified; undefined when that peer does not have it. */
  block(peerId: PeerIdText, cid: string, options?: AbortOptions): Promise<Uint8Array | undefined>
}

/** How the router asks one peer for the content of an integrity; `behaviour` gives it the content protocol. */
export interface ContentLocator {
  /** Unverified; undefined when that peer does not have it. */
  locate(peerId: PeerIdText, integrity: string, options?: AbortOptions): Promise<BlobInfo | undefined>
}

/** The DHT as the router sees it. */
export interface ProviderRouting {
  provide(cid: ContentId, options?: AbortOptions): Promise<void>
  findProviders(cid: ContentId, options?: AbortOptions): AsyncIterable<PeerIdText>
}
