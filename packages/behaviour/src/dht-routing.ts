import type { KadDHT } from '@libp2p/kad-dht'
import { NotProvidedError } from '@registry/content-routing'
import { peerIdText } from '@registry/discovery'
import type { ProviderRouting } from '@registry/types'
import { CID } from 'multiformats/cid'

/**
 * The DHT as content routing sees it. kad-dht resolves when it has asked everybody, whether anybody took the announcement
 * or not, and may throw a timeout out of its iteration; here an announcement has succeeded exactly when a peer took it.
 * How long either may take is the caller's to say; without a signal, kad-dht takes 3 minutes.
 */
export function dhtRouting({ dht }: { dht: () => KadDHT }): ProviderRouting {
  return {
    async provide(cid, options = {}) {
      let taken = 0
      let failure: unknown
      try {
        for await (const event of dht().provide(CID.parse(cid), options)) {
          if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') taken++
        }
      } catch (error) {
        options.signal?.throwIfAborted()
        failure = error
      }
      if (taken === 0) throw new NotProvidedError(cid, failure)
    },

    async *findProviders(cid, options = {}) {
      for await (const event of dht().findProviders(CID.parse(cid), options)) {
        if (event.name !== 'PROVIDER') continue
        for (const { id } of event.providers) yield peerIdText(id)
      }
    }
  }
}
