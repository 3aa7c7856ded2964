import { isRegistryError } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Decoder, decoder, type Sketch, sketch, symbolsFor } from '../src/index.ts'
import { listed, mappingOf, packed, shortId, shortIds, sketchOf } from './short-ids.ts'

const CAPACITY = 4096

/** As two peers do it: a few symbols first, then as many as the decoder says. */
function decoded(local: Sketch, remote: Sketch, first: number): Decoder {
  const decoding = decoder()
  let wanted = first
  while (!decoding.done && !decoding.failed && wanted <= CAPACITY) {
    const from = decoding.received
    decoding.add(local.symbols(from, wanted - from), remote.symbols(from, wanted - from))
    wanted = decoding.needed
  }
  return decoding
}

/** Two sets of members of their own and members they share. */
function expectDecoded(shared: Uint8Array[], ours: Uint8Array[], theirs: Uint8Array[], first = 8): void {
  const local = sketchOf(packed([...shared, ...ours]), { capacity: CAPACITY })
  const remote = sketchOf(packed([...theirs, ...shared]), { capacity: CAPACITY })
  const decoding = decoded(local, remote, first)
  expect(decoding).toMatchObject({ done: true, failed: false })
  expect(listed(decoding.onlyLocal)).toEqual(listed(packed(ours)))
  expect(listed(decoding.onlyRemote)).toEqual(listed(packed(theirs)))
}

describe('decoder', () => {
  it('finds exactly what only one of two sets has', () => {
    const some = fc.uniqueArray(fc.nat(1000), { maxLength: 150 })
    fc.assert(
      fc.property(
        some,
        fc.array(fc.nat(2), { minLength: 1001, maxLength: 1001 }),
        fc.nat(40),
        (all, sides, first) => {
          const of = (side: number): Uint8Array[] =>
            all.filter((number) => sides[number] === side).map((number) => shortId(`${number}`))
          expectDecoded(of(0), of(1), of(2), 1 + first)
        }
      ),
      { numRuns: 60 }
    )
  })

  it('finds what a set has more than another one inside it, or than none', () => {
    const ids = (label: string, count: number): Uint8Array[] =>
      Array.from({ length: count }, (_, number) => shortId(`${label} ${number}`))
    expectDecoded(ids('shared', 300), ids('ours', 70), [])
    expectDecoded(ids('shared', 300), [], ids('theirs', 70))
    expectDecoded([], ids('ours', 200), [])
    expectDecoded([], [], ids('theirs', 1))
  })

  it('is done after one symbol when two sets are equal, or both are empty', () => {
    for (const size of [0, 1, 500]) {
      const decoding = decoder()
      const chunk = sketchOf(shortIds('equal', size)).symbols(0, 1)
      decoding.add(chunk, chunk)
      expect(decoding).toMatchObject({ done: true, received: 1, needed: 1 })
      expect([...decoding.onlyLocal, ...decoding.onlyRemote]).toEqual([])
    }
  })

  it('finds IDs that are no digests and have most of their bytes in common', () => {
    for (const bytesOfNumber of [
      [0, 1],
      [6, 7],
      [14, 15],
      [3, 12]
    ] as const) {
      const ids = Array.from({ length: 400 }, (_, number) => {
        const id = new Uint8Array(16)
        id[bytesOfNumber[0]] = number & 255
        id[bytesOfNumber[1]] = number >> 8
        return id
      })
      expectDecoded(ids.slice(0, 100), ids.slice(100, 200), ids.slice(200), symbolsFor(300))
    }
  })

  it('finds all other differences while two IDs are ground to be in no early symbol but the first', () => {
    const EARLY = 64
    const ground: Uint8Array[] = []
    for (let number = 0; ground.length < 2; number++) {
      const id = shortId(`ground ${number}`)
      if (mappingOf(id, EARLY).count === 1) ground.push(id)
    }
    const others = ['other 1', 'other 2', 'other 3'].map(shortId)
    const [local, remote] = [sketch(), sketchOf(packed([...ground, ...others]))]
    const decoding = decoder()
    decoding.add(local.symbols(0, EARLY), remote.symbols(0, EARLY))
    expect(decoding).toMatchObject({ done: false, failed: false })
    expect(listed(decoding.onlyRemote)).toEqual(listed(packed(others)))
    for (let count = EARLY; !decoding.done; count *= 2) {
      decoding.add(local.symbols(count, count), remote.symbols(count, count))
    }
    expect(listed(decoding.onlyRemote)).toEqual(listed(packed([...ground, ...others])))
  })

  it('goes on when it is given more symbols than it needs', () => {
    const [local, remote] = [sketchOf(shortIds('more', 50)), sketchOf(shortIds('more', 60))]
    const decoding = decoded(local, remote, 40)
    expect(decoding.done).toBe(true)
    const { received } = decoding
    decoding.add(local.symbols(received, 500), remote.symbols(received, 500))
    expect(decoding).toMatchObject({ done: true, received: received + 500 })
    expect(decoding.onlyRemote).toHaveLength(10 * 16)
  })

  it('wants few more symbols than it needs', () => {
    const d = 1000
    for (let seed = 0; seed < 10; seed++) {
      const ids = shortIds(`needed ${seed}`, d)
      const [local, remote] = [sketchOf(ids.subarray(0, d * 4)), sketchOf(ids.subarray(d * 4))]
      const decoding = decoder()
      decoding.add(local.symbols(0, 300), remote.symbols(0, 300))
      expect(decoding.done).toBe(false)
      expect(decoding.needed).toBeGreaterThan(1.2 * d)
      expect(decoding.needed).toBeLessThan(2.2 * d)
    }
  })

  it('refuses chunks that do not belong together and is as it was before', () => {
    const [local, remote] = [sketchOf(shortIds('x', 90)), sketchOf(shortIds('x', 100))]
    const decoding = decoder({ maxSymbols: 60 })
    decoding.add(local.symbols(0, 3), remote.symbols(0, 3))
    const wrong: Array<[Uint8Array, Uint8Array, string]> = [
      [local.symbols(3, 2), remote.symbols(3, 3), 'ERR_INVALID_SYMBOLS'],
      [local.symbols(0, 3), remote.symbols(0, 3), 'ERR_INVALID_SYMBOLS'],
      [local.symbols(4, 3), remote.symbols(4, 3), 'ERR_INVALID_SYMBOLS'],
      [local.symbols(3, 58), remote.symbols(3, 58), 'ERR_INVALID_SYMBOLS'],
      [local.symbols(3, 1), sketchOf(shortIds('x', 101)).symbols(3, 1), 'ERR_SET_CHANGED'],
      [sketch().symbols(3, 1), remote.symbols(3, 1), 'ERR_SET_CHANGED']
    ]
    for (const [ours, theirs, code] of wrong) {
      expect(() => decoding.add(ours, theirs)).toThrow(expect.objectContaining({ code }))
      expect(decoding.received).toBe(3)
    }
    decoding.add(local.symbols(3, 57), remote.symbols(3, 57))
    expect(listed(decoding.onlyRemote)).toEqual(listed(shortIds('x', 100).subarray(90 * 16)))
  })

  it('refuses a number of symbols that none can have', () => {
    for (const maxSymbols of [0, -1, 1.5, 2 ** 20, Number.NaN]) {
      expect(() => decoder({ maxSymbols })).toThrow(
        expect.toSatisfy((error) => isRegistryError(error, 'ERR_INVALID_VALUE'))
      )
    }
  })
})
