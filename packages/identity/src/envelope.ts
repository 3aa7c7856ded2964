import {
  type Envelope,
  type OwnerDocument,
  type OwnerId,
  parseEnvelope,
  type RecordId,
  type RecordKind,
  type Signer
} from '@registry/types'
import { cidText, decodeCanonical, encodeCanonical } from './canonical.ts'
import { verifySignature } from './ed25519.ts'
import { BadSignatureError, InvalidRecordError } from './errors.ts'

/** Separates these signatures from all others that a key may make. */
const DOMAIN = 'p2p-registry/record/1'

/**
 * The bytes of a record as they are stored and sent; signatures are put in ascending order of their keys.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD, over the size limit, two signatures of one key, or a field of a wrong form
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const signatures = envelope.signatures.toSorted((a, b) => Buffer.compare(a.key, b.key))
  const bytes = encodeCanonical({ ...envelope, signatures })
  decodeEnvelope(bytes)
  return bytes
}

/**
 * The parts of a record, their form and bounds checked and nothing else: neither the payload nor a signature.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD, also when another encoding of the same envelope would be shorter or sorted
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const envelope = decodeCanonical(bytes, parseEnvelope)
  envelope.signatures.forEach(({ key }, index) => {
    const before = envelope.signatures[index - 1]
    if (before !== undefined && Buffer.compare(before.key, key) >= 0) {
      throw new InvalidRecordError('its signatures are not in ascending order of distinct keys')
    }
  })
  return envelope
}

/** The ID of a record: the CID of its encoded envelope. The bytes are not looked at. */
export function recordIdOf(bytes: Uint8Array): RecordId {
  return cidText(bytes) as RecordId
}

/** Signs a payload, which must be canonical, and encodes the envelope. */
export async function seal(kind: RecordKind, payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const signature = await signer.sign(signedBytes(kind, payload))
  return encodeEnvelope({ kind, payload, signatures: [{ key: signer.publicKey, signature }] })
}

/**
 * Passes when exactly as many keys of the document as its threshold says have signed, and nobody else. More would let
 * anyone take a signature away, and foreign ones let anyone add one: a new record ID for the same record.
 *
 * @throws {BadSignatureError} ERR_BAD_SIGNATURE
 */
export function checkSigners(keys: readonly Uint8Array[], owner: OwnerId, document: OwnerDocument): void {
  if (keys.length !== document.threshold) {
    throw new BadSignatureError(owner, `it has ${keys.length} signatures, not exactly ${document.threshold}`)
  }
  for (const key of keys) {
    if (!document.keys.some((own) => Buffer.compare(own, key) === 0)) {
      throw new BadSignatureError(owner, 'one of its signatures is by a key that is not among the owner’s')
    }
  }
}

/** Whether each signature is by the key it names. */
export function hasValidSignatures({ kind, payload, signatures }: Envelope): boolean {
  const message = signedBytes(kind, payload)
  return signatures.every(({ key, signature }) => verifySignature(key, message, signature))
}

/** What a key signs for a record. */
export function signedBytes(kind: RecordKind, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${DOMAIN}\0${kind}\0`), payload])
}
