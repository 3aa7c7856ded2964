import type { Logger } from '@registry/types'

/** Callbacks on something that is already done: one that throws is logged and changes nothing. */
export class Listeners<Values extends readonly unknown[]> {
  readonly #part: string
  readonly #logger: Logger | undefined
  readonly #listeners = new Set<(...values: Values) => void>()

  constructor(part: string, logger: Logger | undefined) {
    this.#part = part
    this.#logger = logger
  }

  /** Returns what removes it again. The same function may be added more than once. */
  add(listener: (...values: Values) => void): () => void {
    const entry = (...values: Values): void => listener(...values)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  call(...values: Values): void {
    for (const listener of this.#listeners) {
      try {
        listener(...values)
      } catch (error) {
        this.#logger?.warn(this.#part, 'a listener failed', { error: String(error) })
      }
    }
  }
}
