import { MAX_ANNOUNCED, MAX_HOLDINGS } from '@registry/protocol'
import type {
  AbortOptions,
  BlobStore,
  ContentId,
  ContentRouter,
  Logger,
  PackageProtocol,
  PeerIdText
} from '@registry/types'

export interface HoldingsExchangeInit {
  /** Contents of one peer that are written down. */
  maxPerPeer: number
}

export interface HoldingsExchangeComponents {
  blobs: BlobStore
  contentRouter: Pick<ContentRouter, 'addProvider'>
  protocol: Pick<PackageProtocol, 'holdings' | 'announceHoldings'>
  peers: () => PeerIdText[]
  track: <T>(task: Promise<T>) => Promise<T>
  logger?: Logger
  signal: AbortSignal
}

/** Who holds which content, told among connected peers: in full on connecting, then each new one as it comes. */
export interface HoldingsExchange {
  start(): void
  stop(): void
  /** Writes down what a peer says it holds. @throws as `PackageProtocol` */
  pull(peerId: PeerIdText, options?: AbortOptions): Promise<void>
}

export function holdingsExchange(
  init: HoldingsExchangeInit
): (components: HoldingsExchangeComponents) => HoldingsExchange {
  return ({ blobs, contentRouter, protocol, peers, track, logger, signal }) => {
    const fresh = new Set<ContentId>()
    let announcing = false
    let unsubscribe: () => void = () => {}

    const tell = async (peerId: PeerIdText, cids: readonly ContentId[]): Promise<void> => {
      try {
        await protocol.announceHoldings(peerId, cids, { signal })
      } catch (error) {
        logger?.debug('holdings', 'a peer was not told', { peerId, error: String(error) })
      }
    }

    /** One batch at a time: what comes meanwhile goes with the next. */
    const announceAll = async (): Promise<void> => {
      announcing = true
      while (fresh.size > 0 && !signal.aborted) {
        const cids = [...fresh].slice(0, MAX_ANNOUNCED)
        for (const cid of cids) fresh.delete(cid)
        await Promise.all(peers().map((peerId) => tell(peerId, cids)))
      }
      announcing = false
    }

    return {
      start() {
        unsubscribe = blobs.onChange((cid, present) => {
          if (!present) {
            fresh.delete(cid)
            return
          }
          fresh.add(cid)
          if (!announcing) void track(announceAll())
        })
      },
      stop() {
        unsubscribe()
        fresh.clear()
      },
      async pull(peerId, options = {}) {
        let after: ContentId | undefined
        let listed = 0
        do {
          const page = await protocol.holdings(
            peerId,
            after === undefined ? { limit: MAX_HOLDINGS } : { after, limit: MAX_HOLDINGS },
            options
          )
          for (const cid of page.cids) contentRouter.addProvider(cid, peerId)
          // An empty page that promises another counts too.
          listed += Math.max(1, page.cids.length)
          after = page.next
        } while (after !== undefined && listed < init.maxPerPeer)
      }
    }
  }
}
