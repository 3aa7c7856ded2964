import type { ContentRouter } from './content-routing.ts'
import type { DiscoveredPeer, PeerDiscovery } from './discovery.ts'
import type { AbortOptions, Startable } from './lifecycle.ts'
import type { OwnerId, PackageName, PeerIdText } from './names.ts'
import type { CatalogueHoldings, DocumentKey, KeptDocument } from './protocol.ts'
import type { Completeness, Query } from './query.ts'

export interface NetworkStats {
  /** Peers of this network with an open connection now. */
  connectedPeers: number
  /** Peers with a known address, connected or not. */
  knownPeers: number
  /** Packages whose content is stored here. */
  cachedPackages: number
  providerRecords: number
  gossipTopics: number
  packages: number
  releases: number
  /** Shares from 0 to 1; null until there was one to count. */
  dhtQuerySuccessRate: number | null
  cacheHitRate: number | null
  /** Of the own announcements by gossip, those that reached at least one peer. */
  gossipDeliveryRate: number | null
  /** Of the answered requests of late; null until there was one. */
  requestLatencyMs: { p50: number; p95: number; p99: number } | null
  /** Releases published here that are not announced yet. */
  pendingAnnouncements: number
  /** When the catalogue was last compared with a peer and equal, ms since the epoch; null if never. */
  lastSyncedAtMs: number | null
  completeness: Completeness
  /** Synchronisations under way. */
  syncing: SyncProgress[]
}

/** How far a synchronisation is. */
export interface SyncProgress {
  peerId: PeerIdText
  stage: 'comparing' | 'snapshot' | 'reconciling' | 'listing'
  /** Records that were new here so far. */
  received: number
  /** Records that are expected to come; null while not known. */
  expected: number | null
}

/** Gives a peer a document of another registry, or none. */
export type DocumentSource = (from: PeerIdText, key: DocumentKey) => Promise<KeptDocument | undefined>

/** What asking holders came to. */
export interface HolderAnswers {
  /** Holders that answered in time. */
  answered: number
  /** Records that were new here. */
  received: number
}

export interface ConnectedPeer {
  peerId: PeerIdText
  addresses: string[]
  direction: 'inbound' | 'outbound'
  connectedSinceMs: number
  /** 0 to 100, of the exchanges with it. */
  reputation: number
  /** Of the identify protocol; the peer's own words. */
  agent?: string
  /** Its catalogue was equal to ours when last compared. */
  inSync: boolean
  /** When that was, ms since the epoch; null when it was not compared yet. */
  comparedAtMs: number | null
  /** What it says it holds of the catalogue; absent while it has not said so. */
  holds?: CatalogueHoldings
  /** It speaks the protocols of another network, or of none: nothing is exchanged with it. Absent else. */
  otherNetwork?: true
}

export interface SyncReport {
  peerId: PeerIdText
  /** Records that were new here. */
  received: number
  /** Records that were new there. */
  sent: number
  refused: number
  /** Messages sent and answered, and bytes of them on the wire as far as they were counted by the protocols. */
  roundTrips: number
  bytes: number
  durationMs: number
}

/**
 * The network side of a peer: one libp2p node with transports, DHT, gossip, the package protocols, discovery and
 * routing, and the policies that decide what is taken, relayed, asked for and dropped. Records that arrive go straight
 * into the catalogue it was given.
 */
export interface MarketplaceBehaviour extends Startable {
  readonly peerId: PeerIdText
  readonly discovery: PeerDiscovery
  readonly contentRouter: ContentRouter
  /** Multiaddrs others can dial, each ending in `/p2p/<peerId>`. Empty before `start`. */
  addresses(): string[]
  peers(): ConnectedPeer[]
  knownPeers(): Promise<DiscoveredPeer[]>
  /** Dials a multiaddr. @throws ERR_INVALID_ADDRESS; ERR_CONNECTION_TIMEOUT (retryable); ERR_PEER_UNREACHABLE (retryable) */
  connect(address: string, options?: AbortOptions): Promise<ConnectedPeer>
  /** Closes the connections and forgets the peer's addresses until it is met again. False when it was not connected. */
  disconnect(peerId: PeerIdText): Promise<boolean>
  addBootstrapNode(address: string): Promise<void>
  /** Takes up the outbox now rather than at its next due time: gossip, push to connected peers, DHT. Never rejects. */
  announce(): void
  /** Makes our catalogue and the peer's, or every connected peer's, the union of both. @throws as `PackageProtocol` */
  sync(peerId?: PeerIdText, options?: AbortOptions): Promise<SyncReport[]>
  /** What an answer of the local catalogue is complete against. */
  completeness(): Completeness
  /** Whether the local catalogue is not to be relied on alone for this name, or for a search: light, sharded, or behind. */
  isPartial(name?: PackageName): boolean
  /**
   * Asks up to three holders of the catalogue, found among connected peers and by the DHT, for packages that fit; takes
   * what they answer, verified, into the local catalogue, and resolves to how many have answered. Never takes longer than
   * the hard deadline of its settings, and never rejects but by the signal.
   */
  searchHolders(query: Query, options?: AbortOptions): Promise<HolderAnswers>
  /** As `searchHolders`, for everything of one name; asks holders of the shard of that name. */
  lookupHolders(name: PackageName, owner: OwnerId | undefined, options?: AbortOptions): Promise<HolderAnswers>
  /** Answers peers that ask for documents of other registries, which nobody does until then. Returns its undoing. */
  serveDocuments(source: DocumentSource): () => void
  /** Asks a connected peer for a document of another registry; undefined when it has none or gives none. @throws as `PackageProtocol` */
  documentOf(peerId: PeerIdText, key: DocumentKey, options?: AbortOptions): Promise<KeptDocument | undefined>
  /** Resolves once nothing is on its way: no sync running, no announcement due. */
  settled(options?: AbortOptions): Promise<void>
  stats(): Promise<NetworkStats>
}
