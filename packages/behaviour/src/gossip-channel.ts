import {
  type GossipSub,
  type SubscriptionChangeData,
  type TopicValidatorFn,
  TopicValidatorResult
} from '@libp2p/gossipsub'
import { peerIdText } from '@registry/discovery'
import type { Clock, Logger, PeerIdText } from '@registry/types'
import { decodeGossipMessage, encodeGossipMessage } from './gossip-message.ts'
import type { AcceptanceEffect } from './policy/acceptance.ts'
import { rateLimit } from './policy/rate-limit.ts'
import type { RecordIntake } from './record-intake.ts'

export interface GossipChannelComponents {
  pubsub: GossipSub
  intake: RecordIntake
  clock: Clock
  logger?: Logger
  /** Told when a peer has begun to listen on the topic. */
  onSubscriber: (peerId: PeerIdText) => void
  track: <T>(task: Promise<T>) => Promise<T>
}

/** `held back`: not sent, so that a bulk publish does not drown the channel; others hear of it by other ways. */
export type GossipResult = 'heard' | 'unheard' | 'held back'

/** New records, told to everybody who listens now. A hint: who missed it hears of it by synchronisation. */
export interface GossipChannel {
  start(): void
  stop(): void
  /**
   * Tells of records, owners first. Resolves to whether a peer has them now; never rejects. What is urgent is not held back
   * for what is not.
   */
  publish(records: readonly Uint8Array[], options?: { urgent?: boolean }): Promise<GossipResult>
}

/** Of own messages of either kind; gossipsub answers requests for missed ones with one message, which cannot have over 4 MiB. */
const BYTES_PER_SECOND = 256 * 1024
const BURST_BYTES = 1024 * 1024

const VERDICTS = {
  ingest: TopicValidatorResult.Ignore,
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
} as const

export function gossipChannel(init: {
  topic: string
}): (components: GossipChannelComponents) => GossipChannel {
  return (components) => {
    const { pubsub, clock, onSubscriber } = components
    const pace = rateLimit({ perSecond: BYTES_PER_SECOND, burst: BURST_BYTES, maxPeers: 2 })
    const validate: TopicValidatorFn = (from, { data }) =>
      components.track(consider(components, peerIdText(from), data)).then((verdict) => VERDICTS[verdict])
    const onSubscriptions = ({ detail }: CustomEvent<SubscriptionChangeData>): void => {
      if (detail.subscriptions.some(({ subscribe }) => subscribe)) onSubscriber(peerIdText(detail.peerId))
    }

    return {
      start() {
        pubsub.topicValidators.set(init.topic, validate)
        pubsub.addEventListener('subscription-change', onSubscriptions)
        pubsub.subscribe(init.topic)
      },
      stop() {
        pubsub.removeEventListener('subscription-change', onSubscriptions)
        pubsub.topicValidators.delete(init.topic)
        pubsub.unsubscribe(init.topic)
      },
      async publish(records, { urgent = false } = {}) {
        const message = encodeGossipMessage(records)
        const lane = { peerId: urgent ? 'urgent' : 'news', amount: message.length }
        if (!pace.handle(lane, clock.now()).admitted) return 'held back'
        try {
          const { recipients } = await pubsub.publish(init.topic, message)
          return recipients.length > 0 ? 'heard' : 'unheard'
        } catch (error) {
          // It went round already, by us or by a peer that was handed it.
          if (error instanceof Error && error.message === 'PublishError.Duplicate') return 'heard'
          components.logger?.debug('gossip', 'nobody to tell', { error: String(error) })
          return 'unheard'
        }
      }
    }
  }
}

/** What becomes of one message; its records are in the catalogue, as far as they are kept, when the verdict is to accept. */
async function consider(
  { intake, logger }: GossipChannelComponents,
  from: PeerIdText,
  data: Uint8Array
): Promise<AcceptanceEffect['verdict']> {
  try {
    return (await intake.take(from, readMessage(data))).verdict
  } catch (error) {
    // Our own disk: nothing that the sender did, and nothing to pass on.
    logger?.warn('gossip', 'a message could not be stored', { from, error: String(error) })
    return 'ignore'
  }
}

function readMessage(data: Uint8Array): Uint8Array[] | undefined {
  try {
    return decodeGossipMessage(data)
  } catch {
    return undefined
  }
}
