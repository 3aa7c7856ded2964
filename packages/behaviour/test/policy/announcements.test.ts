import { makeRelease } from '@registry/testing'
import type { OutboxEntry, RecordId } from '@registry/types'
import { expect, it } from 'vitest'
import { announcements } from '../../src/index.ts'

const policy = (overrides: { provide?: boolean; maxProviding?: number } = {}) =>
  announcements({ provide: true, maxProviding: 2, firstRetryMs: 1000, maxRetryMs: 600_000, ...overrides })

function entry(sequence: number, overrides: Partial<OutboxEntry> = {}): OutboxEntry {
  const { content } = makeRelease()
  const record = `record-${sequence}` as RecordId
  return { sequence, record, content, attempts: 0, pushed: false, provided: false, ...overrides }
}

it('pushes and provides what is taken up, and is done when both are', () => {
  const announce = policy()
  const one = entry(1)
  expect(announce.handle({ type: 'taken', entries: [one], news: false }, 0)).toEqual({
    push: [one],
    provide: [one],
    record: []
  })
  expect(announce.handle({ type: 'pushed', sequence: 1, done: true }, 0).record).toEqual([
    { sequence: 1, pushed: true, provided: false, nextAttemptMs: 1000 }
  ])
  expect(announce.handle({ type: 'provided', sequence: 1, done: true }, 0).record).toMatchObject([
    { sequence: 1, pushed: true, provided: true }
  ])
  expect(announce.pending).toBe(0)
})

it('does only what is left of an earlier attempt', () => {
  const announce = policy()
  const half = entry(1, { pushed: true })
  expect(announce.handle({ type: 'taken', entries: [half], news: false }, 0)).toMatchObject({
    push: [],
    provide: [half]
  })
})

it('leaves alone what is under way', () => {
  const announce = policy()
  announce.handle({ type: 'taken', entries: [entry(1)], news: false }, 0)
  expect(announce.handle({ type: 'taken', entries: [entry(1)], news: false }, 0)).toEqual({
    push: [],
    provide: [],
    record: []
  })
})

it('pushes again, when somebody has connected, while it is still being provided', () => {
  const announce = policy()
  announce.handle({ type: 'taken', entries: [entry(1)], news: false }, 0)
  announce.handle({ type: 'pushed', sequence: 1, done: false }, 0)
  expect(announce.handle({ type: 'taken', entries: [entry(1)], news: false }, 5)).toMatchObject({
    push: [{ sequence: 1 }],
    provide: []
  })
})

it('does at once again what failed while there was news', () => {
  const announce = policy()
  announce.handle({ type: 'taken', entries: [entry(1)], news: false }, 0)
  announce.handle({ type: 'taken', entries: [entry(1)], news: true }, 1)
  expect(announce.handle({ type: 'provided', sequence: 1, done: false }, 2)).toMatchObject({
    provide: [{ sequence: 1 }],
    record: []
  })
  expect(announce.handle({ type: 'provided', sequence: 1, done: false }, 3).provide).toEqual([])
  expect(announce.handle({ type: 'pushed', sequence: 1, done: true }, 4)).toMatchObject({
    push: [],
    record: [{ pushed: true, provided: false, nextAttemptMs: 1004 }]
  })
})

it('waits from 1 second to 10 minutes, twice as long after each failed attempt', () => {
  const waits = Array.from({ length: 12 }, (_, attempts) => {
    const announce = policy({ provide: false })
    announce.handle({ type: 'taken', entries: [entry(1, { attempts })], news: false }, 0)
    return announce.handle({ type: 'pushed', sequence: 1, done: false }, 0).record[0]?.nextAttemptMs
  })
  expect(waits).toEqual([
    1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 600_000, 600_000
  ])
})

it('counts as provided where there is no DHT', () => {
  const announce = policy({ provide: false })
  expect(announce.handle({ type: 'taken', entries: [entry(1)], news: false }, 0).provide).toEqual([])
  expect(announce.handle({ type: 'pushed', sequence: 1, done: true }, 0).record).toMatchObject([
    { pushed: true, provided: true }
  ])
})

it('closes an entry of which nothing is left', () => {
  const announce = policy({ provide: false })
  expect(
    announce.handle({ type: 'taken', entries: [entry(1, { pushed: true })], news: false }, 0).record
  ).toMatchObject([{ sequence: 1, pushed: true, provided: true }])
})

it('provides a bounded number at once, the others in turn', () => {
  const announce = policy()
  const entries = [1, 2, 3, 4].map((sequence) => entry(sequence))
  expect(
    announce.handle({ type: 'taken', entries, news: false }, 0).provide.map(({ sequence }) => sequence)
  ).toEqual([1, 2])
  expect(announce.handle({ type: 'provided', sequence: 2, done: false }, 0).provide).toMatchObject([
    { sequence: 3 }
  ])
  expect(announce.handle({ type: 'provided', sequence: 1, done: true }, 0).provide).toMatchObject([
    { sequence: 4 }
  ])
})

it('has nothing to provide of a record that brings no content', () => {
  const announce = policy()
  const { content, ...statement } = entry(1)
  expect(content).toBeDefined()
  expect(announce.handle({ type: 'taken', entries: [statement], news: false }, 0)).toMatchObject({
    push: [{ sequence: 1 }],
    provide: []
  })
  expect(announce.handle({ type: 'pushed', sequence: 1, done: true }, 0).record).toMatchObject([
    { pushed: true, provided: true }
  ])
  expect(announce.pending).toBe(0)
})
