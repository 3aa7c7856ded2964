import { type Helper, isEvent, type OfKind, obeyed, ProcessEndedError, startHelper } from './child.ts'
import type { SubjectCommand, SubjectEvent, SubjectInit } from './search-subject.ts'

const MIB = 2 ** 20
const BUILD_LIMIT_MS = 300_000
const MEMORY_LIMIT_BYTES = 4 * 2 ** 30
/** More than an engine is allowed to have, for the documents before they are indexed. */
const DOCUMENTS_BYTES = 2 * 2 ** 30
/** A call that is under way when its time is over is waited for this much longer. */
const GRACE_MS = 60_000

interface NotBuilt {
  kind: 'not-installed' | 'over-time' | 'over-memory'
  limit?: { value: number; unit: string }
}

/** A search engine in a process of its own. */
export interface EngineProcess {
  /** Indexes everything, or says why it cannot. */
  build(signal: AbortSignal): Promise<OfKind<SubjectEvent, 'built'> | NotBuilt>
  /** Loads from its files what another process built there. */
  open(signal: AbortSignal): Promise<OfKind<SubjectEvent, 'opened'>>
  ask(
    options: Omit<OfKind<SubjectCommand, 'ask'>, 'kind'>,
    signal: AbortSignal
  ): Promise<OfKind<SubjectEvent, 'asked'>>
  live(
    options: Omit<OfKind<SubjectCommand, 'live'>, 'kind'>,
    signal: AbortSignal
  ): Promise<OfKind<SubjectEvent, 'lived'>>
  stop(): Promise<void>
}

export function startEngine(init: Omit<SubjectInit, 'memoryLimitBytes'>): EngineProcess {
  const memoryLimitBytes = MEMORY_LIMIT_BYTES + DOCUMENTS_BYTES
  const helper: Helper<SubjectCommand, SubjectEvent> = startHelper<SubjectCommand, SubjectEvent>(
    'search-subject.ts',
    { ...init, memoryLimitBytes } satisfies SubjectInit,
    isEvent,
    { nodeArguments: ['--expose-gc', `--max-old-space-size=${Math.floor(memoryLimitBytes / MIB)}`] }
  )
  const expected = <Kind extends SubjectEvent['kind']>(
    kind: Kind,
    command: SubjectCommand,
    timeLimitMs: number,
    signal: AbortSignal
  ): Promise<OfKind<SubjectEvent, Kind>> => {
    const limit = AbortSignal.timeout(timeLimitMs + GRACE_MS)
    return obeyed(helper, command, kind, AbortSignal.any([signal, limit]))
  }
  return {
    build: async (signal) => {
      const limit = AbortSignal.timeout(BUILD_LIMIT_MS)
      const overMemory = {
        kind: 'over-memory',
        limit: { value: MEMORY_LIMIT_BYTES / MIB, unit: 'MiB' }
      } as const
      try {
        const told = helper.next(isEvent<SubjectEvent>, AbortSignal.any([signal, limit]))
        helper.tell({ kind: 'build' })
        const event = await told
        if (event.kind === 'built') return event
        if (event.kind === 'failed' && event.why === 'not-installed') return { kind: event.why }
        if (event.kind === 'failed' && event.why === 'over-memory') return overMemory
        throw new Error(`${init.engine}: ${event.kind === 'failed' ? event.message : event.kind}`)
      } catch (error) {
        signal.throwIfAborted()
        if (limit.aborted) return { kind: 'over-time', limit: { value: BUILD_LIMIT_MS / 1000, unit: 's' } }
        if (error instanceof ProcessEndedError && error.isOutOfMemory) return overMemory
        throw error
      }
    },
    open: (signal) => expected('opened', { kind: 'open' }, 0, signal),
    ask: (options, signal) => expected('asked', { kind: 'ask', ...options }, options.timeLimitMs, signal),
    live: (options, signal) => expected('lived', { kind: 'live', ...options }, options.durationMs, signal),
    stop: () => helper.stop()
  }
}
