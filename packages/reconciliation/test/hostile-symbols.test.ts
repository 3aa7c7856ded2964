import { isRegistryError } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeSymbols, FIELDS } from '../src/encoding.ts'
import { type Decoder, decoder, estimateDifferences } from '../src/index.ts'
import { mappingOf, shortId, shortIds, sketchOf, wordsOf } from './short-ids.ts'

const COUNT = 60
const ours = sketchOf(shortIds('set', 1000))
const theirs = sketchOf(shortIds('set', 1020))
const local = ours.symbols(0, COUNT)
const remote = theirs.symbols(0, COUNT)

/** Undefined when the bytes were refused as they should be. */
function attempt(bytes: Uint8Array): Decoder | undefined {
  const decoding = decoder()
  try {
    decoding.add(local, bytes)
  } catch (error) {
    if (isRegistryError(error, 'ERR_INVALID_SYMBOLS')) return undefined
    throw error
  }
  return decoding
}

function expectBounded(decoding: Decoder): void {
  const found = [decoding.onlyLocal, decoding.onlyRemote].flatMap((ids) =>
    Array.from({ length: ids.length / 16 }, (_, at) =>
      Buffer.from(ids.subarray(at * 16, at * 16 + 16)).toString('hex')
    )
  )
  expect(found.length).toBeLessThanOrEqual(decoding.received)
  // The one by which it failed may be there twice.
  expect(found.length - new Set(found).size).toBeLessThanOrEqual(decoding.failed ? 1 : 0)
}

/** Symbols made by hand, of a set that has as many members as symbol 0 says. */
function forged(change: (fields: Int32Array) => void): Uint8Array {
  const fields = new Int32Array(COUNT * FIELDS)
  change(fields)
  return encodeSymbols(fields, { from: 0, count: COUNT, size: fields[6] ?? 0 })
}

/** Adds an ID to one symbol. */
function put(fields: Int32Array, index: number, id: Uint8Array): void {
  const { checksum0, checksum1 } = mappingOf(id, 1)
  for (const [word, value] of [...wordsOf(id), checksum0, checksum1].entries()) {
    fields[index * FIELDS + word] = (fields[index * FIELDS + word] ?? 0) ^ value
  }
  fields[index * FIELDS + 6] = (fields[index * FIELDS + 6] ?? 0) + 1
}

describe('symbols of a hostile or broken peer', () => {
  it('decode when nothing was done to them', () => {
    expect(attempt(remote)).toMatchObject({ done: true })
  })

  it('are refused when they are cut off anywhere, or when anything follows', () => {
    for (let length = 0; length < remote.length; length++) {
      expect(attempt(remote.subarray(0, length))).toBeUndefined()
    }
    expect(attempt(Uint8Array.of(...remote, 0))).toBeUndefined()
  })

  it('are refused or never done when any one bit is flipped', () => {
    for (let bit = 0; bit < remote.length * 8; bit++) {
      const flipped = Uint8Array.from(remote)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const decoding = attempt(flipped)
      if (decoding === undefined) continue
      expect(decoding.done).toBe(false)
      expectBounded(decoding)
    }
  })

  it('are refused or never done when they are any other bytes', () => {
    const header = [...remote.subarray(0, 4)]
    fc.assert(
      fc.property(fc.boolean(), fc.uint8Array({ maxLength: 2000, size: 'max' }), (headed, bytes) => {
        const decoding = attempt(headed ? Uint8Array.of(...header, ...bytes) : bytes)
        if (decoding === undefined) return
        expect(decoding.done).toBe(false)
        expectBounded(decoding)
      })
    )
  })

  it('are refused when a number is not written in its shortest form or has no end', () => {
    expect(attempt(Uint8Array.of(0x80, 0x00, ...remote.subarray(1)))).toBeUndefined()
    expect(attempt(Uint8Array.of(...Array(9).fill(0xff)))).toBeUndefined()
    expect(attempt(Uint8Array.of(0, 0, 0))).toBeUndefined()
  })

  it('are refused when they count fewer than no members, more than all, or not all in symbol 0', () => {
    const counting = (index: number, count: number): Uint8Array => {
      const fields = new Int32Array(3 * FIELDS)
      fields[6] = 10
      fields[index * FIELDS + 6] = count
      return encodeSymbols(fields, { from: 0, count: 3, size: 10 })
    }
    const refused = expect.objectContaining({ code: 'ERR_INVALID_SYMBOLS' })
    const [few, all] = [counting(2, 0), counting(2, 10)]
    expect(() => decoder().add(few, all)).not.toThrow()
    for (const wrong of [counting(2, -1), counting(2, 11), counting(0, 9), counting(0, 11)]) {
      expect(() => decoder().add(few, wrong)).toThrow(refused)
      expect(() => decoder().add(wrong, few)).toThrow(refused)
    }
  })

  it('have failed for good when something is left of one although nothing is left of symbol 0', () => {
    const flipped = Uint8Array.from(local)
    flipped[500] = (flipped[500] ?? 0) ^ 1
    expect(attempt(flipped)).toMatchObject({ done: false, failed: true })
  })

  it.each([
    [
      'each symbol is an ID alone that no other symbol has',
      (fields: Int32Array) => {
        for (let index = 0; index < COUNT; index++) put(fields, index, shortId(`alone ${index}`))
      }
    ],
    [
      'each symbol is the same ID alone',
      (fields: Int32Array) => {
        for (let index = 0; index < COUNT; index++) put(fields, index, shortId('the same'))
      }
    ],
    [
      'one ID is there twice',
      (fields: Int32Array) => {
        const id = shortId('twice')
        const mapping = mappingOf(id, COUNT)
        for (const index of mapping.indices.subarray(0, mapping.count)) put(fields, index, id)
        for (const index of mapping.indices.subarray(0, mapping.count - 1)) put(fields, index, id)
      }
    ],
    [
      'an ID is alone where it is not mapped to',
      (fields: Int32Array) => {
        put(fields, 0, shortId('a'))
        put(fields, 2, shortId('b'))
      }
    ]
  ])('end in failure when %s', (_, change) => {
    const decoding = decoder()
    decoding.add(sketchOf(new Uint8Array(0)).symbols(0, COUNT), forged(change))
    expect(decoding).toMatchObject({ done: false, failed: true })
    expectBounded(decoding)
    const { received } = decoding
    decoding.add(new Uint8Array(0), new Uint8Array(0))
    expect(decoding.received).toBe(received)
  })

  it('may be no probes', () => {
    const probes = ours.probes()
    const refused = expect.objectContaining({ code: 'ERR_INVALID_SYMBOLS' })
    expect(() => estimateDifferences(probes, new Uint8Array(41))).toThrow(refused)
    expect(() => estimateDifferences(new Uint8Array(41), probes)).toThrow(refused)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const estimate = estimateDifferences(probes, bytes)
        expect(Number.isInteger(estimate) && estimate >= 0 && estimate <= 131_072).toBe(true)
      })
    )
  })
})
