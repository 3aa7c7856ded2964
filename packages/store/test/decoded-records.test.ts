import { recordIdOf, signRelease } from '@registry/identity'
import { makeRelease, seededOwner } from '@registry/testing'
import { describe, expect, it } from 'vitest'
import { DecodedRecords } from '../src/decoded-records.ts'
import { recordKeyOf } from '../src/record-key.ts'

const owner = await seededOwner('me')
const sign = (version: string, description = ''): Promise<Uint8Array> =>
  signRelease(makeRelease({ owner: owner.id, version, description, dependencies: { a: '1' } }), owner.signer)
const keyOf = (envelope: Uint8Array): Uint8Array => recordKeyOf(recordIdOf(envelope))

describe('records that were decoded before', () => {
  it('are the same for all who read them, and nobody changes them for the others', async () => {
    const records = new DecodedRecords()
    const envelope = await sign('1.0.0')
    const record = records.read(keyOf(envelope), envelope)
    expect(records.read(keyOf(envelope), envelope)).toBe(record)
    if (record.kind !== 'release') throw new Error('a release was signed')
    expect(record.release.version).toBe('1.0.0')
    expect(() => Object.assign(record.release, { version: '2.0.0' })).toThrow(TypeError)
    expect(() => Object.assign(record.release.dependencies, { evil: '*' })).toThrow(TypeError)
  })

  it('are given up, the one read longest ago first, when they take too much', async () => {
    const records = new DecodedRecords()
    const [first, second] = [await sign('1.0.0'), await sign('1.0.1')]
    const kept = records.read(keyOf(first), first)
    const dropped = records.read(keyOf(second), second)
    const large = await sign('2.0.0', 'x'.repeat(2000))
    // A key of its own each time: what is under it is not looked at.
    for (let index = 0; index * large.length < 4.2 * 1024 ** 2; index++) {
      records.read(Buffer.from(String(index)), large)
      records.read(keyOf(first), first)
    }
    expect(records.read(keyOf(first), first)).toBe(kept)
    expect(records.read(keyOf(second), second)).not.toBe(dropped)
  })
})
