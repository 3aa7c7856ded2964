import type { Catalogue, Clock, Logger } from '@registry/types'
import { announcedRecords } from './announced-records.ts'
import type { GossipChannel } from './gossip-channel.ts'
import { rateLimit } from './policy/rate-limit.ts'

export interface ConflictSpreaderComponents {
  catalogue: Pick<Catalogue, 'bundle' | 'changes' | 'onChange' | 'sequence'>
  gossip: Pick<GossipChannel, 'publish'>
  /** Much is coming that others have had for long. */
  isCatchingUp: () => boolean
  track: <T>(task: Promise<T>) => Promise<T>
  clock: Clock
  logger?: Logger
}

/**
 * Tells everybody at once, and once, of an owner who signed two releases of one version: both of them, which prove it.
 * Whoever notices does so; gossip passes the same proof on but once.
 */
export interface ConflictSpreader {
  /** Returns its undoing. */
  start(): () => void
}

/** An owner can make any number of them; the others come by synchronisation. */
const PER_SECOND = 4
const AT_ONCE = 32
/** Changes looked at after one transaction, so that the event loop does not wait. */
const MAX_CHANGES = 256

export function conflictSpreader(components: ConflictSpreaderComponents): ConflictSpreader {
  const { catalogue, gossip, isCatchingUp, track, clock, logger } = components
  const pace = rateLimit({ perSecond: PER_SECOND, burst: AT_ONCE, maxPeers: 1 })

  const spread = (after: number): void => {
    for (const { type, id } of catalogue.changes({ after, limit: MAX_CHANGES })) {
      if (type !== 'Conflicted' || !pace.handle({ peerId: 'own', amount: 1 }, clock.now()).admitted) continue
      const proof = announcedRecords(catalogue, id)
      if (proof.length > 0) void track(gossip.publish(proof, { urgent: true }))
    }
  }

  return {
    start() {
      let seen = catalogue.sequence
      return catalogue.onChange((sequence) => {
        const after = seen
        seen = sequence
        if (isCatchingUp()) return
        try {
          spread(after)
        } catch (error) {
          logger?.warn('conflicts', 'changes could not be read', { error: String(error) })
        }
      })
    }
  }
}
