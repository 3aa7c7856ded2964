import { networkInterfaces } from 'node:os'
import { noise } from '@chainsafe/libp2p-noise'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, type IdentifyPush, identify, identifyPush } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey, Transport } from '@libp2p/interface'
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { LevelDatastore } from 'datastore-level'
import { createLibp2p, type Libp2pOptions, type ServiceFactoryMap } from 'libp2p'
import {
  InvalidAddressError,
  PeerFileError,
  PortInUseError,
  reasonOf,
  TransportUnavailableError
} from './errors.ts'
import { gossipMessageId } from './gossip-message.ts'
import { type BehaviourSettings, recordsTopic, type TransportProtocol } from './init.ts'
import { checkListenAddresses } from './listen-address.ts'

type TransportFactory = NonNullable<Libp2pOptions['transports']>[number]

/** libp2p's own parts, for layers that are built on them rather than inside the node. */
export type NodeInternals = Parameters<ServiceFactoryMap[string]>[0]

interface NodeServices extends Record<string, unknown> {
  identify: Identify
  identifyPush: IdentifyPush
  ping: Ping
  pubsub: GossipSub
  capture: { internals: NodeInternals }
}

export interface RegistryNode {
  readonly libp2p: Libp2p<NodeServices>
  readonly internals: NodeInternals
  readonly dht: KadDHT | undefined
  /** Opens the database, without which no protocol can be handled. @throws {PeerFileError} ERR_PEER_FILE */
  open(): Promise<void>
  /** Listens. @throws ERR_PORT_IN_USE, ERR_INVALID_ADDRESS */
  start(): Promise<void>
  /** Closes connections and database, whatever of them is open. libp2p may take its time over the connections. */
  stop(): Promise<void>
}

export interface RegistryNodeComponents {
  privateKey: PrivateKey
  gater: ConnectionGater
  /** What a peer is worth, from 0 to 100, for gossip to avoid the bad ones. */
  scoreOf: (peerId: string) => number
  libp2p?: Partial<Libp2pOptions>
}

const MAX_PEER_AGE_MS = 48 * 60 * 60 * 1000
/** A writer waits for the other end long before; this bounds what a bug or a trick can pile up on one stream. */
const MAX_STREAM_WRITE_BYTES = 8 * 1024 * 1024
/** gossipsub cannot read more in one message; an answer to many requests may come near it. */
const MAX_GOSSIP_RPC_BYTES = 4 * 1024 * 1024

/**
 * A libp2p node of this network, not started. Traps of the stack that its options avoid are written beside them.
 *
 * @throws ERR_INVALID_ADDRESS, ERR_TRANSPORT_UNAVAILABLE
 */
export function registryNode(
  settings: BehaviourSettings
): (components: RegistryNodeComponents) => Promise<RegistryNode> {
  return async ({ privateKey, gater, scoreOf, libp2p: overrides = {} }) => {
    const { network, dht } = settings
    if (overrides.transports === undefined) checkListenAddresses(network)
    const faults = new Map<string, unknown>()
    const transports = overrides.transports ?? (await Promise.all(network.protocols.map(loadTransport)))
    // It opens itself soon, so nothing may fail between here and its first owner.
    const datastore =
      settings.datastorePath === undefined ? undefined : new LevelDatastore(settings.datastorePath)

    const options: Libp2pOptions<NodeServices> = {
      privateKey,
      start: false,
      nodeInfo: { name: 'p2p-registry', userAgent: 'p2p-registry' },
      streamMuxers: [yamux({ streamOptions: { maxWriteBufferLength: MAX_STREAM_WRITE_BYTES } })],
      connectionEncrypters: [noise()],
      // Without both, what a peer told us is gone after an hour, and with it the answers to DHT queries.
      peerStore: { maxAddressAge: MAX_PEER_AGE_MS, maxPeerAge: MAX_PEER_AGE_MS },
      // A ping that failed says little of a busy connection.
      connectionMonitor: { abortConnectionOnPingFailure: false },
      ...(datastore === undefined ? {} : { datastore }),
      ...withoutManaged(overrides),
      transports: transports.map((transport) => recordListenFaults(transport, faults)),
      addresses: {
        listen: [...network.listenAddresses],
        ...(network.announceAddresses.length > 0 ? { announce: [...network.announceAddresses] } : {}),
        ...overrides.addresses
      },
      connectionGater: { ...gater, ...overrides.connectionGater },
      connectionManager: {
        maxConnections: network.maxConnections,
        dialTimeout: network.connectionTimeoutMs,
        addressDialTimeout: network.connectionTimeoutMs,
        inboundUpgradeTimeout: network.connectionTimeoutMs,
        // libp2p's 5 a second and 10 at once refuse the peers of one machine that start together.
        inboundConnectionThreshold: network.maxConnections,
        maxIncomingPendingConnections: network.maxConnections,
        ...overrides.connectionManager
      },
      services: {
        // Run by the peer itself, which wants to know when it is done. A busy machine takes longer than the 5 seconds
        // that libp2p gives it, and a peer that has not said what it speaks is of no use.
        identify: identify({ runOnConnectionOpen: false, timeout: network.connectionTimeoutMs }),
        identifyPush: identifyPush({ timeout: network.connectionTimeoutMs }),
        ping: ping(),
        pubsub: gossip(settings, scoreOf),
        // Wrapped: libp2p would take what it returns for a part of itself to start, and that is all parts.
        capture: (internals) => ({ internals }),
        ...(dht.enabled ? { dht: providerDht(settings) } : {})
      }
    }
    try {
      return new LibRegistryNode(await createLibp2p(options), settings.datastorePath, datastore, faults)
    } catch (error) {
      await datastore?.close()
      throw error
    }
  }
}

