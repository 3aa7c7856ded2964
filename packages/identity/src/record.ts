import { hash } from 'node:crypto'
import { decode } from '@ipld/dag-cbor'
import {
  type Attestation,
  type Envelope,
  type OwnerDocument,
  type OwnerId,
  parseAttestation,
  parseEnvelope,
  parseOwnerDocument,
  parseRelease,
  parseStatement,
  type RecordId,
  type RecordKind,
  type Release,
  type Signer,
  type Statement
} from '@registry/types'
import { decodeCanonical, encodeCanonical } from './canonical.ts'
import { checkSigners, decodeEnvelope, hasValidSignatures, recordIdOf, seal } from './envelope.ts'
import { BadSignatureError, OwnerUnknownError } from './errors.ts'
import { checkOwnerKeys, ownerIdOfPayload } from './owner.ts'

/** What a record says, after its form and its signatures were checked. */
export type VerifiedRecord =
  | { id: RecordId; kind: 'owner'; owner: OwnerId; document: OwnerDocument }
  /** `digest`: sha2-256 of what was signed, 32 bytes; the same in every envelope around one release. */
  | { id: RecordId; kind: 'release'; release: Release; digest: Uint8Array }
  | { id: RecordId; kind: 'statement'; statement: Statement }
  | { id: RecordId; kind: 'attestation'; attestation: Attestation }

/** The document of an owner whose record was verified before, or undefined. */
type OwnerDocuments = (id: OwnerId) => OwnerDocument | undefined

/**
 * Resolves to the record of a release, signed with one key, which must be one of its owner's.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD, a field out of bounds, or more than 64 KiB in all
 */
export function signRelease(release: Release, signer: Signer): Promise<Uint8Array> {
  return signPayload('release', release, parseRelease, signer)
}

/** As `signRelease`, for a statement; the key must be one of its owner's. */
export function signStatement(statement: Statement, signer: Signer): Promise<Uint8Array> {
  return signPayload('statement', statement, parseStatement, signer)
}

/** As `signRelease`, for an attestation; the key must be one of its issuer's. */
export function signAttestation(attestation: Attestation, signer: Signer): Promise<Uint8Array> {
  return signPayload('attestation', attestation, parseAttestation, signer)
}

async function signPayload(
  kind: RecordKind,
  value: unknown,
  parse: (value: unknown) => unknown,
  signer: Signer
): Promise<Uint8Array> {
  const payload = encodeCanonical(value)
  decodeCanonical(payload, parse)
  return seal(kind, payload, signer)
}

/** A record whose form was checked, and what is to be known in order to say whether it is its owner's. */
export interface CheckedRecord {
  record: VerifiedRecord
  /** The keys that are said to have signed, 32 bytes each. */
  keys: Uint8Array[]
  /** They have. */
  signed: boolean
}

/**
 * Checks a record as it came from anywhere: size, canonical encoding, every field, owner and signatures.
 * `ownerDocument` gives the document of an owner whose record was verified before; it is asked for the owner of a release
 * or a statement and for the issuer of an attestation. The same as `checkRecord` and then `authorizeRecord`, but that no
 * signature is looked at whose key may not sign.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD
 * @throws {OwnerUnknownError} ERR_OWNER_UNKNOWN (retryable), `ownerDocument` has none
 * @throws {BadSignatureError} ERR_BAD_SIGNATURE
 */
export function verifyRecord(bytes: Uint8Array, ownerDocument: OwnerDocuments): VerifiedRecord {
  const { envelope, record, keys } = parseRecord(bytes)
  return authorize(record, keys, ownerDocument, () => hasValidSignatures(envelope))
}

/**
 * The part of `verifyRecord` that needs the bytes alone, and nearly all of its time. Without state, so that it runs in any
 * thread and for many records in any order; what it returns can be cloned from one thread to another.
 *
 * @throws {InvalidRecordError} ERR_INVALID_RECORD
 */
export function checkRecord(bytes: Uint8Array): CheckedRecord {
  const { envelope, record, keys } = parseRecord(bytes)
  return { record, keys, signed: hasValidSignatures(envelope) }
}

/** The rest of `verifyRecord`: whether those who signed may speak for the owner. Throws as that does. */
export function authorizeRecord(
  { record, keys, signed }: CheckedRecord,
  ownerDocument: OwnerDocuments
): VerifiedRecord {
  return authorize(record, keys, ownerDocument, () => signed)
}

/**
 * What a record says that `verifyRecord` has passed before, in a fraction of its time: neither its encoding nor its
 * signatures are looked at again.
 *
 * @throws {RegistryError} ERR_INVALID_VALUE, ERR_INVALID_NAME or ERR_INVALID_VERSION, it never was a record
 */
export function readRecord(bytes: Uint8Array): VerifiedRecord {
  return recordOf(bytes, parseEnvelope(decode(bytes)), (payload, parse) => parse(decode(payload)))
}

/** The owner whose keys must have signed a record. */
export function signingOwnerOf(record: VerifiedRecord): OwnerId {
  switch (record.kind) {
    case 'owner':
      return record.owner
    case 'release':
      return record.release.owner
    case 'statement':
      return record.statement.owner
    case 'attestation':
      return record.attestation.issuer
  }
}

function parseRecord(bytes: Uint8Array): { envelope: Envelope; record: VerifiedRecord; keys: Uint8Array[] } {
  const envelope = decodeEnvelope(bytes)
  const record = recordOf(bytes, envelope, decodeCanonical)
  if (record.kind === 'owner') checkOwnerKeys(record.document)
  return { envelope, record, keys: envelope.signatures.map(({ key }) => key) }
}

function authorize(
  record: VerifiedRecord,
  keys: readonly Uint8Array[],
  ownerDocument: OwnerDocuments,
  isSigned: () => boolean
): VerifiedRecord {
  const owner = signingOwnerOf(record)
  const document = record.kind === 'owner' ? record.document : ownerDocument(owner)
  if (document === undefined) throw new OwnerUnknownError(owner)
  checkSigners(keys, owner, document)
  if (!isSigned()) throw new BadSignatureError(owner, 'a signature does not match')
  return record
}

function recordOf(
  bytes: Uint8Array,
  { kind, payload }: Envelope,
  read: <T>(payload: Uint8Array, parse: (value: unknown) => T) => T
): VerifiedRecord {
  const id = recordIdOf(bytes)
  switch (kind) {
    case 'owner':
      return { id, kind, owner: ownerIdOfPayload(payload), document: read(payload, parseOwnerDocument) }
    case 'release': {
      const digest = new Uint8Array(hash('sha256', payload, 'buffer'))
      return { id, kind, release: read(payload, parseRelease), digest }
    }
    case 'statement':
      return { id, kind, statement: read(payload, parseStatement) }
    case 'attestation':
      return { id, kind, attestation: read(payload, parseAttestation) }
  }
}
