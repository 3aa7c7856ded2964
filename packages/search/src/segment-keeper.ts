import { analyse } from './analysis.ts'
import type { SearchDocument } from './search-index.ts'
import { Segment } from './segment.ts'
import { buildSegment } from './segment-builder.ts'
import { type StoredSegment, writeManifest, writeSegment } from './segment-files.ts'
import { mergeSegments, replacedDocuments } from './segment-merger.ts'

/** Segments up to this size are of the smallest tier; each tier above is so many times as large. */
const SMALLEST_TIER = 256
const TIER_GROWTH = 8
/** So many neighbours of about one size are merged into one: fewer when there is nothing else to do. */
const FAN_IN = 8
const IDLE_FAN_IN = 3
/** With more segments than this, merging comes before new documents. */
const MANY_SEGMENTS = 24
/** So many documents are brought to disk at the latest, even though there is always something to build. */
const MAX_UNSTORED_DOCUMENTS = 16_384

/** Changes that become one segment. */
export interface Batch {
  id: number
  documents: SearchDocument[]
  removed: number[]
  watermark: number
}

export interface KeeperStart {
  /** Undefined: nothing goes to disk. */
  folder: string | undefined
  /** Oldest first. */
  segments: Array<{ id: number; buffer: SharedArrayBuffer; stored: StoredSegment | undefined }>
  nextId: number
  watermark: number
  /** Counts how often all was forgotten; what comes from before is of no interest any more. */
  epoch: number
}

/** What the keeper tells. */
export type KeeperEvent = { epoch: number } & (
  | { kind: 'built'; id: number; buffer: SharedArrayBuffer; lastBatch: number }
  /** `buffer` is undefined where nothing is left; `dead` are documents that newer segments replace. */
  | { kind: 'merged'; replaced: number[]; id: number; buffer: SharedArrayBuffer | undefined; dead: number[] }
  | { kind: 'stored'; segments: StoredSegment[]; watermark: number }
)

interface KeptSegment {
  id: number
  segment: Segment
  stored: StoredSegment | undefined
  dead: Set<number>
}

interface Merge {
  inputs: KeptSegment[]
  steps: Generator<void, SharedArrayBuffer>
}

/** Builds segments, merges them and brings them to disk, a little at a time. It runs in a thread of its own. */
export class SegmentKeeper {
  readonly #folder: string | undefined
  readonly #tell: (event: KeeperEvent) => void
  #segments: KeptSegment[]
  #nextId: number
  #watermark: number
  #epoch: number
  #merge: Merge | undefined
  #isStored: boolean
  #unstoredDocuments = 0

