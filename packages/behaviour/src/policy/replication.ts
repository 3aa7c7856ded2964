import type { CatalogueHoldings, Completeness, PeerIdText } from '@registry/types'
import { backOffMs } from './back-off.ts'
import { sharedScopes } from './holdings.ts'
import { seededRandom } from './random.ts'

export interface ReplicationInit {
  /** How often a random connected peer is synchronised with. */
  intervalMs: number
  /** Synchronisations at once. */
  maxConcurrent: number
  /** Wait after the first failure, or after a comparison that left the two different; doubled each time. */
  firstRetryMs: number
  /** Others that are compared with at once when something new came from a peer: they may lack it too. */
  spread: number
  maxRetryMs: number
  /** Of the choice of random peers. */
  seed: number
  /** What this peer keeps of the catalogue. @default all of it */
  holds?: CatalogueHoldings
}

export type ReplicationInput =
  /** `initiator`, true unless told: it was this peer that dialled. The one that did not leaves the beginning to the other. */
  | { type: 'connected'; peerId: PeerIdText; initiator?: boolean }
  | { type: 'disconnected'; peerId: PeerIdText }
  /** The peer says what it keeps of the catalogue; until then it is taken to keep all. */
  | { type: 'declared'; peerId: PeerIdText; holds: CatalogueHoldings }
  /** Somebody waits for a synchronisation that begins from now on; no back-off applies. */
  | { type: 'requested'; peerId: PeerIdText }
  /** One of the two has compared; `ahead` when the peer is known to have what is not here. */
  | { type: 'compared'; peerId: PeerIdText; equal: boolean; ahead?: boolean }
  /** `received` records were new here; `ahead`, as long as it is different unless told: the peer has more of them. */
  | {
      type: 'finished'
      peerId: PeerIdText
      outcome: 'equal' | 'different' | 'failed'
      received: number
      ahead?: boolean
    }
  /** The peer handed over records that were new here. */
  | { type: 'given'; peerId: PeerIdText }
  /** The peer may have something that did not come here: look before long. */
  | { type: 'doubted'; peerId: PeerIdText }
  | { type: 'tick' }

export interface ReplicationEffect {
  /** Begin a synchronisation with each of these. */
  start: PeerIdText[]
  /** Send a `tick` at this time, ms since the epoch. */
  wakeAtMs?: number
}

/** What is known of a connected peer's catalogue beside ours. */
export interface Freshness {
  /** When it was last compared, ms since the epoch; null when it never was. */
  comparedAtMs: number | null
  /** It was equal then, in all that both keep. */
  equal: boolean
  /** What it says it keeps; absent while it has not said so. */
  holds?: CatalogueHoldings
}

/**
 * When to synchronise with whom: with a peer that has connected at once, with a random one every `intervalMs`, with one
 * that failed or was left different after a growing wait; and with a few others when something new came. Never twice at
 * once with one peer, and never with one that keeps nothing of what this one keeps, unless somebody waits for it.
 */
export interface Replication {
  handle(input: ReplicationInput, nowMs: number): ReplicationEffect
  /** Synchronisations that run or wait for a place. */
  readonly pending: number
  freshness(peerId: PeerIdText): Freshness
  /** Of the whole catalogue, as far as the connected peers tell. */
  completeness(): Completeness
}

interface PeerState {
  connected: boolean
  running: boolean
  /** Waits for a place; `requested` when somebody waits for it. */
  wanted: boolean
  requested: boolean
  /** Doubted while it ran. */
  doubted: boolean
  /** The last one failed. */
  failed: boolean
  /** In a row that did not end equal. */
  failures: number
  dueAtMs: number | undefined
  holds: CatalogueHoldings | undefined
  /** There is something that both keep. */
  shares: boolean
  comparedAtMs: number | null
  equal: boolean
  ahead: boolean
}

const FULL: CatalogueHoldings = Object.freeze({ mode: 'full' })

