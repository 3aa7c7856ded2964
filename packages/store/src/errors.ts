import { RegistryError, type ReleaseKey, type Statement, statementField } from '@registry/types'

/** Called before `start` or after `stop`. */
export class StoreNotRunningError extends RegistryError<'ERR_NOT_RUNNING'> {
  constructor() {
    super('ERR_NOT_RUNNING', 'The store is not running', { hint: 'Start it first.' })
  }
}

export type StorageFault = 'disk-full' | 'read-only' | 'denied' | 'busy' | 'io'

const STORAGE_HINTS: Readonly<Record<StorageFault, string>> = Object.freeze({
  'disk-full': 'Free some space on the disk and try again; nothing was changed, and reading still works.',
  'read-only': 'Make the file system writable, or choose another data folder.',
  denied: 'Give this user read and write permission on the data folder.',
  busy: 'Close the other program that has the catalogue file open.',
  io: 'Look into the system log for faults of the disk.'
})

/** The operating system or the database refused to read or write; nothing was changed. `details.fault` says why. */
export class StorageError extends RegistryError<'ERR_STORAGE'> {
  constructor(fault: StorageFault, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super('ERR_STORAGE', `The storage failed (${fault}): ${reason}`, {
      hint: STORAGE_HINTS[fault],
      details: { fault, reason },
      cause
    })
  }
}

/** The catalogue file is damaged beyond what can be rebuilt from the records in it. */
export class StoreCorruptError extends RegistryError<'ERR_STORE_CORRUPT'> {
  constructor(path: string, reason: string, cause?: unknown) {
    super('ERR_STORE_CORRUPT', `The catalogue file ${JSON.stringify(path)} is damaged: ${reason}`, {
      hint: 'Move it away and start again: records that other peers have come back by synchronisation.',
      details: { path, reason },
      cause
    })
  }
}

/** Another store, of this process or another, has the data folder open. `details.pid` is its process, if known. */
export class DataDirInUseError extends RegistryError<'ERR_DATA_DIR_IN_USE'> {
  constructor(dataDir: string, pid: number | undefined) {
    const holder = pid === undefined ? 'another process' : `process ${pid}`
    super('ERR_DATA_DIR_IN_USE', `The data folder ${JSON.stringify(dataDir)} is in use by ${holder}`, {
      hint: 'Stop that peer, or give this one a data folder of its own.',
      details: pid === undefined ? { dataDir } : { dataDir, pid }
    })
  }
}

/** This owner has released this version before, or unpublished it; releases are immutable and numbers not used twice. */
export class VersionExistsError extends RegistryError<'ERR_VERSION_EXISTS'> {
  constructor({ owner, name, version }: ReleaseKey, options: { unpublished: boolean }) {
    const { unpublished } = options
    super(
      'ERR_VERSION_EXISTS',
      `${name}@${version} ${unpublished ? 'was unpublished' : 'is already released'}`,
      {
        hint: unpublished
          ? 'The number of a version that was unpublished is never used again: raise the version and publish again.'
          : 'Raise the version and publish again.',
        details: { owner, name, version, unpublished }
      }
    )
  }
}

/** Another statement of this field holds, with this `seq` or a higher one: it came here meanwhile. */
export class StaleStatementError extends RegistryError<'ERR_STALE_STATEMENT'> {
  constructor({ owner, name, seq, fact }: Statement) {
    const field = statementField(fact)
    super('ERR_STALE_STATEMENT', `Another statement of ${field} of ${name} holds`, {
      retryable: true,
      hint: 'Look at what holds now, and state it again if it is still wanted.',
      details: { owner, name, field, seq }
    })
  }
}

/** The content, or one of its blocks, is not stored here. */
export class NotStoredError extends RegistryError<'ERR_NOT_STORED'> {
  constructor(cid: string) {
    super('ERR_NOT_STORED', `The content ${cid} is not stored here`, {
      hint: 'Fetch it from a peer that has it.',
      details: { cid }
    })
  }
}

/** Stored bytes no longer match their hash. They were dropped, so the content can be fetched again. */
export class CorruptBlobError extends RegistryError<'ERR_CORRUPT_BLOB'> {
  constructor(cid: string, block: string) {
    super('ERR_CORRUPT_BLOB', `Block ${block} of content ${cid} was damaged on disk and has been dropped`, {
      hint: 'Fetch the content again; only what is missing is transferred.',
      details: { cid, block }
    })
  }
}

/** Bytes are not what their name or their record says. */
export class HashMismatchError extends RegistryError<'ERR_HASH_MISMATCH'> {
  constructor(cid: string, reason: string) {
    super('ERR_HASH_MISMATCH', `The bytes given for ${cid} are not what was promised: ${reason}`, {
      details: { cid, reason }
    })
  }
}

/** No room within the quota, even without everything that may be dropped. */
export class QuotaExceededError extends RegistryError<'ERR_QUOTA_EXCEEDED'> {
  constructor(neededBytes: number, quotaBytes: number) {
    super(
      'ERR_QUOTA_EXCEEDED',
      `${neededBytes} bytes do not fit into the storage quota of ${quotaBytes} bytes`,
      {
        hint: 'Raise the quota, the setting storage.quotaBytes.',
        details: { neededBytes, quotaBytes }
      }
    )
  }
}

/** More bytes than the caller or the protocol allows. */
export class TooLargeError extends RegistryError<'ERR_TOO_LARGE'> {
  constructor(what: string, maxBytes: number) {
    super('ERR_TOO_LARGE', `The ${what} has more than ${maxBytes} bytes`, { details: { maxBytes } })
  }
}

/** The data folder was written by a newer version of this package. */
export class NewerSchemaError extends RegistryError<'ERR_NEWER_SCHEMA'> {
  constructor(path: string, schema: number) {
    super('ERR_NEWER_SCHEMA', `The catalogue file ${JSON.stringify(path)} has the newer schema ${schema}`, {
      hint: 'Use the version of the registry that wrote it, or a newer one.',
      details: { path, schema }
    })
  }
}

/** The thread that was checking a record ended before it was done; nothing is said of the record. */
export class VerificationFailedError extends RegistryError<'ERR_VERIFICATION_FAILED'> {
  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super('ERR_VERIFICATION_FAILED', `A record could not be checked: ${reason}`, {
      retryable: true,
      hint: 'Hand the record over again.',
      details: { reason },
      cause
    })
  }
}
