import type { ConnectionGater } from '@libp2p/interface'
import { peerIdText } from '@registry/discovery'
import type { Clock, PeerIdText } from '@registry/types'

/** How a peer is kept out: `dial`, it is not dialled but may come; `all`, it may not come either. */
export type Denial = 'dial' | 'all'

/** The list of peers that are not let in for a while, as libp2p's connection gater. */
export interface PeerGate {
  readonly gater: ConnectionGater
  deny(peerId: PeerIdText, denial: Denial, untilMs: number): void
  allow(peerId: PeerIdText): void
}

/** Peers on the list at once; beyond, the one put on it longest ago is let in again. */
const MAX_DENIED = 10_000

export function peerGate(clock: Clock): PeerGate {
  const denied = new Map<PeerIdText, { denial: Denial; untilMs: number }>()

  const denialOf = (peerId: PeerIdText): Denial | undefined => {
    const entry = denied.get(peerId)
    if (entry === undefined) return undefined
    if (entry.untilMs > clock.now()) return entry.denial
    denied.delete(peerId)
    return undefined
  }

  return {
    gater: {
      denyDialPeer: (peerId) => denialOf(peerIdText(peerId)) !== undefined,
      denyOutboundEncryptedConnection: (peerId) => denialOf(peerIdText(peerId)) === 'all',
      denyInboundEncryptedConnection: (peerId) => denialOf(peerIdText(peerId)) === 'all'
    },
    deny(peerId, denial, untilMs) {
      const stronger = denial === 'all' || denialOf(peerId) === 'all' ? 'all' : 'dial'
      denied.delete(peerId)
      denied.set(peerId, { denial: stronger, untilMs })
      if (denied.size > MAX_DENIED) {
        const [oldest] = denied.keys()
        if (oldest !== undefined) denied.delete(oldest)
      }
    },
    allow(peerId) {
      denied.delete(peerId)
    }
  }
}
