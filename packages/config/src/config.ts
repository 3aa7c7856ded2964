// What each value means and its bounds stand beside its rule in schema.ts; its default in the layer that reads it.

export type NetworkProtocol = 'tcp' | 'websocket' | 'quic'

export interface NetworkConfig {
  name: string
  listenAddresses: string[]
  announceAddresses: string[]
  protocols: NetworkProtocol[]
  maxConnections: number
  minPeers: number
  connectionTimeoutMs: number
  idleTimeoutMs: number
}

export interface SecurityConfig {
  noiseEnabled: true
  keyType: 'Ed25519' | 'Secp256k1' | 'RSA'
  identityPath?: string
}

/** A multiaddr that ends in `/p2p/<peerId>`, or the two apart. */
export type BootstrapNode = string | { peerId: string; address: string }

export interface BootstrapConfig {
  enabled: boolean
  nodes: BootstrapNode[]
  mdns: boolean
  retryIntervalMs: number
}

export interface DhtConfig {
  enabled: boolean
  server: boolean
  protocolName?: string
  replication: number
  queryTimeoutMs: number
  providerRecordTtlMs: number
  cacheSize: number
}

export interface GossipsubConfig {
  heartbeatIntervalMs: number
  historyLength: number
  historyGossip: number
  meshSize: number
  meshLow: number
  meshHigh: number
  topicPrefix: string
}

export interface SyncConfig {
  intervalMs: number
}

export interface CatalogueConfig {
  mode: 'full' | 'light'
  shardBits: number
  shards?: number[]
  holdersTimeoutMs: number
}

export interface NamesConfig {
  dnsServers: string[]
}

export interface StorageConfig {
  quotaBytes: number
}

export interface LimitsConfig {
  recordsPerSecondPerPeer: number
  requestsPerSecondPerPeer: number
  maxPackageBytes: number
}

export interface HttpConfig {
  listen: string
}

export interface GatewayConfig {
  publicUrl?: string
  origins: string[]
  mirrors: string[]
}

/** Every setting of a peer. */
export interface P2PConfig {
  network: NetworkConfig
  security: SecurityConfig
  bootstrap: BootstrapConfig
  dht: DhtConfig
  gossipsub: GossipsubConfig
  sync: SyncConfig
  catalogue: CatalogueConfig
  names: NamesConfig
  storage: StorageConfig
  limits: LimitsConfig
  http: HttpConfig
  gateway: GatewayConfig
}

/** The settings that somebody chose; the rest is left to the defaults of the layers. */
export type P2PConfigOverrides = { [Section in keyof P2PConfig]?: Partial<P2PConfig[Section]> }
