import type { DiscoveryStrategy, PeerIdText } from '@registry/types'
import { InvalidAddressError } from './errors.ts'
import { type PeerAddress, parsePeerAddress, parsePeerId, peerIdText } from './peer-address.ts'

export interface BootstrapStrategyInit {
  /** Multiaddrs that end in `/p2p/<peerId>`, or an address and the peer it leads to. */
  nodes: ReadonlyArray<string | { peerId: string; address: string }>
}

/**
 * Discovery method `Bootstrap`: reports the given peers in every round.
 *
 * @throws {InvalidAddressError} ERR_INVALID_ADDRESS, one of them is not an address that names its peer
 */
export function bootstrapStrategy({ nodes }: BootstrapStrategyInit): DiscoveryStrategy {
  return new BootstrapStrategy(nodes.map(parseNode))
}

function parseNode(node: string | { peerId: string; address: string }): PeerAddress {
  if (typeof node === 'string') return parsePeerAddress(node)
  const peerId = parsePeerId(node.peerId)
  if (peerId === undefined) {
    throw new InvalidAddressError(
      node.address,
      `${JSON.stringify(node.peerId.slice(0, 80))} is not a peer ID`
    )
  }
  return parsePeerAddress(node.address, peerIdText(peerId))
}

class BootstrapStrategy implements DiscoveryStrategy {
  readonly name = 'Bootstrap'
  readonly #nodes = new Map<PeerIdText, string[]>()

  constructor(nodes: readonly PeerAddress[]) {
    for (const { peerId, address } of nodes) {
      this.#nodes.set(peerId, [...(this.#nodes.get(peerId) ?? []), address])
    }
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async *discover(): AsyncIterable<{ peerId: PeerIdText; addresses: string[] }> {
    for (const [peerId, addresses] of this.#nodes) yield { peerId, addresses: [...addresses] }
  }
}
