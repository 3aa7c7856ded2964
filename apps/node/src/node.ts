import type { ConfigFlag, P2PConfig } from '@registry/config'
import type { BehaviourFactory, StoreFactory } from '@registry/registry'
import type { Clock, Logger, P2PRegistry } from '@registry/types'

export interface NodeInit {
  /** By default what `REGISTRY_DATA_DIR` says, else the folder that this system has for data of programs. */
  dataDir?: string
  /** By default `config.toml` in the data folder, if it is there. */
  configFile?: string
  flags?: readonly ConfigFlag[]
  /** @default process.env */
  env?: Readonly<Record<string, string | undefined>>
}

/** The layers of this project unless others are given. */
export interface NodeComponents {
  store?: StoreFactory
  behaviour?: BehaviourFactory
  clock?: Clock
  logger?: Logger
}

/** A peer that serves, from the peer-to-peer network down to the local API. */
export interface RunningNode {
  readonly registry: P2PRegistry
  readonly peerId: string
  /** Multiaddrs that others can dial. */
  readonly addresses: readonly string[]
  readonly network: string
  readonly dataDir: string
  /** `http://HOST:PORT` of the local API. */
  readonly http: string
  /** Idempotent. Afterwards the data folder is free. */
  stop(): Promise<void>
  /** Settles when the peer has stopped, by `stop` or because a caller of the local API asked for it. */
  readonly stopped: Promise<void>
}

/**
 * Starts a peer in this process; resolves once it serves and its control file is written. When it rejects nothing is left
 * running.
 *
 * @throws ERR_INVALID_CONFIG, ERR_CONFIG_UNREADABLE, ERR_INVALID_ADDRESS, ERR_HTTP_NOT_LOOPBACK, ERR_PORT_IN_USE,
 *   ERR_DATA_DIR_IN_USE, ERR_CORRUPT_KEY, ERR_STORAGE
 */
export async function startNode(init: NodeInit = {}, components: NodeComponents = {}): Promise<RunningNode> {
  // The network stack is loaded by those who start a peer only.
  const { composeNode } = await import('./compose-node.ts')
  return composeNode(init, components)
}

/** Every setting of a peer as it is unless changed. */
export async function defaultNodeConfig(): Promise<P2PConfig> {
  const composition = await import('./compose-node.ts')
  return composition.defaultNodeConfig()
}
