import {
  type ComponentLogger,
  isStartable,
  type Logger as Libp2pLogger,
  type PeerInfo,
  type TypedEventTarget
} from '@libp2p/interface'
import { type MulticastDNSComponents, mdns } from '@libp2p/mdns'
import type { Multiaddr } from '@multiformats/multiaddr'
import { type DiscoveryStrategy, InvalidValueError, type Logger, type PeerIdText } from '@registry/types'
import { peerIdText } from './peer-address.ts'

const PART = 'registry:discovery:mdns'
/** Announced peers that wait for a round to report them; the newest are kept. */
const MAX_WAITING = 256

export interface MdnsStrategyInit {
  /** What the peers of one network call themselves, as in `_p2p-registry-main._udp.local`. */
  serviceName: string
  /** How often to ask who is there. @default 10000 */
  intervalMs?: number
  /** UDP port, the same for all peers of a network. @default 5353 */
  port?: number
}

export interface MdnsStrategyComponents {
  /** Whose addresses are announced; only private ones are, as the protocol demands. */
  addressManager: { getAddresses(): Multiaddr[] }
  logger?: Logger
}

/** 5353 is the port of multicast DNS (RFC 6762). */
export const MDNS_STRATEGY_DEFAULTS: Required<Omit<MdnsStrategyInit, 'serviceName'>> = Object.freeze({
  intervalMs: 10_000,
  port: 5353
})

interface Found {
  peerId: PeerIdText
  addresses: string[]
}

/**
 * Discovery method `MDNS`: peers of the local network, reported as they announce themselves; a round reports those that
 * did since the round before. Where multicast is not to be had, nobody is found and the log says so, once.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE, `serviceName` is not a DNS name
 */
export function mdnsStrategy(
  init: MdnsStrategyInit
): (components: MdnsStrategyComponents) => DiscoveryStrategy & Required<Pick<DiscoveryStrategy, 'onPeer'>> {
  const options = { ...MDNS_STRATEGY_DEFAULTS, ...init }
  const labels = options.serviceName.split('.')
  // A peer puts a label of 63 characters before it, and a name has 253 at most.
  if (options.serviceName.length > 189 || !labels.every((label) => /^[\x21-\x7e]{1,63}$/.test(label))) {
    throw new InvalidValueError('mdns.serviceName', 'must be a DNS name of labels of 1 to 63 characters')
  }
  return (components) => new MdnsStrategy(options, components)
}

class MdnsStrategy implements DiscoveryStrategy {
  readonly name = 'MDNS'
  readonly #init: Required<MdnsStrategyInit>
  readonly #components: MdnsStrategyComponents
  readonly #listeners = new Set<(peer: Found) => void>()
  readonly #waiting = new Map<PeerIdText, Found>()
  #responder: TypedEventTarget<{ peer: CustomEvent<PeerInfo> }> | undefined
  #warned = false

  constructor(init: Required<MdnsStrategyInit>, components: MdnsStrategyComponents) {
    this.#init = init
    this.#components = components
  }

  async start(): Promise<void> {
    if (this.#responder !== undefined) return
    const responder = mdns({
      serviceTag: this.#init.serviceName,
      interval: this.#init.intervalMs,
      port: this.#init.port
    })({
      // It asks for nothing but the addresses.
      addressManager: this.#components.addressManager as MulticastDNSComponents['addressManager'],
      logger: this.#errorsAsWarnings()
    })
    responder.addEventListener('peer', this.#onPeer)
    this.#responder = responder
    try {
      if (isStartable(responder)) await responder.start()
    } catch (error) {
      this.#warn(error)
    }
  }

  async stop(): Promise<void> {
    const responder = this.#responder
    this.#responder = undefined
    this.#waiting.clear()
    responder?.removeEventListener('peer', this.#onPeer)
    try {
      if (isStartable(responder)) await responder.stop()
    } catch (error) {
      this.#warn(error)
    }
  }

  async *discover(): AsyncIterable<Found> {
    const found = [...this.#waiting.values()]
    this.#waiting.clear()
    yield* found
  }

  onPeer(listener: (peer: Found) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  readonly #onPeer = ({ detail }: CustomEvent<PeerInfo>): void => {
    const found = {
      peerId: peerIdText(detail.id),
      addresses: detail.multiaddrs.map((address) => address.toString())
    }
    this.#waiting.delete(found.peerId)
    this.#waiting.set(found.peerId, found)
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined && this.#waiting.size > MAX_WAITING) this.#waiting.delete(oldest)
    for (const listener of [...this.#listeners]) listener(found)
  }

  /** A socket that cannot be bound or cannot join the group is reported nowhere but in libp2p's log. */
  #errorsAsWarnings(): ComponentLogger {
    const log: Libp2pLogger = Object.assign(() => {}, {
      enabled: false,
      trace: () => {},
      error: (_format: unknown, ...values: unknown[]) => this.#warn(values.at(-1)),
      newScope: () => log
    })
    return { forComponent: () => log }
  }

  #warn(error: unknown): void {
    if (this.#warned) return
    this.#warned = true
    this.#components.logger?.warn(PART, 'peers of the local network may not be found', {
      error: String(error)
    })
  }
}
