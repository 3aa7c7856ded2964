import { hash } from 'node:crypto'

const DOMAIN = Buffer.from('p2p-registry/fingerprint/1\0')
const LIMBS = 8

/**
 * A fingerprint of a set, kept as its members come and go: the sum, modulo 2^256, of a hash of each (AdHash: Bellare and
 * Micciancio, A New Paradigm for Collision-Free Hashing, 1997). It tells honest sets apart; it is no proof against
 * someone who makes records in order to collide, which gains them no more than that two peers miss each other's records
 * for one exchange.
 *
 * A member is the 32-byte digest of a record ID; its hash is sha2-256 of `p2p-registry/fingerprint/1\0` and the digest.
 */
export class Fingerprint {
  /** Least significant first. */
  readonly #limbs = new Uint32Array(LIMBS)

  add(member: Uint8Array): void {
    this.#shift(member, 1)
  }

  /** Of a member that was added before. */
  remove(member: Uint8Array): void {
    this.#shift(member, -1)
  }

  clear(): void {
    this.#limbs.fill(0)
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
    const digest = hash('sha256', Buffer.concat([DOMAIN, member]), 'buffer')
    let carry = 0
    for (let index = 0; index < LIMBS; index++) {
      const sum = (this.#limbs[index] ?? 0) + sign * digest.readUInt32BE((LIMBS - 1 - index) * 4) + carry
      // Storing keeps the low 32 bits, of negative numbers too.
      this.#limbs[index] = sum
      carry = Math.floor(sum / 2 ** 32)
    }
  }
}
