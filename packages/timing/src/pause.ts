import type { Clock } from '@registry/types'

/** Resolves after `delayMs`, or as soon as the signal is aborted; never rejects. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) return Promise.resolve()
  const cancel = clock.schedule(resolve, delayMs)
  const abort = (): void => {
    cancel()
    resolve()
  }
  signal.addEventListener('abort', abort, { once: true })
  return promise.finally(() => signal.removeEventListener('abort', abort))
}
