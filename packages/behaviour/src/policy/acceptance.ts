import { isRegistryError, type PeerIdText, type RegistryError } from '@registry/types'
import type { PeerConduct } from './peer-score.ts'
import { rateLimit } from './rate-limit.ts'

export interface AcceptanceInit {
  /** Records not known here that one peer may hand over in a second; those known cost nothing. */
  recordsPerSecondPerPeer: number
  maxPeers: number
}

export type AcceptanceInput =
  /** A message came; `unknown` of its records are not in the catalogue; undefined: it is too large or no message. */
  | { type: 'received'; from: PeerIdText; unknown: number | undefined }
  /** The catalogue was asked. */
  | { type: 'ingested'; from: PeerIdText; outcomes: readonly AcceptanceOutcome[] }

/** An `IngestOutcome`, as far as it matters here; `passed`: valid, and not stored for not being of what this peer keeps. */
export type AcceptanceOutcome =
  | { status: 'accepted' | 'known' | 'superseded' | 'passed' }
  | { status: 'refused'; error: RegistryError }

/** `ingest`: ask the catalogue. The others are gossipsub's verdicts: deliver and relay, drop, drop and blame. */
export interface AcceptanceEffect {
  verdict: 'ingest' | 'accept' | 'ignore' | 'reject'
  conduct?: PeerConduct
}

/** Whether records that a peer handed over unasked, by gossip or by push, are looked at, taken and passed on. */
export interface Acceptance {
  handle(input: AcceptanceInput, nowMs: number): AcceptanceEffect
}

/** Seconds of the permitted rate that a peer may hand over at once. */
const BURST_SECONDS = 2

export function acceptance(init: AcceptanceInit): Acceptance {
  const rate = rateLimit({
    perSecond: init.recordsPerSecondPerPeer,
    burst: init.recordsPerSecondPerPeer * BURST_SECONDS,
    maxPeers: init.maxPeers
  })

  return {
    handle(input, nowMs) {
      if (input.type === 'ingested') return judge(input.outcomes)
      if (input.unknown === undefined) return { verdict: 'reject', conduct: 'forged' }
      const { admitted } = rate.handle({ peerId: input.from, amount: input.unknown }, nowMs)
      return { verdict: admitted ? 'ingest' : 'ignore' }
    }
  }
}

function judge(outcomes: readonly AcceptanceOutcome[]): AcceptanceEffect {
  const refused = outcomes.filter((outcome) => outcome.status === 'refused')
  if (refused.some(({ error }) => isForgery(error))) return { verdict: 'reject', conduct: 'forged' }
  // An owner not known here yet, a disk that is full: not the fault of the peer, and not to be passed on.
  if (refused.length > 0) return { verdict: 'ignore' }
  return outcomes.some(({ status }) => status === 'accepted')
    ? { verdict: 'accept', conduct: 'good' }
    : { verdict: 'accept' }
}

/** Whether a refused record can never be valid, for anybody. */
export function isForgery(error: unknown): boolean {
  return isRegistryError(error, 'ERR_INVALID_RECORD') || isRegistryError(error, 'ERR_BAD_SIGNATURE')
}
