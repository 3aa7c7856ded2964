import { hash } from 'node:crypto'

const DOMAIN = Buffer.from('p2p-registry/fingerprint/1\0')
const LIMBS = 8

/** Of the digest in a record ID. */
export const DIGEST_BYTES = 32

/** Those that lie one behind the other. */
export function* digestsIn(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.length; start += DIGEST_BYTES) {
    yield bytes.subarray(start, start + DIGEST_BYTES)
  }
}

/** What is hashed for a member; filled anew for each. */
const hashed = Buffer.concat([DOMAIN, Buffer.alloc(DIGEST_BYTES)])

/**
 * A fingerprint of a set, kept as its members come and go: the sum, modulo 2^256, of a hash of each (AdHash: Bellare and
 * Micciancio, A New Paradigm for Collision-Free Hashing, 1997). It tells honest sets apart; it is no proof against
 * someone who makes records in order to collide, who by the generalised birthday attack needs some 2^32 of them (Wagner,
 * 2002), and gains no more than that two peers miss each other's records for one exchange.
 *
 * A member is the 32-byte digest of a record ID; its hash is sha2-256 of `p2p-registry/fingerprint/1\0` and the digest.
 * The digest alone would be as hard to steer, being a hash of the record; the second hash makes the sum independent of
 * whatever else is done with record IDs, as are the sums in a sketch of them, and takes a microsecond.
 */
export class Fingerprint {
  /** Least significant first. */
  readonly #limbs = new Uint32Array(LIMBS)

  /** Of the set whose fingerprint has these 32 bytes; of the empty set unless given. */
  constructor(bytes?: Uint8Array) {
    if (bytes === undefined) return
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let index = 0; index < LIMBS; index++) {
      this.#limbs[index] = view.getUint32((LIMBS - 1 - index) * 4)
    }
  }

  add(member: Uint8Array): void {
    this.#shift(member, 1)
  }

  /** Of a member that was added before. */
  remove(member: Uint8Array): void {
    this.#shift(member, -1)
  }

  /** 32 bytes, big-endian. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(LIMBS * 4)
    const view = new DataView(bytes.buffer)
    this.#limbs.forEach((limb, index) => {
      view.setUint32((LIMBS - 1 - index) * 4, limb)
    })
    return bytes
  }

  #shift(member: Uint8Array, sign: 1 | -1): void {
    hashed.set(member, DOMAIN.length)
    const digest = hash('sha256', hashed, 'buffer')
    let carry = 0
    for (let index = 0; index < LIMBS; index++) {
      const sum = (this.#limbs[index] ?? 0) + sign * digest.readUInt32BE((LIMBS - 1 - index) * 4) + carry
      // Storing keeps the low 32 bits, of negative numbers too.
      this.#limbs[index] = sum
      carry = Math.floor(sum / 2 ** 32)
    }
  }
}
