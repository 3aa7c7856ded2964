import type { RecordId } from '@registry/types'
import { base32 } from 'multiformats/bases/base32'

/** Of every record ID: CID version 1, dag-cbor, sha2-256, 32 bytes. */
const PREFIX = Uint8Array.of(0x01, 0x71, 0x12, 0x20)

/** The digest in a record ID. All else in the ID is the same for every record, so only this is stored. */
export function recordKeyOf(id: RecordId): Uint8Array {
  return base32.decode(id).subarray(PREFIX.length)
}

/** The reverse; the result has the form of a record ID by construction. */
export function recordIdOfKey(key: Uint8Array): RecordId {
  return base32.encode(Buffer.concat([PREFIX, key])) as RecordId
}
