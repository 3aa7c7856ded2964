import { RegistryError } from '@registry/types'

/** One rule that a manifest breaks; `path` is the place in the file, empty for the file as a whole. */
export interface ManifestFault {
  path: string
  reason: string
}

/** No manifest stands where one must: at the top of the folder or tarball. */
export class NoManifestError extends RegistryError<'ERR_NO_MANIFEST'> {
  constructor(source: string, looked: readonly string[]) {
    super('ERR_NO_MANIFEST', `${source} has no manifest at its top; looked for ${looked.join(', ')}`, {
      hint: 'Add a registry.toml with [package], name and version, or publish the folder that has a manifest.',
      details: { looked: [...looked] }
    })
  }
}

/** All that is wrong with a manifest, at once. */
export class InvalidManifestError extends RegistryError<'ERR_INVALID_MANIFEST'> {
  readonly faults: readonly ManifestFault[]

  constructor(file: string, faults: readonly ManifestFault[], cause?: unknown) {
    const lines = faults.map(({ path, reason }) => (path === '' ? reason : `${path} ${reason}`))
    super('ERR_INVALID_MANIFEST', `${file}: ${lines.join('; ')}`, {
      hint: `Correct ${file} and try again.`,
      details: { file, faults: faults.map((fault) => ({ ...fault })) },
      cause
    })
    this.faults = faults
  }
}

/** A path that would leave the package's folder, or means different files on different machines. */
export class UnsafePathError extends RegistryError<'ERR_UNSAFE_PATH'> {
  constructor(path: string, reason: string) {
    super('ERR_UNSAFE_PATH', `${quote(path)} ${reason}`, {
      hint: 'Rename the file or leave it out of the package.',
      details: { path: path.slice(0, 1024), reason }
    })
  }
}

/** Something that is neither a file nor a folder. */
export class UnsafeEntryError extends RegistryError<'ERR_UNSAFE_ENTRY'> {
  constructor(path: string, kind: string) {
    super('ERR_UNSAFE_ENTRY', `${quote(path)} is ${kind}; a package holds files and folders only`, {
      hint: 'Replace it by the file it stands for, or leave it out of the package.',
      details: { path: path.slice(0, 1024), kind }
    })
  }
}

export class PackageTooLargeError extends RegistryError<'ERR_TOO_LARGE'> {
  constructor(what: string, limit: number, unit: 'bytes' | 'files' | 'times') {
    super('ERR_TOO_LARGE', `${what}: more than ${limit} ${unit}`, {
      hint: 'Leave out what its users do not need, or split it into several packages.',
      details: { what, limit, unit }
    })
  }
}

/** The bytes are no tarball, or one that different programs would read differently. */
export class CorruptTarballError extends RegistryError<'ERR_CORRUPT_TARBALL'> {
  constructor(reason: string, cause?: unknown) {
    super('ERR_CORRUPT_TARBALL', `The tarball cannot be read: ${reason}`, {
      hint: 'Pack it again, with `npm pack` or by publishing the folder itself.',
      details: { reason },
      cause
    })
  }
}

/** A file changed while it was being packed. */
export class SourceChangedError extends RegistryError<'ERR_SOURCE_CHANGED'> {
  constructor(path: string) {
    super('ERR_SOURCE_CHANGED', `${quote(path)} changed while it was being packed`, {
      retryable: true,
      hint: 'Try again when nothing writes to the folder any more.',
      details: { path: path.slice(0, 1024) }
    })
  }
}

/** The folder or file that was named is not there or may not be read. */
export class SourceUnreadableError extends RegistryError<'ERR_SOURCE_UNREADABLE'> {
  constructor(path: string, cause: unknown) {
    super('ERR_SOURCE_UNREADABLE', `${quote(path)} cannot be read: ${reasonOf(cause)}`, {
      hint: 'Name a folder with a manifest, or a .tgz file.',
      details: { path: path.slice(0, 1024) },
      cause
    })
  }
}

/** The disk refused what was to be written: it is full, or the folder is not the user's. */
export class UnwritableError extends RegistryError<'ERR_STORAGE'> {
  constructor(path: string, cause: unknown) {
    super('ERR_STORAGE', `${quote(path)} cannot be written: ${reasonOf(cause)}`, {
      retryable: hasCode(cause, 'ENOSPC', 'EDQUOT'),
      hint: 'Make room, or check that the folder is yours and writable.',
      details: { path: path.slice(0, 1024) },
      cause
    })
  }
}

/** A package is unpacked into a folder of its own only. */
export class TargetNotEmptyError extends RegistryError<'ERR_TARGET_NOT_EMPTY'> {
  constructor(path: string) {
    super('ERR_TARGET_NOT_EMPTY', `${quote(path)} exists and is not an empty folder`, {
      hint: 'Choose a folder that does not exist yet.',
      details: { path: path.slice(0, 1024) }
    })
  }
}

/** Whether the operating system refused something. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

/** Whether Node gave this error one of these codes, as `ENOENT`. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code)
}

function quote(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path)
}

/** Why something failed, as the end of a sentence. */
export function reasonOf(cause: unknown): string {
  if (hasCode(cause, 'ENOENT')) return 'it does not exist'
  if (hasCode(cause, 'EACCES', 'EPERM')) return 'access is denied'
  if (hasCode(cause, 'ENOSPC', 'EDQUOT')) return 'there is no room left'
  return cause instanceof Error ? cause.message : String(cause)
}
