import type { AbortOptions, Startable } from './lifecycle.ts'
import type { PeerIdText } from './names.ts'

/** How a peer was found. `Incoming`: we did not find it, it connected to us; no strategy has that name. */
export type DiscoveryMethod = 'Bootstrap' | 'MDNS' | 'DHT' | 'Manual' | 'Incoming'

/** A peer somebody told us of. Addresses are multiaddrs as text, unverified. */
export interface DiscoveredPeer {
  peerId: PeerIdText
  addresses: string[]
  method: DiscoveryMethod
  /** When it was last heard of or connected, ms since the epoch. */
  lastSeenMs: number
}

/**
 * One way of finding peers. A strategy reports; it never dials.
 * `discover` is one round and ends by itself; passive ones (mDNS) also report through `onPeer` while started.
 */
export interface DiscoveryStrategy extends Startable {
  readonly name: DiscoveryMethod
  /** Peers of one round. Finding nobody is an empty sequence; a failed round rejects and may be tried again. */
  discover(options?: AbortOptions): AsyncIterable<{ peerId: PeerIdText; addresses: string[] }>
  onPeer?(listener: (peer: { peerId: PeerIdText; addresses: string[] }) => void): () => void
}

/** Finds peers, remembers them over restarts, and keeps at least `minPeers` connections open. */
export interface PeerDiscovery extends Startable {
  /** One round of every strategy now; resolves to the peers it found when all have ended. */
  discover(options?: AbortOptions): Promise<DiscoveredPeer[]>
  /** Adds or refreshes a peer, as found by `method` (`Manual` unless told). @throws ERR_INVALID_ADDRESS */
  addPeer(address: string, method?: DiscoveryMethod): Promise<DiscoveredPeer>
  /** Adds an address that every later round of Bootstrap dials too. @throws ERR_INVALID_ADDRESS */
  addBootstrapNode(address: string): Promise<void>
  /** Marks a peer as seen now. */
  updatePeer(peerId: PeerIdText): Promise<void>
  /** Forgets a peer and its addresses. */
  removePeer(peerId: PeerIdText): Promise<void>
  /** Forgets peers not seen for `maxAgeMs`; resolves to how many. */
  removeStalePeers(maxAgeMs: number): Promise<number>
  /** Every peer known, connected or not. */
  getPeers(): Promise<DiscoveredPeer[]>
}
