import { type AbortOptions, type Clock, isRegistryError } from '@registry/types'

export interface RetryOptions extends AbortOptions {
  /** How often it is tried in all. @default 3 */
  attempts?: number
  /** Before the second attempt; doubled before each further one. @default 500 */
  baseDelayMs?: number
  /** @default 30000 */
  maxDelayMs?: number
  /** @default the clock of this machine, with timers that keep the process alive: somebody waits for the outcome */
  clock?: Pick<Clock, 'schedule'>
}

/** How `retry` waits unless told. */
export const RETRY_DEFAULTS: Readonly<{ attempts: number; baseDelayMs: number; maxDelayMs: number }> =
  Object.freeze({
    attempts: 3,
    baseDelayMs: 500,
    maxDelayMs: 30_000
  })

const waitingClock: Pick<Clock, 'schedule'> = {
  schedule(callback, delayMs) {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  }
}

/**
 * Runs `operation` again while it fails with an error that says it may succeed later (`retryable`), after growing pauses.
 * Rejects with the last error, with any other error at once, or with the signal's reason.
 */
export async function retry<T>(
  operation: (attempt: number) => Promise<T>,
  options: RetryOptions = {}
): Promise<T> {
  const {
    attempts,
    baseDelayMs,
    maxDelayMs,
    clock = waitingClock,
    signal
  } = { ...RETRY_DEFAULTS, ...options }
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    try {
      return await operation(attempt)
    } catch (error) {
      if (attempt >= attempts || !isRegistryError(error) || !error.retryable) throw error
      await pause(Math.min(baseDelayMs * 2 ** (attempt - 1), maxDelayMs), clock, signal)
    }
  }
}

function pause(
  delayMs: number,
  clock: Pick<Clock, 'schedule'>,
  signal: AbortSignal | undefined
): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.schedule(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, delayMs)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
