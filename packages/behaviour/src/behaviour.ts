import type { PrivateKey } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { CONTENT_ROUTER_DEFAULTS, contentRouter } from '@registry/content-routing'
import { parsePeerAddress, peerIdText } from '@registry/discovery'
import type {
  AbortOptions,
  Clock,
  Completeness,
  ConnectedPeer,
  ContentRouter,
  DiscoveredPeer,
  DocumentKey,
  DocumentSource,
  HolderAnswers,
  KeptDocument,
  Logger,
  MarketplaceBehaviour,
  NetworkStats,
  OwnerId,
  PackageName,
  PeerDiscovery,
  PeerIdText,
  Query,
  RegistryStore,
  SyncReport
} from '@registry/types'
import type { Libp2pOptions } from 'libp2p'
import { dhtRouting } from './dht-routing.ts'
import { NotRunningError } from './errors.ts'
import { type BehaviourSettings, holdingsOf, type MarketplaceBehaviourInit, resolveInit } from './init.ts'
import { composePeer, type RunningPeer } from './running-peer.ts'

export interface MarketplaceBehaviourComponents {
  /** Started before this, stopped after it. */
  store: RegistryStore
  /** Makes the peer's ID; see `loadOrCreatePeerKey`. */
  privateKey: PrivateKey
  clock: Clock
  logger?: Logger
  /** Replaces parts of the node, such as its transports, in tests and for other platforms. */
  libp2p?: Partial<Libp2pOptions>
}

/**
 * The network side of a peer. `discovery` is there from `start` on, and another one after each start; everything that
 * needs the network rejects with ERR_NOT_RUNNING before.
 *
 * `start` @throws {PortInUseError} ERR_PORT_IN_USE; {InvalidAddressError} ERR_INVALID_ADDRESS, an address to listen on, to
 * announce or to bootstrap from; {TransportUnavailableError} ERR_TRANSPORT_UNAVAILABLE; {PeerFileError} ERR_PEER_FILE
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE, the network's name, bounds of gossipsub that contradict each other, or
 * shards that there are not
 */
export function marketplaceBehaviour(
  init: MarketplaceBehaviourInit = {}
): (components: MarketplaceBehaviourComponents) => MarketplaceBehaviour {
  const settings = resolveInit(init)
  return (components) => new LibMarketplaceBehaviour(settings, components)
}

class LibMarketplaceBehaviour implements MarketplaceBehaviour {
  readonly peerId: PeerIdText
  readonly contentRouter: ContentRouter
  readonly #settings: BehaviourSettings
  readonly #components: MarketplaceBehaviourComponents
  /** Given while running or stopped, on top of those configured. */
  readonly #bootstrapNodes = new Set<string>()
  #documents: DocumentSource | undefined
  #wanted = false
  #turn: Promise<void> = Promise.resolve()
  #running: RunningPeer | undefined

  constructor(settings: BehaviourSettings, components: MarketplaceBehaviourComponents) {
    const { store, clock, privateKey, logger } = components
    const { dht } = settings
    this.#settings = settings
    this.#components = components
    this.peerId = peerIdText(peerIdFromPrivateKey(privateKey))
    this.contentRouter = contentRouter({
      cacheSize: dht.cacheSize,
      providerRecordTtlMs: dht.providerRecordTtlMs,
      provideTimeoutMs: dht.queryTimeoutMs,
      // A person waits for a look-up.
      lookupTimeoutMs: Math.min(CONTENT_ROUTER_DEFAULTS.lookupTimeoutMs, dht.queryTimeoutMs)
    })({
      peerId: this.peerId,
      blobs: store.blobs,
      blocks: {
        block: (peerId, cid, options) => this.#require().protocol.block(peerId, cid, options)
      },
      locator: {
        locate: (peerId, integrity, options) => this.#require().protocol.locate(peerId, integrity, options)
      },
      isConnected: (peerId) => this.#isConnected(peerId),
      connectedPeers: () => this.#running?.registryPeers() ?? [],
      clock,
      ...(dht.enabled
        ? {
            routing: dhtRouting({
              peerId: this.peerId,
              dht: () => this.#requireDht(),
              peerStore: () => this.#require().node.libp2p.peerStore
            })
          }
        : {}),
      ...(logger === undefined ? {} : { logger })
    })
  }

  get discovery(): PeerDiscovery {
    return this.#require().discovery
  }

  start(): Promise<void> {
    return this.#turnTo(true)
  }

  stop(): Promise<void> {
    return this.#turnTo(false)
  }

  addresses(): string[] {
    return this.#running?.addresses() ?? []
  }

  peers(): ConnectedPeer[] {
    return this.#running?.peers() ?? []
  }

  async knownPeers(): Promise<DiscoveredPeer[]> {
    return this.#require().discovery.getPeers()
  }

  async connect(address: string, options?: AbortOptions): Promise<ConnectedPeer> {
    return this.#require().connect(address, options)
  }

  async disconnect(peerId: PeerIdText): Promise<boolean> {
    return this.#require().disconnect(peerId)
  }

