import type { CatalogueHoldings, CatalogueScope, Clock, PeerIdText } from '@registry/types'
import { holdsScope } from './policy/holdings.ts'
import { rateLimit } from './policy/rate-limit.ts'

export interface ScopeQuotaInit {
  /** What this peer keeps of the catalogue. */
  holds: CatalogueHoldings
  /** The shards by which its network is cut, of which it keeps sketches anyway. */
  shardBits: number
  maxPeers: number
}

/** What a peer may compare of the catalogue. A scope that nobody has compared of late costs going through its records. */
export interface ScopeQuota {
  /** `absent`: not kept here; `busy`: not now. */
  admit(from: PeerIdText, scope: CatalogueScope): 'admitted' | 'absent' | 'busy'
}

/** Scopes out of the ordinary that are taken to be at hand, once compared. */
const MAX_REMEMBERED = 64
/** Of others, what one peer may ask for. */
const NEW_PER_SECOND = 0.1
const NEW_AT_ONCE = 8

export function scopeQuota(init: ScopeQuotaInit): (components: { clock: Clock }) => ScopeQuota {
  return ({ clock }) => {
    const rate = rateLimit({ perSecond: NEW_PER_SECOND, burst: NEW_AT_ONCE, maxPeers: init.maxPeers })
    const remembered = new Set<string>()

    return {
      admit(from, scope) {
        if (!holdsScope(init.holds, scope)) return 'absent'
        if (scope.kind === 'all' || scope.kind === 'owners') return 'admitted'
        if (scope.kind === 'shard' && scope.bits === init.shardBits) return 'admitted'
        const key = JSON.stringify(scope)
        if (!remembered.delete(key) && !rate.handle({ peerId: from, amount: 1 }, clock.now()).admitted) {
          return 'busy'
        }
        remembered.add(key)
        if (remembered.size > MAX_REMEMBERED) {
          const [oldest] = remembered
          if (oldest !== undefined) remembered.delete(oldest)
        }
        return 'admitted'
      }
    }
  }
}
