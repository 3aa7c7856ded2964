import { hash } from 'node:crypto'
import { decode, encode } from '@ipld/dag-cbor'
import { PROTOCOL_LIMITS } from '@registry/types'
import { base32 } from 'multiformats/bases/base32'
import { InvalidRecordError } from './errors.ts'

/** Version 1, dag-cbor, sha2-256, 32 bytes. */
const CID_PREFIX = Uint8Array.of(0x01, 0x71, 0x12, 0x20)

/**
 * The one encoding of a value: DAG-CBOR.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD, larger than a record may be, or not in the IPLD data model
 */
export function encodeCanonical(value: unknown): Uint8Array {
  let bytes: Uint8Array
  try {
    // Copied, for it may be a view into Node's pool of buffers.
    bytes = new Uint8Array(encode(value))
  } catch (cause) {
    throw new InvalidRecordError(reasonOf(cause), cause)
  }
  boundRecord(bytes)
  return bytes
}

/**
 * Reads a value and refuses all but its one encoding, so that two encodings are equal exactly when their values are.
 * That covers fields which `parse` does not know: they are missing from what it returns.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD
 */
export function decodeCanonical<T>(bytes: Uint8Array, parse: (value: unknown) => T): T {
  boundRecord(bytes)
  let value: T
  let again: Uint8Array
  try {
    value = parse(decode(bytes))
    again = encode(value)
  } catch (cause) {
    throw new InvalidRecordError(reasonOf(cause), cause)
  }
  if (Buffer.compare(bytes, again) !== 0) {
    throw new InvalidRecordError('its encoding is not canonical, or it has a field that is not known')
  }
  return value
}

/** The CID of DAG-CBOR bytes as text: version 1, sha2-256, lower-case base32. */
export function cidText(bytes: Uint8Array): string {
  return base32.encode(Buffer.concat([CID_PREFIX, hash('sha256', bytes, 'buffer')]))
}

function boundRecord(bytes: Uint8Array): void {
  if (bytes.length > PROTOCOL_LIMITS.maxRecordBytes) {
    throw new InvalidRecordError(
      `it has ${bytes.length} bytes, more than the ${PROTOCOL_LIMITS.maxRecordBytes} allowed`
    )
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
