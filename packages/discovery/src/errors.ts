import { RegistryError } from '@registry/types'

/** A text that was to be the address of a peer is none. `reason` is the rule broken. */
export class InvalidAddressError extends RegistryError<'ERR_INVALID_ADDRESS'> {
  constructor(address: string, reason: string) {
    super(
      'ERR_INVALID_ADDRESS',
      `${JSON.stringify(address.slice(0, 160))} is not a peer's address: ${reason}`,
      {
        hint: 'Write it as a multiaddr, for example /ip4/203.0.113.7/tcp/4001/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8.',
        details: { address: address.slice(0, 512), reason }
      }
    )
  }
}
