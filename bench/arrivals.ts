import type { Peer } from './peers.ts'

/** When each peer told its subscribers of a package, by the clock of this process (`performance.now`). */
export interface Arrivals {
  /**
   * Resolves, when all peers have told of it, to the times in their order. To be called before it is published.
   * Rejects when the signal aborts or a subscription breaks.
   */
  of(packageId: string, signal: AbortSignal): Promise<number[]>
}

interface Awaited {
  readonly atMs: Map<Peer, number>
  readonly notice: () => void
  readonly reject: (reason: unknown) => void
}

/** Subscribes to everything on every peer until the signal aborts. */
export function arrivals(peers: readonly Peer[], lifetime: AbortSignal): Arrivals {
  const awaited = new Map<string, Awaited>()
  let broken: unknown
  const follow = async (peer: Peer): Promise<void> => {
    try {
      for await (const { packageId } of peer.client.subscribe({ kind: 'all' }, { signal: lifetime })) {
        const nowMs = performance.now()
        awaited.get(packageId)?.atMs.set(peer, nowMs)
        awaited.get(packageId)?.notice()
      }
      throw new Error('a subscription ended')
    } catch (error) {
      broken = error
      for (const { reject } of awaited.values()) reject(error)
    }
  }
  for (const peer of peers) void follow(peer)

  return {
    of: (packageId, signal) =>
      new Promise((resolve, reject) => {
        const atMs = new Map<Peer, number>()
        const settle = (act: () => void): void => {
          awaited.delete(packageId)
          signal.removeEventListener('abort', onAbort)
          act()
        }
        const onAbort = (): void => settle(() => reject(signal.reason))
        const notice = (): void => {
          if (atMs.size === peers.length)
            settle(() => resolve(peers.map((peer) => atMs.get(peer) ?? Number.NaN)))
        }
        if (signal.aborted || broken !== undefined) return reject(broken ?? signal.reason)
        signal.addEventListener('abort', onAbort)
        awaited.set(packageId, { atMs, notice, reject: (reason) => settle(() => reject(reason)) })
      })
  }
}
