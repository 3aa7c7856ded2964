import {
  type GossipSub,
  type SubscriptionChangeData,
  type TopicValidatorFn,
  TopicValidatorResult
} from '@libp2p/gossipsub'
import { peerIdText } from '@registry/discovery'
import { recordIdOf } from '@registry/identity'
import type { Catalogue, Clock, Logger, PeerIdText } from '@registry/types'
import { decodeGossipMessage, encodeGossipMessage } from './gossip-message.ts'
import type { Acceptance, AcceptanceEffect } from './policy/acceptance.ts'
import type { PeerConduct } from './policy/peer-score.ts'
import { rateLimit } from './policy/rate-limit.ts'
import type { RecordBundle } from './record-bundle.ts'

export interface GossipChannelComponents {
  pubsub: GossipSub
  catalogue: Catalogue
  acceptance: Acceptance
  clock: Clock
  logger?: Logger
  /** Told what a message showed of the peer that passed it on. */
  onConduct: (peerId: PeerIdText, conduct: PeerConduct) => void
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
  /** Resolves to whether a peer has it now; never rejects. */
  publish(bundle: RecordBundle): Promise<GossipResult>
}

/** Of own messages; gossipsub answers requests for missed ones with one message, which cannot have over 4 MiB. */
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
    const pace = rateLimit({ perSecond: BYTES_PER_SECOND, burst: BURST_BYTES, maxPeers: 1 })
    const validate: TopicValidatorFn = (from, { data }) =>
      components.track(consider(components, peerIdText(from), data)).then(({ verdict }) => VERDICTS[verdict])
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
      async publish({ inception, release }) {
        const message = encodeGossipMessage([inception, release])
        if (!pace.handle({ peerId: 'own', amount: message.length }, clock.now()).admitted) return 'held back'
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

/** What becomes of one message; its records are in the catalogue when the verdict is to accept. */
async function consider(
  { catalogue, acceptance, clock, logger, onConduct }: GossipChannelComponents,
  from: PeerIdText,
  data: Uint8Array
): Promise<AcceptanceEffect> {
  let effect: AcceptanceEffect
  try {
    const records = readMessage(data)
    const unknown = records?.filter((record) => !catalogue.has(recordIdOf(record))).length
    effect = acceptance.handle({ type: 'received', from, unknown }, clock.now())
    if (effect.verdict === 'ingest') {
      const outcomes = await catalogue.ingest(records ?? [])
      effect = acceptance.handle({ type: 'ingested', from, outcomes }, clock.now())
    }
  } catch (error) {
    // Our own disk: nothing that the sender did, and nothing to pass on.
    logger?.warn('gossip', 'a message could not be stored', { from, error: String(error) })
    effect = { verdict: 'ignore' }
  }
  if (effect.conduct !== undefined) onConduct(from, effect.conduct)
  return effect
}

function readMessage(data: Uint8Array): Uint8Array[] | undefined {
  try {
    return decodeGossipMessage(data)
  } catch {
    return undefined
  }
}
