import { hash } from 'node:crypto'
import type { CatalogueHoldings, CatalogueScope, PackageName } from '@registry/types'

/** A part of the name space: the names whose sha2-256 begins with the `bits` bits of `index`. */
export interface Shard {
  bits: number
  index: number
}

/** The shard of 2^`bits` that a name is in. */
export function shardOf(name: PackageName, bits: number): number {
  return bits === 0 ? 0 : hash('sha256', name, 'buffer').readUInt32BE(0) >>> (32 - bits)
}

/** The shards, of 2^`bits`, that a peer holds which holds this. */
export function shardsHeld(holdings: CatalogueHoldings, bits: number): Shard[] {
  return holdings.mode === 'full'
    ? Array.from({ length: 2 ** bits }, (_, index) => ({ bits, index }))
    : shardsOf(holdings)
}

/** All of them have the same bits. */
function shardsOf(holdings: CatalogueHoldings): Shard[] {
  return holdings.mode === 'shards'
    ? holdings.shards.map((index) => ({ bits: holdings.bits, index }))
    : holdings.mode === 'full'
      ? [{ bits: 0, index: 0 }]
      : []
}

function bitsOf(shards: readonly Shard[]): number {
  return shards[0]?.bits ?? 0
}

/** Whether a peer that holds this can answer for all of a scope. An owner's packages are anywhere among the shards. */
export function holdsScope(holdings: CatalogueHoldings, scope: CatalogueScope): boolean {
  if (holdings.mode === 'light') return false
  if (scope.kind === 'owners') return true
  if (scope.kind === 'shard')
    return shardsOf(holdings).some(
      ({ bits, index }) => bits <= scope.bits && scope.index >>> (scope.bits - bits) === index
    )
  return holdings.mode === 'full'
}

export function holdsName(holdings: CatalogueHoldings, name: PackageName): boolean {
  return shardsOf(holdings).some(({ bits, index }) => shardOf(name, bits) === index)
}

/**
 * What two peers keep in step with each other: each scope is held by both, no record is in two of them, and owners come
 * before what they have signed. Empty when they have nothing in common.
 */
export function sharedScopes(ours: CatalogueHoldings, theirs: CatalogueHoldings): CatalogueScope[] {
  if (ours.mode === 'full' && theirs.mode === 'full') return [{ kind: 'all' }]
  const [one, other] = [shardsOf(ours), shardsOf(theirs)]
  const [coarse, fine] = bitsOf(one) <= bitsOf(other) ? [one, other] : [other, one]
  const coarseBits = bitsOf(coarse)
  const indices = new Set(coarse.map(({ index }) => index))
  const shared = fine.filter(({ bits, index }) => indices.has(index >>> (bits - coarseBits)))
  if (shared.length === 0) return []
  return [{ kind: 'owners' }, ...shared.map((shard) => ({ kind: 'shard' as const, ...shard }))]
}
