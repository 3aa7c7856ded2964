import type { Clock } from '@registry/types'
import { untilAborted } from './abortable.ts'

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

/** Runs `task` with a signal that aborts with `signal` or after `timeoutMs`; rejects then, even if the task goes on. */
export async function withDeadline<T>(
  clock: Clock,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  task: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  signal.throwIfAborted()
  const limit = deadline(clock, timeoutMs, signal)
  try {
    return await untilAborted(task(limit.signal), limit.signal)
  } finally {
    limit.clear()
  }
}
