import semver from 'semver'
import validatePackageName from 'validate-npm-package-name'
import {
  InvalidPackageNameError,
  InvalidReferenceError,
  InvalidValueError,
  InvalidVersionError
} from './errors.ts'

declare const brand: unique symbol
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name }

/** The CID of an owner's inception document, 59 characters of lower-case base32: CIDv1, dag-cbor, sha2-256. */
export type OwnerId = Branded<string, 'OwnerId'>
/** The CID of a record's envelope, in the same form as an `OwnerId`. */
export type RecordId = Branded<string, 'RecordId'>
/** The CID of a tarball: raw up to 1 MiB, above that the dag-pb root of a UnixFS file with raw leaves. */
export type ContentId = Branded<string, 'ContentId'>
/** A name npm would take for a new package, with or without a scope; the scope is no owner ID. */
export type PackageName = Branded<string, 'PackageName'>
/** A SemVer 2.0.0 version; build metadata is part of it, so `1.0.0+a` and `1.0.0+b` are two versions. */
export type Version = Branded<string, 'Version'>
/** A libp2p peer ID as text. */
export type PeerIdText = Branded<string, 'PeerIdText'>

const MAX_NAME_LENGTH = 214
const MAX_VERSION_LENGTH = 128
const DIST_TAG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * CIDs of version 1 with a sha2-256 in lower-case base32: `b`, and 58 digits for the bytes 01, codec, 12, 20 and 32 more.
 * The eighth character has two bits of the 20, the last one two bits that must be zero.
 */
const DAG_CBOR_CID = /^bafyrei[a-h][a-z2-7]{50}[aeimquy4]$/
const RAW_OR_DAG_PB_CID = /^baf(?:krei|ybei)[a-h][a-z2-7]{50}[aeimquy4]$/

function parseCid(value: unknown, field: string, form: RegExp): string {
  if (typeof value === 'string' && form.test(value)) return value
  throw new InvalidValueError(
    field,
    'must be a CID of its kind: version 1 with sha2-256, in lower-case base32'
  )
}

export function parseOwnerId(value: unknown, field = 'owner'): OwnerId {
  return parseCid(value, field, DAG_CBOR_CID) as OwnerId
}

/** Whether a text has the form of an owner ID; says nothing about that owner's existence. */
export function isOwnerId(value: string): value is OwnerId {
  return DAG_CBOR_CID.test(value)
}

export function parseRecordId(value: unknown, field = 'record'): RecordId {
  return parseCid(value, field, DAG_CBOR_CID) as RecordId
}

export function parseContentId(value: unknown, field = 'content'): ContentId {
  return parseCid(value, field, RAW_OR_DAG_PB_CID) as ContentId
}

/** What stands between "@" and the first "/", or nothing. */
function scopeOf(text: string): string {
  return /^@([^/]*)\//.exec(text)?.[1] ?? ''
}

/** @throws {InvalidPackageNameError} ERR_INVALID_NAME */
export function parsePackageName(value: unknown): PackageName {
  if (typeof value !== 'string') throw new InvalidPackageNameError(typeof value, 'it is not a text')
  // npm's own check throws an error of another kind for text that is not well-formed.
  if (value.length > MAX_NAME_LENGTH || !value.isWellFormed()) {
    throw new InvalidPackageNameError(value, `it is longer than ${MAX_NAME_LENGTH} characters or no Unicode`)
  }
  if (isOwnerId(scopeOf(value))) {
    throw new InvalidPackageNameError(
      value,
      'its scope is an owner, and it would read as that owner’s package'
    )
  }
  const checked = validatePackageName(value)
  if (!checked.validForNewPackages) {
    const reason = checked.errors?.[0] ?? checked.warnings?.[0] ?? 'npm does not allow it'
    throw new InvalidPackageNameError(value, reason)
  }
  return value as PackageName
}

