import { pause, withDeadline } from '@registry/timing'
import {
  type AbortOptions,
  type Catalogue,
  type CatalogueHoldings,
  type Clock,
  type ContentId,
  type HolderAnswers,
  isRegistryError,
  type Logger,
  type OwnerId,
  type PackageName,
  type PackageProtocol,
  type PeerIdText,
  type Query
} from '@registry/types'
import { isForgery } from './policy/acceptance.ts'
import { holdsName, shardOf } from './policy/holdings.ts'
import type { PeerConduct } from './policy/peer-score.ts'
import { searchHolders } from './policy/search-holders.ts'
import { shardKey } from './shard-key.ts'

export interface HolderSearchInit {
  network: string
  /** By which the network cuts its catalogue. */
  shardBits: number
  /** For all of it, however many are asked. */
  timeoutMs: number
}

export interface HolderSearchComponents {
  catalogue: Pick<Catalogue, 'ingest'>
  protocol: Pick<PackageProtocol, 'searchPackages' | 'lookupName'>
  /** Connected peers, best first, with what they say they keep. */
  holders: () => Array<{ peerId: PeerIdText; holds: CatalogueHoldings }>
  /** Peers that are said to hold what has this key, as the DHT finds them. */
  findProviders: (key: ContentId, options: AbortOptions) => AsyncIterable<PeerIdText>
  onConduct: (peerId: PeerIdText, conduct: PeerConduct) => void
  clock: Clock
  logger?: Logger
  /** Ends everything under way. */
  signal: AbortSignal
}

/** Asks peers that hold the catalogue for what is not here; see `MarketplaceBehaviour`. */
export interface HolderSearch {
  search(query: Query, options?: AbortOptions): Promise<HolderAnswers>
  lookup(name: PackageName, owner: OwnerId | undefined, options?: AbortOptions): Promise<HolderAnswers>
}

/** Holders asked for one question. */
const MAX_ASKED = 3
/** And for one that all shards may answer, where so many are needed to keep them all. */
const MAX_ASKED_FOR_ALL = 8
/** The share of the time for all that the others still have when one has answered. */
const GRACE_SHARE = 0.2

type Ask = (peerId: PeerIdText, options: AbortOptions) => Promise<Uint8Array[]>

export function holderSearch(init: HolderSearchInit): (components: HolderSearchComponents) => HolderSearch {
  return (components) => {
    const { protocol, holders } = components
    // Any shard may have something to say to a search: each one is asked in its turn.
    let searches = 0
    return {
      search: (query, options) =>
        askHolders(components, init.timeoutMs, {
          connected: searchHolders(holders(), { least: MAX_ASKED, most: MAX_ASKED_FOR_ALL }),
          key: shardKey(init.network, { bits: init.shardBits, index: searches++ % 2 ** init.shardBits }),
          ask: async (peerId, asking) =>
            (await protocol.searchPackages(peerId, query, asking)).flatMap(({ envelopes }) => envelopes),
          ...options
        }),
      lookup: (name, owner, options) =>
        askHolders(components, init.timeoutMs, {
          connected: holders()
            .filter(({ holds }) => holdsName(holds, name))
            .slice(0, MAX_ASKED),
          key: shardKey(init.network, { bits: init.shardBits, index: shardOf(name, init.shardBits) }),
          ask: (peerId, asking) => protocol.lookupName(peerId, name, owner, asking),
          ...options
        })
    }
  }
}

interface Question extends AbortOptions {
  connected: ReadonlyArray<{ peerId: PeerIdText }>
  key: ContentId
  ask: Ask
}

async function askHolders(
  components: HolderSearchComponents,
  timeoutMs: number,
  { connected, key, ask, signal }: Question
): Promise<HolderAnswers> {
  const { clock, logger, findProviders } = components
  const ended = signal === undefined ? components.signal : AbortSignal.any([components.signal, signal])
  const answers: HolderAnswers = { answered: 0, received: 0 }
  const asked = new Set<PeerIdText>()
  const first = Promise.withResolvers<void>()
  const askOne = async (peerId: PeerIdText, asking: AbortSignal): Promise<void> => {
    asked.add(peerId)
    await takeAnswer(components, answers, { peerId, ask, signal: asking })
    if (answers.answered > 0) first.resolve()
  }
  const askSome = async (asking: AbortSignal): Promise<void> => {
    await Promise.all(connected.map(({ peerId }) => askOne(peerId, asking)))
    if (answers.answered > 0) return
    const found: Array<Promise<void>> = []
    for await (const peerId of findProviders(key, { signal: asking })) {
      if (asked.has(peerId)) continue
      found.push(askOne(peerId, asking))
      if (found.length === MAX_ASKED) break
    }
    await Promise.all(found)
  }
  const work = async (asking: AbortSignal): Promise<void> => {
    const enough = new AbortController()
    const late = first.promise.then(() => pause(clock, timeoutMs * GRACE_SHARE, enough.signal))
    try {
      await Promise.race([askSome(asking), late])
    } finally {
      enough.abort()
    }
  }
  try {
    await withDeadline(clock, { timeoutMs, signal: ended }, work)
  } catch (error) {
    signal?.throwIfAborted()
    logger?.debug('holders', 'a question was not answered in full', { error: String(error) })
  }
  // What comes later is not of this answer.
  return { ...answers }
}

/** Never rejects: a holder that fails is one fewer. */
async function takeAnswer(
  { catalogue, onConduct, logger }: HolderSearchComponents,
  answers: HolderAnswers,
  { peerId, ask, signal }: { peerId: PeerIdText; ask: Ask; signal: AbortSignal }
): Promise<void> {
  try {
    const envelopes = await ask(peerId, { signal })
    const outcomes = await catalogue.ingest(envelopes)
    answers.answered++
    answers.received += outcomes.filter(({ status }) => status === 'accepted').length
    if (outcomes.some((outcome) => outcome.status === 'refused' && isForgery(outcome.error))) {
      onConduct(peerId, 'forged')
    }
  } catch (error) {
    if (signal.aborted) return
    logger?.debug('holders', 'a holder did not answer', { peerId, error: String(error) })
    if (!isRegistryError(error, 'ERR_STORAGE') && !isRegistryError(error, 'ERR_PEER_BUSY')) {
      onConduct(peerId, 'failed')
    }
  }
}
