import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance } from '../src/edit-distance.ts'

/** The definition, by recursion over the ends. */
function plainDistance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length
  const same = a.at(-1) === b.at(-1)
  const shorterA = a.slice(0, -1)
  const shorterB = b.slice(0, -1)
  if (same) return plainDistance(shorterA, shorterB)
  const distances = [
    plainDistance(shorterA, b),
    plainDistance(a, shorterB),
    plainDistance(shorterA, shorterB)
  ]
  if (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)) {
    distances.push(plainDistance(a.slice(0, -2), b.slice(0, -2)))
  }
  return 1 + Math.min(...distances)
}

describe('the edit distance', () => {
  it('is as defined, as far as it is asked for', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 })
    fc.assert(
      fc.property(word, word, fc.constantFrom(1, 2), (a, b, max) => {
        expect(editDistance(a, b, max)).toBe(Math.min(max + 1, plainDistance(a, b)))
      }),
      { numRuns: 1500 }
    )
  })

  it.each([
    ['yojson', 'yojson', 0],
    ['yojson', 'yojosn', 1],
    ['postgresql', 'psotgreslq', 2],
    ['lwt', 'lwtxyz', 3]
  ])('of %s and %s is %d', (a, b, expected) => {
    expect(editDistance(a, b, 2)).toBe(expected)
  })
})