/** Lower-case letters, digits and hyphens in two labels or more (RFC 1123), the last one not of digits alone. */
const DOMAIN = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+(?!\d+$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/

/** A domain, as it is written in a name; other alphabets in their ASCII form. @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseDomain(value: unknown, field = 'domain'): PackageName {
  // Such a text is a valid name of a package too, so statements can be about it.
  if (typeof value === 'string' && value.length <= MAX_NAME_LENGTH && DOMAIN.test(value)) {
    return value as PackageName
  }
  throw new InvalidValueError(field, 'must be a domain in lower case, such as "example.org"')
}

/** The domain that the scope of a name is, as of `@example.org/kit`; undefined when its scope is none. */
export function domainOf(name: PackageName): PackageName | undefined {
  const scope = scopeOf(name)
  return DOMAIN.test(scope) ? (scope as PackageName) : undefined
}

/** @throws {InvalidVersionError} ERR_INVALID_VERSION, also for versions SemVer reads only loosely (`v1`, `=1.0.0`) */
export function parseVersion(value: unknown): Version {
  if (typeof value !== 'string') throw new InvalidVersionError(typeof value)
  const parsed = value.length > MAX_VERSION_LENGTH ? null : semver.parse(value)
  // SemVer reads a leading "v" and spaces too, and gives the version without its build metadata.
  if (parsed === null || value !== [parsed.version, parsed.build.join('.')].filter(Boolean).join('+')) {
    throw new InvalidVersionError(value)
  }
  return value as Version
}

/** A SemVer range of at most 256 characters. */
export function parseVersionRange(value: unknown, field: string): string {
  if (typeof value !== 'string' || value.length > 256 || semver.validRange(value) === null) {
    throw new InvalidValueError(field, 'must be a SemVer range')
  }
  return value
}

/** A name for a version. As npm has it, no SemVer range, so that `name@tag` and `name@range` are told apart. */
export function parseDistTag(value: unknown, field = 'tag'): string {
  if (typeof value !== 'string' || !DIST_TAG.test(value) || semver.validRange(value) !== null) {
    throw new InvalidValueError(
      field,
      'must be 1 to 64 letters, digits, ".", "_" or "-", and no version or range'
    )
  }
  return value
}

/** Orders versions by SemVer precedence, then by build metadata; 0 only for equal texts. */
export function compareVersions(a: Version, b: Version): number {
  // `+1` and `+01` are alike to SemVer, and no number above 2^53 is told from its neighbour.
  return semver.compareBuild(a, b) || Number(a > b) - Number(a < b)
}

/** What a person wrote to name a package: all but the name may be missing. */
export interface PackageReference {
  owner?: OwnerId
  name: PackageName
  /** An exact version or a SemVer range. */
  range?: string
  /** A dist-tag. With neither a range nor a tag (also when `@latest` was written) the latest is meant. */
  tag?: string
}

/**
 * Reads `name`, `name@range`, `name@tag`, `@scope/name@range`, and the same after `@<ownerId>/`. An `@…/` is an owner only when it
 * has the form of an owner ID; any other is an npm scope, part of the name.
 *
 * @throws {InvalidReferenceError} ERR_INVALID_REFERENCE
 */
export function parsePackageReference(value: unknown): PackageReference {
  if (typeof value !== 'string') throw new InvalidReferenceError(typeof value, 'it is not a text')
  if (value.length === 0 || value.length > 512) {
    throw new InvalidReferenceError(value, 'it is empty or longer than 512 characters')
  }
  const scope = scopeOf(value)
  const owner = isOwnerId(scope) ? scope : undefined
  const rest = owner === undefined ? value : value.slice(owner.length + 2)
  const at = rest.indexOf('@', 1)
  const nameText = at === -1 ? rest : rest.slice(0, at)
  const written = at === -1 ? undefined : rest.slice(at + 1)
  const range = written === 'latest' ? undefined : written
  let name: PackageName
  try {
    name = parsePackageName(nameText)
  } catch (cause) {
    const reason =
      cause instanceof InvalidPackageNameError ? String(cause.details.reason) : 'its name is not valid'
    throw new InvalidReferenceError(value, reason)
  }
  const reference: PackageReference = { name }
  if (owner !== undefined) reference.owner = owner
  if (range === undefined) return reference
  if (range !== '' && semver.validRange(range) !== null) reference.range = range
  else if (DIST_TAG.test(range)) reference.tag = range
  else throw new InvalidReferenceError(value, `${JSON.stringify(range)} is no version, range or tag`)
  return reference
}

/** The reference as text that `parsePackageReference` reads back. */
export function formatPackageReference(reference: PackageReference): string {
  const owner = reference.owner === undefined ? '' : `@${reference.owner}/`
  const wanted = reference.range ?? reference.tag
  return `${owner}${reference.name}${wanted === undefined ? '' : `@${wanted}`}`
}

/** The file name npm gives a packed package: `@scope/name` 1.0.0 is `scope-name-1.0.0.tgz`. */
export function tarballFileName(name: PackageName, version: Version): string {
  return `${name.replace(/^@/, '').replaceAll('/', '-')}-${version}.tgz`
}
