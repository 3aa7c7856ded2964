import type { PeerId } from '@libp2p/interface'
import type { PeerIdText } from '@registry/types'

/** The text of an ID that libp2p has parsed. */
export function peerIdText(peerId: PeerId): PeerIdText {
  return peerId.toString() as PeerIdText
}
