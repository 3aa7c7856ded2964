/** The same sequence, ended by the signal with its reason even while the source is silent. */
export async function* abortable<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal | undefined
): AsyncGenerator<T, void, undefined> {
  if (signal === undefined) return yield* source
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  aborted.catch(() => {})
  const iterator = source[Symbol.asyncIterator]()
  try {
    while (true) {
      const next = await Promise.race([iterator.next(), aborted])
      if (next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a source that is silent would not answer this either.
    iterator.return?.().catch(() => {})
  }
}
