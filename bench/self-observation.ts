import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'

const RESOLUTION_MS = 1

/** How late a timer of each millisecond came: the time to the next one, so 1 where nothing is in its way. */
export interface Stall {
  p99Ms: number
  maxMs: number
}

/** Begins to watch the event loop of this process; what is returned ends it. */
export function watchStalls(): () => { stall?: Stall } {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  return () => {
    delays.disable()
    // All was over before the first timer.
    if (delays.count === 0) return {}
    return { stall: { p99Ms: delays.percentile(99) / 1e6, maxMs: delays.max / 1e6 } }
  }
}

/** Memory of this process after what nobody needs was thrown away; Node has to be started with `--expose-gc`. */
export async function residentBytes(): Promise<number> {
  // A second time for what the first made free by finalizing.
  for (let times = 0; times < 2; times++) {
    globalThis.gc?.()
    await nextTurn()
  }
  return process.memoryUsage.rss()
}
