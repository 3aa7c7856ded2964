import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rateLimit } from '../../src/index.ts'

it('admits a burst, then the rate', () => {
  const limit = rateLimit({ perSecond: 10, burst: 5, maxPeers: 10 })
  for (let taken = 0; taken < 5; taken++) {
    expect(limit.handle({ peerId: 'a', amount: 1 }, 0).admitted).toBe(true)
  }
  expect(limit.handle({ peerId: 'a', amount: 1 }, 0)).toEqual({ admitted: false, retryAfterMs: 100 })
  expect(limit.handle({ peerId: 'a', amount: 1 }, 100)).toEqual({ admitted: true, retryAfterMs: 0 })
})

it('keeps one peer from using up the share of another', () => {
  const limit = rateLimit({ perSecond: 1, burst: 2, maxPeers: 10 })
  limit.handle({ peerId: 'flood', amount: 2 }, 0)
  expect(limit.handle({ peerId: 'flood', amount: 1 }, 0).admitted).toBe(false)
  expect(limit.handle({ peerId: 'honest', amount: 2 }, 0).admitted).toBe(true)
})

it('lets a request larger than the burst pass after a pause, at the price of the whole burst', () => {
  const limit = rateLimit({ perSecond: 1, burst: 2, maxPeers: 10 })
  expect(limit.handle({ peerId: 'a', amount: 50 }, 0).admitted).toBe(true)
  expect(limit.handle({ peerId: 'a', amount: 1 }, 0).admitted).toBe(false)
})

it('remembers a bounded number of peers', () => {
  const limit = rateLimit({ perSecond: 1, burst: 1, maxPeers: 2 })
  for (const peerId of ['a', 'b', 'c']) limit.handle({ peerId, amount: 1 }, 0)
  expect(limit.handle({ peerId: 'c', amount: 1 }, 0).admitted).toBe(false)
  expect(limit.handle({ peerId: 'b', amount: 1 }, 0).admitted).toBe(false)
  expect(limit.handle({ peerId: 'a', amount: 1 }, 0).admitted).toBe(true)
})

it('never admits more than burst and rate together, and admits after the wait it names', () => {
  const requests = fc.array(fc.record({ afterMs: fc.nat(500), amount: fc.integer({ min: 1, max: 8 }) }))
  fc.assert(
    fc.property(requests, (list) => {
      const limit = rateLimit({ perSecond: 20, burst: 8, maxPeers: 1 })
      let nowMs = 0
      let taken = 0
      for (const { afterMs, amount } of list) {
        nowMs += afterMs
        const { admitted, retryAfterMs } = limit.handle({ peerId: 'a', amount }, nowMs)
        if (admitted) taken += amount
        else {
          nowMs += retryAfterMs
          if (!limit.handle({ peerId: 'a', amount }, nowMs).admitted) return false
          taken += amount
        }
        if (taken > 8 + (nowMs * 20) / 1000 + 1e-6) return false
      }
      return true
    })
  )
})
