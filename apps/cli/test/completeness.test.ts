import { seededPeerId } from '@registry/testing'
import type { Completeness, ConnectedPeer } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { agreementText, completenessText, holdingsText, syncText } from '../src/completeness.ts'

const base: Completeness = { state: 'agreed', comparedAtMs: null, agreeing: 2, compared: 3, askedHolders: 0 }
const peer: ConnectedPeer = {
  peerId: seededPeerId(1),
  addresses: [],
  direction: 'inbound',
  connectedSinceMs: 0,
  reputation: 50,
  inSync: true,
  comparedAtMs: null
}

describe('what an answer is complete against', () => {
  it('is said in a sentence of its own for each state', () => {
    const comparedAtMs = Date.now() - 5000
    const sentences = (['agreed', 'behind', 'alone', 'partial'] as const).map((state) =>
      completenessText({ ...base, state, comparedAtMs, askedHolders: 1 })
    )
    expect(sentences).toEqual([
      'Complete: the catalogue is equal to that of 2 peers, last compared 5 s ago.',
      'Perhaps not complete: 2 of 3 peers had an equal catalogue; what others have more is on its way.',
      'Not known to be complete: there is no peer to compare with; last compared 5 s ago.',
      'This peer holds a part of the catalogue; 1 holder of it answered as well.'
    ])
    expect(completenessText({ ...base, state: 'alone' })).toContain('; not compared since this peer started.')
  })
})

describe('a synchronisation', () => {
  it('is told of with what is expected where that is known', () => {
    const step = { peerId: peer.peerId, stage: 'snapshot', received: 5, expected: null } as const
    expect(syncText(step)).toBe(`snapshot with ${peer.peerId}: 5 records`)
    expect(syncText({ ...step, expected: 9 })).toBe(`snapshot with ${peer.peerId}: 5 of 9 records`)
  })
})

describe('a connected peer', () => {
  it('agrees, differs, was not compared, or is of another network', () => {
    const comparedAtMs = Date.now() - 1000
    expect([
      agreementText(peer),
      agreementText({ ...peer, comparedAtMs }),
      agreementText({ ...peer, comparedAtMs, inSync: false }),
      agreementText({ ...peer, otherNetwork: true })
    ]).toEqual([
      'not compared yet',
      'equal when last compared, 1 s ago',
      'different when last compared, 1 s ago',
      'of another network: nothing is exchanged with it'
    ])
  })

  it('holds all, a part, or what it needs', () => {
    expect([
      holdingsText(undefined),
      holdingsText({ mode: 'full' }),
      holdingsText({ mode: 'light' }),
      holdingsText({ mode: 'shards', bits: 3, shards: [0, 7] })
    ]).toEqual(['not said', 'all', 'what it needs itself', '2 of 8 shards'])
  })
})
