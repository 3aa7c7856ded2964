import { InvalidSymbolsError } from './errors.ts'
import { expectedCount, MAX_SYMBOLS } from './mapping.ts'

/** Words of a symbol in memory: four of the IDs, two of the checksums, and the count. */
export const FIELDS = 7
/** The first word of the checksums. */
export const CHECKSUM = 4
const SUM_WORDS = 6
const SUM_BYTES = SUM_WORDS * 4
/** Counts are kept in 32 bits with a sign. */
const MAX_SIZE = 2 ** 31 - 1
const MAX_VARINT_BYTES = 5

/** Which symbols, and of how many members the set is. */
export interface SymbolRange {
  from: number
  count: number
  size: number
}

/** The sums of the symbols, then their counts as distances from what a set of this size leads one to expect. */
export function encodeSymbols(fields: Int32Array, { from, count, size }: SymbolRange): Uint8Array {
  const bytes = new Uint8Array(3 * MAX_VARINT_BYTES + count * (SUM_BYTES + MAX_VARINT_BYTES))
  const view = new DataView(bytes.buffer)
  let offset = writeVarint(bytes, 0, from)
  offset = writeVarint(bytes, offset, count)
  offset = writeVarint(bytes, offset, size)
  for (let index = from; index < from + count; index++) {
    for (let word = 0; word < SUM_WORDS; word++) {
      view.setInt32(offset, fields[index * FIELDS + word] ?? 0, true)
      offset += 4
    }
  }
  for (let index = from; index < from + count; index++) {
    const distance = (fields[index * FIELDS + SUM_WORDS] ?? 0) - expectedCount(size, index)
    offset = writeVarint(bytes, offset, ((distance << 1) ^ (distance >> 31)) >>> 0)
  }
  return bytes.slice(0, offset)
}

/**
 * Encoded symbols that have been looked at from their first byte to their last.
 *
 * @throws {InvalidSymbolsError} ERR_INVALID_SYMBOLS
 */
export class EncodedSymbols implements SymbolRange {
  readonly from: number
  readonly count: number
  readonly size: number
  readonly #view: DataView
  readonly #sums: number
  readonly #counts: Int32Array

  constructor(bytes: Uint8Array) {
    const reader = new VarintReader(bytes)
    this.from = reader.next(MAX_SYMBOLS - 1)
    this.count = reader.next(MAX_SYMBOLS - this.from)
    this.size = reader.next(MAX_SIZE)
    if (this.count === 0) throw new InvalidSymbolsError('there are none')
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#sums = reader.offset
    reader.skip(this.count * SUM_BYTES)
    // Before anything is allocated for them: each count has a byte at least.
    if (bytes.length - reader.offset < this.count) throw new InvalidSymbolsError('they are cut off')
    this.#counts = new Int32Array(this.count)
    for (let at = 0; at < this.count; at++) {
      const zigzag = reader.next(2 ** 32 - 1)
      const count = expectedCount(this.size, this.from + at) + ((zigzag >>> 1) ^ -(zigzag & 1))
      if (count < 0 || count > this.size || (count < this.size && this.from + at === 0)) {
        throw new InvalidSymbolsError('a count does not go with the size of the set')
      }
      this.#counts[at] = count
    }
    if (reader.offset !== bytes.length) throw new InvalidSymbolsError('bytes follow the last one')
  }

  /** Writes them over the fields of symbols from `from` on. */
  store(fields: Int32Array): void {
    let offset = this.#sums
    for (let at = 0; at < this.count; at++) {
      const field = (this.from + at) * FIELDS
      for (let word = 0; word < SUM_WORDS; word++) {
        fields[field + word] = this.#view.getInt32(offset, true)
        offset += 4
      }
      fields[field + SUM_WORDS] = this.#counts[at] ?? 0
    }
  }

  /** Takes them away from the fields of symbols from `from` on. */
  subtract(fields: Int32Array): void {
    let offset = this.#sums
    for (let at = 0; at < this.count; at++) {
      const field = (this.from + at) * FIELDS
      for (let word = 0; word < SUM_WORDS; word++) {
        fields[field + word] = (fields[field + word] ?? 0) ^ this.#view.getInt32(offset, true)
        offset += 4
      }
      fields[field + SUM_WORDS] = (fields[field + SUM_WORDS] ?? 0) - (this.#counts[at] ?? 0)
    }
  }
}

/** Seven bits a byte, least significant first, the top bit of all but the last byte set; returns the next offset. */
function writeVarint(bytes: Uint8Array, offset: number, value: number): number {
  let rest = value
  let at = offset
  while (rest > 127) {
    bytes[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}

class VarintReader {
  offset = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  skip(length: number): void {
    this.offset += length
  }

  next(max: number): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.offset++]
      if (byte === undefined) throw new InvalidSymbolsError('they are cut off')
      value += (byte & 127) * factor
      if (value > max) throw new InvalidSymbolsError(`a number is above ${max}`)
      if (byte < 128) {
        if (byte === 0 && factor > 1) throw new InvalidSymbolsError('a number is not in its shortest form')
        return value
      }
      if (factor > 2 ** 28) throw new InvalidSymbolsError('a number is too long')
    }
  }
}
