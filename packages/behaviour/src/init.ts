import { type CatalogueHoldings, InvalidValueError, PROTOCOL_LIMITS } from '@registry/types'

/** The transports that can be switched on. */
export type TransportProtocol = 'tcp' | 'websocket' | 'quic'

export interface NetworkInit {
  /** Peers of different networks do not hear each other: the name is part of every protocol's name. @default 'main' */
  name?: string
  /**
   * Multiaddrs to listen on; an empty list only dials.
   * @default a free port on every interface for each of `protocols`
   */
  listenAddresses?: readonly string[]
  /** Multiaddrs told to others in place of those listened on, for a peer behind a mapped port. @default [] */
  announceAddresses?: readonly string[]
  /** @default ['tcp', 'websocket'] */
  protocols?: readonly TransportProtocol[]
  /** Above it, the connections worth least are closed. @default 100 */
  maxConnections?: number
  /** Connections that are kept up, as long as so many peers are known. @default 4 */
  minPeers?: number
  /** For one dial, up to the end of its handshakes. @default 30000 */
  connectionTimeoutMs?: number
  /** A request stream unused for so long is closed. @default 300000 */
  idleTimeoutMs?: number
}

export interface BootstrapInit {
  /** Whether the bootstrap nodes are dialled. @default true */
  enabled?: boolean
  /** Multiaddrs that end in `/p2p/<peer ID>`, or the two apart. @default [] */
  nodes?: ReadonlyArray<string | { peerId: string; address: string }>
  /** Whether peers of the local network are found by multicast DNS. @default true */
  mdns?: boolean
  /** Ceiling of the growing wait between two rounds of discovery. @default 300000 */
  retryIntervalMs?: number
}

export interface DhtInit {
  /** @default true */
  enabled?: boolean
  /** Whether this peer answers the DHT queries of others. @default true */
  server?: boolean
  /** @default '/p2p-registry/<network>/kad/1.0.0' */
  protocolName?: string
  /** Peers that hold one provider record. @default 20 */
  replication?: number
  /** For one query, all its steps together. @default 60000 */
  queryTimeoutMs?: number
  /** A provider record older than this does not count. @default 86400000 */
  providerRecordTtlMs?: number
  /** Contents whose providers are remembered. @default 1000 */
  cacheSize?: number
}

export interface GossipsubInit {
  /** @default 1000 */
  heartbeatIntervalMs?: number
  /** Heartbeats for which a message can be asked for again. @default 5 */
  historyLength?: number
  /** Heartbeats for which a message is told of. @default 3 */
  historyGossip?: number
  /** Peers that every message is passed to. @default 6 */
  meshSize?: number
  /** @default 4 */
  meshLow?: number
  /** @default 12 */
  meshHigh?: number
  /** Before the network's name in the name of the topic. @default 'p2p-registry' */
  topicPrefix?: string
}

export interface SyncInit {
  /** How often the catalogue is compared with that of a random connected peer. @default 60000 */
  intervalMs?: number
}

export interface CatalogueInit {
  /** Whether the catalogue is kept in step with other peers, or only what this peer needs and asks for. @default 'full' */
  mode?: 'full' | 'light'
  /** All peers of a network cut its catalogue into 2 to the power of this many shards, by the names of packages. @default 0 */
  shardBits?: number
  /** The shards that are kept, counted from 0; all when absent. */
  shards?: readonly number[]
  /** For asking holders of the catalogue for what is not here, all of them together. @default 1500 */
  holdersTimeoutMs?: number
}

export interface LimitsInit {
  /** New records that one peer may hand over unasked; twice as many at once. @default 500 */
  recordsPerSecondPerPeer?: number
  /**
   * Requests answered to one peer; twice as many at once. A content block is one request; a search, a push, a comparison and
   * a page of IDs, records or holdings count as many. @default 2000
   */
  requestsPerSecondPerPeer?: number
}

/** Data only; everything has a default. */
export interface MarketplaceBehaviourInit {
  network?: NetworkInit
  bootstrap?: BootstrapInit
  dht?: DhtInit
  gossipsub?: GossipsubInit
  sync?: SyncInit
  catalogue?: CatalogueInit
  limits?: LimitsInit
  /** Folder of what libp2p remembers over restarts: peers, addresses, provider records. In memory when absent. */
  datastorePath?: string
}

interface Sections {
  readonly network: Readonly<Required<NetworkInit>>
  readonly bootstrap: Readonly<Required<BootstrapInit>>
  readonly dht: Readonly<Required<DhtInit>>
  readonly gossipsub: Readonly<Required<GossipsubInit>>
  readonly sync: Readonly<Required<SyncInit>>
  readonly catalogue: Readonly<Required<Omit<CatalogueInit, 'shards'>> & Pick<CatalogueInit, 'shards'>>
  readonly limits: Readonly<Required<LimitsInit>>
}

/** Where each transport listens unless told. */
const ANY_PORT: Readonly<Record<TransportProtocol, string>> = Object.freeze({
  tcp: '/ip4/0.0.0.0/tcp/0',
  websocket: '/ip4/0.0.0.0/tcp/0/ws',
  quic: '/ip4/0.0.0.0/udp/0/quic-v1'
})

const protocols: readonly TransportProtocol[] = Object.freeze(['tcp', 'websocket'] as const)

