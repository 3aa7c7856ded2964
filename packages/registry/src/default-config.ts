import { BEHAVIOUR_DEFAULTS } from '@registry/behaviour'
import type { P2PConfig, SecurityConfig } from '@registry/config'
import { REGISTRY_STORE_DEFAULTS } from '@registry/store'
import { REGISTRY_DEFAULTS } from './registry.ts'

/** The settings of a peer; what serves them over HTTP has its own. */
export type PeerConfig = Omit<P2PConfig, 'http' | 'gateway'>

/** How a peer proves who it is. */
export const SECURITY_DEFAULTS: Readonly<SecurityConfig> = Object.freeze({
  noiseEnabled: true,
  keyType: 'Ed25519'
})

/**
 * Every setting as it is unless changed, put together from the layers that read them, as a copy of the caller's own. What
 * follows from other settings is left out: the name of the DHT's protocol, the path of the peer's key, and the shards it keeps.
 */
export function defaultConfig(): PeerConfig {
  const { protocolName: _, ...dht } = BEHAVIOUR_DEFAULTS.dht
  const { shards: __, ...catalogue } = BEHAVIOUR_DEFAULTS.catalogue
  const { network, bootstrap, gossipsub, sync, limits } = BEHAVIOUR_DEFAULTS
  return {
    network: {
      ...network,
      listenAddresses: [...network.listenAddresses],
      announceAddresses: [...network.announceAddresses],
      protocols: [...network.protocols]
    },
    security: { ...SECURITY_DEFAULTS },
    bootstrap: { ...bootstrap, nodes: [...bootstrap.nodes] },
    dht,
    gossipsub: { ...gossipsub },
    sync: { ...sync },
    catalogue,
    names: { dnsServers: [] },
    storage: { quotaBytes: REGISTRY_STORE_DEFAULTS.quotaBytes },
    limits: { ...limits, maxPackageBytes: REGISTRY_DEFAULTS.maxPackageBytes }
  }
}
