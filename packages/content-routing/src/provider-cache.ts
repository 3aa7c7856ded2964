import type { ContentId, PeerIdText } from '@registry/types'
import { LruMap } from './lru-map.ts'

export interface ProviderCacheInit {
  /** Contents whose providers are remembered; the one asked for longest ago goes first. */
  maxContents: number
  /** Providers remembered of each; the one reported longest ago goes first. */
  maxProviders: number
  ttlMs: number
}

/** Who said to have what, and when. Bounded in every direction, and nothing older than its time to live is given out. */
export class ProviderCache {
  readonly #init: ProviderCacheInit
  readonly #contents: LruMap<ContentId, LruMap<PeerIdText, number>>

  constructor(init: ProviderCacheInit) {
    this.#init = init
    this.#contents = new LruMap(init.maxContents)
  }

  add(cid: ContentId, peerId: PeerIdText, nowMs: number): void {
    const providers = this.#contents.peek(cid) ?? new LruMap<PeerIdText, number>(this.#init.maxProviders)
    providers.set(peerId, nowMs)
    this.#contents.set(cid, providers)
  }

  remove(cid: ContentId, peerId: PeerIdText): void {
    const providers = this.#contents.peek(cid)
    if (providers?.delete(peerId) === true && providers.size === 0) this.#contents.delete(cid)
  }

  /** Keeps the content from being forgotten, because somebody wants it. */
  use(cid: ContentId): void {
    this.#contents.use(cid)
  }

  /** Peers that said to have it, with the time they last did. */
  providers(cid: ContentId, nowMs: number): Array<[PeerIdText, number]> {
    const providers = this.#contents.peek(cid)
    return providers === undefined
      ? []
      : [...providers.entries()].filter(([, seenMs]) => this.#isFresh(seenMs, nowMs))
  }

  /** All records that are fresh. */
  count(nowMs: number): number {
    let count = 0
    for (const [cid] of this.#contents.entries()) count += this.providers(cid, nowMs).length
    return count
  }

  /** Forgets what is not fresh; returns how many records that were. */
  removeStale(nowMs: number): number {
    let removed = 0
    for (const [cid, providers] of [...this.#contents.entries()]) {
      for (const [peerId, seenMs] of [...providers.entries()]) {
        if (this.#isFresh(seenMs, nowMs)) continue
        this.remove(cid, peerId)
        removed += 1
      }
    }
    return removed
  }

  #isFresh(seenMs: number, nowMs: number): boolean {
    return nowMs - seenMs < this.#init.ttlMs
  }
}
