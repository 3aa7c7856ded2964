import { randomInt } from 'node:crypto'
import type { Connection, IdentifyResult, PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import {
  bootstrapStrategy,
  dhtStrategy,
  mdnsStrategy,
  parseAddress,
  parsePeerAddress,
  peerDiscovery,
  peerIdText
} from '@registry/discovery'
import { packageProtocol } from '@registry/protocol'
import { deadline, pause } from '@registry/timing'
import type {
  AbortOptions,
  CatalogueHoldings,
  Clock,
  ConnectedPeer,
  ContentId,
  ContentRouter,
  DiscoveryStrategy,
  DocumentSource,
  Logger,
  PackageName,
  PackageProtocol,
  PeerDiscovery,
  PeerIdText,
  RegistryStore
} from '@registry/types'
import type { Libp2pOptions } from 'libp2p'
import { activity } from './activity.ts'
import { type Announcer, announcer } from './announcer.ts'
import { type ConflictSpreader, conflictSpreader } from './conflict-spreader.ts'
import { onDhtPeer } from './dht-routing.ts'
import {
  ConnectionTimeoutError,
  InvalidAddressError,
  NotRunningError,
  PeerUnreachableError,
  reasonOf
} from './errors.ts'
import { type GossipChannel, gossipChannel } from './gossip-channel.ts'
import { type HolderSearch, holderSearch } from './holder-search.ts'
import { type HoldingsExchange, holdingsExchange } from './holdings-exchange.ts'
import { type BehaviourSettings, holdingsOf, reconcileProtocol, recordsTopic } from './init.ts'
import { type RegistryNode, registryNode } from './node.ts'
import { type PeerGate, peerGate } from './peer-gate.ts'
import { peerSync } from './peer-sync.ts'
import { acceptance } from './policy/acceptance.ts'
import { holdsName, shardsHeld } from './policy/holdings.ts'
import { type PeerConduct, type PeerScore, peerScore } from './policy/peer-score.ts'
import { rateLimit } from './policy/rate-limit.ts'
import { protocolHandlers } from './protocol-handlers.ts'
import { recordIntake } from './record-intake.ts'
import { type Replicator, replicator } from './replicator.ts'
import { scopeQuota } from './scope-quota.ts'
import { type ShardProvider, shardProvider } from './shard-provider.ts'

export interface RunningPeerComponents {
  store: RegistryStore
  privateKey: PrivateKey
  contentRouter: ContentRouter
  documents: DocumentSource
  clock: Clock
  logger?: Logger
  libp2p?: Partial<Libp2pOptions>
}

/** Peers that rates and scores are kept for. */
const MAX_PEERS = 10_000
/** Seconds of the permitted rate that a peer may use up at once. */
const BURST_SECONDS = 2
/** What a request costs of the permitted rate, where it is more than a look-up by key. */
const REQUEST_COSTS: Readonly<Record<string, number>> = {
  lookupName: 20,
  searchPackages: 20,
  publishPackage: 10,
  compare: 10,
  symbols: 50,
  exchangeRecords: 50,
  recordIds: 50,
  snapshot: 40,
  holdings: 20,
  document: 20,
  announceHoldings: 20
}
const SYNC_BUDGET = { maxBytes: 1024 * 1024 * 1024, maxMs: 600_000, maxRefused: 256, maxComparisons: 6 }
const PEER_SCORE = { banBelow: 10, banMs: 600_000, halfLifeMs: 600_000, maxPeers: MAX_PEERS }
const MAX_HOLDINGS_PER_PEER = 20_000
/** libp2p's own stop can hang on a connection that does not close. */
const STOP_TIMEOUT_MS = 5000

/**
 * A peer from one start to the next stop, composed and not started.
 *
 * @throws ERR_INVALID_ADDRESS, ERR_TRANSPORT_UNAVAILABLE
 */
export async function composePeer(
  settings: BehaviourSettings,
  components: RunningPeerComponents
): Promise<RunningPeer> {
  const { bootstrap } = settings
  const bootstrapping = bootstrapStrategy({ nodes: bootstrap.enabled ? bootstrap.nodes : [] })
  const gate = peerGate(components.clock)
  const score = peerScore(PEER_SCORE)
  const node = await registryNode(settings)({
    ...components,
    gater: gate.gater,
    scoreOf: (peerId) => score.score(peerId, components.clock.now())
  })
  return new RunningPeer(settings, components, node, gate, score, bootstrapping)
}

/** The node, the layers built on it, and the policies at work. */
export class RunningPeer {
  readonly discovery: PeerDiscovery
  readonly protocol: PackageProtocol
  readonly node: RegistryNode
  readonly announcer: Announcer
  readonly replicator: Replicator
  readonly holders: HolderSearch
  readonly #settings: BehaviourSettings
  readonly #components: RunningPeerComponents
  readonly #gate: PeerGate
  readonly #score: PeerScore
  readonly #gossip: GossipChannel
  readonly #holdings: HoldingsExchange
  readonly #shards: ShardProvider
  readonly #conflicts: ConflictSpreader
  readonly #holds: CatalogueHoldings
  readonly #activity = activity()
  readonly #ended = new AbortController()
  /** Connected peers that speak the protocols of this network, and what they call their software. */
  readonly #registryPeers = new Map<PeerIdText, string | undefined>()
  /** Connected peers that have said what they speak, and it is not that. */
  readonly #strangers = new Set<PeerIdText>()
  /** Connected peers that have begun to listen for gossip. */
  readonly #listening = new Set<PeerIdText>()
  /** By connection: settled when the peer at its end has said what it is, or has failed to. */
  readonly #introductions = new WeakMap<Connection, Promise<void>>()
  /** How to undo what was started, in the order of starting. */
  readonly #undo: Array<() => Promise<void> | void> = []

  constructor(
    settings: BehaviourSettings,
    components: RunningPeerComponents,
    node: RegistryNode,
    gate: PeerGate,
    score: PeerScore,
    bootstrapping: DiscoveryStrategy
  ) {
    const { store, contentRouter, clock } = components
    const { network, bootstrap, limits, dht } = settings
    const logger = components.logger === undefined ? {} : { logger: components.logger }
    const { peerId } = node.libp2p
    const { registrar, connectionManager, peerStore, events } = node.internals
    this.#settings = settings
    this.#components = components
    this.node = node
    this.#gate = gate
    this.#score = score
    const holds = holdingsOf(settings)
    const { shardBits } = settings.catalogue
    this.#holds = holds

    const common = {
      ...logger,
      clock,
      signal: this.#ended.signal,
      track: <T>(task: Promise<T>): Promise<T> => this.#activity.track(task),
      onConduct: (from: PeerIdText, conduct: PeerConduct): void => this.#note(from, conduct),
      peers: (): PeerIdText[] => this.#bestPeers()
    }
    const intake = recordIntake({
      ...common,
      catalogue: store.catalogue,
      holds,
      acceptance: acceptance({
        recordsPerSecondPerPeer: limits.recordsPerSecondPerPeer,
        maxPeers: MAX_PEERS
      })
    })
    const requestRate = rateLimit({
      perSecond: limits.requestsPerSecondPerPeer,
      burst: limits.requestsPerSecondPerPeer * BURST_SECONDS,
      maxPeers: MAX_PEERS
    })
    this.protocol = packageProtocol({ network: network.name, idleTimeoutMs: network.idleTimeoutMs })({
      ...logger,
      clock,
      registrar,
      connectionManager,
      handlers: protocolHandlers({
        store,
        contentRouter,
        documents: components.documents,
        intake,
        quota: scopeQuota({ holds, shardBits, maxPeers: MAX_PEERS })({ clock }),
        holds,
        relay: (records) => void this.#activity.track(this.#gossip.publish(records)),
        onCompared: (from, { kind }, equal) => {
          if (kind === 'all') this.replicator.compared(from, equal)
          if (!equal && kind !== 'owner') this.replicator.doubted(from)
        },
        onGiven: (from) => this.replicator.given(from)
      }),
      onMisbehaviour: (from) => this.#note(from, 'forged'),
      admit: (from, method) =>
        requestRate.handle({ peerId: from, amount: REQUEST_COSTS[method] ?? 1 }, clock.now()).admitted
    })
    this.discovery = peerDiscovery({
      minPeers: network.minPeers,
      maxConnections: network.maxConnections,
      dialTimeoutMs: network.connectionTimeoutMs,
      retryIntervalMs: bootstrap.retryIntervalMs
    })({
      ...logger,
      clock,
      peerId,
      peerStore,
      connectionManager,
      events,
      strategies: [bootstrapping, ...this.#strategies()]
    })
    this.#gossip = gossipChannel({ topic: recordsTopic(settings) })({
      ...common,
      pubsub: node.libp2p.services.pubsub,
      intake,
      onSubscriber: (from) => {
        // Once a connection: a peer can subscribe as often as it likes.
        const connected = this.node.libp2p.getConnections(peerIdFromString(from)).length > 0
        if (!connected || this.#listening.has(from)) return
        this.#listening.add(from)
        this.announcer.announce()
        // What was published between our comparison and its first message came by neither.
        this.replicator.doubted(from)
      }
    })
    this.announcer = announcer({ provide: dht.enabled, recordsPerSecond: limits.recordsPerSecondPerPeer })({
      ...common,
      outbox: store.outbox,
      catalogue: store.catalogue,
      gossip: this.#gossip,
      protocol: this.protocol,
      peers: () => this.#pushTargets(),
      provide: (cid, options) => contentRouter.provide(cid, options)
    })
    this.#holdings = holdingsExchange({ maxPerPeer: Math.min(MAX_HOLDINGS_PER_PEER, dht.cacheSize) })({
      ...common,
      blobs: store.blobs,
      contentRouter,
      protocol: this.protocol
    })
    this.replicator = replicator({
      intervalMs: settings.sync.intervalMs,
      seed: randomInt(2 ** 32),
      holds
    })({
      ...common,
      sync: peerSync({ budget: SYNC_BUDGET, holds })({
        catalogue: store.catalogue,
        protocol: this.protocol,
        clock
      }),
      holdsCatalogue: (from, options) => this.protocol.holdsCatalogue(from, options),
      pullHoldings: (from, options) => this.#holdings.pull(from, options)
    })
    this.#conflicts = conflictSpreader({
      ...common,
      catalogue: store.catalogue,
      gossip: this.#gossip,
      isCatchingUp: () => this.replicator.catchingUp
    })
    this.holders = holderSearch({
      network: network.name,
      shardBits,
      timeoutMs: settings.catalogue.holdersTimeoutMs
    })({
      ...common,
      catalogue: store.catalogue,
      protocol: this.protocol,
      holders: () => this.#declaredPeers(),
      findProviders: (key, options) => providersOf(contentRouter, key, options)
    })
    this.#shards = shardProvider({ network: network.name, shards: shardsHeld(holds, shardBits) })({
      ...common,
      contentRouter,
      isCatchingUp: () => this.replicator.catchingUp
    })
  }

  /** @throws as `MarketplaceBehaviour.start`; then it is stopped */
  async start(): Promise<void> {
    const { contentRouter } = this.#components
    try {
      this.#undo.push(() => this.#stopNode())
      await this.node.open()
      this.#listen()
      // Its handlers first: who connects while we start finds them.
      await this.#start(this.protocol)
      await this.node.start()
      await this.#start(contentRouter)
      this.#gossip.start()
      this.#undo.push(() => this.#gossip.stop())
      this.#holdings.start()
      this.#undo.push(() => this.#holdings.stop())
      this.#undo.push(this.#conflicts.start())
      if (this.node.dht !== undefined) {
        const announce = (): void => {
          this.announcer.announce()
          this.#shards.announce()
        }
        this.#undo.push(onDhtPeer(this.node.dht, announce))
      }
      await this.#start(this.discovery)
      this.announcer.announce()
      if (this.node.dht !== undefined) this.#shards.announce()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Ends everything under way, then stops what was started in reverse. A part that fails to stop does not keep others. */
  async stop(): Promise<void> {
    this.#ended.abort(new NotRunningError())
    for (const undo of this.#undo.splice(0).reverse()) {
      try {
        await undo()
      } catch (error) {
        this.#components.logger?.warn('behaviour', 'a part did not stop', { error: reasonOf(error) })
      }
    }
    await this.#within(STOP_TIMEOUT_MS, this.#activity.whenIdle())
  }

  addresses(): string[] {
    return this.node.libp2p.getMultiaddrs().map((address) => address.toString())
  }

  peers(): ConnectedPeer[] {
    return this.node.libp2p.getPeers().map((peerId) => this.#describe(peerId))
  }

  async connect(address: string, { signal }: AbortOptions = {}): Promise<ConnectedPeer> {
    const target = parseAddress(address)
    const { connectionTimeoutMs } = this.#settings.network
    if (target.peerId !== undefined) this.#gate.allow(target.peerId)
    const limit = deadline(this.#components.clock, connectionTimeoutMs, signal)
    let connection: Connection
    try {
      connection = await this.node.libp2p.dial(multiaddr(target.address), { signal: limit.signal })
    } catch (error) {
      signal?.throwIfAborted()
      if (limit.expired) throw new ConnectionTimeoutError(address, connectionTimeoutMs)
      throw isNowhere(error)
        ? new InvalidAddressError(
            address,
            'it leads to this peer itself, or by no transport that is switched on',
            { cause: error }
          )
        : new PeerUnreachableError(address, error)
    } finally {
      limit.clear()
    }
    await this.#introductions.get(connection)
    const peerId = peerIdText(connection.remotePeer)
    await this.discovery.addPeer(parsePeerAddress(target.address, peerId).address, 'Manual')
    return this.#describe(connection.remotePeer)
  }

  async disconnect(peerId: PeerIdText): Promise<boolean> {
    const { clock } = this.#components
    const target = peerIdFromString(peerId)
    const connected = this.node.libp2p.getConnections(target).length > 0
    this.#gate.deny(peerId, 'dial', clock.now() + this.#settings.bootstrap.retryIntervalMs)
    await this.#hangUp(target)
    await this.discovery.removePeer(peerId)
    // The DHT fails to answer who provides a content if one of the providers is not in the peer store at all.
    await this.node.internals.peerStore.merge(target, {})
    return connected
  }

  /** The peers that a synchronisation of all has to ask. */
  registryPeers(): PeerIdText[] {
    return [...this.#registryPeers.keys()]
  }

  isPartial(name: PackageName | undefined): boolean {
    if (this.replicator.catchingUp) return true
    return name === undefined ? this.#holds.mode !== 'full' : !holdsName(this.#holds, name)
  }

  async settled(signal?: AbortSignal): Promise<void> {
    for (;;) {
      await this.#activity.whenIdle(signal)
      if (this.announcer.idle || this.#ended.signal.aborted) return
      this.announcer.announce()
      if (this.#activity.idle) return
    }
  }

  #strategies(): DiscoveryStrategy[] {
    const { network, bootstrap, dht } = this.#settings
    const { addressManager, peerRouting } = this.node.internals
    const logger = this.#components.logger === undefined ? {} : { logger: this.#components.logger }
    const strategies: DiscoveryStrategy[] = []
    if (bootstrap.mdns) {
      const serviceName = `_p2p-registry-${network.name}._udp.local`
      strategies.push(mdnsStrategy({ serviceName })({ ...logger, addressManager }))
    }
    if (dht.enabled) strategies.push(dhtStrategy()({ peerRouting }))
    return strategies
  }

  async #start(part: { start(): Promise<void>; stop(): Promise<void> }): Promise<void> {
    this.#undo.push(() => part.stop())
    await part.start()
  }

  async #stopNode(): Promise<void> {
    await this.#within(STOP_TIMEOUT_MS, this.node.stop())
  }

  /** Resolves with the task or when the time is over, and then says so in the log. */
  async #within(timeoutMs: number, task: Promise<void>): Promise<void> {
    const { clock, logger } = this.#components
    const done = new AbortController()
    const ended = await Promise.race([
      task.then(() => true).finally(() => done.abort()),
      pause(clock, timeoutMs, done.signal).then(() => done.signal.aborted)
    ])
    if (!ended) logger?.warn('behaviour', 'stopping takes too long and is left to itself', { timeoutMs })
  }

  #listen(): void {
    const { libp2p } = this.node
    const onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
      const introduction = this.#introduce(connection)
      this.#introductions.set(connection, introduction)
      void this.#activity.track(introduction)
    }
    const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
      const peerId = peerIdText(detail.peerId)
      // Also after a change of its protocols or addresses, and after its connection has ended meanwhile.
      if (libp2p.getConnections(detail.peerId).length === 0) return
      if (!detail.protocols.includes(reconcileProtocol(this.#settings))) {
        if (!this.#registryPeers.has(peerId)) this.#strangers.add(peerId)
        return
      }
      this.#strangers.delete(peerId)
      const isNew = !this.#registryPeers.has(peerId)
      this.#registryPeers.set(peerId, detail.agentVersion)
      // A peer can say what it is as often as it likes; only the first time is a reason to begin anything.
      if (!isNew) return
      this.replicator.connected(peerId, this.#hasDialled(detail.peerId))
      this.announcer.announce()
    }
    const onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
      const peerId = peerIdText(detail)
      this.#listening.delete(peerId)
      this.#strangers.delete(peerId)
      if (this.#registryPeers.delete(peerId)) this.replicator.disconnected(peerId)
    }
    libp2p.addEventListener('connection:open', onOpen)
    libp2p.addEventListener('peer:identify', onIdentify)
    libp2p.addEventListener('peer:disconnect', onDisconnect)
    this.#undo.push(() => {
      libp2p.removeEventListener('connection:open', onOpen)
      libp2p.removeEventListener('peer:identify', onIdentify)
      libp2p.removeEventListener('peer:disconnect', onDisconnect)
    })
  }

  /** Asks who is there and what it speaks; libp2p tells by an event. Without an answer the connection is of no use. */
  async #introduce(connection: Connection): Promise<void> {
    try {
      await this.node.libp2p.services.identify.identify(connection)
    } catch (error) {
      if (connection.status !== 'open') return
      const peerId = connection.remotePeer.toString()
      this.#components.logger?.debug('behaviour', 'a peer did not say what it is', {
        peerId,
        error: reasonOf(error)
      })
      connection.abort(new Error('The peer did not say what it is'))
    }
  }

  #note(peerId: PeerIdText, conduct: PeerConduct): void {
    const { clock, logger } = this.#components
    const { score, banUntilMs } = this.#score.handle({ peerId, conduct }, clock.now())
    if (banUntilMs === undefined) return
    logger?.warn('behaviour', 'a peer is shut out for a while', { peerId, conduct, score })
    this.#gate.deny(peerId, 'all', banUntilMs)
    void this.#activity.track(this.#hangUp(peerIdFromString(peerId)))
  }

  async #hangUp(peerId: PeerId): Promise<void> {
    const limit = deadline(this.#components.clock, STOP_TIMEOUT_MS, this.#ended.signal)
    try {
      await this.node.libp2p.hangUp(peerId, { signal: limit.signal })
    } catch (error) {
      this.#components.logger?.debug('behaviour', 'a connection did not close', { error: reasonOf(error) })
    } finally {
      limit.clear()
    }
  }

  #bestPeers(): PeerIdText[] {
    const nowMs = this.#components.clock.now()
    const score = (peerId: PeerIdText): number => this.#score.score(peerId, nowMs)
    return this.registryPeers().sort((a, b) => score(b) - score(a))
  }

  /** What connected peers say they keep of the catalogue, best first. */
  #declaredPeers(): Array<{ peerId: PeerIdText; holds: CatalogueHoldings }> {
    return this.#bestPeers().flatMap((peerId) => {
      const { holds } = this.replicator.freshness(peerId)
      return holds === undefined ? [] : [{ peerId, holds }]
    })
  }

  /** Best first; those who keep no catalogue would not keep what is pushed to them either. */
  #pushTargets(): PeerIdText[] {
    const rank = (peerId: PeerIdText): number => {
      const mode = this.replicator.freshness(peerId).holds?.mode
      return mode === 'light' ? 2 : mode === 'shards' ? 1 : 0
    }
    return this.#bestPeers()
      .filter((peerId) => rank(peerId) < 2)
      .sort((a, b) => rank(a) - rank(b))
  }

  /** Which of two peers began: both must say the same, so of several connections the oldest tells. */
  #hasDialled(peerId: PeerId): boolean {
    return this.#oldestConnection(peerId)?.direction !== 'inbound'
  }

  #oldestConnection(peerId: PeerId): Connection | undefined {
    return this.node.libp2p.getConnections(peerId).toSorted((a, b) => a.timeline.open - b.timeline.open)[0]
  }

  #describe(peerId: PeerId): ConnectedPeer {
    const { contentRouter, clock } = this.#components
    const text = peerIdText(peerId)
    const connections = this.node.libp2p.getConnections(peerId)
    const first = this.#oldestConnection(peerId)
    const agent = this.#registryPeers.get(text)
    const { comparedAtMs, equal, holds } = this.replicator.freshness(text)
    const peer: ConnectedPeer = {
      peerId: text,
      addresses: connections.map(({ remoteAddr }) => remoteAddr.toString()),
      direction: first?.direction ?? 'outbound',
      connectedSinceMs: first?.timeline.open ?? clock.now(),
      // Half for its records, half for its contents.
      reputation: Math.round((this.#score.score(text, clock.now()) + contentRouter.reputation(text)) / 2),
      inSync: equal,
      comparedAtMs
    }
    if (agent !== undefined) peer.agent = agent
    if (holds !== undefined) peer.holds = holds
    if (this.#strangers.has(text)) peer.otherNetwork = true
    return peer
  }
}

/** Peers that may hold what has this key, as content routing knows or finds them. */
async function* providersOf(
  contentRouter: ContentRouter,
  key: ContentId,
  options: AbortOptions
): AsyncGenerator<PeerIdText> {
  for await (const { peerId } of contentRouter.findProviders(key, options)) yield peerId
}

/** libp2p's way to say that an address cannot be dialled at all. */
function isNowhere(error: unknown): boolean {
  return error instanceof Error && ['NoValidAddressesError', 'InvalidPeerIdError'].includes(error.name)
}
