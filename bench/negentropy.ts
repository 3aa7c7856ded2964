/**
 * Range-based set reconciliation as its authors published it: the protocol "Negentropy", version 1
 * (https://github.com/hoytech/negentropy/blob/master/docs/negentropy-protocol-v1.md, after Aljoscha Meyer, *Range-Based Set
 * Reconciliation*), without its optional limit on the size of a message. A range is split into 16, below 32 items its IDs
 * are listed, as in the reference implementations. Here because no library for it was to be had; to compare with, not to use.
 */
import { createHash } from 'node:crypto'

const VERSION = 0x61
const ID_BYTES = 32
const WORDS = ID_BYTES / 4
const FINGERPRINT_BYTES = 16
const BUCKETS = 16
const SKIP = 0
const FINGERPRINT = 1
const ID_LIST = 2

export interface NegentropyItem {
  /** Whole seconds. */
  time: number
  /** 32 bytes. */
  id: Uint8Array
}

interface Bound {
  time: number
  id: Uint8Array
}

const EMPTY = new Uint8Array()
const INFINITY: Bound = { time: Number.POSITIVE_INFINITY, id: EMPTY }

/** Items in order, in flat memory: the "vector" storage of the reference implementations. */
export class NegentropyStorage {
  readonly size: number
  readonly #times: Float64Array
  readonly #ids: Uint8Array
  readonly #words: Uint32Array
  /** The sum of all items before each place; what a tree that keeps the sums of its branches answers from. */
  readonly #sums: Uint32Array | undefined

  /** @param options.sums - keep sums, so that the fingerprint of a range takes no walk over its items @default false */
  constructor(items: readonly NegentropyItem[], options: { sums?: boolean } = {}) {
    const sorted = items.toSorted((a, b) => a.time - b.time || Buffer.compare(a.id, b.id))
    this.size = sorted.length
    this.#times = Float64Array.from(sorted, ({ time }) => time)
    this.#words = new Uint32Array(sorted.length * WORDS)
    this.#ids = new Uint8Array(this.#words.buffer)
    for (const [at, { id }] of sorted.entries()) this.#ids.set(id, at * ID_BYTES)
    if (options.sums === true) {
      this.#sums = new Uint32Array((sorted.length + 1) * WORDS)
      for (let at = 0; at < sorted.length; at++) {
        let carry = 0
        for (let word = 0; word < WORDS; word++) {
          const place = at * WORDS + word
          const sum = (this.#sums[place] ?? 0) + (this.#words[place] ?? 0) + carry
          this.#sums[place + WORDS] = sum
          carry = sum > 0xffff_ffff ? 1 : 0
        }
      }
    }
  }

  time(at: number): number {
    return this.#times[at] ?? Number.POSITIVE_INFINITY
  }

  id(at: number): Uint8Array {
    return this.#ids.subarray(at * ID_BYTES, (at + 1) * ID_BYTES)
  }

  ids(begin: number, end: number): Uint8Array {
    return this.#ids.subarray(begin * ID_BYTES, end * ID_BYTES)
  }

  /** The first place from `begin` whose item is not before the bound. */
  lowerBound(begin: number, bound: Bound): number {
    let low = begin
    let high = this.size
    while (low < high) {
      const middle = (low + high) >>> 1
      const before =
        this.time(middle) < bound.time ||
        (this.time(middle) === bound.time && Buffer.compare(this.id(middle), bound.id) < 0)
      if (before) low = middle + 1
      else high = middle
    }
    return low
  }

  fingerprint(begin: number, end: number): Uint8Array {
    const sum = this.#sums === undefined ? this.#add(begin, end) : difference(this.#sums, begin, end)
    return createHash('sha256')
      .update(new Uint8Array(sum.buffer))
      .update(varint(end - begin))
      .digest()
      .subarray(0, FINGERPRINT_BYTES)
  }

  #add(begin: number, end: number): Uint32Array {
    // Each word is summed apart and carried after 2^20 items, while every sum is still exact in a double.
    const parts = new Float64Array(WORDS)
    const words = this.#words
    for (let from = begin; from < end; from += 1 << 20) {
      const to = Math.min(end, from + (1 << 20)) * WORDS
      for (let at = from * WORDS; at < to; at += WORDS) {
        for (let word = 0; word < WORDS; word++) parts[word] = (parts[word] ?? 0) + (words[at + word] ?? 0)
      }
      carry(parts)
    }
    return Uint32Array.from(parts)
  }
}

/** Makes each part a word of 32 bits and adds what is above to the next; what is above the last is lost. */
function carry(parts: Float64Array): void {
  let above = 0
  for (const [word, value] of parts.entries()) {
    const sum = value + above
    parts[word] = sum % 2 ** 32
    above = Math.floor(sum / 2 ** 32)
  }
}

function difference(sums: Uint32Array, begin: number, end: number): Uint32Array {
  const result = new Uint32Array(WORDS)
  let borrow = 0
  for (let word = 0; word < WORDS; word++) {
    const value = (sums[end * WORDS + word] ?? 0) - (sums[begin * WORDS + word] ?? 0) - borrow
    result[word] = value
    borrow = value < 0 ? 1 : 0
  }
  return result
}

export interface NegentropyResult {
  /** The next message to send; absent when the side that asks knows all. */
  message?: Uint8Array
  /** IDs that only the side that asks has. */
  have: Uint8Array[]
  /** IDs that only the side that answers has. */
  need: Uint8Array[]
}

