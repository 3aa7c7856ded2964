import { randomBytes } from 'node:crypto'
import type { PeerRouting } from '@libp2p/interface'
import type { AbortOptions, DiscoveryStrategy, PeerIdText } from '@registry/types'
import { peerIdText } from './peer-address.ts'

export interface DhtStrategyInit {
  /** A round ends when it has found this many. @default 20 */
  maxPeersPerRound?: number
}

export interface DhtStrategyComponents {
  peerRouting: Pick<PeerRouting, 'getClosestPeers'>
}

/** 20 is the size of a Kademlia neighbourhood: a walk finds no more. */
export const DHT_STRATEGY_DEFAULTS: Required<DhtStrategyInit> = Object.freeze({ maxPeersPerRound: 20 })

/**
 * Discovery method `DHT`: each round walks to a random place of the key space and reports who lives there. How long that
 * may take is the caller's to say, by the signal; a walk that found nobody because nobody is connected is no error.
 */
export function dhtStrategy(
  init: DhtStrategyInit = {}
): (components: DhtStrategyComponents) => DiscoveryStrategy {
  return (components) => new DhtStrategy({ ...DHT_STRATEGY_DEFAULTS, ...init }, components)
}

class DhtStrategy implements DiscoveryStrategy {
  readonly name = 'DHT'
  readonly #maxPeersPerRound: number
  readonly #peerRouting: Pick<PeerRouting, 'getClosestPeers'>

  constructor({ maxPeersPerRound }: Required<DhtStrategyInit>, { peerRouting }: DhtStrategyComponents) {
    this.#maxPeersPerRound = maxPeersPerRound
    this.#peerRouting = peerRouting
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async *discover(options: AbortOptions = {}): AsyncIterable<{ peerId: PeerIdText; addresses: string[] }> {
    let found = 0
    for await (const { id, multiaddrs } of this.#peerRouting.getClosestPeers(randomBytes(32), options)) {
      yield { peerId: peerIdText(id), addresses: multiaddrs.map((address) => address.toString()) }
      found += 1
      if (found >= this.#maxPeersPerRound) return
    }
  }
}
