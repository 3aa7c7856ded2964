import { InvalidValueError } from '@registry/types'
import { EncodedSymbols, FIELDS } from './encoding.ts'
import { InvalidSymbolsError, SetChangedError } from './errors.ts'
import { MAX_SYMBOLS, Mapping, membership, SHORT_ID_BYTES } from './mapping.ts'
import { symbolsFor } from './symbols-for.ts'

export interface DecoderInit {
  /** More coded symbols than these are refused. @default 65_536 */
  maxSymbols?: number
}

export const decoderDefaults: Readonly<Required<DecoderInit>> = Object.freeze({ maxSymbols: 65_536 })

/**
 * Finds by peeling which short IDs only one of two sets has. `d` differences take about 1.4·d symbols (a few more when
 * there are few) and time in the order of d·log d.
 *
 * Whatever the symbols of the other side are, each of them gives at most one ID: time and memory are within a multiple of
 * the symbols that came, and no ID is found twice.
 */
export interface Decoder {
  /** How many symbols of either side it has; the next chunk begins there. */
  readonly received: number
  /** All differences are found, and every symbol is accounted for. */
  readonly done: boolean
  /** The symbols contradict each other: these are not the symbols of two sets. No further ones can help. */
  readonly failed: boolean
  /**
   * How many symbols in all are likely to be enough, as those received show it; above `received` unless it is done. It
   * tells far better than probes how many differences there are. More than a sketch has: there are too many.
   */
  readonly needed: number
  /**
   * The IDs that only the local set has, one after the other, 16 bytes each, in no order. Unless `done` they are those
   * found so far, and when it has `failed` they may be wrong. A copy.
   */
  readonly onlyLocal: Uint8Array
  /** The same for the remote set. */
  readonly onlyRemote: Uint8Array
  /**
   * The encoded symbols of both sides, for the same indices, which begin at `received`. Does nothing after it has failed.
   * When it throws, nothing has changed.
   *
   * @throws {InvalidSymbolsError} ERR_INVALID_SYMBOLS, one of them is malformed, or they are not the symbols that come
   * next, or more than `maxSymbols`
   * @throws {SetChangedError} ERR_SET_CHANGED, one of the sets has not the size that it had in the first symbols
   */
  add(local: Uint8Array, remote: Uint8Array): void
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE, `maxSymbols` is not a whole number from 1 to 262,144 */
export function decoder(init: DecoderInit = {}): Decoder {
  return new PeelingDecoder({ ...decoderDefaults, ...init })
}

class PeelingDecoder implements Decoder {
  readonly #maxSymbols: number
  readonly #mapping = new Mapping()
  /** What is left of the symbols of the remote set without those of the local one, and without the IDs found. */
  #fields = new Int32Array(0)
  #received = 0
  #sizes: { local: number; remote: number } | undefined
  /** Symbols that something is left of. */
  #open = 0
  /** Symbols that had a count of 1 or -1 when they were last looked at. */
  readonly #candidates: number[] = []
  /** Four words of each ID found; there is room for one a symbol. */
  #found = new Int32Array(0)
  /** 1 where only the remote set has it, -1 where only the local one. */
  #sides = new Int8Array(0)
  /** The first symbol with this ID that has not been received. */
  #next = new Float64Array(0)
  #foundCount = 0
  #failed = false
  /** Of the symbols from 1 on, the sum of what each of them alone says of how many differences there are. */
  #spread = 0

  constructor({ maxSymbols }: Required<DecoderInit>) {
    if (!Number.isInteger(maxSymbols) || maxSymbols < 1 || maxSymbols > MAX_SYMBOLS) {
      throw new InvalidValueError('maxSymbols', `must be a whole number from 1 to ${MAX_SYMBOLS}`)
    }
    this.#maxSymbols = maxSymbols
  }

  get received(): number {
    return this.#received
  }

  get done(): boolean {
    return !this.#failed && this.#received > 0 && this.#open === 0
  }

  get failed(): boolean {
    return this.#failed
  }

