import { multiaddr } from '@multiformats/multiaddr'
import { parseAddress } from '@registry/discovery'
import { InvalidAddressError } from './errors.ts'
import type { NetworkInit, TransportProtocol } from './init.ts'

/**
 * Refuses addresses that libp2p would pass over without a word, and then listen on nothing.
 *
 * @throws {InvalidAddressError} ERR_INVALID_ADDRESS
 */
export function checkListenAddresses({
  listenAddresses,
  announceAddresses,
  protocols
}: Required<Pick<NetworkInit, 'listenAddresses' | 'announceAddresses' | 'protocols'>>): void {
  for (const address of listenAddresses) {
    parseAddress(address)
    const protocol = transportOf(address)
    if (protocol === undefined) {
      throw new InvalidAddressError(address, 'it names no TCP, WebSocket or QUIC port')
    }
    if (!protocols.includes(protocol)) {
      throw new InvalidAddressError(address, `the protocol ${protocol} is not switched on`, {
        hint: `Add ${protocol} to the setting network.protocols, or listen on another address.`
      })
    }
  }
  for (const address of announceAddresses) parseAddress(address)
}

function transportOf(address: string): TransportProtocol | undefined {
  const names = multiaddr(address)
    .getComponents()
    .map(({ name }) => name)
  if (names.includes('quic-v1')) return 'quic'
  if (names.includes('ws') || names.includes('wss')) return 'websocket'
  return names.includes('tcp') ? 'tcp' : undefined
}
