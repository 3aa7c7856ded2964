import type { PeerIdText } from '@registry/types'
import { backOffMs } from './back-off.ts'
import { seededRandom } from './random.ts'

export interface ReplicationInit {
  /** How often a random connected peer is synchronised with. */
  intervalMs: number
  /** Synchronisations at once. */
  maxConcurrent: number
  /** Wait after the first failure, or after a comparison that left the two different; doubled each time. */
  firstRetryMs: number
  /** Others that are compared with at once when a synchronisation brought something new: they may lack it too. */
  spread: number
  maxRetryMs: number
  /** Of the choice of random peers. */
  seed: number
}

export type ReplicationInput =
  | { type: 'connected'; peerId: PeerIdText }
  | { type: 'disconnected'; peerId: PeerIdText }
  /** Somebody waits for a synchronisation that begins from now on; no back-off applies. */
  | { type: 'requested'; peerId: PeerIdText }
  /** `received` records were new here. */
  | { type: 'finished'; peerId: PeerIdText; outcome: 'equal' | 'different' | 'failed'; received: number }
  /** The peer may have something that did not come here: look before long. */
  | { type: 'doubted'; peerId: PeerIdText }
  | { type: 'tick' }

export interface ReplicationEffect {
  /** Begin a synchronisation with each of these. */
  start: PeerIdText[]
  /** Send a `tick` at this time, ms since the epoch. */
  wakeAtMs?: number
}

/**
 * When to synchronise with whom: with a peer that has connected at once, with a random one every `intervalMs`, with one
 * that failed or was left different after a growing wait; and with a few others when something new came, who on being
 * asked look for it here. Never twice at once with one peer.
 */
export interface Replication {
  handle(input: ReplicationInput, nowMs: number): ReplicationEffect
  /** Synchronisations that run or wait for a place. */
  readonly pending: number
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
}

export function replication(init: ReplicationInit): Replication {
  const random = seededRandom(init.seed)
  const peers = new Map<PeerIdText, PeerState>()
  let nextRandomAtMs: number | undefined

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
        dueAtMs: undefined
      }
      peers.set(peerId, state)
    }
    return state
  }

  const finish = (state: PeerState, outcome: 'equal' | 'different' | 'failed', nowMs: number): void => {
    state.running = false
    state.failed = outcome === 'failed'
    state.failures = outcome === 'equal' ? 0 : state.failures + 1
    const maxMs = state.failed ? init.maxRetryMs : init.intervalMs
    const again = outcome !== 'equal' || state.doubted
    state.dueAtMs = again ? nowMs + backOffMs(state.failures, init.firstRetryMs, maxMs) : undefined
    state.doubted = false
  }

  const idle = (): PeerState[] =>
    [...peers.values()].filter((state) => state.connected && !state.running && !state.wanted)

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
    else if (state.connected) state.dueAtMs ??= nowMs + init.firstRetryMs
  }

  const decide = (nowMs: number): ReplicationEffect => {
    let running = [...peers.values()].filter((state) => state.running).length
    const start: PeerIdText[] = []
    let wakeAtMs = Number.POSITIVE_INFINITY
    let anyConnected = false
    for (const [peerId, state] of peers) {
      anyConnected ||= state.connected
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

  return {
    get pending() {
      return [...peers.values()].filter((state) => state.running || state.wanted).length
    },
    handle(input, nowMs) {
      if (input.type === 'tick') tick(nowMs)
      else if (input.type === 'requested') {
        const state = stateOf(input.peerId)
        state.wanted = true
        state.requested = true
      } else if (input.type === 'finished') {
        const others = idle().filter(({ failed }) => !failed)
        finish(stateOf(input.peerId), input.outcome, nowMs)
        if (input.received > 0) choose(init.spread, others)
      } else if (input.type === 'doubted') {
        doubt(stateOf(input.peerId), nowMs)
      } else if (input.type === 'connected') {
        const state = stateOf(input.peerId)
        if (!state.connected) state.wanted = true
        state.connected = true
      } else {
        const state = stateOf(input.peerId)
        state.connected = false
        state.wanted = state.requested
        state.failures = 0
        state.dueAtMs = undefined
      }
      return decide(nowMs)
    }
  }
}
