import { InterruptedError } from './errors.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs a verb under a signal that aborts at Ctrl-C, so that it can clean up; a second Ctrl-C ends at once, by default. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const interrupt = (): void => {
    end()
    abort.abort(new InterruptedError())
  }
  const end = (): void => {
    for (const name of SIGNALS) process.off(name, interrupt)
  }
  for (const name of SIGNALS) process.on(name, interrupt)
  try {
    return await run(abort.signal)
  } finally {
    end()
  }
}
