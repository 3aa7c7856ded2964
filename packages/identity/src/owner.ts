import { randomBytes } from 'node:crypto'
import {
  type OwnerDocument,
  type OwnerId,
  type OwnerIdentity,
  parseOwnerDocument,
  type Signer
} from '@registry/types'
import { cidText, decodeCanonical, encodeCanonical } from './canonical.ts'
import { isSafePublicKey } from './ed25519.ts'
import { seal } from './envelope.ts'
import { InvalidRecordError } from './errors.ts'

/**
 * A new owner with one key. The same key and the same nonce (16 bytes, random unless given) are the same owner.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD, a nonce of another length
 */
export async function createOwner(
  signer: Signer,
  nonce: Uint8Array = randomBytes(16)
): Promise<OwnerIdentity> {
  const payload = encodeOwnerDocument({ keys: [signer.publicKey], threshold: 1, nonce })
  return { id: ownerIdOfPayload(payload), inception: await seal('owner', payload, signer), signer }
}

/**
 * The ID of the owner that a document founds: the CID of its canonical encoding.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD
 */
export function ownerIdOf(document: OwnerDocument): OwnerId {
  return ownerIdOfPayload(encodeOwnerDocument(document))
}

export function ownerIdOfPayload(payload: Uint8Array): OwnerId {
  return cidText(payload) as OwnerId
}

/** @throws {InvalidRecordError} ERR_INVALID_RECORD, a key verifies what nobody signed */
export function checkOwnerKeys({ keys }: OwnerDocument): void {
  if (!keys.every(isSafePublicKey)) {
    throw new InvalidRecordError('one of its keys is of small order or not in its canonical encoding')
  }
}

function encodeOwnerDocument(document: OwnerDocument): Uint8Array {
  const payload = encodeCanonical(document)
  checkOwnerKeys(decodeCanonical(payload, parseOwnerDocument))
  return payload
}
