import { hash } from 'node:crypto'
import type { PackageName } from '@registry/types'

/** Where a name lies in the space of names that is cut into shards: the first 32 bits of its sha2-256. */
export function placeOf(name: PackageName): number {
  return hash('sha256', name, 'buffer').readUInt32BE()
}