  constructor(start: KeeperStart, tell: (event: KeeperEvent) => void) {
    this.#folder = start.folder
    this.#tell = tell
    this.#segments = start.segments.map(({ id, buffer, stored }) => ({
      id,
      segment: new Segment(buffer),
      stored,
      dead: new Set()
    }))
    for (const [index, { dead, segment }] of this.#segments.entries()) {
      for (const newer of this.#segments.slice(index + 1)) {
        for (const document of replacedDocuments(segment, newer.segment)) dead.add(document)
      }
    }
    this.#nextId = start.nextId
    this.#watermark = start.watermark
    this.#epoch = start.epoch
    this.#isStored = start.segments.every(({ stored }) => stored !== undefined)
  }

  /** Makes one segment of batches in a row. */
  add(batches: readonly Batch[]): void {
    const last = batches.at(-1)
    if (last === undefined) return
    const documents = new Map<number, SearchDocument>()
    const removed = new Set<number>()
    for (const batch of batches) {
      for (const document of batch.documents) {
        documents.set(document.package, document)
        removed.delete(document.package)
      }
      for (const key of batch.removed) {
        documents.delete(key)
        removed.add(key)
      }
    }
    const buffer = buildSegment([...documents.values()].map(analyse), removed)
    const segment = new Segment(buffer)
    for (const older of this.#segments) {
      for (const document of replacedDocuments(older.segment, segment)) older.dead.add(document)
    }
    const id = this.#nextId
    this.#nextId += 1
    this.#segments.push({ id, segment, stored: undefined, dead: new Set() })
    this.#watermark = last.watermark
    this.#isStored = false
    this.#unstoredDocuments += documents.size
    this.#tell({ kind: 'built', epoch: this.#epoch, id, buffer, lastBatch: last.id })
  }

  clear(): void {
    this.#epoch += 1
    this.#segments = []
    this.#merge = undefined
    this.#watermark = 0
    this.#isStored = false
  }

  /** Whether there are so many segments that a search would take long. */
  get isBehind(): boolean {
    return this.#segments.length > MANY_SEGMENTS
  }

  get wantsStoring(): boolean {
    return !this.#isStored
  }

  get mustStore(): boolean {
    return this.#folder !== undefined && this.#unstoredDocuments > MAX_UNSTORED_DOCUMENTS
  }

  /** Merges as far as one pause; answers whether there was anything to merge. */
  mergeStep(isIdle: boolean): boolean {
    if (this.#merge === undefined) {
      const inputs = this.#nextInputs(isIdle ? IDLE_FAN_IN : FAN_IN)
      if (inputs === undefined) return false
      const end = this.#segments.indexOf(inputs[0] ?? this.#none()) + inputs.length
      const newer = this.#segments.slice(end).map(({ segment }) => segment)
      const keepsRemoved = this.#segments[0] !== inputs[0]
      const segments = inputs.map(({ segment }) => segment)
      this.#merge = { inputs, steps: mergeSegments(segments, newer, keepsRemoved) }
    }
    const { inputs, steps } = this.#merge
    const step = steps.next()
    if (step.done !== true) return true
    this.#merge = undefined
    const segment = new Segment(step.value)
    const start = this.#segments.indexOf(inputs[0] ?? this.#none())
    const dead = new Set<number>()
    for (const newer of this.#segments.slice(start + inputs.length)) {
      for (const document of replacedDocuments(segment, newer.segment)) dead.add(document)
    }
    const id = this.#nextId
    this.#nextId += 1
    const isEmpty = segment.counts.documents === 0 && segment.counts.removed === 0
    const merged: KeptSegment[] = isEmpty ? [] : [{ id, segment, stored: undefined, dead }]
    this.#segments.splice(start, inputs.length, ...merged)
    this.#isStored = false
    this.#tell({
      kind: 'merged',
      epoch: this.#epoch,
      replaced: inputs.map((input) => input.id),
      id,
      buffer: isEmpty ? undefined : segment.buffer,
      dead: [...dead]
    })
    return true
  }

  /** Brings all there is to disk. */
  store(): void {
    if (this.#folder !== undefined) {
      for (const kept of this.#segments) {
        kept.stored ??= writeSegment(this.#folder, kept.id, kept.segment.buffer)
      }
      const segments = this.#segments.flatMap(({ stored }) => stored ?? [])
      writeManifest(this.#folder, { watermark: this.#watermark, segments })
      this.#tell({ kind: 'stored', epoch: this.#epoch, segments, watermark: this.#watermark })
    }
    this.#isStored = true
    this.#unstoredDocuments = 0
  }

  /** A segment most of which is replaced; else the newest neighbours of about one size. */
  #nextInputs(fanIn: number): KeptSegment[] | undefined {
    const stale = this.#segments.find(
      ({ segment, dead }) => dead.size > SMALLEST_TIER && dead.size * 2 > segment.counts.documents
    )
    if (stale !== undefined) return [stale]
    const tiers = this.#segments.map(({ segment }) =>
      tierOf(segment.counts.documents + segment.counts.removed)
    )
    for (let tier = 0; tier <= Math.max(0, ...tiers); tier += 1) {
      let start = tiers.length
      for (let index = tiers.length - 1; index >= -1; index -= 1) {
        if (index >= 0 && (tiers[index] ?? 0) <= tier) continue
        if (start - index - 1 >= fanIn) return this.#segments.slice(index + 1, start)
        start = index
      }
    }
    return undefined
  }

  #none(): never {
    throw new RangeError('a merge of nothing')
  }
}

function tierOf(size: number): number {
  let tier = 0
  for (let largest = SMALLEST_TIER; largest < size; largest *= TIER_GROWTH) tier += 1
  return tier
}
