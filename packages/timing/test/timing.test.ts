import type { Clock } from '@registry/types'
import { describe, expect, it, vi } from 'vitest'
import { deadline, itemsUntilAborted, pause, systemClock, untilAborted, withDeadline } from '../src/index.ts'

/** A clock whose timers fire when the test says so. */
function steppedClock(): Clock & { fire(): void; pending(): number } {
  const timers = new Set<() => void>()
  return {
    now: () => 0,
    schedule(callback) {
      timers.add(callback)
      return () => timers.delete(callback)
    },
    fire() {
      for (const timer of [...timers]) {
        timers.delete(timer)
        timer()
      }
    },
    pending: () => timers.size
  }
}

const never = new Promise<never>(() => {})
const open = new AbortController().signal

describe('a promise', () => {
  it('is left with the reason of the signal, also of one that has aborted before', async () => {
    const controller = new AbortController()
    const left = untilAborted(never, controller.signal)
    controller.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    await expect(untilAborted(never, controller.signal)).rejects.toThrow('enough')
  })

  it('gives its value or its error where nothing aborts', async () => {
    await expect(untilAborted(Promise.resolve(1), open)).resolves.toBe(1)
    await expect(untilAborted(Promise.reject(new Error('broken')), open)).rejects.toThrow('broken')
  })
})

describe('a sequence', () => {
  it('ends with the reason of the signal while its source is silent, and lets the source go', async () => {
    const controller = new AbortController()
    const released = vi.fn()
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => never,
        return: async () => {
          released()
          return { done: true, value: undefined }
        }
      })
    }
    const left = Array.fromAsync(itemsUntilAborted(source, controller.signal))
    controller.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    expect(released).toHaveBeenCalledOnce()
  })

  it('passes every item on', async () => {
    async function* three(): AsyncGenerator<number> {
      yield* [1, 2, 3]
    }
    await expect(Array.fromAsync(itemsUntilAborted(three(), open))).resolves.toEqual([1, 2, 3])
  })
})

describe('a deadline', () => {
  it('aborts when the time is over, and says so', () => {
    const clock = steppedClock()
    const limit = deadline(clock, 50)
    expect([limit.expired, limit.signal.aborted]).toEqual([false, false])
    clock.fire()
    expect([limit.expired, limit.signal.aborted]).toEqual([true, true])
    expect(limit.signal.reason).toMatchObject({ name: 'TimeoutError', message: 'Not done within 50 ms' })
  })

  it('aborts with the signal of the caller, without being expired', () => {
    const controller = new AbortController()
    const limit = deadline(steppedClock(), 50, controller.signal)
    controller.abort(new Error('enough'))
    expect([limit.expired, limit.signal.aborted]).toEqual([false, true])
  })

  it('ends a task that does not listen, and leaves no timer behind', async () => {
    const clock = steppedClock()
    const ended = withDeadline(clock, { timeoutMs: 50, signal: open }, () => never)
    clock.fire()
    await expect(ended).rejects.toMatchObject({ name: 'TimeoutError' })
    await expect(withDeadline(clock, { timeoutMs: 50, signal: open }, async () => 1)).resolves.toBe(1)
    expect(clock.pending()).toBe(0)
  })
})

describe('a pause', () => {
  it('ends with the time or with the signal, and never rejects', async () => {
    const clock = steppedClock()
    const timed = pause(clock, 50, open)
    clock.fire()
    await timed
    const controller = new AbortController()
    const aborted = pause(clock, 50, controller.signal)
    controller.abort()
    await aborted
    await pause(clock, 50, controller.signal)
    expect(clock.pending()).toBe(0)
  })
})

describe('the clock of this machine', () => {
  it('waits beyond the 24 days that a timer of Node can', () => {
    vi.useFakeTimers()
    try {
      const days = 24 * 60 * 60 * 1000
      const due = vi.fn()
      systemClock().schedule(due, 60 * days)
      vi.advanceTimersByTime(60 * days - 1)
      expect(due).not.toHaveBeenCalled()
      vi.advanceTimersByTime(1)
      expect(due).toHaveBeenCalledOnce()
    } finally {
      vi.useRealTimers()
    }
  })

  it('fires at once for a time that has passed, and without a warning of Node', async () => {
    const warned = vi.fn()
    process.on('warning', warned)
    try {
      await new Promise<void>((resolve) => {
        // Waits for Node, which tells of a warning a tick later; the clock's own timer keeps no process alive.
        systemClock().schedule(() => setImmediate(resolve), -5)
      })
      expect(warned).not.toHaveBeenCalled()
    } finally {
      process.off('warning', warned)
    }
  })

  it('tells the time, and fires not at all once cancelled', () => {
    vi.useFakeTimers({ now: 1234 })
    try {
      const clock = systemClock()
      const due = vi.fn()
      clock.schedule(due, 10)()
      vi.advanceTimersByTime(100)
      expect([clock.now(), due.mock.calls.length]).toEqual([1334, 0])
    } finally {
      vi.useRealTimers()
    }
  })
})
