import { type ChildProcess, fork, type Serializable } from 'node:child_process'
import { once } from 'node:events'

/** Longer than a peer gives itself. */
const STOP_TIMEOUT_MS = 20_000

/** Resolves when the process has ended: after SIGTERM, and where that does not help in time, after SIGKILL. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  child.kill('SIGTERM')
  await ended
  clearTimeout(force)
}

/** The process has ended by itself. */
export class ProcessEndedError extends Error {
  readonly code: number | null
  readonly signal: string | null

  constructor(file: string, code: number | null, signal: string | null) {
    super(`${file} ended with ${signal ?? `code ${code}`}`)
    this.code = code
    this.signal = signal
  }

  /** As V8 ends a process whose heap is full, or the system one for which it has no memory. */
  get isOutOfMemory(): boolean {
    return this.signal === 'SIGABRT' || this.signal === 'SIGKILL' || this.code === 134
  }
}

/** A module run as a process of its own, with which messages are exchanged. */
export interface Helper<Command extends Serializable, Event> {
  tell(command: Command): void
  /** The next event that the condition takes. Rejects when the process ends or the signal aborts. */
  next<Found extends Event>(condition: (event: Event) => event is Found, signal: AbortSignal): Promise<Found>
  on(listener: (event: Event) => void): void
  stop(): Promise<void>
  /** Ends it without a chance to do anything, as `kill -9` does. */
  kill(): Promise<void>
}

/**
 * Starts the module `file` of this folder, with more arguments for Node where they are given. It gets `init` as JSON in its
 * first argument, and ends when its channel to this process closes, however this process ends.
 */
export function startHelper<Command extends Serializable, Event>(
  file: string,
  init: unknown,
  isEvent: (value: unknown) => value is Event,
  options: { nodeArguments?: readonly string[] } = {}
): Helper<Command, Event> {
  const child = fork(`${import.meta.dirname}/${file}`, [JSON.stringify(init)], {
    serialization: 'advanced',
    execArgv: [...process.execArgv, ...(options.nodeArguments ?? [])]
  })
  const listeners = new Set<(event: Event) => void>()
  child.on('message', (message: unknown) => {
    if (!isEvent(message)) return
    for (const listener of listeners) listener(message)
  })
  return {
    tell: (command) => {
      child.send(command)
    },
    next: (condition, signal) =>
      new Promise((resolve, reject) => {
        const settle = (act: () => void): void => {
          listeners.delete(listener)
          child.off('exit', onExit)
          signal.removeEventListener('abort', onAbort)
          act()
        }
        const listener = (event: Event): void => {
          if (condition(event)) settle(() => resolve(event))
        }
        const onExit = (code: number | null, by: string | null): void =>
          settle(() => reject(new ProcessEndedError(file, code, by)))
        const onAbort = (): void => settle(() => reject(signal.reason))
        if (signal.aborted) return reject(signal.reason)
        if (child.exitCode !== null || child.signalCode !== null) {
          return onExit(child.exitCode, child.signalCode)
        }
        listeners.add(listener)
        child.once('exit', onExit)
        signal.addEventListener('abort', onAbort)
      }),
    on: (listener) => {
      listeners.add(listener)
    },
    stop: () => stopProcess(child),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
  }
}

/**
 * Tells a helper that does one thing after the other what to do, and resolves to what it tells next.
 *
 * @throws what it tells as `message` when that is of another kind
 */
export async function obeyed<
  Command extends Serializable,
  Event extends { kind: string },
  Kind extends Event['kind']
>(
  helper: Helper<Command, Event>,
  command: Command,
  kind: Kind,
  signal: AbortSignal
): Promise<OfKind<Event, Kind>> {
  const told = helper.next((event): event is Event => event.kind !== '', signal)
  helper.tell(command)
  const event = await told
  if (isOfKind(event, kind)) return event
  throw new Error('message' in event ? String(event.message) : `it told ${event.kind} in place of ${kind}`)
}

/** What is of one kind, of the events or the commands of a helper. */
export type OfKind<Event, Kind> = Extract<Event, { kind: Kind }>

export function isOfKind<Event extends { kind: string }, Kind extends Event['kind']>(
  event: Event,
  kind: Kind
): event is OfKind<Event, Kind> {
  return event.kind === kind
}

/** Whether it is an event at all; which ones there are, the helper's own module says. */
export function isEvent<Event extends { kind: string }>(value: unknown): value is Event {
  return typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string'
}
