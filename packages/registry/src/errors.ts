import {
  type CatalogueImportReport,
  formatPackageReference,
  type OwnerId,
  type PackageName,
  type PackageReference,
  RegistryError,
  type Version
} from '@registry/types'

/** Asked before `start` or after `stop`. */
export class NotRunningError extends RegistryError<'ERR_NOT_RUNNING'> {
  constructor() {
    super('ERR_NOT_RUNNING', 'The registry is not running', { retryable: true, hint: 'Start it first.' })
  }
}

/** A release is never changed: what is published under a version stays. */
export class VersionExistsError extends RegistryError<'ERR_VERSION_EXISTS'> {
  constructor(owner: OwnerId, name: PackageName, version: Version) {
    super('ERR_VERSION_EXISTS', `@${owner}/${name}@${version} is published already`, {
      hint: 'Raise the version in the manifest, or give another one; the number of one unpublished is burned.',
      details: { owner, name, version }
    })
  }
}

/** The manifest inside a tarball is of another package than the caller says. */
export class UnexpectedPackageError extends RegistryError<'ERR_UNEXPECTED_PACKAGE'> {
  constructor(
    found: { name: PackageName; version: Version },
    expected: { readonly name: string; readonly version: string }
  ) {
    super(
      'ERR_UNEXPECTED_PACKAGE',
      `The manifest in the tarball is of ${found.name}@${found.version}, not of ${expected.name}@${expected.version}`,
      {
        hint: 'Pack it again; the manifest that is packed decides the name and the version.',
        details: { found: `${found.name}@${found.version}`, expected: `${expected.name}@${expected.version}` }
      }
    )
  }
}

/** Its owner signed several contents for one version, so none of them can be trusted. */
export class VersionConflictedError extends RegistryError<'ERR_VERSION_CONFLICTED'> {
  constructor(owner: OwnerId, name: PackageName, version: Version, cids: readonly string[]) {
    super(
      'ERR_VERSION_CONFLICTED',
      `The owner of @${owner}/${name} signed ${cids.length} contents for ${version}: ${cids.join(', ')}`,
      {
        hint: 'Ask for another version, or pin the content you trust by its integrity; ask its owner for an explanation.',
        details: { owner, name, version, cids: [...cids] }
      }
    )
  }
}

/** Not a cursor of an update, or one of another peer or of a catalogue that was deleted since. */
export class InvalidCursorError extends RegistryError<'ERR_INVALID_CURSOR'> {
  constructor(cursor: string) {
    super('ERR_INVALID_CURSOR', `${JSON.stringify(cursor.slice(0, 80))} marks no update of this catalogue`, {
      hint: 'Subscribe without a cursor, and take the packages there are from a listing.',
      details: { cursor: cursor.slice(0, 256) }
    })
  }
}

/** The file of name decisions is damaged. Going on without would let names pass to other owners. */
export class CorruptNamesError extends RegistryError<'ERR_CORRUPT_NAMES'> {
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super('ERR_CORRUPT_NAMES', `${JSON.stringify(path)} cannot be read: ${reason}`, {
      hint: 'Correct the file, or delete it and decide again whose package each name means.',
      details: { path, reason },
      cause
    })
  }
}

/** No package or no version of it is what a statement or an attestation would be about. */
export class PackageNotFoundError extends RegistryError<'ERR_NOT_FOUND'> {
  constructor(reference: PackageReference, versions: readonly Version[], tags: readonly string[] = []) {
    const what = formatPackageReference(reference)
    const there = versions.length === 0 ? '' : `; there is ${listOf(versions)}`
    const tagged = reference.tag === undefined || tags.length === 0 ? '' : `, and the tags ${listOf(tags)}`
    super('ERR_NOT_FOUND', `${what} is not known to this peer${there}${tagged}`, {
      hint:
        versions.length === 0
          ? 'Check the spelling, or compare catalogues with other peers now: registry sync'
          : 'Name one of the versions there are, or a range that fits one.',
      details: { what, versions: versions.slice(0, MAX_LISTED), tags: tags.slice(0, MAX_LISTED) }
    })
  }
}

