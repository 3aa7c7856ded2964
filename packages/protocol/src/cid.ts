import { type ContentId, InvalidValueError, type OwnerId, type RecordId } from '@registry/types'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'

/**
 * CIDs travel as CIDs (CBOR tag 42), not as text: 41 bytes in place of 61, and nothing to check but the kind. Where there
 * are many of one kind, as record IDs, their digests travel alone.
 */

const DAG_CBOR = 0x71
const DAG_PB = 0x70
const RAW = 0x55
const SHA2_256 = 0x12

/** @throws {InvalidValueError} ERR_INVALID_VALUE, not a CID */
export function encodeCid(text: string): CID {
  try {
    return CID.parse(text)
  } catch {
    throw new InvalidValueError('cid', `${JSON.stringify(text.slice(0, 80))} is not a CID`)
  }
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE, more than `max` */
export function encodeCids(texts: readonly string[], field: string, max: number): CID[] {
  if (texts.length > max) throw new InvalidValueError(field, `must have at most ${max} entries`)
  return texts.map(encodeCid)
}

export function parseWireOwnerId(value: unknown, field: string): OwnerId {
  return parseWireCid(value, field, [DAG_CBOR]) as OwnerId
}

export function parseWireContentId(value: unknown, field: string): ContentId {
  return parseWireCid(value, field, [RAW, DAG_PB]) as ContentId
}

/** The 32 bytes that tell a record ID from others. @throws {InvalidValueError} ERR_INVALID_VALUE, not a CID */
export function digestOf(id: RecordId): Uint8Array {
  return encodeCid(id).multihash.digest
}

/** The record ID of a digest of 32 bytes. */
export function recordIdOfDigest(digest: Uint8Array): RecordId {
  return CID.createV1(DAG_CBOR, create(SHA2_256, digest)).toString() as RecordId
}

/** The order of record IDs. */
export function compareDigests(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}

function parseWireCid(value: unknown, field: string, codecs: readonly number[]): string {
  const cid = CID.asCID(value)
  if (
    cid === null ||
    cid.version !== 1 ||
    !codecs.includes(cid.code) ||
    cid.multihash.code !== SHA2_256 ||
    cid.multihash.digest.length !== 32
  ) {
    throw new InvalidValueError(field, 'must be a CID of version 1 with sha2-256 and a codec of its kind')
  }
  return cid.toString()
}
