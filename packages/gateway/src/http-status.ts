import type { RegistryError } from '@registry/types'

/**
 * Statuses that npm, pnpm, yarn and bun take for final are 4xx but 408, 409, 420 and 429: those and 5xx they try again,
 * pnpm for more than a minute.
 */
const STATUS: Readonly<Record<string, number>> = Object.freeze({
  ERR_UNAUTHORIZED: 401,
  ERR_FOREIGN_NAME: 403,
  ERR_NAME_TAKEN: 403,
  ERR_NOT_OWNER: 403,
  ERR_ORIGIN_REFUSED: 403,
  ERR_UNSUPPORTED: 403,
  ERR_VERSION_EXISTS: 403,
  ERR_NOT_FOUND: 404,
  ERR_METHOD_REFUSED: 405,
  ERR_STALE_DOCUMENT: 409,
  ERR_STALE_STATEMENT: 409,
  ERR_TOO_LARGE: 413,
  ERR_HOST_REFUSED: 421,
  ERR_AMBIGUOUS_NAME: 422,
  ERR_CORRUPT_TARBALL: 422,
  ERR_DOMAIN_UNPROVEN: 422,
  ERR_HASH_MISMATCH: 422,
  ERR_INVALID_MANIFEST: 422,
  ERR_MANIFEST_MISMATCH: 422,
  ERR_NO_MANIFEST: 422,
  ERR_UNEXPECTED_PACKAGE: 422,
  ERR_UNSAFE_ENTRY: 422,
  ERR_UNSAFE_PATH: 422,
  ERR_VERSION_CONFLICTED: 422,
  ERR_UPSTREAM_MISMATCH: 502,
  ERR_NOT_RUNNING: 503,
  ERR_QUOTA_EXCEEDED: 507,
  ERR_STORAGE: 507
})

/** The HTTP status of an error: the one place where codes become statuses. */
export function httpStatusOf({ code, retryable }: Pick<RegistryError, 'code' | 'retryable'>): number {
  const status = STATUS[code]
  if (status !== undefined) return status
  if (code.startsWith('ERR_INVALID_')) return 400
  return retryable ? 503 : 500
}

/**
 * The status of an error about a tarball. Of 4xx, pnpm takes these three for final and all others for a fault that passes: it
 * would ask again for more than a minute.
 */
export function tarballStatusOf(error: Pick<RegistryError, 'code' | 'retryable'>): number {
  const status = httpStatusOf(error)
  return status >= 500 || status === 401 || status === 404 ? status : 403
}
