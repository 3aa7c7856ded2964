import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdText } from '@registry/discovery'
import type { Clock, ContentId, PeerIdText, ProviderRouting } from '@registry/types'
import { CID } from 'multiformats/cid'
import { deadline } from './deadline.ts'
import { NotProvidedError } from './errors.ts'

export interface DhtRoutingComponents {
  /** The DHT of the running node. @throws ERR_NOT_RUNNING */
  dht: () => KadDHT
  clock: Clock
}

/**
 * The DHT as content routing sees it, each query with a deadline. kad-dht resolves when it has asked everybody, whether
 * anybody answered or not, and may throw a timeout out of its iteration; both are told apart here.
 */
export function dhtRouting(init: {
  queryTimeoutMs: number
}): (components: DhtRoutingComponents) => ProviderRouting {
  return ({ dht, clock }) => ({
    async provide(cid: ContentId, options) {
      const limit = deadline(clock, init.queryTimeoutMs, options?.signal)
      let taken = 0
      let failure: unknown
      try {
        for await (const event of dht().provide(CID.parse(cid), { signal: limit.signal })) {
          if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') taken++
        }
      } catch (error) {
        options?.signal?.throwIfAborted()
        failure = error
      } finally {
        limit.clear()
      }
      if (taken === 0) throw new NotProvidedError(cid, failure)
    },

    async *findProviders(cid: ContentId, options): AsyncIterable<PeerIdText> {
      const limit = deadline(clock, init.queryTimeoutMs, options?.signal)
      try {
        for await (const event of dht().findProviders(CID.parse(cid), { signal: limit.signal })) {
          if (event.name !== 'PROVIDER') continue
          for (const { id } of event.providers) yield peerIdText(id)
        }
      } finally {
        limit.clear()
      }
    }
  })
}
