import type { PeerIdText } from '@registry/types'

/** What an exchange showed of a peer. */
export type PeerConduct =
  /** It gave what was asked, or something new that was valid. */
  | 'good'
  /** It did not answer, or not in time. */
  | 'failed'
  /** It handed over a record that can never be valid, or bytes that are no message. */
  | 'forged'
  /** It kept us busy without end. */
  | 'abused'

export interface PeerScoreInit {
  /** Below this score a peer is shut out. */
  banBelow: number
  banMs: number
  /** In this time half of the distance to the score of a stranger is forgotten. */
  halfLifeMs: number
  /** Peers remembered; beyond, the one heard of longest ago is a stranger again. */
  maxPeers: number
}

export interface PeerScoreInput {
  peerId: PeerIdText
  conduct: PeerConduct
}

export interface PeerScoreEffect {
  score: number
  /** Close its connections and take none until then, ms since the epoch. */
  banUntilMs?: number
}

/** What the exchanges with each peer were worth, from 0 to 100; 50 for a stranger. */
export interface PeerScore {
  handle(input: PeerScoreInput, nowMs: number): PeerScoreEffect
  score(peerId: string, nowMs: number): number
}

const STRANGER = 50
const WORTH: Record<PeerConduct, number> = { good: 1, failed: -2, forged: -15, abused: -45 }
/** As low as failures alone lead: who cannot be reached is no enemy. */
const FAILED_FLOOR = 20

export function peerScore(init: PeerScoreInit): PeerScore {
  const peers = new Map<string, { score: number; atMs: number }>()

  const score = (peerId: string, nowMs: number): number => {
    const known = peers.get(peerId)
    if (known === undefined) return STRANGER
    const kept = 0.5 ** (Math.max(0, nowMs - known.atMs) / init.halfLifeMs)
    return STRANGER + (known.score - STRANGER) * kept
  }

  return {
    score,
    handle({ peerId, conduct }, nowMs) {
      const before = score(peerId, nowMs)
      const floor = conduct === 'failed' ? Math.min(before, FAILED_FLOOR) : 0
      const next = Math.min(100, Math.max(floor, before + WORTH[conduct]))
      peers.delete(peerId)
      peers.set(peerId, { score: next, atMs: nowMs })
      if (peers.size > init.maxPeers) {
        const [oldest] = peers.keys()
        if (oldest !== undefined) peers.delete(oldest)
      }
      return next < init.banBelow && conduct !== 'failed'
        ? { score: next, banUntilMs: nowMs + init.banMs }
        : { score: next }
    }
  }
}
