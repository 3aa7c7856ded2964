/** As `promise`, but rejects with the signal's reason as soon as it aborts, whether the work behind it listens or not. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** The items of `source` until `signal` aborts; then rejects with its reason and lets the source go. */
export async function* itemsUntilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal
): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    while (true) {
      const step = await untilAborted(iterator.next(), signal)
      if (step.done === true) return
      yield step.value
    }
  } finally {
    // Not waited for: a source that hangs would hang here too.
    iterator.return?.()?.catch(() => {})
  }
}
