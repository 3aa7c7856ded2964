import { type OwnerId, type PackageName, RegistryError, type Version } from '@registry/types'

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
      hint: 'Raise the version in the manifest, or give another one.',
      details: { owner, name, version }
    })
  }
}

/** Its owner signed several contents for one version, so none of them can be trusted. */
export class VersionConflictedError extends RegistryError<'ERR_VERSION_CONFLICTED'> {
  constructor(owner: OwnerId, name: PackageName, version: Version, cids: readonly string[]) {
    super(
      'ERR_VERSION_CONFLICTED',
      `The owner of @${owner}/${name} signed ${cids.length} contents for ${version}: ${cids.join(', ')}`,
      {
        hint: 'Ask for another version, and its owner for an explanation.',
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
