import type { Clock } from '@registry/types'

export interface Deadline {
  /** Aborted when the time is over or the caller's signal is. */
  readonly signal: AbortSignal
  readonly expired: boolean
  clear(): void
}

/** A signal that ends after `timeoutMs` on the given clock, or with `signal`. To be cleared when it is not needed. */
export function deadline(clock: Clock, timeoutMs: number, signal?: AbortSignal): Deadline {
  const controller = new AbortController()
  let expired = false
  const cancel = clock.schedule(() => {
    expired = true
    controller.abort(new DOMException(`Not done within ${timeoutMs} ms`, 'TimeoutError'))
  }, timeoutMs)
  return {
    signal: signal === undefined ? controller.signal : AbortSignal.any([controller.signal, signal]),
    get expired() {
      return expired
    },
    clear: cancel
  }
}
