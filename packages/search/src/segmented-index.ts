import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { InvalidValueError, type Logger, type Query } from '@registry/types'
import { analyse } from './analysis.ts'
import { SearchStorageError } from './errors.ts'
import { Part } from './part.ts'
import { Scoring } from './scoring.ts'
import type { SearchDocument, SearchIndex, SearchIndexStats, SearchMatches } from './search-index.ts'
import type { WorkerEvent, WorkerRequest } from './search-worker.ts'
import { buildSegment } from './segment-builder.ts'
import { makeFolder, readManifest, readSegment, removeStrays, type StoredSegment } from './segment-files.ts'
import type { KeeperStart } from './segment-keeper.ts'
import { mergeSegments } from './segment-merger.ts'

export interface SearchIndexInit {
  /** Where the index is kept, a folder for it alone. Absent: in memory only. */
  folder?: string
  /** Changes that stay with the searching thread before a worker makes a segment of them. @default 64 */
  maxTableDocuments?: number
  /** Changes waiting for the worker above which `backpressure` makes the caller wait. @default 256 */
  maxWaitingDocuments?: number
}

export interface SearchIndexComponents {
  logger?: Logger
}

const DEFAULTS = Object.freeze({ maxTableDocuments: 64, maxWaitingDocuments: 256 })

/** Documents of a batch: so many take about a millisecond to be copied to the worker. */
const MAX_BATCH_DOCUMENTS = 128
const MAX_PACKAGE = 0xffffffff
const PART = 'registry:search'

/** A search index of immutable segments. Nothing runs and no file is touched before `open` or the first change. */
export function searchIndex(init: SearchIndexInit = {}): (components?: SearchIndexComponents) => SearchIndex {
  return (components = {}) => new SegmentedIndex(init, components)
}

/** Changes on their way into a segment. */
interface Batch {
  id: number
  /** The newest of each package; undefined where it was removed. */
  changes: Map<number, SearchDocument | undefined>
  /** Packages of `changes` that are not yet in `parts`. */
  fresh: Set<number>
  parts: Part[]
  watermark: number
  isSent: boolean
}

interface KnownSegment {
  id: number
  part: Part
  stored: StoredSegment | undefined
}

interface Waiter {
  resolve(): void
  reject(error: Error): void
}

class SegmentedIndex implements SearchIndex {
  readonly #folder: string | undefined
  readonly #maxTableDocuments: number
  readonly #maxWaitingDocuments: number
  readonly #logger: Logger | undefined
  readonly #scoring = new Scoring()
  /** Oldest first, and so are the batches, all of which are newer. */
  #segments: KnownSegment[] = []
  #batches: Batch[] = []
  #watermark = 0
  /** Of what is in segments. */
  #builtWatermark = 0
  #storedWatermark = 0
  #epoch = 0
  #nextBatch = 1
  #nextSegment = 1
  #nextFlush = 1
  #worker: Worker | undefined
  #isSending = false
  #isClosed = false
  readonly #flushes = new Map<number, Waiter>()
  #relieved: Array<() => void> = []

  constructor(init: SearchIndexInit, components: SearchIndexComponents) {
    this.#folder = init.folder
    this.#maxTableDocuments = init.maxTableDocuments ?? DEFAULTS.maxTableDocuments
    this.#maxWaitingDocuments = init.maxWaitingDocuments ?? DEFAULTS.maxWaitingDocuments
    this.#logger = components.logger
  }

