import type { Clock } from '@registry/types'

/** Above it, Node's timers fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The clock of this machine. Its timers do not keep the process alive; one for a time that has passed fires at once. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    schedule(callback, delayMs) {
      let timer: NodeJS.Timeout
      const wait = (remainingMs: number): void => {
        timer = setTimeout(
          () => (remainingMs > MAX_TIMER_MS ? wait(remainingMs - MAX_TIMER_MS) : callback()),
          Math.min(remainingMs, MAX_TIMER_MS)
        )
        timer.unref()
      }
      // Node takes a negative delay too, and warns of it on standard error.
      wait(Math.max(0, delayMs))
      return () => clearTimeout(timer)
    }
  }
}
