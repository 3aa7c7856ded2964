import { peerIdFromString } from '@libp2p/peer-id'
import { signRelease, verifyRecord } from '@registry/identity'
import { isRegistryError } from '@registry/types'
import { describe, expect, it } from 'vitest'
import {
  contentBlocks,
  makeRelease,
  seededBytes,
  seededOwner,
  seededOwnerId,
  seededPeerId
} from '../src/index.ts'

describe('seededBytes', () => {
  it('is the same for a seed in every run, and another for each', () => {
    expect(Buffer.from(seededBytes('a', 8)).toString('hex')).toBe('06f0044d93ab05f6')
    expect(seededBytes('a')).toHaveLength(32)
    expect(seededBytes('a')).not.toEqual(seededBytes('b'))
    expect(seededBytes(1)).toEqual(seededBytes('1'))
  })
})

describe('seededOwner', () => {
  it('signs records that verify under an ID known without waiting', async () => {
    const owner = await seededOwner('a')
    expect(owner.id).toBe(seededOwnerId('a'))
    expect(owner.id).not.toBe(seededOwnerId('b'))
    const inception = verifyRecord(owner.inception, () => undefined)
    if (inception.kind !== 'owner') throw new Error('The inception is of another kind')
    const envelope = await signRelease(makeRelease({ owner: owner.id }), owner.signer)
    const release = verifyRecord(envelope, () => inception.document)
    expect(release).toMatchObject({ kind: 'release', release: { owner: owner.id } })
  })
})

describe('seededPeerId', () => {
  it('is one that libp2p takes', () => {
    expect(peerIdFromString(seededPeerId('a'))).toMatchObject({ type: 'Ed25519' })
    expect(seededPeerId('a')).not.toBe(seededPeerId('b'))
  })
})

describe('makeRelease', () => {
  it('makes a release that needs nothing said', () => {
    expect(makeRelease()).toEqual(makeRelease({ name: 'example', version: '1.0.0', owner: seededOwnerId(0) }))
  })

  it('gives each name and version a content of its own, which seededBytes makes', () => {
    const { content, size, integrity } = makeRelease({ name: 'tea', version: '1.2.3' })
    expect(contentBlocks(seededBytes('tea@1.2.3', 64))).toMatchObject({ cid: content, size, integrity })
    expect(makeRelease({ name: 'tea', version: '1.2.4' }).content).not.toBe(content)
  })

  it('takes what is given, and refuses what no release may have', () => {
    expect(makeRelease({ tags: ['a'], category: 'tools' })).toMatchObject({ tags: ['a'], category: 'tools' })
    let refusal: unknown
    try {
      makeRelease({ version: 'one' })
    } catch (error) {
      refusal = error
    }
    expect(isRegistryError(refusal, 'ERR_INVALID_VERSION')).toBe(true)
  })
})
