import { seededPeerId } from '@registry/testing'
import type { DiscoveryMethod } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  backoffMs,
  type DialCandidate,
  type DialInput,
  failuresAfterConnection,
  planDials
} from '../src/index.ts'

const NOW_MS = 1_000_000_000
const PEERS = Array.from({ length: 30 }, (_, index) => seededPeerId(index))
const SELF = seededPeerId('self')

function candidate(index: number, rest: Partial<DialCandidate> = {}): DialCandidate {
  return {
    peerId: PEERS[index] ?? SELF,
    method: 'DHT',
    lastSeenMs: NOW_MS,
    failures: 0,
    lastAttemptMs: NOW_MS,
    dialing: false,
    ...rest
  }
}

function input(rest: Partial<DialInput> = {}): DialInput {
  return {
    nowMs: NOW_MS,
    self: SELF,
    candidates: [],
    connected: new Set(),
    minPeers: 4,
    maxConnections: 100,
    maxConcurrentDials: 8,
    retryBaseMs: 1000,
    retryIntervalMs: 300_000,
    ...rest
  }
}

const anyInput: fc.Arbitrary<DialInput> = fc
  .record({
    candidates: fc.uniqueArray(
      fc.record({
        peerId: fc.constantFrom(...PEERS, SELF),
        method: fc.constantFrom<DiscoveryMethod>('Bootstrap', 'MDNS', 'DHT', 'Manual', 'Incoming'),
        lastSeenMs: fc.nat(NOW_MS),
        failures: fc.nat(60),
        lastAttemptMs: fc.integer({ min: NOW_MS - 600_000, max: NOW_MS }),
        dialing: fc.boolean()
      }),
      { selector: ({ peerId }) => peerId }
    ),
    connected: fc.uniqueArray(fc.constantFrom(...PEERS)).map((peers) => new Set(peers)),
    minPeers: fc.nat(20),
    maxConnections: fc.integer({ min: 1, max: 20 }),
    maxConcurrentDials: fc.integer({ min: 1, max: 10 })
  })
  .map((some) => input(some))

