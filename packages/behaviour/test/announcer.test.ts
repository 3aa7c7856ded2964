import { manualClock, memoryStore } from '@registry/testing'
import type { Outbox, PeerIdText, PushStatus } from '@registry/types'
import { expect, it } from 'vitest'
import { activity } from '../src/activity.ts'
import { type AnnouncerComponents, announcer } from '../src/announcer.ts'
import { publish } from './fixtures.ts'

/** An announcer with an outbox of `count` entries and two peers that take everything, unless told otherwise. */
async function announcing(count: number, overrides: Partial<AnnouncerComponents> = {}) {
  const clock = manualClock()
  const store = memoryStore()({ clock })
  for (let number = 0; number < count; number++) await publish(store, { name: `package-${number}` })
  const under = activity()
  const ended = new AbortController()
  const pushes: Array<{ peerId: PeerIdText; records: number }> = []
  const components: AnnouncerComponents = {
    outbox: store.outbox,
    catalogue: store.catalogue,
    gossip: { publish: async () => 'heard' },
    protocol: {
      publishPackage: async (peerId, envelopes) => {
        pushes.push({ peerId, records: envelopes.length })
        return envelopes.map((): PushStatus => 'accepted')
      }
    },
    provide: async () => {},
    peers: () => ['peer-a' as PeerIdText, 'peer-b' as PeerIdText],
    onConduct: () => {},
    track: (task) => under.track(task),
    clock,
    signal: ended.signal,
    ...overrides
  }
  const subject = announcer({ provide: true, recordsPerSecond: 100 })(components)
  return { subject, clock, store, pushes, ended, settled: () => under.whenIdle() }
}

it('pushes many releases in few requests, each owner once a request', async () => {
  const { subject, pushes, store, settled } = await announcing(100)
  subject.announce()
  await settled()
  expect(store.outbox.size).toBe(0)
  expect(pushes.filter(({ peerId }) => peerId === 'peer-a').map(({ records }) => records)).toEqual([65, 37])
})

it('keeps to the rate that others take from one peer', async () => {
  const { subject, clock, pushes, settled } = await announcing(300)
  subject.announce()
  await clock.advance(0)
  const pushed = (): number =>
    pushes.filter(({ peerId }) => peerId === 'peer-a').reduce((sum, { records }) => sum + records - 1, 0)
  expect(pushed()).toBe(64)
  await clock.advance(1000)
  expect(pushed()).toBe(192)
  await clock.advance(2000)
  await settled()
  expect(pushed()).toBe(300)
})

it('does not wait twice for a peer that does not answer', async () => {
  let asked = 0
  const { subject, store, settled } = await announcing(100, {
    protocol: {
      publishPackage: async (peerId, envelopes) => {
        if (peerId === 'peer-a') {
          asked++
          throw new Error('no answer')
        }
        return envelopes.map((): PushStatus => 'known')
      }
    }
  })
  subject.announce()
  await settled()
  expect(asked).toBe(1)
  expect(store.outbox.size).toBe(0)
})

it('takes a refusal for no announcement', async () => {
  const { subject, store, settled } = await announcing(1, {
    protocol: { publishPackage: async (_peerId, envelopes) => envelopes.map((): PushStatus => 'refused') }
  })
  subject.announce()
  await settled()
  expect(store.outbox.due({ nowMs: Number.MAX_SAFE_INTEGER, limit: 1 })).toMatchObject([{ pushed: false }])
})

it('counts a release once, however often it takes until somebody hears of it', async () => {
  let heard: 'heard' | 'unheard' = 'unheard'
  const { subject, settled } = await announcing(2, {
    gossip: { publish: async () => heard },
    peers: () => []
  })
  expect(subject.deliveryRate()).toBeNull()
  for (const result of ['unheard', 'unheard', 'heard', 'unheard'] as const) {
    heard = result
    subject.announce()
    await settled()
  }
  expect(subject.deliveryRate()).toBe(1)
})

it('leaves a disk alone that refuses, and does everything later', async () => {
  let refusing = true
  const { store } = await announcing(0)
  const outbox: Outbox = {
    due: (options) => store.outbox.due(options),
    nextDueMs: () => store.outbox.nextDueMs(),
    record: (...input) => {
      if (refusing) throw new Error('the disk is full')
      store.outbox.record(...input)
    },
    get size() {
      return store.outbox.size
    }
  }
  await publish(store)
  const { subject, clock, settled, pushes } = await announcing(0, { outbox, catalogue: store.catalogue })
  subject.announce()
  await settled()
  const tried = pushes.length
  await clock.advance(9000)
  expect(pushes).toHaveLength(tried)
  refusing = false
  await clock.advance(1000)
  await settled()
  expect(store.outbox.size).toBe(0)
})

it('leaves no timer when it is ended', async () => {
  const { subject, clock, ended, settled } = await announcing(1, { peers: () => [] })
  subject.announce()
  await settled()
  expect(clock.pending).toBe(1)
  ended.abort()
  expect(clock.pending).toBe(0)
  subject.announce()
  expect(clock.pending).toBe(0)
})
