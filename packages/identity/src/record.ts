import {
  type OwnerDocument,
  type OwnerId,
  parseRelease,
  type RecordId,
  type Release,
  type Signer
} from '@registry/types'
import { decodeCanonical, encodeCanonical } from './canonical.ts'
import { checkSignatures, decodeEnvelope, recordIdOf, seal } from './envelope.ts'
import { OwnerUnknownError } from './errors.ts'
import { decodeOwnerDocument, ownerIdOfPayload } from './owner.ts'

/** What a record says, after its form and its signatures were checked. */
export type VerifiedRecord =
  | { id: RecordId; kind: 'owner'; owner: OwnerId; document: OwnerDocument }
  | { id: RecordId; kind: 'release'; release: Release }

/**
 * Resolves to the record of a release, signed with one key, which must be one of its owner's.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD, a field out of bounds, or more than 64 KiB in all
 */
export async function signRelease(release: Release, signer: Signer): Promise<Uint8Array> {
  const payload = encodeCanonical(release)
  decodeCanonical(payload, parseRelease)
  return seal('release', payload, signer)
}

/**
 * Checks a record as it came from anywhere: size, canonical encoding, every field, owner and signatures.
 * `ownerDocument` gives the document of an owner whose record was verified before.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD
 * @throws {BadSignatureError} ERR_BAD_SIGNATURE
 * @throws {OwnerUnknownError} ERR_OWNER_UNKNOWN (retryable), `ownerDocument` has none for a release
 */
export function verifyRecord(
  bytes: Uint8Array,
  ownerDocument: (id: OwnerId) => OwnerDocument | undefined
): VerifiedRecord {
  const envelope = decodeEnvelope(bytes)
  const id = recordIdOf(bytes)
  if (envelope.kind === 'owner') {
    const document = decodeOwnerDocument(envelope.payload)
    const owner = ownerIdOfPayload(envelope.payload)
    checkSignatures(envelope, owner, document)
    return { id, kind: 'owner', owner, document }
  }
  const release = decodeCanonical(envelope.payload, parseRelease)
  const document = ownerDocument(release.owner)
  if (document === undefined) throw new OwnerUnknownError(release.owner)
  checkSignatures(envelope, release.owner, document)
  return { id, kind: 'release', release }
}
