import {
  type CatalogueHoldings,
  type CatalogueScope,
  type PackageName,
  parsePackageName
} from '@registry/types'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { holdsName, holdsScope, shardOf, sharedScopes } from '../../src/policy/holdings.ts'

const names: PackageName[] = Array.from({ length: 60 }, (_, number) => parsePackageName(`package-${number}`))
const full: CatalogueHoldings = { mode: 'full' }
const light: CatalogueHoldings = { mode: 'light' }

const holdings: fc.Arbitrary<CatalogueHoldings> = fc.oneof(
  fc.constantFrom(full, light),
  fc
    .integer({ min: 0, max: 4 })
    .chain((bits) =>
      fc
        .uniqueArray(fc.integer({ min: 0, max: 2 ** bits - 1 }), { minLength: 1 })
        .map((shards): CatalogueHoldings => ({ mode: 'shards', bits, shards: shards.sort((a, b) => a - b) }))
    )
)

const isIn = (name: PackageName, scope: CatalogueScope): boolean =>
  scope.kind === 'all' || (scope.kind === 'shard' && shardOf(name, scope.bits) === scope.index)

it('cuts names by the first bits of their hash', () => {
  // sha2-256 of "example" begins with 50 d8.
  const name = parsePackageName('example')
  expect([0, 1, 4, 8].map((bits) => shardOf(name, bits))).toEqual([0, 0, 0x5, 0x50])
})

it('gives every name one shard, spread over all of them', () => {
  const counts = new Array<number>(8).fill(0)
  for (const name of names) counts[shardOf(name, 3)] = (counts[shardOf(name, 3)] ?? 0) + 1
  for (const count of counts) expect(count).toBeGreaterThan(1)
})

it('lets two peers that keep all compare all at once', () => {
  expect(sharedScopes(full, full)).toEqual([{ kind: 'all' }])
})

it('lets others compare owners and the shards that both keep', () => {
  const some: CatalogueHoldings = { mode: 'shards', bits: 2, shards: [1, 3] }
  expect(sharedScopes(some, full)).toEqual([
    { kind: 'owners' },
    { kind: 'shard', bits: 2, index: 1 },
    { kind: 'shard', bits: 2, index: 3 }
  ])
  expect(sharedScopes(some, { mode: 'shards', bits: 1, shards: [0] })).toEqual([
    { kind: 'owners' },
    { kind: 'shard', bits: 2, index: 1 }
  ])
  expect(sharedScopes(some, { mode: 'shards', bits: 2, shards: [0, 2] })).toEqual([])
  expect(sharedScopes(light, full)).toEqual([])
})

it('lets two peers compare exactly what both keep, each name once, whoever asks', () => {
  fc.assert(
    fc.property(holdings, holdings, (ours, theirs) => {
      const scopes = sharedScopes(ours, theirs)
      expect(new Set(scopes.map((scope) => JSON.stringify(scope)))).toEqual(
        new Set(sharedScopes(theirs, ours).map((scope) => JSON.stringify(scope)))
      )
      for (const scope of scopes) expect(holdsScope(ours, scope) && holdsScope(theirs, scope)).toBe(true)
      for (const name of names) {
        const both = holdsName(ours, name) && holdsName(theirs, name)
        expect(scopes.filter((scope) => isIn(name, scope))).toHaveLength(both ? 1 : 0)
      }
    })
  )
})

it('answers for what it keeps whole', () => {
  const some: CatalogueHoldings = { mode: 'shards', bits: 2, shards: [1] }
  expect(holdsScope(full, { kind: 'all' })).toBe(true)
  expect(holdsScope(some, { kind: 'all' })).toBe(false)
  expect(holdsScope(some, { kind: 'owners' })).toBe(true)
  expect(holdsScope(light, { kind: 'owners' })).toBe(false)
  expect(holdsScope(some, { kind: 'shard', bits: 4, index: 0b0111 })).toBe(true)
  expect(holdsScope(some, { kind: 'shard', bits: 4, index: 0b1011 })).toBe(false)
  expect(holdsScope(some, { kind: 'shard', bits: 1, index: 0 })).toBe(false)
})
