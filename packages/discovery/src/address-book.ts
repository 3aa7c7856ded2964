import type { Peer, PeerStore, PeerUpdate } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import {
  type Clock,
  type DiscoveredPeer,
  type DiscoveryMethod,
  InvalidValueError,
  type Logger,
  type PeerIdText,
  parseCount,
  parseList,
  parseMap
} from '@registry/types'
import type { DialCandidate } from './dial-policy.ts'
import { type PeerAddress, parsePeerAddress, parsePeerId, peerIdText } from './peer-address.ts'

const PART = 'registry:discovery:address-book'
/** The key of the book's entry in a peer's metadata. */
const METADATA_KEY = 'registry-discovery'
const MAX_METADATA_BYTES = 64 * 1024
/** A peer that is heard of all the time is written to disk at most this often. */
const SAVE_SEEN_EVERY_MS = 60_000
/** What was said by a person is not overwritten by how else a peer was found. */
const METHOD_RANK: Readonly<Record<DiscoveryMethod, number>> = {
  Incoming: 0,
  DHT: 1,
  MDNS: 1,
  Manual: 2,
  Bootstrap: 3
}

/** What the book needs of libp2p's peer store. */
export type BookPeerStore = Pick<PeerStore, 'forEach' | 'merge' | 'patch' | 'delete'>

export interface AddressBookInit {
  self: PeerIdText
  maxPeers: number
  maxAddressesPerPeer: number
}

export interface AddressBookComponents {
  peerStore: BookPeerStore
  clock: Clock
  connected: () => ReadonlySet<PeerIdText>
  acceptAddress: (peerId: PeerIdText, address: string) => boolean
  logger: Logger | undefined
}

/** What is written down of a peer. */
interface BookEntry {
  method: DiscoveryMethod
  /** It was connected once, so it exists. */
  met: boolean
  /** Addresses given by a person or a configuration: nothing that is heard pushes them out. */
  given: string[]
  /** Addresses heard of it, the newest first. */
  heard: string[]
}

/** A peer in the book. How it was to dial is kept by who dials, as long as the process lives. */
export interface KnownPeer extends BookEntry, DialCandidate {
  connectedAtMs: number | undefined
  /** What the peer store has of it. */
  saved: { entry: string; lastSeenMs: number } | undefined
}

/**
 * Peers and their addresses, in memory up to a bound and in libp2p's peer store, whose datastore carries them over a
 * restart. The peer store forgets addresses by age, even of peers that are heard of all the time, so the book keeps a
 * copy in the peer's metadata and renews the store's.
 *
 * When full, it forgets peers first that were never met or that only came by themselves, as anybody can; then those it
 * found and met; then those given by a person; of equals the one not heard of for longest; connected ones never.
 */
export class AddressBook {
  readonly #init: AddressBookInit
  readonly #components: AddressBookComponents
  readonly #peers = new Map<PeerIdText, KnownPeer>()
  /** What the peer store is still to be told. */
  readonly #unsaved = new Map<PeerIdText, 'save' | 'forget' | 'delete'>()
  #loading: Promise<void> | undefined
  #saving: Promise<void> | undefined

  constructor(init: AddressBookInit, components: AddressBookComponents) {
    this.#init = init
    this.#components = components
  }

