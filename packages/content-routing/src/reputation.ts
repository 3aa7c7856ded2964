const DAY_MS = 86_400_000
/** An exchange weighs this much less with each one after it, so that about the last twenty count. */
const MEMORY = 0.95
/** The latency that is neither good nor bad: half a second. */
const FAIR_LATENCY_MS = 500
/** Of an unknown peer, each part of the reputation. */
const UNKNOWN = 0.5

/** What is remembered of the exchanges with one peer. */
export interface ProviderHistory {
  /** Exchanges and those of them that went well, the older the less they count. */
  exchanges: number
  successes: number
  /** Whether it answered of late, 0 to 1. */
  availability: number
  /** Smoothed; undefined until an exchange went well. */
  latencyMs: number | undefined
  lastSuccessMs: number | undefined
}

/** How one exchange went; `latencyMs` is of one that went well. */
export interface ExchangeOutcome {
  success: boolean
  latencyMs?: number
}

/** The history after one more exchange. Pure. */
export function afterExchange(
  history: ProviderHistory | undefined,
  { success, latencyMs }: ExchangeOutcome,
  nowMs: number
): ProviderHistory {
  const before = history ?? {
    exchanges: 0,
    successes: 0,
    availability: UNKNOWN,
    latencyMs: undefined,
    lastSuccessMs: undefined
  }
  return {
    exchanges: before.exchanges * MEMORY + 1,
    successes: before.successes * MEMORY + (success ? 1 : 0),
    availability: (before.availability + (success ? 1 : 0)) / 2,
    latencyMs:
      success && latencyMs !== undefined ? smoothLatency(before.latencyMs, latencyMs) : before.latencyMs,
    lastSuccessMs: success ? nowMs : before.lastSuccessMs
  }
}

/**
 * 0 to 100, 50 for an unknown peer: 0.5 success + 0.25 latency + 0.15 availability + 0.10 recency, each from 0 to 1.
 * Success is the share of exchanges that went well, with one good and one bad one added; latency is a half at 500 ms;
 * availability halves with each failure in a row; recency halves with each day since the last success. Pure.
 */
export function reputationOf(history: ProviderHistory | undefined, nowMs: number): number {
  if (history === undefined) return 100 * UNKNOWN
  const { exchanges, successes, availability, latencyMs, lastSuccessMs } = history
  const success = (successes + 1) / (exchanges + 2)
  const latency = latencyMs === undefined ? UNKNOWN : FAIR_LATENCY_MS / (FAIR_LATENCY_MS + latencyMs)
  const recency = lastSuccessMs === undefined ? UNKNOWN : 0.5 ** (Math.max(0, nowMs - lastSuccessMs) / DAY_MS)
  return 100 * (0.5 * success + 0.25 * latency + 0.15 * availability + 0.1 * recency)
}

/** 0.7 of the old and 0.3 of the new; the first one as it is. */
export function smoothLatency(oldMs: number | undefined, newMs: number): number {
  return oldMs === undefined ? newMs : 0.7 * oldMs + 0.3 * newMs
}
