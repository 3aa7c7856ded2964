import { hash } from 'node:crypto'
import { decode, encode } from '@ipld/dag-cbor'
import { InvalidValueError, PROTOCOL_LIMITS, parseBytes, parseList, parseMap } from '@registry/types'

/** Bounds of one gossip message, part of the protocol. */
export const GOSSIP_LIMITS: { readonly maxMessageBytes: number; readonly maxRecords: number } = Object.freeze(
  {
    /** An owner's inception and two releases at their largest, and room for what is around them. */
    maxMessageBytes: 200 * 1024,
    maxRecords: 8
  }
)

/**
 * The bytes of a gossip message, `docs/protocol/gossip.md`: owners before what they signed.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE, more bytes or records than a message may have
 */
export function encodeGossipMessage(records: readonly Uint8Array[]): Uint8Array {
  // Copied, for it may be a view into Node's pool of buffers.
  const bytes = new Uint8Array(encode({ records: [...records] }))
  parseMessage(bytes)
  return bytes
}

/**
 * The records of a gossip message, unverified. Only the one canonical encoding is read.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE
 */
export function decodeGossipMessage(bytes: Uint8Array): Uint8Array[] {
  const records = parseMessage(bytes)
  if (Buffer.compare(bytes, encode({ records })) !== 0) {
    throw new InvalidValueError('message', 'is not canonical, or has a field that is not known')
  }
  return records
}

/** By which gossip knows a message it has seen: its sha2-256. The same records are the same message, whoever sends them. */
export function gossipMessageId(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', bytes, 'buffer'))
}

function parseMessage(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > GOSSIP_LIMITS.maxMessageBytes) {
    throw new InvalidValueError('message', `must be at most ${GOSSIP_LIMITS.maxMessageBytes} bytes long`)
  }
  let value: unknown
  try {
    value = decode(bytes)
  } catch {
    throw new InvalidValueError('message', 'is not DAG-CBOR')
  }
  const records = parseList(
    parseMap(value, 'message').records,
    'message.records',
    GOSSIP_LIMITS.maxRecords,
    (item, field) => parseBytes(item, field, PROTOCOL_LIMITS.maxRecordBytes)
  )
  if (records.length === 0) throw new InvalidValueError('message.records', 'must not be empty')
  return records
}
