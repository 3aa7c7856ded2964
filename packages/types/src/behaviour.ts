import type { ContentRouter } from './content-routing.ts'
import type { DiscoveredPeer, PeerDiscovery } from './discovery.ts'
import type { AbortOptions, Startable } from './lifecycle.ts'
import type { PeerIdText } from './names.ts'

export interface NetworkStats {
  /** Peers with an open connection now. */
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
}

export interface SyncReport {
  peerId: PeerIdText
  /** Records that were new here. */
  received: number
  refused: number
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
  /** Makes our catalogue a superset of the peer's, or of every connected peer's. @throws as `PackageProtocol` */
  sync(peerId?: PeerIdText, options?: AbortOptions): Promise<SyncReport[]>
  /** Resolves once nothing is on its way: no sync running, no announcement due. */
  settled(options?: AbortOptions): Promise<void>
  stats(): Promise<NetworkStats>
}
