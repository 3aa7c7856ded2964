import { isRegistryError } from '@registry/types'

/** What scripts can rely on. */
export const EXIT_CODES: {
  readonly ok: 0
  readonly failed: 1
  readonly usage: 2
  readonly notFound: 3
  readonly noPeer: 4
  readonly retryable: 5
  readonly interrupted: 130
} = Object.freeze({
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  noPeer: 4,
  retryable: 5,
  interrupted: 130
})

/** The one place where errors become exit codes. */
export function exitCodeOf(error: unknown): number {
  if (!isRegistryError(error)) return EXIT_CODES.failed
  switch (error.code) {
    case 'ERR_USAGE':
      return EXIT_CODES.usage
    case 'ERR_NOT_FOUND':
      return EXIT_CODES.notFound
    case 'ERR_NO_PEER':
      return EXIT_CODES.noPeer
    case 'ERR_INTERRUPTED':
      return EXIT_CODES.interrupted
    default:
      return error.retryable ? EXIT_CODES.retryable : EXIT_CODES.failed
  }
}
