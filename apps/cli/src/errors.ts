import { RegistryError } from '@registry/types'

/** Ctrl-C, or a signal that means the same. */
export class InterruptedError extends RegistryError<'ERR_INTERRUPTED'> {
  constructor() {
    super('ERR_INTERRUPTED', 'Interrupted', { hint: 'Nothing is left half done; run it again.' })
  }
}

/** A file that is there would be lost. */
export class FileExistsError extends RegistryError<'ERR_FILE_EXISTS'> {
  constructor(path: string, hint: string) {
    super('ERR_FILE_EXISTS', `${JSON.stringify(path)} exists already`, { hint, details: { path } })
  }
}

/** The peer in the background came up no further. Its log is where the hint says. */
export class DaemonError extends RegistryError<'ERR_DAEMON'> {
  constructor(reason: string, logFile: string) {
    super('ERR_DAEMON', `The peer in the background ${reason}`, {
      hint: `Its log says more: ${logFile}`,
      details: { reason, logFile }
    })
  }
}

/** The peer with this ID is not connected. */
export class PeerNotFoundError extends RegistryError<'ERR_NOT_FOUND'> {
  constructor(peerId: string) {
    super('ERR_NOT_FOUND', `No peer with the ID ${JSON.stringify(peerId)} is connected or known`, {
      hint: 'See those that are: registry peers list --known',
      details: { peerId }
    })
  }
}

/** The package is there, and its owner lets no text present it. */
export class NoReadmeError extends RegistryError<'ERR_NOT_FOUND'> {
  constructor(name: string) {
    super('ERR_NOT_FOUND', `No text presents ${JSON.stringify(name)}`, {
      hint: `Its owner can let one do so: registry readme ${name} README.md`,
      details: { name }
    })
  }
}

/** At least one of the checks of `doctor` failed. */
export class UnhealthyError extends RegistryError<'ERR_UNHEALTHY'> {
  constructor(failed: readonly string[]) {
    super('ERR_UNHEALTHY', `Not in order: ${failed.join(', ')}`, {
      hint: 'Each line above that failed says what to do.',
      details: { failed: [...failed] }
    })
  }
}

/** The peer is remembered as one to begin with, but could not be reached in time. */
export class BootstrapTimeoutError extends RegistryError<'ERR_CONNECTION_TIMEOUT'> {
  constructor(address: string, timeoutMs: number) {
    super('ERR_CONNECTION_TIMEOUT', `No connection to ${JSON.stringify(address)} within ${timeoutMs} ms`, {
      retryable: true,
      hint: 'It is tried again by itself. Check the address, and that the peer there runs.',
      details: { address, timeoutMs }
    })
  }
}
