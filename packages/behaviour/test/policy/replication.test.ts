import type { PeerIdText } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ReplicationInit, type ReplicationInput, replication } from '../../src/index.ts'

const peer = (name: string | number): PeerIdText => `peer-${name}` as PeerIdText
const [a, b, c] = [peer('a'), peer('b'), peer('c')]
const policy = (overrides: Partial<ReplicationInit> = {}) =>
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

it('leaves the beginning to the peer that dialled, and looks after it', () => {
  const sync = policy()
  expect(sync.handle({ type: 'connected', peerId: a, initiator: false }, 0)).toEqual({
    start: [],
    wakeAtMs: 1000
  })
  expect(sync.handle({ type: 'tick' }, 1000).start).toEqual([a])
})

it('need not look any more when the peer that dialled has found both equal', () => {
  const sync = policy()
  sync.handle({ type: 'connected', peerId: a, initiator: false }, 0)
  sync.handle({ type: 'compared', peerId: a, equal: true }, 500)
  expect(sync.handle({ type: 'tick' }, 1000).start).toEqual([])
  expect(sync.freshness(a)).toEqual({ comparedAtMs: 500, equal: true })
})

it('goes on soon as long as something comes', () => {
  const sync = policy()
  sync.handle({ type: 'connected', peerId: a }, 0)
  let nowMs = 0
  for (let round = 0; round < 5; round++) {
    const finished = { type: 'finished', peerId: a, outcome: 'different', received: 100 } as const
    expect(sync.handle(finished, nowMs).wakeAtMs).toBe(nowMs + 1000)
    nowMs += 1000
    expect(sync.handle({ type: 'tick' }, nowMs).start).toEqual([a])
  }
})

it('compares with a few others when a peer has handed over something new', () => {
  const sync = policy({ maxConcurrent: 100 })
  for (let name = 0; name < 6; name++) {
    sync.handle({ type: 'connected', peerId: peer(name) }, 0)
    sync.handle({ type: 'finished', peerId: peer(name), outcome: 'equal', received: 0 }, 0)
  }
  const { start } = sync.handle({ type: 'given', peerId: peer(0) }, 1)
  expect(start).toHaveLength(2)
  expect(start).not.toContain(peer(0))
})

describe('with peers that keep something else', () => {
  const full = { mode: 'full' } as const
  const light = { mode: 'light' } as const
  const shards = (...kept: number[]) => ({ mode: 'shards', bits: 2, shards: kept }) as const

  it('does not compare with one that keeps nothing', () => {
    const sync = policy()
    sync.handle({ type: 'connected', peerId: a }, 0)
    sync.handle({ type: 'declared', peerId: a, holds: light }, 1)
    const over = sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 2)
    expect(over).toEqual({ start: [] })
    expect(sync.handle({ type: 'doubted', peerId: a }, 3)).toEqual({ start: [] })
    expect(sync.handle({ type: 'tick' }, 600_000)).toEqual({ start: [] })
    expect(sync.freshness(a)).toEqual({ comparedAtMs: null, equal: false, holds: light })
    expect(sync.completeness()).toMatchObject({ state: 'alone', compared: 0 })
  })

  it('does so all the same when somebody waits for it', () => {
    const sync = policy()
    sync.handle({ type: 'connected', peerId: a }, 0)
    sync.handle({ type: 'declared', peerId: a, holds: light }, 1)
    sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 2)
    expect(sync.handle({ type: 'requested', peerId: a }, 3).start).toEqual([a])
  })

  it('compares what both keep', () => {
    const sync = policy({ holds: shards(0, 1) })
    sync.handle({ type: 'connected', peerId: a, initiator: false }, 0)
    sync.handle({ type: 'connected', peerId: b, initiator: false }, 0)
    sync.handle({ type: 'declared', peerId: a, holds: shards(2, 3) }, 1)
    sync.handle({ type: 'declared', peerId: b, holds: shards(1, 2) }, 1)
    expect(sync.handle({ type: 'tick' }, 1000).start).toEqual([b])
    expect(sync.completeness().state).toBe('partial')
  })

  it('begins nothing by itself when it keeps nothing', () => {
    const sync = policy({ holds: light })
    expect(sync.handle({ type: 'connected', peerId: a }, 0)).toEqual({ start: [] })
    sync.handle({ type: 'declared', peerId: a, holds: full }, 1)
    expect(sync.handle({ type: 'tick' }, 600_000)).toEqual({ start: [] })
    expect(sync.completeness().state).toBe('partial')
  })
})

describe('the catalogue', () => {
  const states = (sync: ReturnType<typeof policy>) => sync.completeness()

  it('is alone until it was compared', () => {
    const sync = policy()
    expect(states(sync)).toEqual({
      state: 'alone',
      comparedAtMs: null,
      agreeing: 0,
      compared: 0,
      askedHolders: 0
    })
    sync.handle({ type: 'connected', peerId: a }, 0)
    expect(states(sync).state).toBe('alone')
  })

  it('is behind as long as a peer is known to have more, and agreed when it has not', () => {
    const sync = policy()
    sync.handle({ type: 'connected', peerId: a }, 0)
    sync.handle({ type: 'compared', peerId: a, equal: false, ahead: true }, 5)
    expect(states(sync)).toMatchObject({ state: 'behind', agreeing: 0, compared: 1, comparedAtMs: null })
    sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 7 }, 10)
    expect(states(sync)).toMatchObject({ state: 'agreed', agreeing: 1, compared: 1, comparedAtMs: 10 })
    sync.handle({ type: 'connected', peerId: b }, 20)
    sync.handle({ type: 'finished', peerId: b, outcome: 'different', received: 0, ahead: true }, 30)
    expect(states(sync)).toMatchObject({ state: 'behind', agreeing: 1, compared: 2, comparedAtMs: 10 })
    sync.handle({ type: 'disconnected', peerId: b }, 40)
    expect(states(sync)).toMatchObject({ state: 'agreed', agreeing: 1, compared: 1 })
  })

  it('is not behind for a peer that has less', () => {
    const sync = policy()
    for (const peerId of [a, b]) sync.handle({ type: 'connected', peerId }, 0)
    sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 1)
    sync.handle({ type: 'finished', peerId: b, outcome: 'different', received: 0, ahead: false }, 1)
    expect(states(sync)).toMatchObject({ state: 'agreed', agreeing: 1, compared: 2 })
    sync.handle({ type: 'disconnected', peerId: a }, 2)
    expect(states(sync)).toMatchObject({ state: 'alone', agreeing: 0, compared: 1, comparedAtMs: 1 })
  })

  it('is as it was when last compared, also when a comparison fails', () => {
    const sync = policy()
    sync.handle({ type: 'connected', peerId: a }, 0)
    sync.handle({ type: 'finished', peerId: a, outcome: 'equal', received: 0 }, 1)
    sync.handle({ type: 'requested', peerId: a }, 2)
    sync.handle({ type: 'finished', peerId: a, outcome: 'failed', received: 0 }, 3)
    expect(sync.freshness(a)).toEqual({ comparedAtMs: 1, equal: true })
  })
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
  const holdings = fc.constantFrom({ mode: 'full' as const }, { mode: 'light' as const })
  const step = fc.oneof(
    fc.record({ type: fc.constant('connected' as const), peerId: peers, initiator: fc.boolean() }),
    fc.record({ type: fc.constant('compared' as const), peerId: peers, equal: fc.boolean() }),
    fc.record({ type: fc.constant('given' as const), peerId: peers }),
    fc.record({ type: fc.constant('declared' as const), peerId: peers, holds: holdings }),
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
