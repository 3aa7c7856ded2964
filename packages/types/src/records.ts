import { InvalidValueError } from './errors.ts'
import { PROTOCOL_LIMITS } from './limits.ts'
import {
  type ContentId,
  type OwnerId,
  type PackageName,
  parseContentId,
  parseOwnerId,
  parsePackageName,
  parseVersion,
  type RecordId,
  type Version
} from './names.ts'
import {
  parseBytes,
  parseCount,
  parseList,
  parseMap,
  parseOptionalText,
  parseText,
  parseTextMap
} from './parse.ts'

/** The kinds of record, in the order in which a peer must receive them to check each at once. */
export const RECORD_KINDS = ['owner', 'release'] as const
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
  /** The publisher's clock at publication, ms since the epoch; a claim, nothing is decided by it alone. */
  claimedAtMs: number
}

/** A release that this peer has verified and stored. */
export interface ReleaseRecord {
  id: RecordId
  release: Release
  /** When this peer first stored it, ms since the epoch. */
  firstSeenMs: number
  /** Two different releases are signed for this owner, name and version; neither may be handed out unasked. */
  conflicted: boolean
}

const MAX_TEXT = 16 * 1024

function isRecordKind(value: unknown): value is RecordKind {
  return RECORD_KINDS.some((kind) => kind === value)
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseEnvelope(value: unknown): Envelope {
  const map = parseMap(value, 'envelope')
  if (!isRecordKind(map.kind)) throw new InvalidValueError('envelope.kind', 'is not a known kind of record')
  const signatures = parseList(map.signatures, 'envelope.signatures', 16, (item, field) => {
    const entry = parseMap(item, field)
    return {
      key: parseBytes(entry.key, `${field}.key`, 32, 32),
      signature: parseBytes(entry.signature, `${field}.signature`, 64, 64)
    }
  })
  if (signatures.length === 0) throw new InvalidValueError('envelope.signatures', 'must not be empty')
  return {
    kind: map.kind,
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