  async open(options: { signal?: AbortSignal } = {}): Promise<{ watermark: number }> {
    options.signal?.throwIfAborted()
    if (this.#folder === undefined) return { watermark: 0 }
    try {
      makeFolder(this.#folder)
      const manifest = await readManifest(this.#folder)
      removeStrays(this.#folder, manifest)
      const segments: KnownSegment[] = []
      for (const stored of manifest?.segments ?? []) {
        const buffer = await readSegment(this.#folder, stored, options.signal)
        if (buffer === undefined) {
          this.#logger?.warn(PART, 'the index on disk is damaged and is built anew', { segment: stored.id })
          this.#nextSegment = 1 + Math.max(0, ...(manifest?.segments ?? []).map(({ id }) => id))
          return { watermark: 0 }
        }
        segments.push({ id: stored.id, part: new Part(buffer), stored })
      }
      for (const [index, { part }] of segments.entries()) {
        for (const newer of segments.slice(index + 1)) part.killReplaced(newer.part.segment)
      }
      this.#segments = segments
      this.#nextSegment = 1 + Math.max(0, ...segments.map(({ id }) => id))
      this.#watermark = manifest?.watermark ?? 0
      this.#builtWatermark = this.#watermark
      this.#storedWatermark = this.#watermark
      return { watermark: this.#watermark }
    } catch (error) {
      options.signal?.throwIfAborted()
      throw new SearchStorageError(this.#folder, error)
    }
  }

  put(documents: readonly SearchDocument[], watermark: number): void {
    this.#change(
      documents.map((document) => [document.package, document]),
      watermark
    )
  }

  remove(packages: readonly number[], watermark: number): void {
    this.#change(
      packages.map((key) => [key, undefined]),
      watermark
    )
  }

  #change(changes: ReadonlyArray<[number, SearchDocument | undefined]>, watermark: number): void {
    if (!Number.isSafeInteger(watermark) || watermark < 0) {
      throw new InvalidValueError('watermark', 'must be a whole number from 0')
    }
    for (const [key] of changes) {
      if (!Number.isInteger(key) || key < 1 || key > MAX_PACKAGE) {
        throw new InvalidValueError('package', `must be a whole number from 1 to ${MAX_PACKAGE}`)
      }
    }
    let table = this.#table()
    for (const [key, document] of changes) {
      // What is sealed before the last change of a call is durable without it.
      if (table.changes.size >= MAX_BATCH_DOCUMENTS) {
        this.#seal()
        table = this.#table()
      }
      table.changes.set(key, document)
      table.fresh.add(key)
    }
    this.#watermark = watermark
    table.watermark = watermark
    if (table.changes.size >= this.#maxTableDocuments) this.#seal()
  }

  /** The batch that takes changes. */
  #table(): Batch {
    const last = this.#batches.at(-1)
    if (last !== undefined && !this.#isSealed(last)) return last
    const batch: Batch = {
      id: this.#nextBatch,
      changes: new Map(),
      fresh: new Set(),
      parts: [],
      watermark: this.#watermark,
      isSent: false
    }
    this.#nextBatch += 1
    this.#batches.push(batch)
    return batch
  }

  /** Batches up to this one go to the worker. */
  #sealedUpTo = 0

  #isSealed(batch: Batch): boolean {
    return batch.id <= this.#sealedUpTo
  }

  #seal(): void {
    const last = this.#batches.at(-1)
    if (last === undefined || this.#isSealed(last)) return
    this.#sealedUpTo = last.id
    this.#sendSoon()
  }

  /** Sends one batch in each turn of the event loop, since copying many at once would stall it. */
  #sendSoon(): void {
    if (this.#isSending || this.#isClosed) return
    this.#isSending = true
    setImmediate(() => {
      this.#isSending = false
      if (this.#isClosed) return
      this.#sendNext()
      if (this.#batches.some((batch) => this.#isSealed(batch) && !batch.isSent)) this.#sendSoon()
    })
  }

  #sendNext(): void {
    const batch = this.#batches.find((one) => this.#isSealed(one) && !one.isSent)
    if (batch === undefined) return
    batch.isSent = true
    const documents: SearchDocument[] = []
    const removed: number[] = []
    for (const [key, document] of batch.changes) {
      if (document === undefined) removed.push(key)
      else documents.push(document)
    }
    this.#send({ kind: 'add', batch: { id: batch.id, documents, removed, watermark: batch.watermark } })
  }

  clear(): void {
    this.#segments = []
    this.#batches = []
    this.#watermark = 0
    this.#builtWatermark = 0
    this.#storedWatermark = 0
    // Sent before the epoch ends, since the worker counts it too.
    if (this.#worker !== undefined || this.#folder !== undefined) this.#send({ kind: 'clear' })
    this.#epoch += 1
    this.#relieve()
  }

  search(query: Query, accept?: (packageKey: number) => boolean): SearchMatches {
    this.#settle()
    const parts = [
      ...this.#segments.map(({ part }) => part),
      ...this.#batches.flatMap((batch) => batch.parts)
    ]
    return this.#scoring.search(parts, query, accept)
  }

  /** Brings what was put since the last search where it is found. */
  #settle(): void {
    for (const batch of this.#batches) {
      if (batch.fresh.size === 0) continue
      const documents: SearchDocument[] = []
      for (const key of batch.fresh) {
        for (const { part } of this.#segments) part.kill(key)
        for (const { parts } of this.#batches) for (const part of parts) part.kill(key)
        const document = batch.changes.get(key)
        if (document !== undefined) documents.push(document)
      }
      batch.fresh.clear()
      if (documents.length === 0) continue
      let part = new Part(buildSegment(documents.map(analyse), []))
      for (let last = batch.parts.at(-1); last !== undefined; last = batch.parts.at(-1)) {
        if (last.live.length > 2 * part.live.length) break
        batch.parts.pop()
        part = mergedPart(last, part)
      }
      batch.parts.push(part)
    }
  }

  backpressure(): Promise<void> {
    if (!this.#isFull()) return Promise.resolve()
    // Where the worker failed, nothing else might send what it had to another.
    this.#sendSoon()
    this.#hold()
    return new Promise((resolve) => {
      this.#relieved.push(() => {
        this.#letGo()
        resolve()
      })
    })
  }

  #isFull(): boolean {
    const waiting = this.#batches.reduce(
      (sum, batch) => sum + (this.#isSealed(batch) ? batch.changes.size : 0),
      0
    )
    return waiting > this.#maxWaitingDocuments
  }

  #relieve(): void {
    if (this.#isFull()) return
    const relieved = this.#relieved
    this.#relieved = []
    for (const resolve of relieved) resolve()
  }

  async flushed(): Promise<void> {
    this.#seal()
    while (this.#batches.some((batch) => !batch.isSent)) {
      this.#sendNext()
      await nextTurn()
    }
    const isStored = this.#folder === undefined || this.#segments.every(({ stored }) => stored !== undefined)
    if (this.#worker === undefined && isStored) return
    const id = this.#nextFlush
    this.#nextFlush += 1
    this.#hold()
    try {
      await new Promise<void>((resolve, reject) => {
        this.#flushes.set(id, { resolve, reject })
        this.#send({ kind: 'flush', id })
      })
    } finally {
      this.#letGo()
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    try {
      if (this.#folder !== undefined) await this.flushed()
    } catch (error) {
      this.#logger?.warn(PART, 'the newest changes of the index are not on disk', { reason: String(error) })
    }
    this.#isClosed = true
    await this.#worker?.terminate()
    this.#worker = undefined
  }

  stats(): SearchIndexStats {
    this.#settle()
    const parts = [
      ...this.#segments.map(({ part }) => part),
      ...this.#batches.flatMap((batch) => batch.parts)
    ]
    return {
      packages: parts.reduce((sum, part) => sum + part.liveCount, 0),
      segments: this.#segments.length,
      bytes: parts.reduce((sum, part) => sum + part.segment.buffer.byteLength, 0),
      waiting: this.#batches.reduce((sum, batch) => sum + batch.changes.size, 0),
      watermark: this.#storedWatermark
    }
  }

  /** While somebody waits for the worker, it keeps the process alive. */
  #holds = 0

  #hold(): void {
    this.#holds += 1
    this.#worker?.ref()
  }

  #letGo(): void {
    this.#holds -= 1
    if (this.#holds === 0) this.#worker?.unref()
  }

  #send(request: WorkerRequest): void {
    this.#worker ??= this.#startWorker()
    this.#worker.postMessage(request)
  }

  #startWorker(): Worker {
    const fromSource = import.meta.url.endsWith('.ts')
    const start: KeeperStart = {
      folder: this.#folder,
      segments: this.#segments.map(({ id, part, stored }) => ({ id, buffer: part.segment.buffer, stored })),
      nextId: this.#nextSegment,
      watermark: this.#builtWatermark,
      epoch: this.#epoch
    }
    const worker = new Worker(
      new URL(fromSource ? './search-worker.ts' : './search-worker.js', import.meta.url),
      { workerData: start, name: PART, execArgv: fromSource ? ['--conditions=@registry/source'] : [] }
    )
    worker.on('message', (event: WorkerEvent) => this.#heard(event))
    worker.on('error', (error) => this.#lost(worker, error))
    if (this.#holds === 0) worker.unref()
    this.#worker = worker
    return worker
  }

  /** A worker that failed is replaced by the next change or flush, which begins with what is known here. */
  #lost(worker: Worker, error: unknown): void {
    if (worker !== this.#worker) return
    this.#worker = undefined
    this.#logger?.warn(PART, 'the worker of the index failed', { reason: String(error) })
    for (const batch of this.#batches) batch.isSent = false
    for (const waiter of this.#flushes.values()) {
      waiter.reject(new SearchStorageError(this.#folder ?? 'memory', error))
    }
    this.#flushes.clear()
    for (const resolve of this.#relieved) resolve()
    this.#relieved = []
  }

  #heard(event: WorkerEvent): void {
    if (event.kind === 'flushed') {
      const waiter = this.#flushes.get(event.id)
      this.#flushes.delete(event.id)
      if (event.failure === undefined) waiter?.resolve()
      else waiter?.reject(new SearchStorageError(this.#folder ?? 'memory', event.failure))
      return
    }
    if (event.epoch !== this.#epoch) return
    if (event.kind === 'stored') {
      const stored = new Map(event.segments.map((segment) => [segment.id, segment]))
      for (const known of this.#segments) known.stored = stored.get(known.id) ?? known.stored
      this.#storedWatermark = event.watermark
      return
    }
    this.#nextSegment = Math.max(this.#nextSegment, event.id + 1)
    if (event.kind === 'built') this.#takeBuilt(event.id, new Part(event.buffer), event.lastBatch)
    else {
      const start = this.#segments.findIndex(({ id }) => id === event.replaced[0])
      const merged = event.buffer && {
        id: event.id,
        part: new Part(event.buffer, event.dead),
        stored: undefined
      }
      if (merged !== undefined) killChanged(merged.part, this.#batches)
      this.#segments.splice(start, event.replaced.length, ...(merged === undefined ? [] : [merged]))
    }
  }

  #takeBuilt(id: number, part: Part, lastBatch: number): void {
    const older = this.#segments.map((known) => known.part)
    for (const batch of this.#batches) {
      if (batch.id > lastBatch) break
      for (const key of batch.fresh) for (const one of older) one.kill(key)
      this.#builtWatermark = batch.watermark
    }
    this.#batches = this.#batches.filter((batch) => batch.id > lastBatch)
    killChanged(part, this.#batches)
    this.#segments.push({ id, part, stored: undefined })
    this.#relieve()
  }
}

/** Takes out what newer batches change; what is fresh in them is brought in before the next search. */
function killChanged(part: Part, batches: readonly Batch[]): void {
  for (const { changes } of batches) for (const key of changes.keys()) part.kill(key)
}

function mergedPart(older: Part, newer: Part): Part {
  const steps = mergeSegments([older.segment, newer.segment], [], false)
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) {
      const merged = new Part(step.value)
      for (const key of older.deadPackages()) if (newer.segment.documentOf(key) === -1) merged.kill(key)
      return merged
    }
  }
}
