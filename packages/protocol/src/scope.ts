import { type CatalogueScope, InvalidValueError, PROTOCOL_LIMITS, parseCount } from '@registry/types'
import { encodeCid, parseWireOwnerId } from './cid.ts'

/**
 * A scope travels in the fewest bytes that tell it from others: `null` for all, `"owners"`, the bits and the index of a
 * shard as a list, the CID of an owner.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE
 */
export function encodeScope(scope: CatalogueScope): unknown {
  switch (scope.kind) {
    case 'all':
      return null
    case 'owners':
      return 'owners'
    case 'shard': {
      const { bits, index } = parseShard(scope.bits, scope.index, 'scope')
      return [bits, index]
    }
    case 'owner':
      return encodeCid(scope.owner)
  }
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseScope(value: unknown, field: string): CatalogueScope {
  if (value === null) return { kind: 'all' }
  if (value === 'owners') return { kind: 'owners' }
  if (!Array.isArray(value)) return { kind: 'owner', owner: parseWireOwnerId(value, field) }
  if (value.length !== 2) throw new InvalidValueError(field, 'must have the bits and the index of a shard')
  return { kind: 'shard', ...parseShard(value[0], value[1], field) }
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseShardBits(value: unknown, field: string): number {
  return parseCount(value, field, PROTOCOL_LIMITS.maxShardBits)
}

/** The number of one of 2^`bits` shards. @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseShardIndex(value: unknown, field: string, bits: number): number {
  return parseCount(value, field, 2 ** bits - 1)
}

function parseShard(bitsValue: unknown, indexValue: unknown, field: string): { bits: number; index: number } {
  const bits = parseShardBits(bitsValue, `${field}.bits`)
  return { bits, index: parseShardIndex(indexValue, `${field}.index`, bits) }
}