  /** Reads what the peer store has, once. */
  load(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  get(peerId: PeerIdText): KnownPeer | undefined {
    return this.#peers.get(peerId)
  }

  values(): MapIterator<KnownPeer> {
    return this.#peers.values()
  }

  addressesOf(peer: KnownPeer): string[] {
    return this.#firstOf(peer.given, peer.heard)
  }

  describe(peer: KnownPeer): DiscoveredPeer {
    const { peerId, method, lastSeenMs } = peer
    return { peerId, addresses: this.addressesOf(peer), method, lastSeenMs }
  }

  /**
   * Takes up what a discovery reports. Addresses that are none, lead to another peer or are not accepted are left out.
   * Undefined when it is this peer itself, when it is new and no address is left, or when the book is full of better ones.
   */
  add(peerId: PeerIdText, addresses: Iterable<unknown>, method: DiscoveryMethod): KnownPeer | undefined {
    if (peerId === this.#init.self) return undefined
    const given = method === 'Bootstrap' || method === 'Manual'
    const usable = this.#usable(peerId, addresses, given)
    const known = this.#peers.get(peerId)
    if (known === undefined && parsePeerId(peerId) === undefined) return undefined
    if (known === undefined && usable.length === 0 && method !== 'Incoming') return undefined
    const peer = known ?? newPeer(peerId, method, this.#components.clock.now())
    if (given) peer.given = this.#firstOf(usable, peer.given)
    else peer.heard = this.#firstOf(usable, peer.heard)
    if (METHOD_RANK[method] >= METHOD_RANK[peer.method]) peer.method = method
    // A configuration says that a peer ought to be there, not that it is.
    if (method !== 'Bootstrap') peer.lastSeenMs = this.#components.clock.now()
    this.#peers.set(peerId, peer)
    this.#evict()
    if (this.#peers.get(peerId) !== peer) return undefined
    this.#saveChanges(peer)
    return peer
  }

  /** Takes over what libp2p learnt of a peer; false when the peer is not in the book. */
  update({ peer: stored, previous }: PeerUpdate): boolean {
    const peer = this.#peers.get(peerIdText(stored.id))
    if (peer === undefined) return false
    const signed = signedAnew(stored, previous)
    const addresses = stored.addresses
      .filter(({ isCertified }) => isCertified || !signed)
      .map((address) => address.multiaddr.toString())
    const usable = this.#usable(peer.peerId, addresses, false)
    // What a peer signs of itself replaces what others said of it; anything else is added to it.
    peer.heard = signed ? usable : this.#firstOf(peer.heard, usable)
    this.#saveChanges(peer)
    return true
  }

  /** Marks a peer as there now. */
  seen(peer: KnownPeer): void {
    peer.lastSeenMs = this.#components.clock.now()
    this.#saveChanges(peer)
  }

  /** Forgets a peer and all that libp2p stored of it. */
  remove(peerId: PeerIdText): boolean {
    const known = this.#peers.delete(peerId)
    this.#unsaved.set(peerId, 'delete')
    void this.saved()
    return known
  }

  /** Writes down also when each peer was last seen. Resolves as `saved`. */
  flush(): Promise<void> {
    for (const peer of this.#peers.values()) {
      if (peer.saved?.lastSeenMs !== peer.lastSeenMs) this.#unsaved.set(peer.peerId, 'save')
    }
    return this.saved()
  }

  /** Resolves when all changes are in the peer store. Never rejects: what cannot be saved is logged. */
  saved(): Promise<void> {
    if (this.#unsaved.size > 0) this.#saving ??= this.#save()
    return this.#saving ?? Promise.resolve()
  }

  #usable(peerId: PeerIdText, addresses: Iterable<unknown>, given: boolean): string[] {
    const usable: string[] = []
    for (const value of addresses) {
      if (usable.length === this.#init.maxAddressesPerPeer) break
      const parsed = tryParse(value, peerId)
      if (parsed !== undefined && (given || this.#components.acceptAddress(peerId, parsed.address))) {
        usable.push(parsed.address)
      }
    }
    return usable
  }

  #firstOf(first: readonly string[], then: readonly string[]): string[] {
    return [...new Set([...first, ...then])].slice(0, this.#init.maxAddressesPerPeer)
  }

  #evict(): void {
    if (this.#peers.size <= this.#init.maxPeers) return
    const connected = this.#components.connected()
    const idle = [...this.#peers.values()].filter((peer) => !peer.dialing && !connected.has(peer.peerId))
    // The first of equals goes: a Map keeps the order of insertion.
    const last = idle.reduce<KnownPeer | undefined>(
      (worst, peer) => (worst === undefined || isWorthLess(peer, worst) ? peer : worst),
      undefined
    )
    if (last === undefined) return
    this.#peers.delete(last.peerId)
    // The DHT cannot answer who has a content when one of those who have it is missing from the peer store. All of those
    // were met, so these stay there until they expire.
    if (last.saved === undefined) this.#unsaved.delete(last.peerId)
    else this.#unsaved.set(last.peerId, last.met ? 'forget' : 'delete')
    void this.saved()
  }

  async #load(): Promise<void> {
    await this.#components.peerStore.forEach((stored) => {
      const peerId = peerIdText(stored.id)
      const bytes = stored.metadata.get(METADATA_KEY)
      if (bytes === undefined || peerId === this.#init.self || this.#peers.has(peerId)) return
      try {
        const { lastSeenMs, ...entry } = this.#decode(bytes, peerId)
        const peer = Object.assign(newPeer(peerId, entry.method, lastSeenMs), entry)
        peer.saved = { entry: encodeEntry(peer), lastSeenMs }
        this.#peers.set(peerId, peer)
        // Those that the peer store has dropped by age are put back.
        if (stored.addresses.length < this.addressesOf(peer).length) this.#unsaved.set(peerId, 'save')
        this.#evict()
      } catch (error) {
        this.#components.logger?.warn(PART, 'a damaged entry was left out', { peerId, error: String(error) })
      }
    })
    void this.saved()
  }

  #decode(bytes: Uint8Array, peerId: PeerIdText): BookEntry & { lastSeenMs: number } {
    if (bytes.length > MAX_METADATA_BYTES) throw new InvalidValueError('entry', 'is too large')
    const map = parseMap(JSON.parse(new TextDecoder().decode(bytes)), 'entry')
    const addresses = (value: unknown, field: string): string[] =>
      parseList(value, field, 1024, (item) => parsePeerAddress(item, peerId).address)
    return {
      method: parseMethod(map.method),
      met: map.met === true,
      given: this.#firstOf(addresses(map.given, 'entry.given'), []),
      heard: this.#firstOf(addresses(map.heard, 'entry.heard'), []),
      lastSeenMs: parseCount(map.lastSeenMs, 'entry.lastSeenMs')
    }
  }

  #saveChanges(peer: KnownPeer): void {
    const { saved } = peer
    const seenLongAgo = saved === undefined || peer.lastSeenMs - saved.lastSeenMs >= SAVE_SEEN_EVERY_MS
    if (!seenLongAgo && saved.entry === encodeEntry(peer)) return
    this.#unsaved.set(peer.peerId, 'save')
    void this.saved()
  }

  async #save(): Promise<void> {
    // Also reaches what is added meanwhile.
    for (const [peerId, action] of this.#unsaved) {
      this.#unsaved.delete(peerId)
      try {
        await this.#saveOne(peerId, action)
      } catch (error) {
        this.#components.logger?.warn(PART, 'a peer could not be written down', {
          peerId,
          error: String(error)
        })
      }
    }
    this.#saving = undefined
  }

