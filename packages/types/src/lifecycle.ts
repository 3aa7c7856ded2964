/**
 * Something that runs. A constructor allocates; `start` opens, listens and times; `stop` undoes it in reverse order.
 * Both are idempotent, and a `start` that failed half-way has undone itself when it rejects.
 */
export interface Startable {
  start(): Promise<void>
  stop(): Promise<void>
}

export interface AbortOptions {
  /** Ends the call, which then rejects with the signal's reason. */
  signal?: AbortSignal
}

/** The only source of time and timers for code that a test must be able to run without waiting. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `callback` once after `delayMs`; the returned function cancels it. Does not keep the process alive. */
  schedule(callback: () => void, delayMs: number): () => void
}

/** Receives one line of a component's log; `part` is the component, as in `registry:discovery:mdns`. */
export interface Logger {
  debug(part: string, message: string, fields?: Record<string, unknown>): void
  info(part: string, message: string, fields?: Record<string, unknown>): void
  warn(part: string, message: string, fields?: Record<string, unknown>): void
}
