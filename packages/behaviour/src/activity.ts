/** Counts what is under way, so that one can wait for the end of all of it. */
export interface Activity {
  /** Counts `task` until it settles. A rejection is the task's own to handle; here it is only an end. */
  track<T>(task: Promise<T>): Promise<T>
  readonly idle: boolean
  /** Resolves at the next moment at which nothing is under way; rejects with the signal's reason. */
  whenIdle(signal?: AbortSignal): Promise<void>
}

export function activity(): Activity {
  let running = 0
  const waiting = new Set<() => void>()

  const end = (): void => {
    running--
    if (running > 0) return
    for (const resolve of waiting) resolve()
    waiting.clear()
  }

  return {
    get idle() {
      return running === 0
    },
    track(task) {
      running++
      task.then(end, end)
      return task
    },
    async whenIdle(signal) {
      signal?.throwIfAborted()
      if (running === 0) return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const abort = (): void => reject(signal?.reason)
      waiting.add(resolve)
      signal?.addEventListener('abort', abort, { once: true })
      try {
        await promise
      } finally {
        waiting.delete(resolve)
        signal?.removeEventListener('abort', abort)
      }
    }
  }
}
