import type { PeerStore } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { NotProvidedError } from '@registry/content-routing'
import { peerIdText } from '@registry/discovery'
import type { PeerIdText, ProviderRouting } from '@registry/types'
import { CID } from 'multiformats/cid'

export interface DhtRoutingComponents {
  /** This peer's own ID. */
  peerId: PeerIdText
  /** Of the running node. @throws ERR_NOT_RUNNING */
  dht: () => KadDHT
  peerStore: () => Pick<PeerStore, 'merge'>
}

/**
 * The DHT as content routing sees it. kad-dht resolves when it has asked everybody, whether anybody took the announcement
 * or not, and may throw a timeout out of its iteration; here an announcement has succeeded exactly when a peer took it.
 * Where a provider can be dialled goes into the peer store. How long either may take is the caller's to say; without a signal, kad-dht takes 3 minutes.
 */
export function dhtRouting({ peerId: self, dht, peerStore }: DhtRoutingComponents): ProviderRouting {
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
        for (const { id, multiaddrs } of event.providers) {
          const peerId = peerIdText(id)
          if (peerId === self) continue
          if (multiaddrs.length > 0) await peerStore().merge(id, { multiaddrs }, options)
          yield peerId
        }
      }
    }
  }
}

/** Calls back whenever the DHT has come to know a peer that it can ask, which it says only by its routing table. */
export function onDhtPeer(dht: KadDHT, listener: () => void): () => void {
  const table: unknown = Reflect.get(dht, 'routingTable')
  if (!(table instanceof EventTarget)) return () => {}
  table.addEventListener('peer:add', listener)
  return () => table.removeEventListener('peer:add', listener)
}