/** Only its owner can state something of a package. */
export class NotOwnerError extends RegistryError<'ERR_NOT_OWNER'> {
  constructor(name: PackageName, owners: readonly OwnerId[], self: OwnerId) {
    const named = owners.slice(0, MAX_LISTED).map((owner) => `@${owner}/${name}`)
    super('ERR_NOT_OWNER', `${listOf(named)} ${owners.length === 1 ? 'is' : 'are'} not yours`, {
      hint: `This peer speaks for @${self}. Anybody can warn of a package or vouch for it: registry attest`,
      details: { name, owners: owners.slice(0, MAX_LISTED), self }
    })
  }
}

/** The pinned content is none of those that are signed for what was asked for. */
export class IntegrityMismatchError extends RegistryError<'ERR_INTEGRITY_MISMATCH'> {
  constructor(reference: PackageReference, expected: string, found: readonly string[]) {
    const what = formatPackageReference(reference)
    super('ERR_INTEGRITY_MISMATCH', `No content that is signed for ${what} has the integrity ${expected}`, {
      hint: 'Do not use it before you know why: the lock names a content that its owner does not.',
      details: { what, expected, found: found.slice(0, MAX_LISTED) }
    })
  }
}

/** The name is under a domain, and whose that is cannot be told. */
export class DomainUnprovenError extends RegistryError<'ERR_DOMAIN_UNPROVEN'> {
  /** `named` is what the DNS names, undefined when it did not answer. */
  constructor(
    domain: PackageName,
    recordName: string,
    claimants: readonly OwnerId[],
    named: readonly OwnerId[] = []
  ) {
    const told =
      named.length === 0 ? 'its DNS names no owner that claims it here' : `its DNS names ${listOf(named)}`
    super('ERR_DOMAIN_UNPROVEN', `Whose the domain ${domain} is cannot be told: ${told}`, {
      hint: `Its owner runs "registry domain claim ${domain}" and sets ${recordName} TXT "owner=OWNER" in its DNS; or say whom you mean, registry pin NAME OWNER.`,
      details: { domain, claimants: claimants.slice(0, MAX_LISTED), named: named.slice(0, MAX_LISTED) }
    })
  }
}

/** What came is not the content that was expected. */
export class ContentMismatchError extends RegistryError<'ERR_HASH_MISMATCH'> {
  constructor(expected: string, found: string) {
    super('ERR_HASH_MISMATCH', `The content has the integrity ${found}, not ${expected}`, {
      details: { expected, found }
    })
  }
}

/** One thing that is wrong with a catalogue file, `offset` bytes from its beginning. */
export interface CatalogueFileFault {
  offset: number
  reason: string
}

/**
 * A catalogue file is cut off, damaged or no such file. What an import could take of it is in the catalogue, as `details.report`
 * says; `details.faults` has the first faults.
 */
export class InvalidCatalogueFileError extends RegistryError<'ERR_INVALID_CATALOGUE_FILE'> {
  readonly faults: readonly CatalogueFileFault[]

  constructor(
    path: string,
    faults: readonly CatalogueFileFault[],
    count: number,
    report?: CatalogueImportReport
  ) {
    const [first] = faults
    const more = count > 1 ? `, and ${count - 1} more` : ''
    super(
      'ERR_INVALID_CATALOGUE_FILE',
      `${JSON.stringify(path)}: ${first?.reason} (at byte ${first?.offset}${more})`,
      {
        hint:
          report === undefined
            ? 'Copy it again, or export the catalogue anew.'
            : 'What is whole of it was taken. Copy it again, or get the rest from other peers: registry sync',
        details: { path, offset: first?.offset, faults, count, ...(report === undefined ? {} : { report }) }
      }
    )
    this.faults = faults
  }
}

const MAX_LISTED = 20

function listOf(items: readonly string[]): string {
  const more = items.length > MAX_LISTED ? ` and ${items.length - MAX_LISTED} more` : ''
  return items.slice(0, MAX_LISTED).join(', ') + more
}
