const MARKER = Symbol.for('@registry/error')

/** A code is stable: scripts and callers branch on it, never on a message. */
export type ErrorCode = `ERR_${string}`

/** What every error of the registry carries; also its form on the wire and in `--json` output. */
export interface ErrorData {
  code: ErrorCode
  message: string
  /** Whether the same call may succeed later without anything being changed by the caller. */
  retryable: boolean
  /** One sentence that says what to do about it. */
  hint?: string
  /** The error's own typed fields, as JSON. */
  details?: Record<string, unknown>
}

export interface RegistryErrorOptions {
  retryable?: boolean
  hint?: string
  details?: Record<string, unknown>
  cause?: unknown
}

/**
 * Base of every error thrown on purpose. One subclass per fault lives in the package that throws it and gives `code`
 * a literal type. Recognise one with `isRegistryError`, not with `instanceof`: two copies of this package may be loaded.
 */
export class RegistryError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code
  readonly retryable: boolean
  readonly hint: string | undefined
  readonly details: Record<string, unknown>

  constructor(code: Code, message: string, options: RegistryErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.retryable = options.retryable ?? false
    this.hint = options.hint
    this.details = options.details ?? {}
    Object.defineProperty(this, MARKER, { value: true })
  }

  toJSON(): ErrorData {
    const data: ErrorData = { code: this.code, message: this.message, retryable: this.retryable }
    if (this.hint !== undefined) data.hint = this.hint
    if (Object.keys(this.details).length > 0) data.details = this.details
    return data
  }
}

/** True for a `RegistryError` of any copy of this package; with `code`, only for that fault. */
export function isRegistryError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code
): error is RegistryError<Code> {
  if (!(error instanceof Error) || !(MARKER in error)) return false
  return code === undefined || ('code' in error && error.code === code)
}

/** Restores an error that came as JSON over a local API; anything else becomes `ERR_UNKNOWN`. */
export function errorFromData(data: unknown): RegistryError {
  if (typeof data === 'object' && data !== null && 'code' in data && 'message' in data) {
    const { code, message } = data
    if (typeof code === 'string' && code.startsWith('ERR_') && typeof message === 'string') {
      const options: RegistryErrorOptions = { retryable: 'retryable' in data && data.retryable === true }
      if ('hint' in data && typeof data.hint === 'string') options.hint = data.hint
      if ('details' in data && typeof data.details === 'object' && data.details !== null) {
        options.details = { ...data.details }
      }
      return new RegistryError(code as ErrorCode, message, options)
    }
  }
  return new RegistryError('ERR_UNKNOWN', 'The peer answered with an error that could not be read.')
}

/** A value from the wire, the disk or a person is not of its type; `field` names the place, `reason` the rule broken. */
export class InvalidValueError extends RegistryError<'ERR_INVALID_VALUE'> {
  constructor(field: string, reason: string) {
    super('ERR_INVALID_VALUE', `${field}: ${reason}`, { details: { field, reason } })
  }
}

export class InvalidPackageNameError extends RegistryError<'ERR_INVALID_NAME'> {
  constructor(name: string, reason: string) {
    super('ERR_INVALID_NAME', `${JSON.stringify(name.slice(0, 80))} is not a package name: ${reason}`, {
      hint: 'Use lower-case letters, digits, "-", "_" and ".", at most 214 characters, optionally after "@scope/".',
      details: { name: name.slice(0, 256), reason }
    })
  }
}

export class InvalidVersionError extends RegistryError<'ERR_INVALID_VERSION'> {
  constructor(version: string) {
    super('ERR_INVALID_VERSION', `${JSON.stringify(version.slice(0, 80))} is not a SemVer version`, {
      hint: 'Write it as MAJOR.MINOR.PATCH, for example 1.0.0 or 2.1.0-beta.1.',
      details: { version: version.slice(0, 256) }
    })
  }
}

export class InvalidReferenceError extends RegistryError<'ERR_INVALID_REFERENCE'> {
  constructor(reference: string, reason: string) {
    super('ERR_INVALID_REFERENCE', `${JSON.stringify(reference.slice(0, 80))} names no package: ${reason}`, {
      hint: 'Write name, name@range or @owner/name@version.',
      details: { reference: reference.slice(0, 512), reason }
    })
  }
}

/** The names of a project, in the address of the registry, are not as they have to be. */
export class InvalidProjectNamesError extends RegistryError<'ERR_INVALID_PROJECT_NAMES'> {
  constructor(item: string, reason = 'is not a name, "@" and an owner ID') {
    super(
      'ERR_INVALID_PROJECT_NAMES',
      `In the address of the registry, ${JSON.stringify(item.slice(0, 150))} ${reason}`,
      {
        hint: 'Let it be written: registry pin NAME OWNER --project',
        details: { item: item.slice(0, 300) }
      }
    )
  }
}
