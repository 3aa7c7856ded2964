import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import { type ManualClock, manualClock, seededBytes } from '@registry/testing'
import type {
  Clock,
  DiscoveryMethod,
  DiscoveryStrategy,
  Logger,
  PeerDiscovery,
  PeerIdText
} from '@registry/types'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { type DialManager, type PeerDiscoveryInit, peerDiscovery, peerIdText } from '../src/index.ts'

export interface WorldOptions {
  init?: PeerDiscoveryInit
  strategies?: DiscoveryStrategy[]
  clock?: Clock
  datastore?: MemoryDatastore
  acceptAddress?: (peerId: PeerIdText, address: string) => boolean
}

/** A discovery on libp2p's own peer store, among peers that are there or not as the test says. */
export class World implements DialManager, AsyncDisposable {
  clock: ManualClock = manualClock()
  readonly datastore: MemoryDatastore
  readonly node: Libp2p
  readonly self: PeerIdText
  readonly discovery: PeerDiscovery
  readonly warnings: string[] = []
  readonly dials: Array<{ peerId: PeerIdText; addresses: string[]; atMs: number }> = []
  /** How each peer answers a dial; `yes` when not said. */
  readonly answers: Map<PeerIdText, 'yes' | 'no' | 'never' | 'then hangs up'> = new Map()
  everybody: 'yes' | 'no' | 'never' = 'yes'
  maxDialing = 0
  #dialing = 0
  readonly #clock: Clock
  readonly #connections: Map<PeerIdText, { remotePeer: PeerId; status: 'open' }> = new Map()

  static async create(options: WorldOptions = {}): Promise<World> {
    const datastore = options.datastore ?? new MemoryDatastore()
    const privateKey = await generateKeyPairFromSeed('Ed25519', seededBytes('self'))
    const node = await createLibp2p({
      start: false,
      privateKey,
      datastore,
      peerStore: { maxAddressAge: 172_800_000 }
    })
    return new World(node, datastore, options)
  }

  constructor(
    node: Libp2p,
    datastore: MemoryDatastore,
    { init, strategies = [], clock, acceptAddress }: WorldOptions
  ) {
    this.#clock = clock ?? this.clock
    this.datastore = datastore
    this.node = node
    this.self = peerIdText(node.peerId)
    const logger: Logger = {
      debug: () => {},
      info: () => {},
      warn: (part, message) => this.warnings.push(`${part}: ${message}`)
    }
    this.discovery = peerDiscovery(init)({
      peerId: node.peerId,
      peerStore: node.peerStore,
      connectionManager: this,
      events: node,
      strategies,
      clock: this.#clock,
      logger,
      ...(acceptAddress === undefined ? {} : { acceptAddress })
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.discovery.stop()
  }

  getConnections(): Array<{ remotePeer: PeerId; status: 'open' }> {
    return [...this.#connections.values()]
  }

  async openConnection(addresses: Multiaddr[], { signal }: { signal: AbortSignal }): Promise<void> {
    const texts = addresses.map((address) => address.toString())
    const peerId = peerIdText(peerIdFromString(texts[0]?.split('/p2p/').at(-1) ?? ''))
    this.dials.push({ peerId, addresses: texts, atMs: this.#clock.now() })
    this.#dialing += 1
    this.maxDialing = Math.max(this.maxDialing, this.#dialing)
    try {
      const answer = this.answers.get(peerId) ?? this.everybody
      await Promise.resolve()
      if (answer === 'no') throw new Error('The connection was refused')
      if (answer === 'never') {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
      }
      this.connect(peerId)
      if (answer === 'then hangs up') this.lose(peerId)
    } finally {
      this.#dialing -= 1
    }
  }

  get connected(): PeerIdText[] {
    return [...this.#connections.keys()]
  }

  connect(peerId: PeerIdText): void {
    if (this.#connections.has(peerId)) return
    const remotePeer = peerIdFromString(peerId)
    this.#connections.set(peerId, { remotePeer, status: 'open' })
    this.node.dispatchEvent(new CustomEvent('peer:connect', { detail: remotePeer }))
  }

  lose(...peerIds: PeerIdText[]): void {
    for (const peerId of peerIds) this.#connections.delete(peerId)
    for (const peerId of peerIds) {
      this.node.dispatchEvent(new CustomEvent('peer:disconnect', { detail: peerIdFromString(peerId) }))
    }
  }

  dialsOf(peerId: PeerIdText): number[] {
    return this.dials.filter((dial) => dial.peerId === peerId).map(({ atMs }) => atMs)
  }

  async known(): Promise<PeerIdText[]> {
    return (await this.discovery.getPeers()).map(({ peerId }) => peerId)
  }
}

export function addressOf(peerId: PeerIdText, port = 4001): string {
  return `/ip4/10.0.0.1/tcp/${port}/p2p/${peerId}`
}

/** A strategy that finds whom the test tells it. */
export class Told implements DiscoveryStrategy {
  readonly name: DiscoveryMethod
  found: Array<{ peerId: PeerIdText; addresses: string[] }>
  readonly roundsAtMs: number[] = []
  hangs = false
  readonly #clock: ManualClock
  readonly #listeners: Set<(peer: { peerId: PeerIdText; addresses: string[] }) => void> = new Set()

  constructor(name: DiscoveryMethod, clock: ManualClock, peers: readonly PeerIdText[] = []) {
    this.name = name
    this.#clock = clock
    this.found = peers.map((peerId) => ({ peerId, addresses: [addressOf(peerId)] }))
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async *discover(): AsyncIterable<{ peerId: PeerIdText; addresses: string[] }> {
    this.roundsAtMs.push(this.#clock.now())
    yield* this.found
    if (this.hangs) await Promise.withResolvers().promise
  }

  onPeer(listener: (peer: { peerId: PeerIdText; addresses: string[] }) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  report(peerId: PeerIdText, addresses: string[] = [addressOf(peerId)]): void {
    for (const listener of this.#listeners) listener({ peerId, addresses })
  }
}
