export interface RateLimitInit {
  perSecond: number
  /** What a peer may take at once after a pause. */
  burst: number
  /** Peers remembered; beyond, the one that asked longest ago is forgotten, which at worst fills its bucket. */
  maxPeers: number
}

export interface RateLimitInput {
  peerId: string
  /** Tokens taken; more than `burst` counts as `burst`, so that one large request passes after a pause. */
  amount: number
}

export interface RateLimitEffect {
  admitted: boolean
  /** When the same request would be admitted, from now; 0 if it was. */
  retryAfterMs: number
}

/** Token buckets, one a peer. A refused request takes nothing. */
export interface RateLimit {
  handle(input: RateLimitInput, nowMs: number): RateLimitEffect
}

export function rateLimit(init: RateLimitInit): RateLimit {
  const buckets = new Map<string, { tokens: number; atMs: number }>()

  return {
    handle({ peerId, amount }, nowMs) {
      const known = buckets.get(peerId)
      const gained = known === undefined ? 0 : (Math.max(0, nowMs - known.atMs) * init.perSecond) / 1000
      const available = known === undefined ? init.burst : Math.min(init.burst, known.tokens + gained)
      const wanted = Math.min(amount, init.burst)
      const admitted = available >= wanted
      buckets.delete(peerId)
      buckets.set(peerId, { tokens: admitted ? available - wanted : available, atMs: nowMs })
      if (buckets.size > init.maxPeers) {
        const [oldest] = buckets.keys()
        if (oldest !== undefined) buckets.delete(oldest)
      }
      return {
        admitted,
        retryAfterMs: admitted ? 0 : Math.ceil(((wanted - available) * 1000) / init.perSecond)
      }
    }
  }
}
