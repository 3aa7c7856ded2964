import type { PeerIdText } from '@registry/types'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type ReplicationInput, replication } from '../../src/index.ts'

const peer = (name: string | number): PeerIdText => `peer-${name}` as PeerIdText
const [a, b, c] = [peer('a'), peer('b'), peer('c')]
const policy = (overrides: { maxConcurrent?: number; seed?: number } = {}) =>
  replication({
    intervalMs: 60_000,
    maxConcurrent: 2,
    firstRetryMs: 1000,
    spread: 2,
    maxRetryMs: 8000,
    seed: 1,
    ...overrides
  })

it('synchronises with a peer as soon as it connects, once', () => {
  const sync = policy()
  expect(sync.handle({ type: 'connected', peerId: a }, 0).start).toEqual([a])
  expect(sync.handle({ type: 'connected', peerId: a }, 0).start).toEqual([])
  sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 10)
  expect(sync.handle({ type: 'connected', peerId: a }, 20).start).toEqual([])
})

it('runs no more at once than it may, and the next when one is through', () => {
  const sync = policy()
  expect([a, b, c].flatMap((peerId) => sync.handle({ type: 'connected', peerId }, 0).start)).toEqual([a, b])
  expect(sync.pending).toBe(3)
  expect(sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 1).start).toEqual([c])
})

it('waits longer after each failure, up to a ceiling, and not at all after a success', () => {
  const sync = policy()
  sync.handle({ type: 'connected', peerId: a }, 0)
  let nowMs = 0
  for (const waitMs of [1000, 2000, 4000, 8000, 8000]) {
    const { wakeAtMs } = sync.handle({ type: 'finished', peerId: a, outcome: 'failed', received: 0 }, nowMs)
    expect(wakeAtMs).toBe(nowMs + waitMs)
    expect(sync.handle({ type: 'tick' }, nowMs + waitMs - 1).start).toEqual([])
    nowMs += waitMs
    expect(sync.handle({ type: 'tick' }, nowMs).start).toEqual([a])
  }
  sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, nowMs)
  sync.handle({ type: 'requested', peerId: a }, nowMs)
  expect(sync.handle({ type: 'finished', peerId: a, outcome: 'failed', received: 0 }, nowMs).wakeAtMs).toBe(
    nowMs + 1000
  )
})

it('compares again soon with a peer that was left different', () => {
  const sync = policy()
  sync.handle({ type: 'connected', peerId: a }, 0)
  expect(sync.handle({ type: 'finished', peerId: a, outcome: 'different', received: 0 }, 0).wakeAtMs).toBe(
    1000
  )
  expect(sync.handle({ type: 'tick' }, 1000).start).toEqual([a])
})

it('synchronises with a random connected peer at every interval, the same for the same seed', () => {
  const choices = (seed: number): PeerIdText[] => {
    const sync = policy({ seed, maxConcurrent: 100 })
    for (let name = 0; name < 50; name++) {
      sync.handle({ type: 'connected', peerId: peer(name) }, 0)
      sync.handle({ type: 'finished', peerId: peer(name), outcome: 'equal', received: 0 }, 0)
    }
    return Array.from({ length: 10 }, (_, round) => {
      const nowMs = (round + 1) * 60_000
      const [chosen, ...others] = sync.handle({ type: 'tick' }, nowMs).start
      expect(others).toEqual([])
      if (chosen === undefined) throw new Error('nobody was chosen')
      sync.handle({ type: 'finished', peerId: chosen, outcome: 'equal', received: 0 }, nowMs)
      return chosen
    })
  }
  expect(choices(7)).toEqual(choices(7))
  expect(new Set(choices(7)).size).toBeGreaterThan(3)
  expect(choices(7)).not.toEqual(choices(8))
})

it('begins anew for whoever asked while one was running, whatever failed before', () => {
  const sync = policy()
  sync.handle({ type: 'requested', peerId: a }, 0)
  expect(sync.handle({ type: 'requested', peerId: a }, 1).start).toEqual([])
  expect(sync.handle({ type: 'finished', peerId: a, outcome: 'failed', received: 0 }, 2).start).toEqual([a])
})

