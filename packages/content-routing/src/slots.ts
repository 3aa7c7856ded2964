import { untilAborted } from '@registry/timing'

/** Lets a number of tasks run at once; the others wait in the order they came. */
export class Slots {
  #free: number
  readonly #waiting = new Set<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Resolves to the function that gives the slot back. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return this.#giveBack
    }
    const { promise: turn, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    try {
      await untilAborted(turn, signal)
      return this.#giveBack
    } catch (error) {
      // Its turn may have come in the same moment.
      if (!this.#waiting.delete(resolve)) this.#giveBack()
      throw error
    }
  }

  readonly #giveBack = (): void => {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
