import type { Clock, ContentRouter, Logger } from '@registry/types'
import type { Shard } from './policy/holdings.ts'
import { shardKey } from './shard-key.ts'

export interface ShardProviderInit {
  network: string
  /** Those held, as the network cuts them. */
  shards: readonly Shard[]
}

export interface ShardProviderComponents {
  contentRouter: Pick<ContentRouter, 'provide'>
  /** Much of what should be here is not: nobody is to be sent here yet. */
  isCatchingUp: () => boolean
  track: <T>(task: Promise<T>) => Promise<T>
  clock: Clock
  logger?: Logger
  signal: AbortSignal
}

/** Lets those who look for a holder of a shard find this peer in the DHT. */
export interface ShardProvider {
  /**
   * Announces, one after the other, what is not announced yet; from then on content routing does, again and again. To be
   * called when there is somebody new to announce to.
   */
  announce(): void
}

const CATCHING_UP_MS = 1000

export function shardProvider(
  init: ShardProviderInit
): (components: ShardProviderComponents) => ShardProvider {
  return ({ contentRouter, isCatchingUp, track, clock, logger, signal }) => {
    const keys = init.shards.map((shard) => shardKey(init.network, shard))
    let running = false
    let cancelWait: () => void = () => {}
    signal.addEventListener('abort', () => cancelWait(), { once: true })

    const announceAll = async (): Promise<void> => {
      try {
        for (let key = keys[0]; key !== undefined && !signal.aborted; key = keys[0]) {
          await contentRouter.provide(key, { signal })
          keys.shift()
        }
      } catch (error) {
        logger?.debug('shards', 'a shard is not announced yet', { error: String(error) })
      } finally {
        running = false
      }
    }

    const announce = (): void => {
      if (running || keys.length === 0 || signal.aborted) return
      cancelWait()
      if (isCatchingUp()) {
        cancelWait = clock.schedule(announce, CATCHING_UP_MS)
        return
      }
      running = true
      void track(announceAll())
    }

    return { announce }
  }
}