/** One side of a session. Only the one that asks learns what differs. */
export class Negentropy {
  readonly #storage: NegentropyStorage
  #asks = false

  constructor(storage: NegentropyStorage) {
    this.#storage = storage
  }

  /** The first message of the side that asks. */
  initiate(): Uint8Array {
    this.#asks = true
    const output = new Output()
    output.split(this.#storage, 0, this.#storage.size, INFINITY)
    return output.bytes()
  }

  /** Reads the other side's message. */
  reconcile(message: Uint8Array): NegentropyResult {
    const storage = this.#storage
    const input = new Input(message)
    const output = new Output()
    const have: Uint8Array[] = []
    const need: Uint8Array[] = []
    let lower = 0
    let bound: Bound = { time: 0, id: EMPTY }
    let skipping = false
    const endSkip = (): void => {
      if (skipping) output.skip(bound)
      skipping = false
    }
    while (!input.ended) {
      const upperBound = input.bound()
      const mode = input.varint()
      const upper = storage.lowerBound(lower, upperBound)
      if (mode === SKIP) {
        skipping = true
      } else if (mode === FINGERPRINT) {
        const theirs = input.take(FINGERPRINT_BYTES)
        if (Buffer.compare(theirs, storage.fingerprint(lower, upper)) === 0) {
          skipping = true
        } else {
          endSkip()
          output.split(storage, lower, upper, upperBound)
        }
      } else if (mode === ID_LIST) {
        const count = input.varint()
        if (this.#asks) {
          skipping = true
          const theirs = new Map<string, Uint8Array>()
          for (let each = 0; each < count; each++) {
            const id = input.take(ID_BYTES)
            theirs.set(Buffer.from(id).toString('latin1'), id)
          }
          for (let at = lower; at < upper; at++) {
            const id = storage.id(at)
            if (!theirs.delete(Buffer.from(id).toString('latin1'))) have.push(id)
          }
          need.push(...theirs.values())
        } else {
          input.take(count * ID_BYTES)
          endSkip()
          output.list(storage, lower, upper, upperBound)
        }
      } else {
        throw new Error(`there is no mode ${mode}`)
      }
      lower = upper
      bound = upperBound
    }
    const done = this.#asks && output.isEmpty
    return done ? { have, need } : { message: output.bytes(), have, need }
  }
}

class Output {
  #buffer = new Uint8Array(1024)
  #length = 1
  #lastTime = 0

  constructor() {
    this.#buffer[0] = VERSION
  }

  get isEmpty(): boolean {
    return this.#length === 1
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  skip(bound: Bound): void {
    this.#bound(bound)
    this.#put(varint(SKIP))
  }

  list(storage: NegentropyStorage, lower: number, upper: number, bound: Bound): void {
    this.#bound(bound)
    this.#put(varint(ID_LIST))
    this.#put(varint(upper - lower))
    this.#put(storage.ids(lower, upper))
  }

  split(storage: NegentropyStorage, lower: number, upper: number, bound: Bound): void {
    const count = upper - lower
    if (count < BUCKETS * 2) {
      this.list(storage, lower, upper, bound)
      return
    }
    let from = lower
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const to = from + Math.floor(count / BUCKETS) + (bucket < count % BUCKETS ? 1 : 0)
      const fingerprint = storage.fingerprint(from, to)
      this.#bound(to === upper ? bound : shortestBound(storage, to))
      this.#put(varint(FINGERPRINT))
      this.#put(fingerprint)
      from = to
    }
  }

  #bound({ time, id }: Bound): void {
    this.#put(varint(time === Number.POSITIVE_INFINITY ? 0 : 1 + time - this.#lastTime))
    this.#lastTime = time
    this.#put(varint(id.length))
    this.#put(id)
  }

  #put(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + bytes.length))
      larger.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = larger
    }
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }
}

class Input {
  readonly #bytes: Uint8Array
  #at = 1
  #lastTime = 0

  constructor(bytes: Uint8Array) {
    if (bytes[0] !== VERSION) throw new Error(`there is no version ${bytes[0]}`)
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length
  }

  take(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new Error('the message ends too early')
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  varint(): number {
    let value = 0
    for (;;) {
      const byte = this.take(1)[0] ?? 0
      value = value * 128 + (byte & 127)
      if (byte < 128) return value
    }
  }

  bound(): Bound {
    const encoded = this.varint()
    this.#lastTime = encoded === 0 ? Number.POSITIVE_INFINITY : this.#lastTime + encoded - 1
    return { time: this.#lastTime, id: this.take(this.varint()) }
  }
}

/** The shortest that lies between the item at a place and the one before. */
function shortestBound(storage: NegentropyStorage, at: number): Bound {
  const time = storage.time(at)
  if (time !== storage.time(at - 1)) return { time, id: EMPTY }
  const before = storage.id(at - 1)
  const id = storage.id(at)
  const shared = id.findIndex((byte, place) => byte !== before[place])
  return { time, id: id.subarray(0, shared + 1) }
}

/** Digits of 7 bits, the highest first. */
function varint(value: number): Uint8Array {
  const digits = [value % 128]
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    digits.unshift((rest % 128) + 128)
  }
  return Uint8Array.from(digits)
}
