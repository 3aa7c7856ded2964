import { manualClock } from '@registry/testing'
import type { ContentId } from '@registry/types'
import { expect, it } from 'vitest'
import { activity } from '../src/activity.ts'
import { shardKey } from '../src/shard-key.ts'
import { shardProvider } from '../src/shard-provider.ts'

const shards = [0, 1, 3].map((index) => ({ bits: 2, index }))
const keys = shards.map((shard) => shardKey('main', shard))

function providing() {
  const clock = manualClock()
  const under = activity()
  const ended = new AbortController()
  const state = { catchingUp: false, failing: false }
  const provided: ContentId[] = []
  const subject = shardProvider({ network: 'main', shards })({
    contentRouter: {
      provide: async (cid) => {
        provided.push(cid)
        if (state.failing) throw new Error('nobody took it')
      }
    },
    isCatchingUp: () => state.catchingUp,
    track: (task) => under.track(task),
    clock,
    signal: ended.signal
  })
  return { subject, clock, state, provided, ended, settled: () => under.whenIdle() }
}

it('announces each shard once, however often there is somebody new', async () => {
  const { subject, provided, settled } = providing()
  subject.announce()
  subject.announce()
  await settled()
  subject.announce()
  await settled()
  expect(provided).toEqual(keys)
})

it('goes on with those that nobody has taken, when there is somebody new', async () => {
  const { subject, state, provided, settled } = providing()
  state.failing = true
  subject.announce()
  await settled()
  expect(provided).toEqual(keys.slice(0, 1))
  state.failing = false
  subject.announce()
  await settled()
  expect(provided.slice(1)).toEqual(keys)
})

it('sends nobody here while much is to be caught up on', async () => {
  const { subject, clock, state, provided, ended, settled } = providing()
  state.catchingUp = true
  subject.announce()
  await clock.advance(5000)
  expect(provided).toEqual([])
  state.catchingUp = false
  await clock.advance(1000)
  await settled()
  expect(provided).toEqual(keys)
  ended.abort()
  expect(clock.pending).toBe(0)
})

it('leaves no timer when it is ended meanwhile', async () => {
  const { subject, clock, state, ended } = providing()
  state.catchingUp = true
  subject.announce()
  ended.abort()
  expect(clock.pending).toBe(0)
  subject.announce()
  expect(clock.pending).toBe(0)
})
