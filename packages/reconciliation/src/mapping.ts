/** The first 16 bytes of a sha2-256 digest. */
export const SHORT_ID_BYTES = 16

/** No more symbols than this in a sketch or a decoder: up to here the expected counts are exact in floating point. */
export const MAX_SYMBOLS = 262_144

/**
 * An ID is in at most so many symbols. On average it is in 21 of the first 65,536, so no digest comes near; the bound is
 * for IDs of somebody who has computed them backwards.
 */
const MAX_INDICES = 128

// The 16 bytes of "registry/symbols" as little-endian words.
const KEY_0 = 0x69676572
const KEY_1 = 0x79727473
const KEY_2 = 0x6d79732f
const KEY_3 = 0x736c6f62
const ROUNDS = 8

/**
 * The checksum of a short ID and the coded symbols it is in. Symbol 0 has every ID; symbol i > 0 has one with the
 * probability 1 - ((2i + 1) / (2i + 3))^2, about 1 / (1 + i/2), independently of the other symbols.
 *
 * One object is used again and again, since the sketch runs through it a million times: `mix` takes an ID as four
 * little-endian words, `walk` then finds indices.
 */
export class Mapping {
  checksum0 = 0
  checksum1 = 0
  /** The first `count` of them are the indices found by the last walk. */
  readonly indices: Int32Array = new Int32Array(MAX_INDICES)
  count = 0
  /** The first index at or after the end of the last walk. */
  next = 0
  #seed2 = 0
  #seed3 = 0

  /**
   * Eight rounds of the permutation of Chaskey (Mouha et al., SAC 2014) over the ID and a fixed key. Its first half is
   * the checksum, all of it the seed of the indices.
   */
  mix(word0: number, word1: number, word2: number, word3: number): void {
    let a = word0 ^ KEY_0
    let b = word1 ^ KEY_1
    let c = word2 ^ KEY_2
    let d = word3 ^ KEY_3
    for (let round = 0; round < ROUNDS; round++) {
      a = (a + b) | 0
      b = ((b << 5) | (b >>> 27)) ^ a
      a = (a << 16) | (a >>> 16)
      c = (c + d) | 0
      d = ((d << 8) | (d >>> 24)) ^ c
      a = (a + d) | 0
      d = ((d << 13) | (d >>> 19)) ^ a
      c = (c + b) | 0
      b = ((b << 7) | (b >>> 25)) ^ c
      c = (c << 16) | (c >>> 16)
    }
    this.checksum0 = a
    this.checksum1 = b
    this.#seed2 = c
    this.#seed3 = d
  }

  /**
   * The indices from `from` up to, not including, `end`. Each step draws 32 bits of xoshiro128++ (Blackman and Vigna,
   * 2021). From index i the next one is beyond x with the probability ((2i + 3) / (2x + 3))^2: the rule of the paper with
   * its 1 / (1 + i/2), in the form that one square root samples. Only IEEE 754 operations that are rounded correctly, so
   * every engine finds the same indices.
   */
  walk(from: number, end: number): void {
    const indices = this.indices
    let a = this.checksum0
    let b = this.checksum1
    let c = this.#seed2
    let d = this.#seed3
    let index = 0
    let count = 0
    for (let step = 0; index < end; step++) {
      if (step === MAX_INDICES) {
        index = Number.POSITIVE_INFINITY
        break
      }
      if (index >= from) indices[count++] = index
      const sum = (a + d) | 0
      const random = (((sum << 7) | (sum >>> 25)) + a) >>> 0
      const shifted = b << 9
      c ^= a
      d ^= b
      b ^= c
      a ^= d
      c ^= shifted
      d = (d << 11) | (d >>> 21)
      index = Math.floor((index + 1.5) * (65_536 / Math.sqrt(random + 1)) - 0.5)
    }
    this.count = count
    this.next = index
  }
}

/** The probability that a short ID is in the symbol `index`. */
export function membership(index: number): number {
  return index === 0 ? 1 : 1 - ((2 * index + 1) / (2 * index + 3)) ** 2
}

/** Of a set of `size`, how many members are expected in the symbol `index`; whole, rounded down. */
export function expectedCount(size: number, index: number): number {
  if (index === 0) return size
  const odd = 2 * index + 3
  return Math.floor((8 * size * (index + 1)) / (odd * odd))
}
