import { RegistryError } from '@registry/types'

/** Nobody listens where the peer should be. */
export class NoPeerError extends RegistryError<'ERR_NO_PEER'> {
  constructor(details: { url: string } | { dataDir: string }, cause?: unknown) {
    const where = 'url' in details ? `at ${details.url}` : 'with this data folder'
    super('ERR_NO_PEER', `No peer is running ${where}`, {
      hint: 'Start one: registry start',
      details: { ...details },
      cause
    })
  }
}

/** The control file is there, but is not what a peer writes. */
export class ControlFileError extends RegistryError<'ERR_CONTROL_FILE'> {
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super('ERR_CONTROL_FILE', `The control file ${JSON.stringify(path)} cannot be used: ${reason}`, {
      hint: 'Check that the data folder is yours; a peer writes this file anew when it starts.',
      details: { path, reason },
      cause
    })
  }
}

/** The connection ended before the answer did. What the call would have done may or may not have happened. */
export class ConnectionLostError extends RegistryError<'ERR_CONNECTION_LOST'> {
  constructor(url: string, cause?: unknown) {
    super('ERR_CONNECTION_LOST', `The peer at ${url} ended the connection before it had answered`, {
      retryable: true,
      hint: 'See whether it still runs: registry status',
      details: { url },
      cause
    })
  }
}

/** What answers is no peer, or one that speaks another version of this interface. */
export class UnreadableAnswerError extends RegistryError<'ERR_UNREADABLE_ANSWER'> {
  constructor(url: string, reason: string, cause?: unknown) {
    super('ERR_UNREADABLE_ANSWER', `The answer of ${url} cannot be read: ${reason}`, {
      hint: 'See that the peer and this program are of the same version.',
      details: { url, reason },
      cause
    })
  }
}

/** The bytes that came are not those that the owner signed. */
export class ContentMismatchError extends RegistryError<'ERR_HASH_MISMATCH'> {
  constructor(reference: string, expected: string, actual: string) {
    super('ERR_HASH_MISMATCH', `The content of ${reference} is not what its owner signed`, {
      hint: 'Get it again; when that repeats, report this peer to its operator.',
      details: { reference, expected, actual }
    })
  }
}

/** What may be meant by something that is not there. */
export interface NearMisses {
  /** The versions there are, where it is but a version that is not. */
  versions?: readonly string[]
  /** Packages with a name like it. */
  suggestions?: readonly string[]
}

/** No package, or no release of it, fits; or there is no such peer. */
export class NotFoundError extends RegistryError<'ERR_NOT_FOUND'> {
  constructor(what: string, { versions = [], suggestions = [] }: NearMisses = {}) {
    const there = versions.length === 0 ? '' : `; there is ${versions.join(', ')}`
    const search = 'Check the spelling, or compare catalogues with other peers now: registry sync'
    const meant =
      suggestions.length === 0 ? search : `Did you mean ${suggestions.join(' or ')}? Else: registry sync`
    super('ERR_NOT_FOUND', `${what} is not known to this peer${there}`, {
      hint:
        versions.length === 0
          ? meant
          : 'Name one of them; what was yanked is given by its exact version alone.',
      details: { what, versions: [...versions], suggestions: [...suggestions] }
    })
  }
}

export class UnknownMethodError extends RegistryError<'ERR_UNKNOWN_METHOD'> {
  constructor() {
    super('ERR_UNKNOWN_METHOD', 'The control interface has nothing under this path', {
      hint: 'See that the peer and this program are of the same version.'
    })
  }
}

export class WrongVerbError extends RegistryError<'ERR_WRONG_VERB'> {
  constructor(allowed: string) {
    super('ERR_WRONG_VERB', `This path answers ${allowed} only`, { details: { allowed } })
  }
}

/** The token is missing or is not that of this peer. */
export class UnauthorizedError extends RegistryError<'ERR_UNAUTHORIZED'> {
  constructor() {
    super('ERR_UNAUTHORIZED', 'The token is not the one of this peer', {
      hint: 'Send "Authorization: Bearer <token>" with the token of control.json in the data folder.'
    })
  }
}

/** A name that leads here but is not this machine's: a web page may be behind it (DNS rebinding). */
export class HostRefusedError extends RegistryError<'ERR_HOST_REFUSED'> {
  constructor(host: string) {
    super('ERR_HOST_REFUSED', `${JSON.stringify(host.slice(0, 256))} is not a name of this peer`, {
      hint: 'Use 127.0.0.1, [::1] or localhost with the port of the peer.'
    })
  }
}

/** The call comes from another machine. */
export class NotLocalError extends RegistryError<'ERR_NOT_LOCAL'> {
  constructor() {
    super('ERR_NOT_LOCAL', 'The control interface answers this machine only')
  }
}

/** A web page of another site asks. */
export class OriginRefusedError extends RegistryError<'ERR_ORIGIN_REFUSED'> {
  constructor(origin: string) {
    super('ERR_ORIGIN_REFUSED', `Pages of ${JSON.stringify(origin.slice(0, 256))} may not use this peer`)
  }
}

export class BodyTooLargeError extends RegistryError<'ERR_TOO_LARGE'> {
  constructor(what: string, maxBytes: number) {
    super('ERR_TOO_LARGE', `${what} has more than ${maxBytes} bytes`, {
      hint: 'Send less, or raise limits.maxPackageBytes if it is a package.',
      details: { what, limit: maxBytes, unit: 'bytes' }
    })
  }
}

/** A fault of the peer itself, told without its details; they are in its log. */
export class InternalError extends RegistryError<'ERR_INTERNAL'> {
  constructor(cause: unknown) {
    super('ERR_INTERNAL', 'The peer failed to answer', { hint: 'Its log says why.', cause })
  }
}

/** There is no room for what was sent; nothing of it was kept. `details.fault` says so as the store does. */
export class DiskFullError extends RegistryError<'ERR_STORAGE'> {
  constructor(cause: unknown) {
    super('ERR_STORAGE', "The disk of the peer's data folder is full", {
      hint: 'Free some space on the disk and try again; nothing was changed, and reading still works.',
      details: { fault: 'disk-full' },
      cause
    })
  }
}

/** The caller went away; nobody hears this. */
export class CallerGoneError extends RegistryError<'ERR_CALLER_GONE'> {
  constructor() {
    super('ERR_CALLER_GONE', 'The caller closed the connection')
  }
}
