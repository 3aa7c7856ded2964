import type { RecordId } from '@registry/types'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'

const DAG_CBOR = 0x71
const SHA2_256 = 0x12

/** The 32-byte digest in a record ID. All else in the ID is the same for every record, so only this is stored. */
export function recordKeyOf(id: RecordId): Uint8Array {
  return CID.parse(id).multihash.digest
}

/** The reverse; the result has the form of a record ID by construction. */
export function recordIdOfKey(key: Uint8Array): RecordId {
  return CID.createV1(DAG_CBOR, create(SHA2_256, key)).toString() as RecordId
}
