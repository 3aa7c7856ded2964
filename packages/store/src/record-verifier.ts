import { Worker } from 'node:worker_threads'
import { type CheckedRecord, checkRecord } from '@registry/identity'
import {
  type Clock,
  type ErrorData,
  errorFromData,
  isRegistryError,
  type RegistryError
} from '@registry/types'
import { StoreNotRunningError, VerificationFailedError } from './errors.ts'

/** Fewer are checked at once, on the spot: a few cost less than it takes to hand them over. */
const MIN_RECORDS_TO_SHARE = 8

/** Some milliseconds of work, so that threads share even a small batch and its verdicts are soon taken in. */
const JOB_RECORDS = 32
const JOB_BYTES = 128 * 1024

/** A thread has its next job at hand when it is done with one. */
const JOBS_PER_WORKER = 2

/** Jobs that wait for a thread; who has more waits with them. Bounds the copies that are held. */
const MAX_WAITING_JOBS = 64

export interface RecordVerifierInit {
  /** Threads at most, at least 1. One is started when all others are busy. */
  verifyThreads: number
  /** A thread without work for so long is ended. */
  verifyThreadIdleMs: number
}

/** Encoded envelopes, one after the other, as they go to a thread. */
export interface PackedRecords {
  bytes: Uint8Array<ArrayBuffer>
  lengths: number[]
}

/** As it comes from a thread. */
export type RecordVerdict =
  | { status: 'checked'; checked: CheckedRecord }
  | { status: 'refused'; error: ErrorData }

/** What of a record can be said from its bytes alone; `authorizeRecord` says the rest. */
export type RecordCheck =
  | { status: 'checked'; checked: CheckedRecord }
  | { status: 'refused'; error: RegistryError }

interface Job {
  packed: PackedRecords
  resolve: (checks: RecordCheck[]) => void
  reject: (reason: unknown) => void
}

interface VerifyThread {
  worker: Worker
  /** Handed over, oldest first: they are answered in this order. */
  jobs: Job[]
  /** Cancels its end, while it has nothing to do. */
  cancelEnd: () => void
}

/**
 * Checks records in threads beside the event loop, in the order in which they are asked for. No thread keeps the process
 * alive unless it has work. Each is given bytes and gives back what `checkRecord` says; when it fails, so do the records
 * it had, with ERR_VERIFICATION_FAILED (retryable), and another takes its place.
 */
export class RecordVerifier {
  readonly #init: RecordVerifierInit
  readonly #clock: Clock
  readonly #threads = new Set<VerifyThread>()
  readonly #waiting: Job[] = []
  readonly #blocked: Array<PromiseWithResolvers<void>> = []

  constructor(init: RecordVerifierInit, clock: Clock) {
    this.#init = init
    this.#clock = clock
  }

  /**
   * One verdict for each envelope, in their order. Waits while too much is waiting already.
   *
   * @throws {StoreNotRunningError} ERR_NOT_RUNNING, stopped meanwhile
   */
  async check(envelopes: readonly Uint8Array[]): Promise<RecordCheck[]> {
    if (envelopes.length < MIN_RECORDS_TO_SHARE) return envelopes.map(checkHere)
    const jobs: Array<Promise<RecordCheck[]>> = []
    for (const part of partsOf(envelopes)) {
      while (this.#waiting.length >= MAX_WAITING_JOBS) {
        const room = Promise.withResolvers<void>()
        this.#blocked.push(room)
        await room.promise
      }
      const { promise, resolve, reject } = Promise.withResolvers<RecordCheck[]>()
      // It may fail before the last part is handed over.
      promise.catch(() => {})
      jobs.push(promise)
      this.#waiting.push({ packed: pack(part), resolve, reject })
      this.#assign()
    }
    return (await Promise.all(jobs)).flat()
  }

