import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  afterExchange,
  type ExchangeOutcome,
  type ProviderHistory,
  reputationOf,
  smoothLatency
} from '../src/index.ts'

const outcomes = fc.array(
  fc.record(
    { success: fc.boolean(), latencyMs: fc.double({ min: 0, max: 1e7, noNaN: true }) },
    { requiredKeys: ['success'] }
  ),
  { maxLength: 60 }
)

function historyOf(exchanges: readonly ExchangeOutcome[], nowMs = 0): ProviderHistory | undefined {
  return exchanges.reduce<ProviderHistory | undefined>(
    (history, outcome) => afterExchange(history, outcome, nowMs),
    undefined
  )
}

describe('reputation', () => {
  it('is 50 for a peer that nothing is known of', () => {
    expect(reputationOf(undefined, 0)).toBe(50)
  })

  it('stays between 0 and 100', () => {
    fc.assert(
      fc.property(outcomes, fc.nat(), (exchanges, laterMs) => {
        const reputation = reputationOf(historyOf(exchanges), laterMs)
        return reputation >= 0 && reputation <= 100
      })
    )
  })

  it('rises with a quick success and falls with a failure, whatever was before', () => {
    fc.assert(
      fc.property(outcomes, (exchanges) => {
        const before = historyOf(exchanges)
        const good = reputationOf(afterExchange(before, { success: true, latencyMs: 0 }, 0), 0)
        const bad = reputationOf(afterExchange(before, { success: false }, 0), 0)
        return good >= reputationOf(before, 0) && bad < reputationOf(before, 0)
      })
    )
  })

  it('weighs success 50, latency 25, availability 15 and recency 10', () => {
    const perfect: ProviderHistory = {
      exchanges: 0,
      successes: 0,
      availability: 1,
      latencyMs: 0,
      lastSuccessMs: 0
    }
    expect(reputationOf(perfect, 0)).toBe(25 + 25 + 15 + 10)
    expect(reputationOf({ ...perfect, latencyMs: 500 }, 0)).toBe(25 + 12.5 + 15 + 10)
    expect(reputationOf({ ...perfect, availability: 0 }, 0)).toBe(25 + 25 + 0 + 10)
    expect(reputationOf(perfect, 86_400_000)).toBe(25 + 25 + 15 + 5)
    expect(reputationOf({ ...perfect, exchanges: 1e9, successes: 1e9 }, 0)).toBeCloseTo(100)
  })

  it('prefers the nearer of two peers that never failed', () => {
    const near = historyOf([{ success: true, latencyMs: 20 }])
    const far = historyOf([{ success: true, latencyMs: 800 }])
    expect(reputationOf(near, 0)).toBeGreaterThan(reputationOf(far, 0))
  })

  it('forgives: about twenty successes outweigh any past', () => {
    const fallen = historyOf(Array.from({ length: 500 }, () => ({ success: false })))
    expect(reputationOf(fallen, 0)).toBeLessThan(25)
    let history = fallen
    for (let exchange = 0; exchange < 20; exchange += 1) {
      history = afterExchange(history, { success: true, latencyMs: 50 }, 0)
    }
    expect(reputationOf(history, 0)).toBeGreaterThan(70)
  })

  it('smooths latencies, 0.7 of the old and 0.3 of the new', () => {
    expect(smoothLatency(undefined, 100)).toBe(100)
    expect(smoothLatency(100, 200)).toBeCloseTo(130)
  })
})
