import type { Clock } from '@registry/types'

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Moves the time on by `ms`, running the timers that fall due one at a time, in order of their time and then of
   * their making, those made meanwhile included. Before and after each, everything that waits for a promise or for the
   * event loop has one turn.
   */
  advance(ms: number): Promise<void>
  /** Timers that have neither run nor been cancelled: what `stop` must bring to 0. */
  readonly pending: number
}

/** A clock that starts at `startMs`, by default 2026-01-01T00:00:00Z. */
export function manualClock(startMs: number = Date.UTC(2026, 0, 1)): ManualClock {
  return new ManualClockImpl(startMs)
}

interface Timer {
  dueMs: number
  callback: () => void
}

class ManualClockImpl implements ManualClock {
  #nowMs: number
  // Of equal times the one made first is found first: a Set keeps the order of insertion.
  readonly #timers = new Set<Timer>()

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  schedule(callback: () => void, delayMs: number): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), callback }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  get pending(): number {
    return this.#timers.size
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await turn()
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#timers.delete(timer)
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
      timer.callback()
      await turn()
    }
    this.#nowMs = untilMs
    await turn()
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer
    }
    return next
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
