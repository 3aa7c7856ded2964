import { readRecord, type VerifiedRecord } from '@registry/identity'

/** Of the envelopes of what is kept decoded, which takes several times as much. */
const MAX_ENVELOPE_BYTES = 4 * 1024 ** 2

/**
 * What records say, kept for those that were read of late: decoding one takes many times as long as reading and hashing it.
 * What is returned is shared by all who read it, and frozen.
 */
export class DecodedRecords {
  /** By digest, the one read longest ago first. */
  readonly #records = new Map<string, { record: VerifiedRecord; bytes: number }>()
  #bytes = 0

  /** Of an envelope with this digest, which the caller has compared. */
  read(digest: Uint8Array, envelope: Uint8Array): VerifiedRecord {
    const key = Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1')
    const kept = this.#records.get(key)
    const bytes = envelope.length
    const record = kept?.record ?? frozen(readRecord(envelope))
    this.#records.delete(key)
    this.#records.set(key, { record, bytes })
    if (kept !== undefined) return record
    this.#bytes += bytes
    for (const [oldest, { bytes: freed }] of this.#records) {
      if (this.#bytes <= MAX_ENVELOPE_BYTES) break
      this.#records.delete(oldest)
      this.#bytes -= freed
    }
    return record
  }
}

function frozen<T extends object>(value: T): T {
  // Bytes cannot be frozen.
  if (ArrayBuffer.isView(value)) return value
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part)
  return Object.freeze(value)
}
