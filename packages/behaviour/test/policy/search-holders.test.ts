import type { CatalogueHoldings } from '@registry/types'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { searchHolders } from '../../src/policy/search-holders.ts'

const full: CatalogueHoldings = { mode: 'full' }
const light: CatalogueHoldings = { mode: 'light' }
const some = (bits: number, ...shards: number[]): CatalogueHoldings => ({ mode: 'shards', bits, shards })

function chosen(...holdings: CatalogueHoldings[]): number[] {
  const holders = holdings.map((holds, number) => ({ holds, number }))
  return searchHolders(holders, { least: 3, most: 5 }).map(({ number }) => number)
}

it('asks those who keep everything before those who keep a part, the first ones first', () => {
  expect(chosen(some(2, 0), full, light, full, full, full)).toEqual([1, 3, 4])
  expect(chosen(some(2, 0), full)).toEqual([1, 0])
})

it('asks those who together keep everything, however many keep the same', () => {
  expect(chosen(some(2, 0), some(2, 0), some(2, 0), some(2, 1, 2, 3))).toEqual([3, 0, 1])
  expect(chosen(some(2, 0), some(2, 0), some(1, 1), some(2, 1))).toEqual([2, 0, 3])
})

it('asks more than a few while each adds something, and no more than it may', () => {
  expect(chosen(...[0, 0, 1, 1, 2, 3].map((shard) => some(2, shard)))).toEqual([0, 2, 4, 5])
  expect(chosen(...[0, 1, 2, 3, 4, 5, 6, 7].map((shard) => some(3, shard)))).toHaveLength(5)
})

it('asks nobody who keeps nothing, and nobody twice', () => {
  expect(chosen()).toEqual([])
  expect(chosen(light, light)).toEqual([])
  const holdings = fc.array(
    fc.oneof(
      fc.constantFrom(full, light),
      fc.uniqueArray(fc.nat(7), { minLength: 1 }).map((shards) => some(3, ...shards))
    )
  )
  fc.assert(
    fc.property(holdings, (all) => {
      const numbers = chosen(...all)
      expect(new Set(numbers).size).toBe(numbers.length)
      expect(numbers.map((number) => all[number])).not.toContain(light)
      const keepers = all.filter(({ mode }) => mode !== 'light').length
      expect(numbers.length).toBeGreaterThanOrEqual(Math.min(3, keepers))
    })
  )
})
