import { isRegistryError } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EncodedSymbols, FIELDS } from '../src/encoding.ts'
import { sketch } from '../src/index.ts'
import { packed, shortId, shortIds, sketchOf } from './short-ids.ts'

const CAPACITY = 512
const everything = (made: ReturnType<typeof sketch>): string =>
  Buffer.concat([made.symbols(0, made.capacity), made.probes()]).toString('hex')

describe('sketch', () => {
  it('is, after any additions and removals, byte for byte the one of what is left', () => {
    const steps = fc.array(fc.tuple(fc.nat(30), fc.boolean()), { maxLength: 120 })
    fc.assert(
      fc.property(steps, (changes) => {
        const kept = sketch({ capacity: CAPACITY })
        const members = new Map<number, Uint8Array>()
        for (const [number, prefersAdding] of changes) {
          const id = shortId(`member ${number}`)
          if (members.has(number)) {
            kept.remove(id)
            members.delete(number)
          } else if (prefersAdding) {
            kept.add(id)
            members.set(number, id)
          }
        }
        expect(kept.size).toBe(members.size)
        const scratch = sketchOf(packed([...members.values()]), { capacity: CAPACITY })
        expect(everything(kept)).toBe(everything(scratch))
      })
    )
  })

  it('does not depend on the order of its members', () => {
    const ids = Array.from({ length: 200 }, (_, number) => shortId(`${number}`))
    const reversed = sketch({ capacity: CAPACITY })
    for (const id of ids.toReversed()) reversed.add(id)
    expect(everything(reversed)).toBe(everything(sketchOf(packed(ids), { capacity: CAPACITY })))
  })

  it('has the same symbols in any chunks', () => {
    const made = sketchOf(shortIds('chunks', 3000), { capacity: CAPACITY })
    const whole = fieldsOf([made.symbols(0, CAPACITY)])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 20 }), (lengths) => {
        const chunks: Uint8Array[] = []
        let from = 0
        for (const length of [...lengths, CAPACITY]) {
          const count = Math.min(length, CAPACITY - from)
          if (count > 0) chunks.push(made.symbols(from, count))
          from += count
        }
        expect(fieldsOf(chunks)).toEqual(whole)
      }),
      { numRuns: 30 }
    )
  })

  it('has as its symbols the first ones of a sketch that has more', () => {
    const ids = shortIds('capacity', 1000)
    const [small, large] = [sketchOf(ids, { capacity: 300 }), sketchOf(ids)]
    expect(small.symbols(0, 300)).toEqual(large.symbols(0, 300))
    expect(Buffer.from(large.probes()).indexOf(small.probes())).toBe(0)
    expect(small.probes().length).toBeGreaterThan(10)
    expect(large.probes()).toHaveLength(40)
  })

  it('is empty again when it is cleared', () => {
    const made = sketchOf(shortIds('clear', 100), { capacity: CAPACITY })
    made.clear()
    expect(made.size).toBe(0)
    expect(everything(made)).toBe(everything(sketch({ capacity: CAPACITY })))
  })

  it('takes about 25 bytes a symbol, also of a large set', () => {
    const made = sketchOf(shortIds('bytes', 100_000), { capacity: 4096 })
    expect(made.symbols(0, 200).length / 200).toBeLessThan(26.5)
    expect(made.symbols(0, 4096).length / 4096).toBeLessThan(25.5)
  })

  it('refuses what is no short ID, no capacity and no range of symbols', () => {
    const made = sketch({ capacity: 100 })
    const wrong = [
      () => made.add(new Uint8Array(15)),
      () => made.add(new Uint8Array(32)),
      () => made.remove(new Uint8Array(17)),
      () => made.remove(shortId('never added')),
      () => made.addAll(new Uint8Array(40)),
      () => made.symbols(-1, 5),
      () => made.symbols(0.5, 5),
      () => made.symbols(0, 0),
      () => made.symbols(50, 51),
      () => made.symbols(0, Number.NaN),
      () => sketch({ capacity: 0 }),
      () => sketch({ capacity: 1.5 }),
      () => sketch({ capacity: 2 ** 20 })
    ]
    for (const call of wrong) expect(call).toThrow(expect.toSatisfy(isInvalidValue))
    expect(everything(made)).toBe(everything(sketch({ capacity: 100 })))
  })
})

function isInvalidValue(error: unknown): boolean {
  return isRegistryError(error, 'ERR_INVALID_VALUE')
}

function fieldsOf(chunks: readonly Uint8Array[]): Int32Array {
  const fields = new Int32Array(CAPACITY * FIELDS)
  for (const chunk of chunks) new EncodedSymbols(chunk).store(fields)
  return fields
}
