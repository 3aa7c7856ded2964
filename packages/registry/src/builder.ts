import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  BEHAVIOUR_DEFAULTS,
  loadOrCreatePeerKey,
  type MarketplaceBehaviourInit,
  marketplaceBehaviour
} from '@registry/behaviour'
import { type BootstrapNode, defaultDataDir, type P2PConfigOverrides, parseConfig } from '@registry/config'
import { loadOrCreateOwner } from '@registry/identity'
import { registryStore } from '@registry/store'
import { systemClock } from '@registry/timing'
import type { Clock, Logger, MarketplaceBehaviour, P2PRegistry, RegistryStore } from '@registry/types'
import { SECURITY_DEFAULTS } from './default-config.ts'
import { dnsTextRecords } from './names/dns.ts'
import { createRegistry, REGISTRY_DEFAULTS, type RegistryInit } from './registry.ts'

/** Makes a store; `registryStore` unless another is given. */
export type StoreFactory = (init: {
  dataDir: string
  quotaBytes?: number
}) => (components: { clock: Clock; logger?: Logger }) => RegistryStore

/** Makes a behaviour; `marketplaceBehaviour` unless another is given. */
export type BehaviourFactory = (
  init: MarketplaceBehaviourInit
) => (components: {
  store: RegistryStore
  privateKey: Awaited<ReturnType<typeof loadOrCreatePeerKey>>
  clock: Clock
  logger?: Logger
}) => MarketplaceBehaviour

/**
 * Puts a peer together. Nothing is opened or written before `start` of what it builds: that makes the data folder, for its
 * user alone, with the peer's key, the owner's key and the store in it, and listens.
 */
export class P2PRegistryBuilder {
  #config: P2PConfigOverrides = {}
  #dataDir: string | undefined
  #clock: Clock | undefined
  #logger: Logger | undefined
  #store: StoreFactory = registryStore
  #behaviour: BehaviourFactory = marketplaceBehaviour

  /** Settings that differ from the defaults, key by key; a later call wins. */
  withConfig(overrides: P2PConfigOverrides): this {
    const { network, security, bootstrap, dht, gossipsub, sync, catalogue, names, storage, limits } =
      this.#config
    this.#config = {
      network: { ...network, ...overrides.network },
      security: { ...security, ...overrides.security },
      bootstrap: { ...bootstrap, ...overrides.bootstrap },
      dht: { ...dht, ...overrides.dht },
      gossipsub: { ...gossipsub, ...overrides.gossipsub },
      sync: { ...sync, ...overrides.sync },
      catalogue: { ...catalogue, ...overrides.catalogue },
      names: { ...names, ...overrides.names },
      storage: { ...storage, ...overrides.storage },
      limits: { ...limits, ...overrides.limits }
    }
    return this
  }

  /** Peers to begin with, by multiaddr with `/p2p/<peer ID>` or the two apart. */
  withBootstrapNodes(nodes: readonly BootstrapNode[]): this {
    return this.withConfig({ bootstrap: { nodes: [...nodes] } })
  }

  withListenAddresses(addresses: readonly string[]): this {
    return this.withConfig({ network: { listenAddresses: [...addresses] } })
  }

  /** The file of the key behind the peer ID, created when there is none; by default `identity.key` in the data folder. */
  withIdentityPath(path: string): this {
    return this.withConfig({ security: { identityPath: path } })
  }

  /** Peers of different networks do not hear each other. */
  withNetwork(name: string): this {
    return this.withConfig({ network: { name } })
  }

  /** All that the peer keeps; by default `defaultDataDir()`. One peer has one folder. */
  withDataDir(path: string): this {
    this.#dataDir = path
    return this
  }

  withStore(factory: StoreFactory): this {
    this.#store = factory
    return this
  }

  withBehaviour(factory: BehaviourFactory): this {
    this.#behaviour = factory
    return this
  }

  withClock(clock: Clock): this {
    this.#clock = clock
    return this
  }

  withLogger(logger: Logger): this {
    this.#logger = logger
    return this
  }

  /** @throws ERR_INVALID_CONFIG, with everything that is wrong with the settings */
  build(): P2PRegistry {
    const {
      network = {},
      security = {},
      names = {},
      storage = {},
      limits = {},
      ...sections
    } = parseConfig(this.#config)
    const { maxPackageBytes, ...peerLimits } = limits
    const dataDir = resolve(this.#dataDir ?? defaultDataDir())
    const clock = this.#clock ?? systemClock()
    const shared = this.#logger === undefined ? { clock } : { clock, logger: this.#logger }
    const init: RegistryInit = { dataDir, network: network.name ?? BEHAVIOUR_DEFAULTS.network.name }
    if (maxPackageBytes !== undefined) init.maxPackageBytes = maxPackageBytes
    const [makeStore, makeBehaviour] = [this.#store, this.#behaviour]

    return createRegistry(init)({
      ...shared,
      dns: dnsTextRecords(names.dnsServers ?? [], REGISTRY_DEFAULTS.dnsTimeoutMs),
      async open() {
        await mkdir(dataDir, { recursive: true, mode: 0o700 })
        const privateKey = await loadOrCreatePeerKey({
          path: security.identityPath ?? join(dataDir, 'identity.key'),
          keyType: security.keyType ?? SECURITY_DEFAULTS.keyType
        })
        const owner = await loadOrCreateOwner(join(dataDir, 'owner.key'))
        const store = makeStore({ dataDir, ...storage })(shared)
        const behaviour = makeBehaviour({
          ...sections,
          network,
          limits: peerLimits,
          datastorePath: join(dataDir, 'libp2p')
        })({ ...shared, store, privateKey })
        return { store, behaviour, owner }
      }
    })
  }
}
