import type { OwnerId } from './names.ts'

/** Signs with one Ed25519 key; the key itself never leaves it. */
export interface Signer {
  /** Raw public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** Resolves to the 64-byte signature of exactly `message`. */
  sign(message: Uint8Array): Promise<Uint8Array>
}

/** An owner this peer can publish as. */
export interface OwnerIdentity {
  readonly id: OwnerId
  /** The encoded envelope of the owner's inception document. */
  readonly inception: Uint8Array
  readonly signer: Signer
}
