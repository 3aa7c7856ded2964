import { hash } from 'node:crypto'
import { SHORT_ID_BYTES } from '@registry/reconciliation'
import type { RecordId } from '@registry/types'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'

const DAG_CBOR = 0x71
const SHA2_256 = 0x12

/** Names a record in sketches and requests: the first 16 bytes of the digest in its ID. */
export function shortIdOf(id: RecordId): Uint8Array {
  return CID.parse(id).multihash.digest.subarray(0, SHORT_ID_BYTES)
}

/** The record ID with this digest; there need not be such a record. */
export function recordIdAt(digest: Uint8Array): RecordId {
  return CID.createV1(DAG_CBOR, create(SHA2_256, digest)).toString() as RecordId
}

/** The digest in the ID of an encoded envelope, without checking that it is one. */
export function recordDigest(envelope: Uint8Array): Buffer {
  return hash('sha256', envelope, 'buffer')
}

/** The short IDs that stand one after the other. */
export function unpackShortIds(packed: Uint8Array): Uint8Array[] {
  return Array.from({ length: packed.length / SHORT_ID_BYTES }, (_, at) =>
    packed.subarray(at * SHORT_ID_BYTES, (at + 1) * SHORT_ID_BYTES)
  )
}
