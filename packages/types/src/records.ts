import { InvalidValueError } from './errors.ts'
import { PROTOCOL_LIMITS } from './limits.ts'
import {
  type ContentId,
  type OwnerId,
  type PackageName,
  parseContentId,
  parseDistTag,
  parseDomain,
  parseOwnerId,
  parsePackageName,
  parseVersion,
  parseVersionRange,
  type RecordId,
  type Version
} from './names.ts'
import { type NpmFields, parseNpmFields } from './npm-fields.ts'
import {
  parseBytes,
  parseCount,
  parseFlag,
  parseList,
  parseMap,
  parseOneOf,
  parseOptionalText,
  parseText,
  parseTextMap
} from './parse.ts'
import type { BlobInfo } from './store.ts'

/** The kinds of record, in the order in which a peer must receive them to check each at once. */
export const RECORD_KINDS = ['owner', 'release', 'statement', 'attestation'] as const
export type RecordKind = (typeof RECORD_KINDS)[number]

/** One key's signature: a raw Ed25519 public key (32 bytes) and signature (64 bytes). */
export interface RecordSignature {
  key: Uint8Array
  signature: Uint8Array
}

/** The signed form of a record. Its canonical DAG-CBOR encoding is what is stored, sent and named by `RecordId`. */
export interface Envelope {
  kind: RecordKind
  /** Canonical DAG-CBOR of the record itself. */
  payload: Uint8Array
  signatures: RecordSignature[]
}

/** Who may sign for an owner. The CID of the first one is the owner's ID. */
export interface OwnerDocument {
  /** Raw Ed25519 public keys, 32 bytes each. */
  keys: Uint8Array[]
  /** How many of the keys must sign. */
  threshold: number
  /** 16 random bytes, so that the same key can found two owners. */
  nonce: Uint8Array
}

/** The manifest inside the tarball that a release was made from. */
export interface ManifestReference {
  /** `package.json`, `registry.toml`, `pack.toml`, `package.toml` or `gpack.toml`. */
  file: string
  /** sha2-256 of the manifest's bytes, 64 hexadecimal digits. */
  sha256: string
}

/** One version of one package as its owner signed it. Immutable; nothing that a peer computes is in it. */
export interface Release {
  owner: OwnerId
  name: PackageName
  version: Version
  description: string
  /** `uncategorized` when the manifest names none. */
  category: string
  tags: string[]
  keywords: string[]
  /** SPDX expression; absent when the manifest declares none. */
  license?: string
  authors: string[]
  repository?: string
  homepage?: string
  /** Package name to SemVer range. */
  dependencies: Record<string, string>
  platforms: string[]
  features: Record<string, string>
  runtimeVersion?: string
  /** Bytes of the tarball. */
  size: number
  /** Bytes of all files in it. */
  unpackedSize: number
  fileCount: number
  content: ContentId
  /** Subresource integrity of the tarball: `sha512-` and base64. */
  integrity: string
  manifest: ManifestReference
  /** Absent when npm's clients cannot install it: the tarball has no `package.json` of this name and version. */
  npm?: NpmFields
  /** The publisher's clock at publication, ms since the epoch; a claim, nothing is decided by it alone. */
  claimedAtMs: number
}

/**
 * What an owner says of a package and may say otherwise later. Of two statements of one field the one with the higher
 * `seq` holds, then the one with the greater record ID; the other is dropped.
 */
export interface Statement {
  owner: OwnerId
  name: PackageName
  /** Counts the statements of one field, from 1. */
  seq: number
  fact: StatementFact
  /** The publisher's clock, ms since the epoch; a claim. */
  claimedAtMs: number
}