it('compares with a few others when something new came, but not with those that fail', () => {
  const sync = policy({ maxConcurrent: 100 })
  for (let name = 0; name < 6; name++) {
    sync.handle({ type: 'connected', peerId: peer(name) }, 0)
    const outcome = name < 3 ? 'failed' : 'equal'
    sync.handle({ type: 'finished', peerId: peer(name), outcome, received: 0 }, 0)
  }
  sync.handle({ type: 'requested', peerId: peer(5) }, 1)
  const { start } = sync.handle({ type: 'finished', peerId: peer(5), outcome: 'equal', received: 1 }, 2)
  expect(start.sort()).toEqual([peer(3), peer(4)])
})

it('looks before long at a peer that may have more, also when it was being asked', () => {
  const sync = policy()
  sync.handle({ type: 'connected', peerId: a }, 0)
  sync.handle({ type: 'doubted', peerId: a }, 0)
  expect(sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 5).wakeAtMs).toBe(1005)
  expect(sync.handle({ type: 'tick' }, 1005).start).toEqual([a])
  sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 1006)
  expect(sync.handle({ type: 'doubted', peerId: a }, 2000).wakeAtMs).toBe(3000)
  expect(sync.handle({ type: 'doubted', peerId: a }, 2500).wakeAtMs).toBe(3000)
})

it('is not hurried by a peer with which it stays different', () => {
  const sync = policy()
  sync.handle({ type: 'connected', peerId: a }, 0)
  let nowMs = 0
  for (let round = 0; round < 4; round++) {
    const { wakeAtMs = 0 } = sync.handle(
      { type: 'finished', peerId: a, outcome: 'different', received: 0 },
      nowMs
    )
    expect(sync.handle({ type: 'doubted', peerId: a }, nowMs).wakeAtMs).toBe(wakeAtMs)
    nowMs = wakeAtMs
    expect(sync.handle({ type: 'tick' }, nowMs).start).toEqual([a])
  }
  expect(nowMs).toBe(15_000)
})

it('leaves a peer alone that is gone', () => {
  const sync = policy()
  sync.handle({ type: 'connected', peerId: a }, 0)
  sync.handle({ type: 'disconnected', peerId: a }, 1)
  expect(sync.handle({ type: 'finished', peerId: a, outcome: 'failed', received: 0 }, 2)).toEqual({
    start: []
  })
  expect(sync.handle({ type: 'tick' }, 100_000)).toEqual({ start: [] })
  expect(sync.pending).toBe(0)
})

it('never runs two with one peer, nor more than it may, nor forgets who asked', () => {
  const peers = fc.integer({ min: 0, max: 4 }).map(peer)
  const step = fc.oneof(
    fc.record({ type: fc.constant('connected' as const), peerId: peers }),
    fc.record({ type: fc.constant('disconnected' as const), peerId: peers }),
    fc.record({ type: fc.constant('requested' as const), peerId: peers }),
    fc.record({ type: fc.constant('tick' as const) }),
    fc.record({ type: fc.constant('doubted' as const), peerId: peers }),
    fc.record({
      type: fc.constant('finished' as const),
      peerId: peers,
      outcome: fc.constantFrom('equal' as const, 'different' as const, 'failed' as const),
      received: fc.nat(1)
    })
  )
  fc.assert(
    fc.property(fc.array(fc.record({ step, afterMs: fc.nat(30_000) })), (steps) => {
      const sync = policy()
      const running = new Set<PeerIdText>()
      const asked = new Set<PeerIdText>()
      let nowMs = 0
      const handle = (input: ReplicationInput): void => {
        if (input.type === 'finished' && !running.delete(input.peerId)) return
        if (input.type === 'requested') asked.add(input.peerId)
        for (const peerId of sync.handle(input, nowMs).start) {
          expect(running.has(peerId)).toBe(false)
          running.add(peerId)
          asked.delete(peerId)
        }
        expect(running.size).toBeLessThanOrEqual(2)
      }
      for (const { step, afterMs } of steps) {
        nowMs += afterMs
        handle(step)
      }
      while (running.size > 0) {
        for (const peerId of [...running]) handle({ type: 'disconnected', peerId })
        for (const peerId of [...running]) handle({ type: 'finished', peerId, outcome: 'equal', received: 0 })
      }
      expect(asked).toEqual(new Set())
    })
  )
})