  /** Ends all threads; what they had, and what waits, fails with ERR_NOT_RUNNING. Can be used again afterwards. */
  async stop(): Promise<void> {
    const threads = [...this.#threads]
    this.#threads.clear()
    const jobs = [...threads.flatMap((thread) => thread.jobs.splice(0)), ...this.#waiting.splice(0)]
    for (const { reject } of [...jobs, ...this.#blocked.splice(0)]) reject(new StoreNotRunningError())
    await Promise.all(
      threads.map(({ worker, cancelEnd }) => {
        cancelEnd()
        return worker.terminate()
      })
    )
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#freeThread()
      const job = thread === undefined ? undefined : this.#waiting.shift()
      if (thread === undefined || job === undefined) return
      thread.cancelEnd()
      if (thread.jobs.length === 0) thread.worker.ref()
      thread.jobs.push(job)
      thread.worker.postMessage(job.packed, [job.packed.bytes.buffer])
    }
  }

  /** The one with the least to do, or a new one when all have something to do. */
  #freeThread(): VerifyThread | undefined {
    const [free] = [...this.#threads].sort((a, b) => a.jobs.length - b.jobs.length)
    if (free === undefined || (free.jobs.length > 0 && this.#threads.size < this.#init.verifyThreads)) {
      return this.#startThread()
    }
    return free.jobs.length < JOBS_PER_WORKER ? free : undefined
  }

  #startThread(): VerifyThread {
    const thread: VerifyThread = { worker: startWorker(), jobs: [], cancelEnd: () => {} }
    this.#threads.add(thread)
    thread.worker.unref()
    let reason: unknown = 'it ended'
    thread.worker.on('message', (verdicts: RecordVerdict[]) => this.#answered(thread, verdicts))
    thread.worker.on('error', (error) => {
      reason = error
    })
    thread.worker.on('messageerror', (error) => {
      reason = error
      thread.worker.terminate()
    })
    thread.worker.on('exit', () => this.#ended(thread, reason))
    return thread
  }

  #answered(thread: VerifyThread, verdicts: RecordVerdict[]): void {
    thread.jobs.shift()?.resolve(verdicts.map(checkOf))
    this.#assign()
    this.#unblock()
    if (thread.jobs.length > 0 || !this.#threads.has(thread)) return
    thread.worker.unref()
    thread.cancelEnd = this.#clock.schedule(() => {
      this.#threads.delete(thread)
      thread.worker.terminate()
    }, this.#init.verifyThreadIdleMs)
  }

  #ended(thread: VerifyThread, reason: unknown): void {
    thread.cancelEnd()
    this.#threads.delete(thread)
    const error = new VerificationFailedError(reason)
    for (const { packed, resolve } of thread.jobs.splice(0)) {
      resolve(packed.lengths.map(() => ({ status: 'refused', error })))
    }
    this.#assign()
    this.#unblock()
  }

  #unblock(): void {
    for (const { resolve } of this.#blocked.splice(0)) resolve()
  }
}

function startWorker(): Worker {
  const fromSource = import.meta.url.endsWith('.ts')
  return new Worker(new URL(fromSource ? './verify-worker.ts' : './verify-worker.js', import.meta.url), {
    name: 'verify-records',
    execArgv: fromSource ? ['--conditions=@registry/source'] : []
  })
}

function checkHere(envelope: Uint8Array): RecordCheck {
  try {
    return { status: 'checked', checked: checkRecord(envelope) }
  } catch (error) {
    if (!isRegistryError(error)) throw error
    return { status: 'refused', error }
  }
}

function checkOf(verdict: RecordVerdict): RecordCheck {
  return verdict.status === 'checked' ? verdict : { status: 'refused', error: errorFromData(verdict.error) }
}

function* partsOf(envelopes: readonly Uint8Array[]): Generator<Uint8Array[], void, undefined> {
  let part: Uint8Array[] = []
  let bytes = 0
  for (const envelope of envelopes) {
    if (part.length === JOB_RECORDS || (part.length > 0 && bytes + envelope.length > JOB_BYTES)) {
      yield part
      part = []
      bytes = 0
    }
    part.push(envelope)
    bytes += envelope.length
  }
  if (part.length > 0) yield part
}

function pack(envelopes: readonly Uint8Array[]): PackedRecords {
  const lengths = envelopes.map(({ length }) => length)
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let start = 0
  for (const envelope of envelopes) {
    bytes.set(envelope, start)
    start += envelope.length
  }
  return { bytes, lengths }
}