  async #saveOne(peerId: PeerIdText, action: 'save' | 'forget' | 'delete'): Promise<void> {
    const { peerStore } = this.#components
    const id = peerIdFromString(peerId)
    const peer = this.#peers.get(peerId)
    if (peer === undefined) {
      if (action === 'delete') await peerStore.delete(id)
      else if (action === 'forget') await peerStore.merge(id, { metadata: { [METADATA_KEY]: undefined } })
      return
    }
    // Without `/p2p/…` at the end: the peer store takes that off after it has looked for equal addresses.
    const multiaddrs = this.addressesOf(peer).map((address) => multiaddr(address).decapsulateCode(CODE_P2P))
    const { lastSeenMs } = peer
    const entry = encodeEntry(peer)
    const metadata = {
      [METADATA_KEY]: new TextEncoder().encode(JSON.stringify({ ...JSON.parse(entry), lastSeenMs }))
    }
    const stored = await peerStore.merge(id, { multiaddrs, metadata })
    peer.saved = { entry, lastSeenMs }
    if (stored.addresses.length >= multiaddrs.length) return
    // An address that was too old stays too old when it is merged again, unless it was away for one write.
    await peerStore.patch(id, { addresses: stored.addresses })
    await peerStore.merge(id, { multiaddrs })
  }
}

function newPeer(peerId: PeerIdText, method: DiscoveryMethod, nowMs: number): KnownPeer {
  return {
    peerId,
    method,
    met: false,
    given: [],
    heard: [],
    lastSeenMs: nowMs,
    failures: 0,
    lastAttemptMs: nowMs,
    dialing: false,
    connectedAtMs: undefined,
    saved: undefined
  }
}

function encodeEntry({ method, met, given, heard }: BookEntry): string {
  return JSON.stringify({ method, met, given, heard })
}

function parseMethod(value: unknown): DiscoveryMethod {
  if (typeof value === 'string' && Object.hasOwn(METHOD_RANK, value)) return value as DiscoveryMethod
  throw new InvalidValueError('entry.method', 'is not known')
}

function tryParse(value: unknown, peerId: PeerIdText): PeerAddress | undefined {
  try {
    return parsePeerAddress(value, peerId)
  } catch {
    return undefined
  }
}

function isWorthLess(a: KnownPeer, b: KnownPeer): boolean {
  return worth(a) === worth(b) ? a.lastSeenMs < b.lastSeenMs : worth(a) < worth(b)
}

function worth({ given, met, method }: KnownPeer): number {
  if (given.length > 0) return 2
  return met && method !== 'Incoming' ? 1 : 0
}

function signedAnew({ peerRecordEnvelope }: Peer, previous: Peer | undefined): boolean {
  if (peerRecordEnvelope === undefined) return false
  const before = previous?.peerRecordEnvelope
  return before === undefined || Buffer.compare(before, peerRecordEnvelope) !== 0
}
