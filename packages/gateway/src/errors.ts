import { type PackageName, RegistryError, type Version } from '@registry/types'

/** The request came under a name that is not this machine's: perhaps a page elsewhere made its own name lead here. */
export class HostRefusedError extends RegistryError<'ERR_HOST_REFUSED'> {
  constructor(host: string) {
    super('ERR_HOST_REFUSED', `${JSON.stringify(host.slice(0, 80))} is not a name of this registry`, {
      hint: 'Use the address at which the peer listens, or set gateway.publicUrl.',
      details: { host: host.slice(0, 256) }
    })
  }
}

/** A page of another site asks. */
export class OriginRefusedError extends RegistryError<'ERR_ORIGIN_REFUSED'> {
  constructor(origin: string) {
    super('ERR_ORIGIN_REFUSED', `Pages of ${JSON.stringify(origin.slice(0, 80))} may not ask this registry`, {
      details: { origin: origin.slice(0, 256) }
    })
  }
}

/** Something is to be changed, and no token that the peer knows was shown. */
export class UnauthorizedError extends RegistryError<'ERR_UNAUTHORIZED'> {
  constructor(reason: string) {
    super('ERR_UNAUTHORIZED', reason, {
      hint: 'Let the peer write a token into .npmrc: registry login'
    })
  }
}

/** Nothing is here under this path or name. */
export class NothingFoundError extends RegistryError<'ERR_NOT_FOUND'> {
  constructor(message = 'Not found', hint?: string) {
    super('ERR_NOT_FOUND', message, hint === undefined ? {} : { hint })
  }
}

/** The path is there, for other methods. */
export class MethodRefusedError extends RegistryError<'ERR_METHOD_REFUSED'> {
  readonly allowed: readonly string[]

  constructor(method: string, allowed: readonly string[]) {
    super('ERR_METHOD_REFUSED', `${method} is not for this path, ${allowed.join(' and ')} are`, {
      details: { allowed: [...allowed] }
    })
    this.allowed = allowed
  }
}

/** What was sent is longer or deeper than anybody needs. */
export class BodyTooLargeError extends RegistryError<'ERR_TOO_LARGE'> {
  constructor(what: string, limit: number, unit: 'bytes' | 'levels') {
    super('ERR_TOO_LARGE', `${what} is larger than ${limit} ${unit}`, { details: { limit, unit } })
  }
}

/** What was sent contradicts itself, or the tarball in it. */
export class InvalidUploadError extends RegistryError<'ERR_INVALID_UPLOAD'> {
  constructor(reason: string) {
    super('ERR_INVALID_UPLOAD', reason, { details: { reason } })
  }
}

/** npm would do it, and here it has no meaning. */
export class UnsupportedError extends RegistryError<'ERR_UNSUPPORTED'> {
  constructor(message: string, hint: string) {
    super('ERR_UNSUPPORTED', message, { hint })
  }
}

/** The document to be changed is no longer what it was when the caller read it. */
export class StaleDocumentError extends RegistryError<'ERR_STALE_DOCUMENT'> {
  constructor(name: string) {
    super('ERR_STALE_DOCUMENT', `${name} has changed since it was read`, {
      hint: 'Run the command once more.',
      details: { name }
    })
  }
}

/** The version is there, or was: in the words by which npm's clients know it. */
export class PublishedBeforeError extends RegistryError<'ERR_VERSION_EXISTS'> {
  constructor(version: Version, cause: unknown) {
    super('ERR_VERSION_EXISTS', `You cannot publish over the previously published versions: ${version}`, {
      details: { version },
      cause
    })
  }
}

/** To others here the name means a package of somebody else. */
export class NameTakenError extends RegistryError<'ERR_NAME_TAKEN'> {
  constructor(name: PackageName, owners: string) {
    super('ERR_NAME_TAKEN', `${name} means the package of ${owners} on this peer`, {
      hint: 'Choose another name. To publish one of the same name all the same: registry publish',
      details: { name, owners }
    })
  }
}

/** What was signed of a release is not what the manifest in its tarball says. */
export class ManifestMismatchError extends RegistryError<'ERR_MANIFEST_MISMATCH'> {
  constructor(id: string, fields: readonly string[]) {
    super(
      'ERR_MANIFEST_MISMATCH',
      `The owner of ${id} signed other ${fields.join(', ')} than its package.json has`,
      {
        hint: 'Do not use this version; ask its owner for an explanation.',
        details: { id, fields: [...fields] }
      }
    )
  }
}

/** As many as may be received at once are being received. */
export class TooManyUploadsError extends RegistryError<'ERR_TOO_MANY_UPLOADS'> {
  constructor(limit: number) {
    super('ERR_TOO_MANY_UPLOADS', `${limit} packages are being received already`, {
      retryable: true,
      details: { limit }
    })
  }
}

/** The caller went away before it had its answer. */
export class CallerGoneError extends RegistryError<'ERR_CALLER_GONE'> {
  constructor() {
    super('ERR_CALLER_GONE', 'The caller has gone away')
  }
}

/** The disk is full, or refuses for another reason. Nothing was taken in. */
export class DiskRefusedError extends RegistryError<'ERR_STORAGE'> {
  constructor(cause: unknown) {
    super(
      'ERR_STORAGE',
      `The disk of the peer refused: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: 'Make room on it, and try again.',
        cause
      }
    )
  }
}

/** A fault of the gateway itself, or of something beneath it that nobody foresaw. */
export class InternalError extends RegistryError<'ERR_INTERNAL'> {
  constructor(cause: unknown) {
    super('ERR_INTERNAL', 'The peer could not do it, for a reason that is its own fault', {
      hint: 'Its log says more.',
      cause
    })
  }
}

/** Another registry, from which the name comes by the rules here, did not answer as one. */
export class UpstreamUnavailableError extends RegistryError<'ERR_UPSTREAM_UNAVAILABLE'> {
  constructor(url: string, reason: string, cause?: unknown) {
    super('ERR_UPSTREAM_UNAVAILABLE', `${url} cannot be asked: ${reason}`, {
      retryable: true,
      details: { url, reason },
      cause
    })
  }
}

/** What another registry sent, or what was kept of it, has not the hash that its document says. */
export class UpstreamMismatchError extends RegistryError<'ERR_UPSTREAM_MISMATCH'> {
  constructor(what: string, expected: string) {
    super('ERR_UPSTREAM_MISMATCH', `${what} has not the hash ${expected}`, { details: { what, expected } })
  }
}

/** By the rules of this peer the name comes from another registry, so nothing of that name is published here. */
export class ForeignNameError extends RegistryError<'ERR_FOREIGN_NAME'> {
  constructor(name: string, url: string) {
    super('ERR_FOREIGN_NAME', `${name} comes from ${url} on this peer`, {
      hint: `To have it from peers, put "${name} peers" before the other rules in gateway.origins.`,
      details: { name, url }
    })
  }
}
