/** Which records are on their way from some peer, so that no other one is asked for them meanwhile. */
export class RecordsUnderway {
  /** By what names a record. */
  readonly #arrivals = new Map<string, Promise<void>>()

  /** Resolves when the record has come or will not come; undefined when nobody was asked for it. Never rejects. */
  arrival(key: string): Promise<void> | undefined {
    return this.#arrivals.get(key)
  }

  /** These records are on their way until `work` ends. None of them may be so already. */
  async during<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const ended = Promise.withResolvers<void>()
    for (const key of keys) this.#arrivals.set(key, ended.promise)
    try {
      return await work()
    } finally {
      for (const key of keys) this.#arrivals.delete(key)
      ended.resolve()
    }
  }
}
