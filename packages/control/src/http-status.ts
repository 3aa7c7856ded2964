import type { RegistryError } from '@registry/types'

const STATUS: Readonly<Record<string, number>> = Object.freeze({
  ERR_UNAUTHORIZED: 401,
  ERR_NOT_LOCAL: 403,
  ERR_NOT_OWNER: 403,
  ERR_ORIGIN_REFUSED: 403,
  ERR_NOT_FOUND: 404,
  ERR_UNKNOWN_METHOD: 404,
  ERR_WRONG_VERB: 405,
  ERR_AMBIGUOUS_NAME: 409,
  ERR_INTEGRITY_MISMATCH: 409,
  ERR_STALE_STATEMENT: 409,
  ERR_VERSION_CONFLICTED: 409,
  ERR_VERSION_EXISTS: 409,
  ERR_TOO_LARGE: 413,
  ERR_HOST_REFUSED: 421,
  ERR_CORRUPT_TARBALL: 422,
  ERR_INVALID_CATALOGUE_FILE: 422,
  ERR_INVALID_MANIFEST: 422,
  ERR_NO_MANIFEST: 422,
  ERR_UNSAFE_ENTRY: 422,
  ERR_UNSAFE_PATH: 422,
  ERR_NOT_RUNNING: 503,
  ERR_QUOTA_EXCEEDED: 507,
  ERR_STORAGE: 507
})

/** The HTTP status of an error: the one place where codes become statuses. */
export function httpStatusOf({ code, retryable }: Pick<RegistryError, 'code' | 'retryable'>): number {
  const status = STATUS[code]
  if (status !== undefined) return status
  if (code.startsWith('ERR_INVALID_')) return 400
  if (code.endsWith('_TIMEOUT')) return 504
  return retryable ? 503 : 500
}
