import { hash } from 'node:crypto'
import type { ContentId } from '@registry/types'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import type { Shard } from './policy/holdings.ts'

const RAW = 0x55
const SHA2_256 = 0x12

/** Under which those who hold a shard of a network's catalogue are found in the DHT; `docs/protocol/shards.md`. */
export function shardKey(network: string, { bits, index }: Shard): ContentId {
  const text = `/p2p-registry/${network}/shard/${bits}/${index}`
  return CID.createV1(RAW, create(SHA2_256, hash('sha256', text, 'buffer'))).toString() as ContentId
}