  get needed(): number {
    if (this.done) return this.#received
    const least = Math.ceil(this.#received * 1.125) + 8
    if (this.#received < 2) return least
    return Math.max(least, symbolsFor(Math.round(this.#spread / (this.#received - 1))))
  }

  get onlyLocal(): Uint8Array {
    return this.#foundOn(-1)
  }

  get onlyRemote(): Uint8Array {
    return this.#foundOn(1)
  }

  add(local: Uint8Array, remote: Uint8Array): void {
    if (this.#failed) return
    const ours = new EncodedSymbols(local)
    const theirs = new EncodedSymbols(remote)
    this.#check(ours, theirs)
    const from = this.#received
    const end = from + theirs.count
    this.#reserve(end)
    theirs.store(this.#fields)
    ours.subtract(this.#fields)
    this.#received = end
    for (let index = from; index < end; index++) this.#receive(index, theirs.size - ours.size)
    for (let at = 0; at < this.#foundCount && !this.#failed; at++) {
      if ((this.#next[at] ?? 0) < end) this.#takeAway(at, from)
    }
    this.#peel()
    // Every ID is in symbol 0: when nothing is left of it, nothing may be left of the others.
    if (this.#open > 0 && this.#isEmpty(0)) this.#failed = true
  }

  #check(ours: EncodedSymbols, theirs: EncodedSymbols): void {
    if (ours.from !== theirs.from || ours.count !== theirs.count) {
      throw new InvalidSymbolsError('those of the two sides are not of the same indices')
    }
    if (ours.from !== this.#received) {
      throw new InvalidSymbolsError(`they begin at ${ours.from} where ${this.#received} comes next`)
    }
    if (ours.from + ours.count > this.#maxSymbols) {
      throw new InvalidSymbolsError(`there are more than ${this.#maxSymbols}`)
    }
    this.#sizes ??= { local: ours.size, remote: theirs.size }
    const { local, remote } = this.#sizes
    if (ours.size !== local) throw new SetChangedError('local', local, ours.size)
    if (theirs.size !== remote) throw new SetChangedError('remote', remote, theirs.size)
  }

  /**
   * A symbol that has come. Its count is a sum of as many independent terms as there are differences, so the square of its
   * distance from the mean tells, on average, how many.
   */
  #receive(index: number, excess: number): void {
    const count = this.#fields[index * FIELDS + 6] ?? 0
    if (count === 1 || count === -1) this.#candidates.push(index)
    if (!this.#isEmpty(index)) this.#open++
    if (index === 0) return
    const probability = membership(index)
    this.#spread += (count - excess * probability) ** 2 / (probability * (1 - probability))
  }

  #reserve(symbols: number): void {
    const before = this.#sides.length
    if (symbols <= before) return
    const room = Math.min(Math.max(symbols, 2 * before), this.#maxSymbols)
    this.#fields = grown(this.#fields, new Int32Array(room * FIELDS))
    this.#found = grown(this.#found, new Int32Array(room * 4))
    this.#sides = grown(this.#sides, new Int8Array(room))
    this.#next = grown(this.#next, new Float64Array(room))
  }

  #peel(): void {
    const fields = this.#fields
    const mapping = this.#mapping
    while (!this.#failed) {
      const index = this.#candidates.pop()
      if (index === undefined) return
      const field = index * FIELDS
      const side = fields[field + 6] ?? 0
      if (side !== 1 && side !== -1) continue
      const word0 = fields[field] ?? 0
      const word1 = fields[field + 1] ?? 0
      const word2 = fields[field + 2] ?? 0
      const word3 = fields[field + 3] ?? 0
      mapping.mix(word0, word1, word2, word3)
      if (mapping.checksum0 !== fields[field + 4] || mapping.checksum1 !== fields[field + 5]) continue
      const at = this.#foundCount++
      this.#found.set([word0, word1, word2, word3], at * 4)
      this.#sides[at] = side
      this.#takeAway(at, 0)
      // The ID was not one that this symbol can have.
      if (!this.#isEmpty(index)) this.#failed = true
    }
  }

  /**
   * Takes an ID out of the symbols from `from` on. Nothing can be left to take out of an empty one: that is what bounds
   * the work, as each ID found empties a symbol for good, and what keeps an ID from being found twice.
   */
  #takeAway(at: number, from: number): void {
    const found = this.#found
    const word0 = found[at * 4] ?? 0
    const word1 = found[at * 4 + 1] ?? 0
    const word2 = found[at * 4 + 2] ?? 0
    const word3 = found[at * 4 + 3] ?? 0
    const side = this.#sides[at] ?? 0
    const mapping = this.#mapping
    mapping.mix(word0, word1, word2, word3)
    mapping.walk(from, this.#received)
    this.#next[at] = mapping.next
    const { indices, count, checksum0, checksum1 } = mapping
    const fields = this.#fields
    for (let touched = 0; touched < count; touched++) {
      const index = indices[touched] ?? 0
      if (this.#isEmpty(index)) {
        this.#failed = true
        return
      }
      const field = index * FIELDS
      fields[field] = (fields[field] ?? 0) ^ word0
      fields[field + 1] = (fields[field + 1] ?? 0) ^ word1
      fields[field + 2] = (fields[field + 2] ?? 0) ^ word2
      fields[field + 3] = (fields[field + 3] ?? 0) ^ word3
      fields[field + 4] = (fields[field + 4] ?? 0) ^ checksum0
      fields[field + 5] = (fields[field + 5] ?? 0) ^ checksum1
      const left = (fields[field + 6] ?? 0) - side
      fields[field + 6] = left
      if (left === 1 || left === -1) this.#candidates.push(index)
      else if (left === 0 && this.#isEmpty(index)) this.#open--
    }
  }

  #isEmpty(index: number): boolean {
    const fields = this.#fields
    const field = index * FIELDS
    for (let word = field; word < field + FIELDS; word++) if (fields[word] !== 0) return false
    return true
  }

  #foundOn(side: 1 | -1): Uint8Array {
    const packed = new Uint8Array(this.#foundCount * SHORT_ID_BYTES)
    const view = new DataView(packed.buffer)
    let offset = 0
    for (let at = 0; at < this.#foundCount; at++) {
      if (this.#sides[at] !== side) continue
      for (let word = at * 4; word < at * 4 + 4; word++) {
        view.setInt32(offset, this.#found[word] ?? 0, true)
        offset += 4
      }
    }
    return packed.slice(0, offset)
  }
}

function grown<Numbers extends Int32Array | Int8Array | Float64Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from)
  return to
}
