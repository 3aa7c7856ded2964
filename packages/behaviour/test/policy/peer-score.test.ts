import type { PeerIdText } from '@registry/types'
import { expect, it } from 'vitest'
import { type PeerConduct, peerScore } from '../../src/index.ts'

const init = { banBelow: 10, banMs: 1000, halfLifeMs: 10_000, maxPeers: 3 }
const peer = (name: string): PeerIdText => name as PeerIdText

it('begins with 50 and stays between 0 and 100', () => {
  const score = peerScore(init)
  expect(score.score(peer('a'), 0)).toBe(50)
  for (let times = 0; times < 200; times++) score.handle({ peerId: peer('a'), conduct: 'good' }, 0)
  expect(score.score(peer('a'), 0)).toBe(100)
  for (let times = 0; times < 20; times++) score.handle({ peerId: peer('a'), conduct: 'abused' }, 0)
  expect(score.score(peer('a'), 0)).toBe(0)
})

it('thinks worse of a forgery than of a failure, and worst of abuse', () => {
  const worth = (conduct: PeerConduct): number =>
    peerScore(init).handle({ peerId: peer('a'), conduct }, 0).score
  expect(worth('good')).toBeGreaterThan(50)
  expect(worth('failed')).toBeLessThan(50)
  expect(worth('forged')).toBeLessThan(worth('failed'))
  expect(worth('abused')).toBeLessThan(worth('forged'))
})

it('bans below the mark, for a while', () => {
  const score = peerScore(init)
  expect(score.handle({ peerId: peer('a'), conduct: 'forged' }, 5)).toEqual({ score: 35 })
  expect(score.handle({ peerId: peer('a'), conduct: 'abused' }, 5)).toEqual({ score: 0, banUntilMs: 1005 })
})

it('does not ban who only fails', () => {
  const score = peerScore(init)
  for (let times = 0; times < 100; times++) {
    expect(score.handle({ peerId: peer('a'), conduct: 'failed' }, 0)).not.toHaveProperty('banUntilMs')
  }
  expect(score.score(peer('a'), 0)).toBe(20)
})

it('forgets half of what was good or bad in each half-life', () => {
  const score = peerScore(init)
  score.handle({ peerId: peer('a'), conduct: 'abused' }, 0)
  expect(score.score(peer('a'), 10_000)).toBeCloseTo(27.5)
  expect(score.score(peer('a'), 20_000)).toBeCloseTo(38.75)
})

it('remembers a bounded number of peers', () => {
  const score = peerScore(init)
  for (const name of ['a', 'b', 'c', 'd']) score.handle({ peerId: peer(name), conduct: 'failed' }, 0)
  expect(score.score(peer('a'), 0)).toBe(50)
  expect(score.score(peer('b'), 0)).toBe(48)
})