export type StatementFact =
  /** A name for a version, as `latest`; null takes the name away. */
  | { field: 'dist-tag'; tag: string; version: Version | null }
  /** Why not to use a version any more; null takes it back. */
  | { field: 'deprecation'; version: Version; message: string | null }
  /** A version that no range resolves to any more, with the reason, which may be empty; null takes it back. */
  | { field: 'yank'; version: Version; reason: string | null }
  /** A version that is gone, and its number burned: there is no taking back. */
  | { field: 'unpublish'; version: Version; reason: string }
  /** The text that presents the package, of at most `PROTOCOL_LIMITS.chunkBytes`; null for none. */
  | { field: 'readme'; content: BlobInfo | null }
  /** Said by a curator: whose package this name means to those who follow him, be it his or another's; null takes it back. */
  | { field: 'alias'; owner: OwnerId | null }
  /** The name is a domain, and is claimed; it is the owner's where the domain's DNS says so too. */
  | { field: 'domain'; claimed: boolean }

/** What a third party vouches for or warns of. Any owner may sign one about any package. */
export interface Attestation {
  /** Who says it. */
  issuer: OwnerId
  /** The package it is about. */
  owner: OwnerId
  name: PackageName
  claim: AttestationClaim
  /** SemVer range of the versions it is about; `*` for all. */
  versions: string
  /** Of an advisory; absent else. */
  severity?: AdvisorySeverity
  text: string
  /** Where to read more. */
  url?: string
  claimedAtMs: number
}

export const ATTESTATION_CLAIMS = ['rebuild', 'review', 'advisory', 'block'] as const
/** `rebuild` and `review` vouch, `advisory` and `block` warn. */
export type AttestationClaim = (typeof ATTESTATION_CLAIMS)[number]

export const ADVISORY_SEVERITIES = ['low', 'moderate', 'high', 'critical'] as const
export type AdvisorySeverity = (typeof ADVISORY_SEVERITIES)[number]

/** A release that this peer has verified and stored, and what its owner says of it now. */
export interface ReleaseRecord {
  id: RecordId
  release: Release
  /** When this peer first stored it, ms since the epoch. */
  firstSeenMs: number
  /** Two different releases are signed for this owner, name and version; neither may be handed out unasked. */
  conflicted: boolean
  /** Why its owner advises against it; absent when he does not. */
  deprecated?: string
  /** Why its owner took it back, perhaps an empty text; absent when he did not. No range resolves to it. */
  yanked?: string
  /** Its owner unpublished it: it counts as gone, and its number is never used again. */
  unpublished: boolean
}

/** An attestation that this peer has verified and stored. */
export interface AttestationRecord {
  id: RecordId
  attestation: Attestation
  firstSeenMs: number
}

const MAX_TEXT = 16 * 1024
const MAX_REASON = 1024
/** Control characters, separators of lines and of paragraphs, and what changes the direction of a text. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseEnvelope(value: unknown): Envelope {
  const map = parseMap(value, 'envelope')
  const signatures = parseList(map.signatures, 'envelope.signatures', 16, (item, field) => {
    const entry = parseMap(item, field)
    return {
      key: parseBytes(entry.key, `${field}.key`, 32, 32),
      signature: parseBytes(entry.signature, `${field}.signature`, 64, 64)
    }
  })
  if (signatures.length === 0) throw new InvalidValueError('envelope.signatures', 'must not be empty')
  return {
    kind: parseOneOf(map.kind, 'envelope.kind', RECORD_KINDS),
    payload: parseBytes(map.payload, 'envelope.payload', PROTOCOL_LIMITS.maxRecordBytes),
    signatures
  }
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseOwnerDocument(value: unknown): OwnerDocument {
  const map = parseMap(value, 'owner')
  const keys = parseList(map.keys, 'owner.keys', 16, (item, field) => parseBytes(item, field, 32, 32))
  if (keys.length === 0) throw new InvalidValueError('owner.keys', 'must not be empty')
  if (new Set(keys.map((key) => key.join())).size !== keys.length) {
    throw new InvalidValueError('owner.keys', 'must not repeat a key')
  }
  const threshold = parseCount(map.threshold, 'owner.threshold', keys.length)
  if (threshold === 0) throw new InvalidValueError('owner.threshold', 'must be at least 1')
  return { keys, threshold, nonce: parseBytes(map.nonce, 'owner.nonce', 16, 16) }
}

/** @throws {RegistryError} ERR_INVALID_VALUE, ERR_INVALID_NAME or ERR_INVALID_VERSION */
export function parseStatement(value: unknown): Statement {
  const map = parseMap(value, 'statement')
  const seq = parseCount(map.seq, 'statement.seq')
  if (seq === 0) throw new InvalidValueError('statement.seq', 'must be at least 1')
  return {
    owner: parseOwnerId(map.owner, 'statement.owner'),
    name: parsePackageName(map.name),
    seq,
    fact: parseStatementFact(map.fact, map.name),
    claimedAtMs: parseCount(map.claimedAtMs, 'statement.claimedAtMs')
  }
}

