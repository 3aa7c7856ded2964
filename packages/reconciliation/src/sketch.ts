import { InvalidValueError } from '@registry/types'
import { encodeSymbols, FIELDS } from './encoding.ts'
import { MAX_SYMBOLS, Mapping, SHORT_ID_BYTES } from './mapping.ts'
import { encodeProbes } from './probes.ts'

export interface SketchInit {
  /** Coded symbols that are kept, 28 bytes each; about 0.7 differences a symbol can be decoded. @default 65_536 */
  capacity?: number
}

export const sketchDefaults: Readonly<Required<SketchInit>> = Object.freeze({ capacity: 65_536 })

/**
 * The coded symbols of a set of short IDs, kept as its members come and go. The same members give the same bytes, whatever
 * came and went before, and the symbols of a smaller capacity are a prefix of those of a larger one.
 *
 * It does not know its members: an ID that is added twice, or removed without being in, spoils it. A change costs some 21
 * symbols at the default capacity and allocates nothing.
 */
export interface Sketch {
  readonly capacity: number
  /** Members of the set. */
  readonly size: number
  /**
   * An ID that is not in the set.
   *
   * @throws {InvalidValueError} ERR_INVALID_VALUE, it is not 16 bytes
   */
  add(shortId: Uint8Array): void
  /**
   * An ID that is in the set.
   *
   * @throws {InvalidValueError} ERR_INVALID_VALUE, it is not 16 bytes, or the set is empty
   */
  remove(shortId: Uint8Array): void
  /**
   * IDs that are not in the set, one after the other.
   *
   * @throws {InvalidValueError} ERR_INVALID_VALUE, the length is no multiple of 16
   */
  addAll(packed: Uint8Array): void
  /** Back to the empty set. */
  clear(): void
  /**
   * The symbols `from` up to, not including, `from + count`, encoded with the size of the set; `count` is at least 1.
   *
   * @throws {InvalidValueError} ERR_INVALID_VALUE, they are not within the capacity
   */
  symbols(from: number, count: number): Uint8Array
  /** For `estimateDifferences`; at most 40 bytes. */
  probes(): Uint8Array
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE, the capacity is not a whole number from 1 to 262,144 */
export function sketch(init: SketchInit = {}): Sketch {
  return new SymbolSketch({ ...sketchDefaults, ...init })
}

class SymbolSketch implements Sketch {
  readonly capacity: number
  /** For each symbol the sum modulo 2 of its IDs and of their checksums, and how many there are. */
  readonly #fields: Int32Array
  readonly #mapping = new Mapping()
  #size = 0

  constructor({ capacity }: Required<SketchInit>) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_SYMBOLS) {
      throw new InvalidValueError('capacity', `must be a whole number from 1 to ${MAX_SYMBOLS}`)
    }
    this.capacity = capacity
    this.#fields = new Int32Array(capacity * FIELDS)
  }

  get size(): number {
    return this.#size
  }

  add(shortId: Uint8Array): void {
    checkShortId(shortId)
    this.#change(shortId, 0, 1)
  }

  remove(shortId: Uint8Array): void {
    checkShortId(shortId)
    if (this.#size === 0) throw new InvalidValueError('shortId', 'cannot be removed from an empty set')
    this.#change(shortId, 0, -1)
  }

  addAll(packed: Uint8Array): void {
    if (packed.length % SHORT_ID_BYTES !== 0) {
      throw new InvalidValueError('packed', `must be a multiple of ${SHORT_ID_BYTES} bytes long`)
    }
    for (let offset = 0; offset < packed.length; offset += SHORT_ID_BYTES) this.#change(packed, offset, 1)
  }

  clear(): void {
    this.#fields.fill(0)
    this.#size = 0
  }

  symbols(from: number, count: number): Uint8Array {
    if (!Number.isInteger(from) || from < 0) {
      throw new InvalidValueError('from', 'must be a whole number from 0')
    }
    if (!Number.isInteger(count) || count < 1 || from + count > this.capacity) {
      throw new InvalidValueError('count', `must be at least 1 and end within ${this.capacity} symbols`)
    }
    return encodeSymbols(this.#fields, { from, count, size: this.#size })
  }

  probes(): Uint8Array {
    return encodeProbes(this.#fields, this.capacity)
  }

  #change(bytes: Uint8Array, offset: number, sign: 1 | -1): void {
    const word0 = wordAt(bytes, offset)
    const word1 = wordAt(bytes, offset + 4)
    const word2 = wordAt(bytes, offset + 8)
    const word3 = wordAt(bytes, offset + 12)
    const mapping = this.#mapping
    mapping.mix(word0, word1, word2, word3)
    mapping.walk(0, this.capacity)
    const { indices, count, checksum0, checksum1 } = mapping
    const fields = this.#fields
    for (let found = 0; found < count; found++) {
      const at = (indices[found] ?? 0) * FIELDS
      fields[at] = (fields[at] ?? 0) ^ word0
      fields[at + 1] = (fields[at + 1] ?? 0) ^ word1
      fields[at + 2] = (fields[at + 2] ?? 0) ^ word2
      fields[at + 3] = (fields[at + 3] ?? 0) ^ word3
      fields[at + 4] = (fields[at + 4] ?? 0) ^ checksum0
      fields[at + 5] = (fields[at + 5] ?? 0) ^ checksum1
      fields[at + 6] = (fields[at + 6] ?? 0) + sign
    }
    this.#size += sign
  }
}

function checkShortId(shortId: Uint8Array): void {
  if (shortId.length !== SHORT_ID_BYTES) {
    throw new InvalidValueError('shortId', `must be ${SHORT_ID_BYTES} bytes long`)
  }
}

/** Little-endian. A `DataView` would be one more object for each ID. */
function wordAt(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] ?? 0) |
    ((bytes[offset + 1] ?? 0) << 8) |
    ((bytes[offset + 2] ?? 0) << 16) |
    ((bytes[offset + 3] ?? 0) << 24)
  )
}