class LibRegistryNode implements RegistryNode {
  readonly libp2p: Libp2p<NodeServices>
  readonly #datastorePath: string | undefined
  readonly #datastore: LevelDatastore | undefined
  readonly #faults: ReadonlyMap<string, unknown>

  constructor(
    libp2p: Libp2p<NodeServices>,
    datastorePath: string | undefined,
    datastore: LevelDatastore | undefined,
    faults: ReadonlyMap<string, unknown>
  ) {
    this.libp2p = libp2p
    this.#datastorePath = datastorePath
    this.#datastore = datastore
    this.#faults = faults
  }

  get internals(): NodeInternals {
    return this.libp2p.services.capture.internals
  }

  get dht(): KadDHT | undefined {
    const { dht } = this.libp2p.services
    return isKadDht(dht) ? dht : undefined
  }

  async open(): Promise<void> {
    try {
      await this.#datastore?.open()
    } catch (error) {
      throw new PeerFileError(this.#datastorePath ?? '', error)
    }
  }

  async start(): Promise<void> {
    try {
      await this.libp2p.start()
    } catch (error) {
      throw this.#listenError() ?? error
    }
    this.#confirmAddresses()
  }

  async stop(): Promise<void> {
    try {
      await this.libp2p.stop()
    } finally {
      await this.#datastore?.close()
    }
  }

  #listenError(): Error | undefined {
    for (const [address, fault] of this.#faults) {
      if (isAddressInUse(fault)) return new PortInUseError(address, fault)
    }
    for (const [address, fault] of this.#faults) {
      return new InvalidAddressError(address, `this machine cannot listen on it: ${reasonOf(fault)}`, {
        hint: 'Listen on an address that this machine has; 0.0.0.0 stands for all of them.',
        cause: fault
      })
    }
    return undefined
  }

  /**
   * libp2p tells nobody a public address that AutoNAT has not verified. Those of our listeners are addresses of this
   * machine's own interfaces, and a peer without any address can provide nothing.
   */
  #confirmAddresses(): void {
    const { addressManager } = this.internals
    for (const { multiaddr: address, type, verified } of addressManager.getAddressesWithMetadata()) {
      if (type === 'transport' && !verified)
        addressManager.confirmObservedAddr(address, { type: 'transport' })
    }
  }
}

function isKadDht(service: unknown): service is KadDHT {
  return typeof service === 'object' && service !== null && 'findProviders' in service && 'setMode' in service
}

/** The options of libp2p that are merged by hand. */
function withoutManaged(overrides: Partial<Libp2pOptions>): Partial<Omit<Libp2pOptions, 'services'>> {
  const { addresses, transports, connectionGater, connectionManager, services, ...rest } = overrides
  return rest
}