function parseStatementFact(value: unknown, name: unknown): StatementFact {
  const map = parseMap(value, 'statement.fact')
  switch (map.field) {
    case 'dist-tag':
      return {
        field: 'dist-tag',
        tag: parseDistTag(map.tag, 'statement.fact.tag'),
        version: map.version === null ? null : parseVersion(map.version)
      }
    case 'deprecation':
      return {
        field: 'deprecation',
        version: parseVersion(map.version),
        message: map.message === null ? null : parseReason(map.message, 'statement.fact.message')
      }
    case 'yank':
      return {
        field: 'yank',
        version: parseVersion(map.version),
        reason: map.reason === null ? null : parseReason(map.reason, 'statement.fact.reason')
      }
    case 'unpublish':
      return {
        field: 'unpublish',
        version: parseVersion(map.version),
        reason: parseReason(map.reason, 'statement.fact.reason')
      }
    case 'readme':
      return {
        field: 'readme',
        content: map.content === null ? null : parseReadmeContent(map.content, 'statement.fact.content')
      }
    case 'alias':
      return {
        field: 'alias',
        owner: map.owner === null ? null : parseOwnerId(map.owner, 'statement.fact.owner')
      }
    case 'domain':
      parseDomain(name, 'statement.name')
      return { field: 'domain', claimed: parseFlag(map.claimed, 'statement.fact.claimed') }
    default:
      throw new InvalidValueError('statement.fact.field', 'is not a known field')
  }
}

function parseReadmeContent(value: unknown, field: string): BlobInfo {
  const map = parseMap(value, field)
  return {
    cid: parseContentId(map.cid, `${field}.cid`),
    size: parseCount(map.size, `${field}.size`, PROTOCOL_LIMITS.chunkBytes),
    integrity: parseIntegrity(map.integrity, `${field}.integrity`)
  }
}

/** The field that a statement is of: of two statements of an owner, a name and this text only one holds. */
export function statementField(fact: StatementFact): string {
  switch (fact.field) {
    case 'dist-tag':
      return `dist-tag ${fact.tag}`
    case 'readme':
    case 'alias':
    case 'domain':
      return fact.field
    default:
      return `${fact.field} ${fact.version}`
  }
}

/** @throws {RegistryError} ERR_INVALID_VALUE or ERR_INVALID_NAME */
export function parseAttestation(value: unknown): Attestation {
  const map = parseMap(value, 'attestation')
  const claim = parseOneOf(map.claim, 'attestation.claim', ATTESTATION_CLAIMS)
  const attestation: Attestation = {
    issuer: parseOwnerId(map.issuer, 'attestation.issuer'),
    owner: parseOwnerId(map.owner, 'attestation.owner'),
    name: parsePackageName(map.name),
    claim,
    versions: parseVersionRange(map.versions, 'attestation.versions'),
    text: parseAttestationText(map.text, 'attestation.text'),
    claimedAtMs: parseCount(map.claimedAtMs, 'attestation.claimedAtMs')
  }
  const url = parseOptionalText(map.url, 'attestation.url', 1024)
  // Others write it for people to follow.
  if (url !== undefined && !/^https?:\/\//.test(url)) {
    throw new InvalidValueError('attestation.url', 'must begin with "https://" or "http://"')
  }
  if (url !== undefined) attestation.url = url
  if (map.severity !== undefined) {
    if (claim !== 'advisory') throw new InvalidValueError('attestation.severity', 'is for an advisory only')
    attestation.severity = parseOneOf(map.severity, 'attestation.severity', ADVISORY_SEVERITIES)
  }
  return attestation
}

