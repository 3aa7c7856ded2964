/**
 * @packageDocumentation
 *
 * Who signs what: Ed25519 keys, the canonical encoding of records and their IDs, owners as hashes of their first
 * document, checking of records from anywhere, and the decision which owner a short name means. Synchronous where no
 * disk is touched; opens nothing but key files.
 */

export { createSigner, generatePrivateKey } from './ed25519.ts'
export { decodeEnvelope, encodeEnvelope, recordIdOf } from './envelope.ts'
export {
  AmbiguousNameError,
  BadSignatureError,
  CorruptKeyError,
  InvalidRecordError,
  KeyFileError,
  OwnerUnknownError
} from './errors.ts'
export { loadOrCreateKeyFile } from './key-file.ts'
export { createOwner, ownerIdOf } from './owner.ts'
export { loadOrCreateOwner } from './owner-file.ts'
export {
  authorizeRecord,
  type CheckedRecord,
  checkRecord,
  readRecord,
  signAttestation,
  signingOwnerOf,
  signRelease,
  signStatement,
  type VerifiedRecord,
  verifyRecord
} from './record.ts'
export { type Curation, type NameResolution, resolveOwner } from './resolve-owner.ts'