/** What holds where the init says nothing; documented there, field by field. */
export const BEHAVIOUR_DEFAULTS: Sections = Object.freeze({
  network: Object.freeze({
    name: 'main',
    listenAddresses: Object.freeze(protocols.map((protocol) => ANY_PORT[protocol])),
    announceAddresses: Object.freeze([]),
    protocols,
    maxConnections: 100,
    minPeers: 4,
    connectionTimeoutMs: 30_000,
    idleTimeoutMs: 300_000
  }),
  bootstrap: Object.freeze({
    enabled: true,
    nodes: Object.freeze([]),
    mdns: true,
    retryIntervalMs: 300_000
  }),
  dht: Object.freeze({
    enabled: true,
    server: true,
    protocolName: '/p2p-registry/main/kad/1.0.0',
    replication: 20,
    queryTimeoutMs: 60_000,
    providerRecordTtlMs: 86_400_000,
    cacheSize: 1000
  }),
  gossipsub: Object.freeze({
    heartbeatIntervalMs: 1000,
    historyLength: 5,
    historyGossip: 3,
    meshSize: 6,
    meshLow: 4,
    meshHigh: 12,
    topicPrefix: 'p2p-registry'
  }),
  sync: Object.freeze({ intervalMs: 60_000 }),
  catalogue: Object.freeze({ mode: 'full', shardBits: 0, holdersTimeoutMs: 1500 }),
  limits: Object.freeze({ recordsPerSecondPerPeer: 500, requestsPerSecondPerPeer: 2000 })
})

/** The init with every gap filled. */
export interface BehaviourSettings extends Sections {
  readonly datastorePath?: string
}

/** Of each pair, the first must not be above the second: gossipsub does not check that, and errs in silence. */
const ORDERED = [
  ['historyGossip', 'historyLength'],
  ['meshLow', 'meshSize'],
  ['meshSize', 'meshHigh']
] as const

/**
 * @throws {InvalidValueError} ERR_INVALID_VALUE, the network's name, bounds of gossipsub that contradict each other, or
 * shards that there are not
 */
export function resolveInit(init: MarketplaceBehaviourInit): BehaviourSettings {
  const network = { ...BEHAVIOUR_DEFAULTS.network, ...init.network }
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(network.name)) {
    throw new InvalidValueError(
      'network.name',
      'must be 1 to 32 lower-case letters, digits and "-", and begin with a letter or a digit'
    )
  }
  const gossipsub = { ...BEHAVIOUR_DEFAULTS.gossipsub, ...init.gossipsub }
  for (const [low, high] of ORDERED) {
    if (gossipsub[low] <= gossipsub[high]) continue
    throw new InvalidValueError(
      `gossipsub.${low}`,
      `must not be above gossipsub.${high}, which is ${gossipsub[high]}`
    )
  }
  const settings: BehaviourSettings = {
    network: {
      ...network,
      listenAddresses:
        init.network?.listenAddresses ?? network.protocols.map((protocol) => ANY_PORT[protocol])
    },
    bootstrap: { ...BEHAVIOUR_DEFAULTS.bootstrap, ...init.bootstrap },
    dht: {
      ...BEHAVIOUR_DEFAULTS.dht,
      protocolName: `/p2p-registry/${network.name}/kad/1.0.0`,
      ...init.dht
    },
    gossipsub,
    sync: { ...BEHAVIOUR_DEFAULTS.sync, ...init.sync },
    catalogue: { ...BEHAVIOUR_DEFAULTS.catalogue, ...init.catalogue },
    limits: { ...BEHAVIOUR_DEFAULTS.limits, ...init.limits }
  }
  holdingsOf(settings)
  return init.datastorePath === undefined ? settings : { ...settings, datastorePath: init.datastorePath }
}

/** What this peer keeps of the catalogue. @throws {InvalidValueError} ERR_INVALID_VALUE, there are no such shards */
export function holdingsOf({ catalogue }: Pick<BehaviourSettings, 'catalogue'>): CatalogueHoldings {
  const { mode, shardBits: bits, shards } = catalogue
  if (!Number.isInteger(bits) || bits < 0 || bits > PROTOCOL_LIMITS.maxShardBits) {
    throw new InvalidValueError('catalogue.shardBits', `must be from 0 to ${PROTOCOL_LIMITS.maxShardBits}`)
  }
  if (shards === undefined) return { mode }
  const field = 'catalogue.shards'
  if (mode === 'light') throw new InvalidValueError(field, 'must not be given to a peer that is light')
  if (shards.length === 0) throw new InvalidValueError(field, 'must not be empty: such a peer is light')
  const wrong = shards.find((shard) => !Number.isInteger(shard) || shard < 0 || shard >= 2 ** bits)
  if (wrong !== undefined) {
    throw new InvalidValueError(
      field,
      `must be from 0 to ${2 ** bits - 1}, as catalogue.shardBits is ${bits}`
    )
  }
  const kept = [...new Set(shards)].sort((a, b) => a - b)
  return kept.length === 2 ** bits ? { mode } : { mode: 'shards', bits, shards: kept }
}

/** The gossip topic of new records. */
export function recordsTopic({ gossipsub, network }: BehaviourSettings): string {
  return `${gossipsub.topicPrefix}/${network.name}/records/1.0.0`
}

/** The protocol that tells a peer of this network from any other. */
export function reconcileProtocol({ network }: BehaviourSettings): string {
  return `/p2p-registry/${network.name}/reconcile/1.0.0`
}