describe('the dial policy', () => {
  it('dials neither itself nor anybody connected or being dialled, nor more than the bounds allow', () => {
    fc.assert(
      fc.property(anyInput, (some) => {
        const { dial } = planDials(some)
        const candidates = [...some.candidates]
        const dialing = candidates.filter((peer) => peer.dialing)
        expect(dial).not.toContain(SELF)
        expect(dial.filter((peerId) => some.connected.has(peerId))).toEqual([])
        expect(dial.filter((peerId) => dialing.some((peer) => peer.peerId === peerId))).toEqual([])
        expect(new Set(dial).size).toBe(dial.length)
        if (dial.length === 0) return
        expect(dial.length + dialing.length).toBeLessThanOrEqual(some.maxConcurrentDials)
        expect(dial.length + dialing.length + some.connected.size).toBeLessThanOrEqual(some.maxConnections)
      })
    )
  })

  it('never dials before the wait of a peer is over, and says when the next one is', () => {
    fc.assert(
      fc.property(anyInput, (some) => {
        const { dial, nextLookMs } = planDials(some)
        const early = planDials({ ...some, nowMs: some.nowMs - 700_000 })
        const failed = new Set(
          [...some.candidates].filter(({ failures }) => failures > 0).map(({ peerId }) => peerId)
        )
        expect(early.dial.filter((peerId) => failed.has(peerId))).toEqual([])
        if (nextLookMs === undefined) return
        expect(nextLookMs).toBeGreaterThan(some.nowMs)
        expect(nextLookMs).toBeLessThanOrEqual(some.nowMs + some.retryIntervalMs)
        const later = planDials({ ...some, nowMs: nextLookMs })
        expect(later.dial.length).toBeGreaterThanOrEqual(Math.min(dial.length, later.dial.length))
      })
    )
  })

  it('gives the same plan for the same input', () => {
    fc.assert(
      fc.property(anyInput, (some) => {
        expect(planDials(some)).toEqual(planDials(some))
      })
    )
  })

  it('dials twice as many as are missing', () => {
    const candidates = PEERS.map((_, index) => candidate(index))
    const connected = new Set(PEERS.slice(0, 2))
    expect(planDials(input({ candidates, connected })).dial).toHaveLength(4)
    expect(planDials(input({ candidates, connected, maxConcurrentDials: 3 })).dial).toHaveLength(3)
    expect(planDials(input({ candidates, connected, maxConnections: 3 })).dial).toHaveLength(1)
  })

  it('dials bootstrap peers first when it has no connection, and like all others when it has', () => {
    const others = PEERS.slice(0, 20).map((_, index) => candidate(index))
    const failing = candidate(25, { method: 'Bootstrap', failures: 1, lastAttemptMs: NOW_MS - 2000 })
    const candidates = [...others, failing]
    expect(planDials(input({ candidates })).dial[0]).toBe(failing.peerId)
    const connected = new Set(PEERS.slice(0, 1))
    expect(planDials(input({ candidates, connected })).dial).not.toContain(failing.peerId)
  })

  it('dials those that failed least first, then those seen in the last hours', () => {
    const candidates = [
      candidate(0, { failures: 2, lastAttemptMs: 0 }),
      candidate(1, { lastSeenMs: NOW_MS - 5 * 3_600_000 }),
      candidate(2, { lastSeenMs: NOW_MS - 1000 })
    ]
    expect(planDials(input({ candidates })).dial).toEqual([PEERS[2], PEERS[1], PEERS[0]])
  })

  it('lets each peer begin with others, so that not all run to the same one', () => {
    const candidates = PEERS.map((_, index) => candidate(index))
    const first = PEERS.map((self) => planDials(input({ self, candidates, minPeers: 1 })).dial[0])
    expect(new Set(first).size).toBeGreaterThan(10)
  })

  it('keeps trying one bootstrap peer, though it has connections enough, until it has one', () => {
    const bootstrap = candidate(10, { method: 'Bootstrap', failures: 3, lastAttemptMs: NOW_MS - 10 })
    const candidates = [bootstrap, candidate(11), candidate(12, { method: 'Bootstrap', failures: 9 })]
    const connected = new Set(PEERS.slice(0, 6))
    const { dial, nextLookMs } = planDials(input({ candidates, connected }))
    expect(dial).toEqual([])
    expect(planDials(input({ candidates, connected, nowMs: nextLookMs ?? 0 })).dial).toEqual([
      bootstrap.peerId
    ])
    expect(planDials(input({ candidates, connected: new Set([...connected, bootstrap.peerId]) }))).toEqual({
      dial: [],
      nextLookMs: undefined
    })
  })

  it('is at rest with connections enough and no bootstrap peer known', () => {
    const candidates = PEERS.map((_, index) => candidate(index))
    const connected = new Set(PEERS.slice(0, 4))
    expect(planDials(input({ candidates, connected }))).toEqual({ dial: [], nextLookMs: undefined })
  })
})

describe('the wait after failures', () => {
  it('is half to all of a second first, doubles, and ends at the ceiling', () => {
    for (const seed of PEERS) {
      const waits = [1, 2, 3, 4, 20, 1000].map((failures) => backoffMs(failures, 1000, 300_000, seed))
      const full = [1000, 2000, 4000, 8000, 300_000, 300_000]
      for (const [index, waitMs] of waits.entries()) {
        expect(waitMs).toBeGreaterThanOrEqual((full[index] ?? 0) / 2)
        expect(waitMs).toBeLessThanOrEqual(full[index] ?? 0)
      }
    }
    expect(backoffMs(0, 1000, 300_000, 'seed')).toBe(0)
  })

  it('differs from peer to peer', () => {
    const waits = PEERS.map((seed) => backoffMs(3, 1000, 300_000, seed))
    expect(new Set(waits).size).toBeGreaterThan(25)
  })

  it('grows after connections that ended at once, and begins anew after one that lasted', () => {
    expect(failuresAfterConnection(4, 200)).toBe(5)
    expect(failuresAfterConnection(4, 60_000)).toBe(1)
  })
})