function gossip(
  settings: BehaviourSettings,
  scoreOf: (peerId: string) => number
): ReturnType<typeof gossipsub> {
  const { gossipsub: options } = settings
  const topic = recordsTopic(settings)
  return gossipsub({
    D: options.meshSize,
    Dlo: options.meshLow,
    Dhi: options.meshHigh,
    // As gossipsub has it for a mesh of 6: outbound connections no eclipse can take, and places for the best.
    Dout: Math.max(1, Math.min(2, options.meshLow - 1)),
    Dscore: Math.min(4, options.meshSize),
    heartbeatInterval: options.heartbeatIntervalMs,
    mcacheLength: options.historyLength,
    mcacheGossip: options.historyGossip,
    // Floodsub has no score and no limit.
    fallbackToFloodsub: false,
    msgIdFn: (message) => gossipMessageId(message.data),
    ignoreDuplicatePublishError: false,
    allowedTopics: [topic],
    maxTopicBytesPerPeer: 16 * 1024,
    maxInboundDataLength: MAX_GOSSIP_RPC_BYTES,
    maxOutboundBufferSize: MAX_STREAM_WRITE_BYTES,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 4096,
      maxIhaveMessageIDs: 5000,
      maxIwantMessageIDs: 5000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16
    },
    // Without parameters for the topic, a rejected message costs its sender nothing.
    scoreParams: {
      appSpecificScore: (peerId) => Math.min(0, scoreOf(peerId) - 50),
      appSpecificWeight: 2,
      // Answers to requests for messages are a best effort.
      behaviourPenaltyThreshold: 6,
      IPColocationFactorWhitelist: ownAddresses(),
      topics: {
        [topic]: {
          topicWeight: 1,
          timeInMeshWeight: 0.001,
          timeInMeshQuantum: 1000,
          timeInMeshCap: 3600,
          firstMessageDeliveriesWeight: 0.5,
          firstMessageDeliveriesDecay: 0.9,
          firstMessageDeliveriesCap: 20,
          // These two punish a quiet topic, and ours mostly is.
          meshMessageDeliveriesWeight: 0,
          meshMessageDeliveriesDecay: 0.5,
          meshMessageDeliveriesCap: 1,
          meshMessageDeliveriesThreshold: 1,
          meshMessageDeliveriesWindow: options.heartbeatIntervalMs,
          meshMessageDeliveriesActivation: 1000,
          meshFailurePenaltyWeight: 0,
          meshFailurePenaltyDecay: 0.5,
          invalidMessageDeliveriesWeight: -10,
          invalidMessageDeliveriesDecay: 0.99
        }
      }
    }
  })
}

function providerDht({ dht }: BehaviourSettings): ReturnType<typeof kadDHT> {
  return kadDHT({
    protocol: dht.protocolName,
    kBucketSize: dht.replication,
    // The default is a client, also where none has a server to ask.
    clientMode: !dht.server,
    // The default drops private addresses, which are all that a network at home has.
    peerInfoMapper: passthroughMapper,
    // The first peer of a network waits for nobody.
    allowQueryWithZeroPeers: true,
    reprovide: {
      validity: dht.providerRecordTtlMs,
      threshold: dht.providerRecordTtlMs / 2,
      interval: Math.min(60 * 60 * 1000, dht.providerRecordTtlMs / 4)
    }
  })
}

async function loadTransport(protocol: TransportProtocol): Promise<TransportFactory> {
  if (protocol === 'tcp') return tcp()
  if (protocol === 'websocket') return webSockets()
  try {
    // Native code that most peers do not need.
    const { quic } = await import('@chainsafe/libp2p-quic')
    return quic({ ipv6: hasIpv6() })
  } catch (error) {
    throw new TransportUnavailableError(protocol, error)
  }
}

/** libp2p puts the faults of all listeners into the text of one error; here they are kept as they were. */
function recordListenFaults(factory: TransportFactory, faults: Map<string, unknown>): TransportFactory {
  return (internals) => {
    const transport: Transport = factory(internals)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options) => {
      const listener = createListener(options)
      const listen = listener.listen.bind(listener)
      listener.listen = async (address) => {
        try {
          await listen(address)
        } catch (error) {
          faults.set(address.toString(), error)
          throw error
        }
      }
      return listener
    }
    return transport
  }
}

function isAddressInUse(fault: unknown): boolean {
  if (!(fault instanceof Error)) return false
  // QUIC's native code has no codes, only the text of the operating system.
  return ('code' in fault && fault.code === 'EADDRINUSE') || /address (already )?in use/i.test(fault.message)
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ family }) => family === 'IPv6')
  )
}

/** Peers of this machine share its addresses, and are not therefore one attacker. */
function ownAddresses(): Set<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((addresses) => addresses?.map(({ address }) => address) ?? [])
  )
}