export function replication(init: ReplicationInit): Replication {
  const { holds: own = FULL } = init
  const random = seededRandom(init.seed)
  const peers = new Map<PeerIdText, PeerState>()
  let nextRandomAtMs: number | undefined
  let lastEqualAtMs: number | null = null

  const stateOf = (peerId: PeerIdText): PeerState => {
    let state = peers.get(peerId)
    if (state === undefined) {
      state = {
        connected: false,
        running: false,
        wanted: false,
        requested: false,
        doubted: false,
        failed: false,
        failures: 0,
        dueAtMs: undefined,
        holds: undefined,
        shares: own.mode !== 'light',
        comparedAtMs: null,
        equal: false,
        ahead: false
      }
      peers.set(peerId, state)
    }
    return state
  }

  const compare = (state: PeerState, equal: boolean, ahead: boolean, nowMs: number): void => {
    if (!state.shares) return
    state.comparedAtMs = nowMs
    state.equal = equal
    state.ahead = ahead
    if (equal) lastEqualAtMs = nowMs
  }

  const finish = (
    state: PeerState,
    { outcome, received, ahead = true }: ReplicationInput & { type: 'finished' },
    nowMs: number
  ): void => {
    state.running = false
    state.failed = outcome === 'failed'
    if (outcome !== 'failed') compare(state, outcome === 'equal', outcome !== 'equal' && ahead, nowMs)
    // One that brings something is no failure, however much is left.
    const came = outcome !== 'failed' && received > 0
    state.failures = outcome === 'equal' ? 0 : came ? 1 : state.failures + 1
    const maxMs = state.failed ? init.maxRetryMs : init.intervalMs
    const again = outcome !== 'equal' || state.doubted
    state.dueAtMs =
      again && state.shares ? nowMs + backOffMs(state.failures, init.firstRetryMs, maxMs) : undefined
    state.doubted = false
  }

  const idle = (): PeerState[] =>
    [...peers.values()].filter((state) => state.connected && state.shares && !state.running && !state.wanted)

  const choose = (count: number, among: PeerState[]): void => {
    for (let left = count; left > 0 && among.length > 0; left--) {
      const [chosen] = among.splice(Math.floor(random() * among.length), 1)
      if (chosen !== undefined) chosen.wanted = true
    }
  }

  const tick = (nowMs: number): void => {
    for (const state of idle()) {
      if (state.dueAtMs !== undefined && state.dueAtMs <= nowMs) state.wanted = true
    }
    if (nextRandomAtMs === undefined || nextRandomAtMs > nowMs) return
    nextRandomAtMs = nowMs + init.intervalMs
    const undecided = idle().filter(({ dueAtMs }) => dueAtMs === undefined)
    choose(1, undecided)
  }

  const doubt = (state: PeerState, nowMs: number): void => {
    if (state.running) state.doubted = true
    else if (state.connected && state.shares) state.dueAtMs ??= nowMs + init.firstRetryMs
  }

  const connect = (state: PeerState, initiator: boolean, nowMs: number): void => {
    if (state.connected) return
    state.connected = true
    if (!state.shares) return
    if (initiator) state.wanted = true
    else doubt(state, nowMs)
  }

  const declare = (state: PeerState, holds: CatalogueHoldings): void => {
    state.holds = holds
    state.shares = sharedScopes(own, holds).length > 0
    if (state.shares) return
    state.wanted = state.requested
    state.dueAtMs = undefined
    state.ahead = false
    state.comparedAtMs = null
  }

  const disconnect = (state: PeerState): void => {
    state.connected = false
    state.wanted = state.requested
    state.failures = 0
    state.dueAtMs = undefined
  }

  const decide = (nowMs: number): ReplicationEffect => {
    let running = [...peers.values()].filter((state) => state.running).length
    const start: PeerIdText[] = []
    let wakeAtMs = Number.POSITIVE_INFINITY
    let anyConnected = false
    for (const [peerId, state] of peers) {
      anyConnected ||= state.connected && state.shares
      if (state.wanted && !state.running && running < init.maxConcurrent) {
        state.wanted = false
        state.requested = false
        state.running = true
        state.dueAtMs = undefined
        running++
        start.push(peerId)
      }
      if (state.connected && !state.running && !state.wanted && state.dueAtMs !== undefined) {
        wakeAtMs = Math.min(wakeAtMs, state.dueAtMs)
      }
      if (!state.connected && !state.running && !state.wanted) peers.delete(peerId)
    }
    nextRandomAtMs = anyConnected ? (nextRandomAtMs ?? nowMs + init.intervalMs) : undefined
    wakeAtMs = Math.min(wakeAtMs, nextRandomAtMs ?? wakeAtMs)
    return Number.isFinite(wakeAtMs) ? { start, wakeAtMs } : { start }
  }

  const take = (input: Exclude<ReplicationInput, { type: 'tick' }>, nowMs: number): void => {
    const state = stateOf(input.peerId)
    const others = (): PeerState[] => idle().filter((other) => other !== state && !other.failed)
    switch (input.type) {
      case 'connected':
        connect(state, input.initiator ?? true, nowMs)
        break
      case 'disconnected':
        disconnect(state)
        break
      case 'declared':
        declare(state, input.holds)
        break
      case 'requested':
        state.wanted = true
        state.requested = true
        break
      case 'compared':
        compare(state, input.equal, !input.equal && (input.ahead ?? state.ahead), nowMs)
        if (input.equal) state.dueAtMs = undefined
        break
      case 'finished':
        finish(state, input, nowMs)
        if (input.received > 0) choose(init.spread, others())
        break
      case 'given':
        choose(init.spread, others())
        break
      case 'doubted':
        doubt(state, nowMs)
    }
  }

  return {
    get pending() {
      return [...peers.values()].filter((state) => state.running || state.wanted).length
    },
    handle(input, nowMs) {
      if (input.type === 'tick') tick(nowMs)
      else take(input, nowMs)
      return decide(nowMs)
    },
    freshness(peerId) {
      const { comparedAtMs = null, equal = false, holds } = peers.get(peerId) ?? {}
      return holds === undefined ? { comparedAtMs, equal } : { comparedAtMs, equal, holds }
    },
    completeness() {
      const compared = [...peers.values()].filter(
        (state) => state.connected && state.shares && state.comparedAtMs !== null
      )
      const agreeing = compared.filter(({ equal }) => equal).length
      const state =
        own.mode !== 'full'
          ? 'partial'
          : compared.some(({ ahead }) => ahead)
            ? 'behind'
            : agreeing > 0
              ? 'agreed'
              : 'alone'
      return {
        state,
        comparedAtMs: lastEqualAtMs,
        agreeing,
        compared: compared.length,
        askedHolders: 0
      }
    }
  }
}
