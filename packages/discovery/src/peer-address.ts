import type { PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CODE_P2P, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { PeerIdText } from '@registry/types'
import { InvalidAddressError } from './errors.ts'

/** Longer than any address in use, certificate hashes and a relay included. */
const MAX_ADDRESS_LENGTH = 512

/** An address as text, and the peer it must lead to, when it names one. */
export interface ParsedAddress {
  /** The multiaddr in its normal form. */
  address: string
  peerId?: PeerIdText
}

/** An address that names its peer; `address` ends in `/p2p/<peerId>`. */
export interface PeerAddress {
  address: string
  peerId: PeerIdText
}

export function peerIdText(peerId: Pick<PeerId, 'toString'>): PeerIdText {
  return peerId.toString() as PeerIdText
}

/** The libp2p peer ID of a text, or undefined when it is none. */
export function parsePeerId(text: string): PeerId | undefined {
  try {
    const peerId = peerIdFromString(text)
    return peerId.type === 'url' ? undefined : peerId
  } catch {
    return undefined
  }
}

/**
 * Reads a multiaddr that can be dialled, with or without `/p2p/<peerId>` at its end.
 *
 * @throws {InvalidAddressError} ERR_INVALID_ADDRESS
 */
export function parseAddress(value: unknown): ParsedAddress {
  if (typeof value !== 'string') throw new InvalidAddressError(String(value), 'it is not a text')
  if (value.length > MAX_ADDRESS_LENGTH) {
    throw new InvalidAddressError(value, `it is longer than ${MAX_ADDRESS_LENGTH} characters`)
  }
  if (!value.startsWith('/')) throw new InvalidAddressError(value, 'it does not begin with "/"')
  let parsed: Multiaddr
  let components: ReturnType<Multiaddr['getComponents']>
  try {
    parsed = multiaddr(value)
    components = parsed.getComponents()
  } catch (error) {
    throw new InvalidAddressError(value, error instanceof Error ? error.message : 'it is no multiaddr')
  }
  const last = components.at(-1)
  if (last === undefined) throw new InvalidAddressError(value, 'it is empty')
  if (last.code !== CODE_P2P) return { address: parsed.toString() }
  const peerId = last.value === undefined ? undefined : parsePeerId(last.value)
  if (peerId === undefined) throw new InvalidAddressError(value, 'what follows /p2p/ is not a peer ID')
  if (components.length === 1) throw new InvalidAddressError(value, 'it says who, but not where')
  // One peer ID has several spellings; the normal one makes equal addresses equal texts.
  const where = multiaddr(components.slice(0, -1)).toString()
  return { address: `${where}/p2p/${peerId.toString()}`, peerId: peerIdText(peerId) }
}

/**
 * Reads a multiaddr that ends in `/p2p/<peerId>`; or, with `peerId`, one that may leave it out but not name another.
 *
 * @throws {InvalidAddressError} ERR_INVALID_ADDRESS
 */
export function parsePeerAddress(value: unknown, peerId?: PeerIdText): PeerAddress {
  const parsed = parseAddress(value)
  if (parsed.peerId === undefined) {
    if (peerId !== undefined) return { address: `${parsed.address}/p2p/${peerId}`, peerId }
    throw new InvalidAddressError(parsed.address, 'it does not end in /p2p/ and the peer ID')
  }
  if (peerId !== undefined && parsed.peerId !== peerId) {
    throw new InvalidAddressError(parsed.address, `it leads to another peer than ${peerId}`)
  }
  return { address: parsed.address, peerId: parsed.peerId }
}