  async addBootstrapNode(address: string): Promise<void> {
    this.#bootstrapNodes.add(parsePeerAddress(address).address)
    await this.#running?.discovery.addBootstrapNode(address)
  }

  announce(): void {
    this.#running?.announcer.announce()
  }

  async sync(peerId?: PeerIdText, options?: AbortOptions): Promise<SyncReport[]> {
    const running = this.#require()
    if (peerId !== undefined) return [await running.replicator.request(peerId, options)]
    const results = await Promise.allSettled(
      running.registryPeers().map((peer) => running.replicator.request(peer, options))
    )
    const reports = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined && reports.length === 0) throw failed.reason
    return reports
  }

  completeness(): Completeness {
    return this.#running?.replicator.completeness() ?? this.#aloneCompleteness()
  }

  isPartial(name?: PackageName): boolean {
    return this.#running?.isPartial(name) ?? holdingsOf(this.#settings).mode !== 'full'
  }

  async searchHolders(query: Query, options?: AbortOptions): Promise<HolderAnswers> {
    return this.#require().holders.search(query, options)
  }

  async lookupHolders(
    name: PackageName,
    owner: OwnerId | undefined,
    options?: AbortOptions
  ): Promise<HolderAnswers> {
    return this.#require().holders.lookup(name, owner, options)
  }

  serveDocuments(source: DocumentSource): () => void {
    this.#documents = source
    return () => {
      if (this.#documents === source) this.#documents = undefined
    }
  }

  async documentOf(
    peerId: PeerIdText,
    key: DocumentKey,
    options?: AbortOptions
  ): Promise<KeptDocument | undefined> {
    return this.#require().protocol.document(peerId, key, options)
  }

  async settled(options?: AbortOptions): Promise<void> {
    await this.#running?.settled(options?.signal)
  }

  async stats(): Promise<NetworkStats> {
    const running = this.#running
    const { catalogue, blobs, outbox } = this.#components.store
    const { packages, releases } = catalogue.counts()
    const routing = this.contentRouter.stats()
    const completeness = this.completeness()
    const latencies = running?.protocol.requestLatencies()
    return {
      connectedPeers: running?.registryPeers().length ?? 0,
      knownPeers: (await running?.discovery.getPeers())?.length ?? 0,
      cachedPackages: blobs.usage().blobs,
      providerRecords: routing.providerRecords,
      gossipTopics: running?.node.libp2p.services.pubsub.getTopics().length ?? 0,
      packages,
      releases,
      dhtQuerySuccessRate: share(routing.dhtQueriesSucceeded, routing.dhtQueries),
      cacheHitRate: share(routing.cacheHits, routing.cacheHits + routing.cacheMisses),
      gossipDeliveryRate: running?.announcer.deliveryRate() ?? null,
      requestLatencyMs:
        latencies === undefined || latencies.count === 0
          ? null
          : { p50: latencies.p50Ms, p95: latencies.p95Ms, p99: latencies.p99Ms },
      pendingAnnouncements: outbox.size,
      lastSyncedAtMs: completeness.comparedAtMs,
      completeness,
      syncing: running?.replicator.progress() ?? []
    }
  }

  /** Starts and stops one after the other, however they are called. */
  #turnTo(wanted: boolean): Promise<void> {
    // A start that failed has told who asked for it.
    const before = this.#turn.catch(() => {})
    if (this.#wanted === wanted) return wanted ? this.#turn : before
    this.#wanted = wanted
    this.#turn = before.then(() => (wanted ? this.#start() : this.#stop()))
    return this.#turn
  }

  async #start(): Promise<void> {
    const { bootstrap } = this.#settings
    const nodes = [...bootstrap.nodes, ...this.#bootstrapNodes]
    try {
      const running = await composePeer(
        { ...this.#settings, bootstrap: { ...bootstrap, nodes } },
        {
          ...this.#components,
          contentRouter: this.contentRouter,
          documents: async (from, key) => this.#documents?.(from, key)
        }
      )
      // What it starts asks it through here.
      this.#running = running
      await running.start()
    } catch (error) {
      this.#running = undefined
      this.#wanted = false
      throw error
    }
  }

  async #stop(): Promise<void> {
    const running = this.#running
    try {
      await running?.stop()
    } finally {
      this.#running = undefined
    }
  }

  /** @throws {NotRunningError} ERR_NOT_RUNNING */
  #require(): RunningPeer {
    if (this.#running === undefined) throw new NotRunningError()
    return this.#running
  }

  /** Of a peer that does not run. */
  #aloneCompleteness(): Completeness {
    const state = holdingsOf(this.#settings).mode === 'full' ? 'alone' : 'partial'
    return { state, comparedAtMs: null, agreeing: 0, compared: 0, askedHolders: 0 }
  }

  #requireDht(): KadDHT {
    const { dht } = this.#require().node
    if (dht === undefined) throw new NotRunningError()
    return dht
  }

  #isConnected(peerId: PeerIdText): boolean {
    const libp2p = this.#running?.node.libp2p
    return libp2p !== undefined && libp2p.getConnections(peerIdFromString(peerId)).length > 0
  }
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