/** Of one line, without what would make a terminal or a page show something else: controls and changes of direction. */
function parseReason(value: unknown, field: string): string {
  const text = parseText(value, field, MAX_REASON)
  if (UNSEEN.test(text)) throw new InvalidValueError(field, 'must not have control characters or line breaks')
  return text
}

/** As a reason, and longer; it may have line breaks and tabs. */
function parseAttestationText(value: unknown, field: string): string {
  const text = parseText(value, field, MAX_TEXT)
  if (text.trim() === '') throw new InvalidValueError(field, 'must say something')
  if (UNSEEN.test(text.replace(/[\n\t]/g, ''))) {
    throw new InvalidValueError(field, 'must not have control characters')
  }
  return text
}

const shortText = (item: unknown, field: string): string => parseText(item, field, 256)

/** @throws {RegistryError} ERR_INVALID_VALUE, ERR_INVALID_NAME or ERR_INVALID_VERSION */
export function parseRelease(value: unknown): Release {
  const map = parseMap(value, 'release')
  const manifest = parseMap(map.manifest, 'release.manifest')
  const release: Release = {
    owner: parseOwnerId(map.owner, 'release.owner'),
    name: parsePackageName(map.name),
    version: parseVersion(map.version),
    description: parseText(map.description, 'release.description', MAX_TEXT),
    category: parseText(map.category, 'release.category', 64),
    tags: parseList(map.tags, 'release.tags', 64, shortText),
    keywords: parseList(map.keywords, 'release.keywords', 64, shortText),
    authors: parseList(map.authors, 'release.authors', 64, shortText),
    dependencies: parseTextMap(map.dependencies, 'release.dependencies', 1024, 256, 1024),
    platforms: parseList(map.platforms, 'release.platforms', 64, shortText),
    features: parseTextMap(map.features, 'release.features', 256, 256, 1024),
    size: parseCount(map.size, 'release.size', PROTOCOL_LIMITS.maxPackageBytes),
    unpackedSize: parseCount(map.unpackedSize, 'release.unpackedSize'),
    fileCount: parseCount(map.fileCount, 'release.fileCount'),
    content: parseContentId(map.content, 'release.content'),
    integrity: parseIntegrity(map.integrity, 'release.integrity'),
    manifest: {
      file: parseText(manifest.file, 'release.manifest.file', 64),
      sha256: parseSha256(manifest.sha256, 'release.manifest.sha256')
    },
    claimedAtMs: parseCount(map.claimedAtMs, 'release.claimedAtMs')
  }
  const license = parseOptionalText(map.license, 'release.license', 256)
  const repository = parseOptionalText(map.repository, 'release.repository', 1024)
  const homepage = parseOptionalText(map.homepage, 'release.homepage', 1024)
  const runtimeVersion = parseOptionalText(map.runtimeVersion, 'release.runtimeVersion', 256)
  if (license !== undefined) release.license = license
  if (repository !== undefined) release.repository = repository
  if (homepage !== undefined) release.homepage = homepage
  if (runtimeVersion !== undefined) release.runtimeVersion = runtimeVersion
  if (map.npm !== undefined) release.npm = parseNpmFields(map.npm, 'release.npm')
  return release
}

function parseIntegrity(value: unknown, field: string): string {
  const text = parseText(value, field, 95)
  // 64 bytes are 86 base64 digits and two "="; the last digit carries 2 bits, so only four digits may stand there.
  if (!/^sha512-[A-Za-z0-9+/]{85}[AQgw]==$/.test(text)) {
    throw new InvalidValueError(field, 'must be "sha512-" and the base64 of 64 bytes')
  }
  return text
}

function parseSha256(value: unknown, field: string): string {
  const text = parseText(value, field, 64)
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new InvalidValueError(field, 'must be 64 lower-case hexadecimal digits')
  return text
}
