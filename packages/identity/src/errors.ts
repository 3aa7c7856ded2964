import {
  formatPackageReference,
  type OwnerId,
  type PackageReference,
  RegistryError,
  type RegistryErrorOptions
} from '@registry/types'

/** The bytes are no record of this protocol: not canonical, too large, a field out of bounds. `reason` is the rule broken. */
export class InvalidRecordError extends RegistryError<'ERR_INVALID_RECORD'> {
  constructor(reason: string, cause?: unknown) {
    super('ERR_INVALID_RECORD', `The record is not valid: ${reason}`, { details: { reason }, cause })
  }
}

/** The record is well-formed, but those who signed it may not speak for its owner, or a signature does not match. */
export class BadSignatureError extends RegistryError<'ERR_BAD_SIGNATURE'> {
  constructor(owner: OwnerId, reason: string) {
    super('ERR_BAD_SIGNATURE', `The record is not signed for owner ${owner}: ${reason}`, {
      details: { owner, reason }
    })
  }
}

/** The owner's inception is not here yet, so what it signed cannot be checked; that may pass once it has come. */
export class OwnerUnknownError extends RegistryError<'ERR_OWNER_UNKNOWN'> {
  constructor(owner: OwnerId) {
    super('ERR_OWNER_UNKNOWN', `The inception of owner ${owner} is not known here`, {
      retryable: true,
      hint: "Hand over the owner's record first, then what it signed.",
      details: { owner }
    })
  }
}

/** Anybody can release under any name, so there may be any number of owners. */
const MAX_CANDIDATES = 20

/** A name without an owner that several owners have released under. `details.candidates` are references to choose from, 20 at most. */
export class AmbiguousNameError extends RegistryError<'ERR_AMBIGUOUS_NAME'> {
  constructor(
    reference: PackageReference,
    owners: readonly OwnerId[],
    describe: (owner: OwnerId) => string = () => ''
  ) {
    const shown = owners.slice(0, MAX_CANDIDATES)
    const candidates = shown.map((owner) => formatPackageReference({ ...reference, owner }))
    const described = shown.map((owner, index) => {
      const said = describe(owner)
      return said === '' ? candidates[index] : `${candidates[index]} (${said})`
    })
    const rest = owners.length - candidates.length
    const listed = `${described.join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`
    super('ERR_AMBIGUOUS_NAME', `${owners.length} owners have a package named ${reference.name}: ${listed}`, {
      hint: `Say once which one you mean, registry pin @OWNER/${reference.name}, or name it with its owner each time.`,
      details: { candidates }
    })
  }
}

/** The key file is there, but is not what was written to it. Nothing was changed. */
export class CorruptKeyError extends RegistryError<'ERR_CORRUPT_KEY'> {
  constructor(path: string, reason: string, cause?: unknown) {
    super('ERR_CORRUPT_KEY', `The key file ${JSON.stringify(path)} cannot be used: ${reason}`, {
      hint: 'Restore it from a backup; or move it away, and the next start makes a new key: a new owner, or a new peer ID.',
      details: { path, reason },
      cause
    })
  }
}

/** The operating system refused to read or write the key file. */
export class KeyFileError extends RegistryError<'ERR_KEY_FILE'> {
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const options: RegistryErrorOptions = {
      hint: 'Check that the folder exists, is writable by you, and has room.',
      details: { path, reason },
      cause
    }
    super(
      'ERR_KEY_FILE',
      `The key file ${JSON.stringify(path)} cannot be read or written: ${reason}`,
      options
    )
  }
}
