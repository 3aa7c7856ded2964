import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Approach, approach, DECODABLE_SHARE } from '../../src/policy/approach.ts'

const capacity = 65_536

it.each<[Approach, number, number]>([
  ['decode', 1_000_000, 1_000_000],
  ['decode', 1_000_100, 1_000_000],
  ['decode', 0, 20],
  ['decode', 20_000, 50_000],
  ['snapshot', 0, 100_000],
  ['snapshot', 100, 5000],
  ['snapshot', 400_000, 1_000_000],
  ['list', 600_000, 1_000_000],
  ['list', 1_000_000, 900_000],
  ['wait', 1_000_000, 0],
  ['wait', 1_000_000, 400_000]
])('is to %s with %i records here and %i there', (expected, own, theirs) => {
  expect(approach({ own, theirs, capacity })).toBe(expected)
})

it('is the same for both sides, but that one waits for the snapshot of the other', () => {
  const other: Record<Approach, Approach> = {
    decode: 'decode',
    list: 'list',
    snapshot: 'wait',
    wait: 'snapshot'
  }
  const records = fc.nat(2_000_000)
  fc.assert(
    fc.property(records, records, (own, theirs) => {
      expect(approach({ own: theirs, theirs: own, capacity })).toBe(
        other[approach({ own, theirs, capacity })]
      )
    })
  )
})

it('never counts on symbols where the numbers alone show that there are too few', () => {
  const records = fc.nat(200_000)
  fc.assert(
    fc.property(records, records, (own, theirs) => {
      if (Math.abs(own - theirs) <= capacity * DECODABLE_SHARE) return
      expect(approach({ own, theirs, capacity })).not.toBe('decode')
    })
  )
})
