import { allocateSegment, type SegmentArrays } from './segment.ts'
import { stemLengthOf } from './words.ts'

/** Added to a quality, so that the product with it orders as the one with `factorOf` does, in whole numbers. */
const QUALITY_BASE = 85
const MIN_BUCKETS = 16
const MAX_BUCKETS = 32_768
const GRAM_LENGTH = 3
/** A block has at least so many terms, as a power of two, and more where there would be too many blocks for 16 bits. */
const MIN_BLOCK_SHIFT = 4
const MAX_BLOCKS = 65_536

/** What an impact counts in a document of this quality, in whole numbers below 65,536. */
export function weightedImpact(impact: number, quality: number): number {
  return impact * (QUALITY_BASE + quality)
}

/** Which letters a term has: one bit each for a to z, the others share six. */
export function signatureOf(term: string): number {
  let signature = 0
  for (let index = 0; index < term.length; index += 1) {
    const code = term.charCodeAt(index)
    if (code >= 0x61 && code <= 0x7a) signature |= 1 << (code - 0x61)
    else signature |= 1 << (26 + (code % 6))
  }
  return signature >>> 0
}

/** A number for three bytes of a term, to find its bucket by. */
export function gramHashOf(first: number, second: number, third: number): number {
  return Math.imul((first << 16) | (second << 8) | third, 0x9e3779b1) >>> 15
}

/** How large the documents of a segment are together, and the values they have, in order. */
export interface DocumentCounts {
  documents: number
  nameBytes: number
  valueReferences: number
  streamHashes: number
  removed: number
  values: readonly Buffer[]
}

/** Collects terms in their order with their postings, then makes the segment in which the documents are to be filled in. */
export class TermWriter {
  readonly #quality: Uint8Array
  readonly #termStart = new NumberList()
  readonly #listStart = new NumberList()
  readonly #postings = new NumberList()
  readonly #best = new NumberList()
  #texts: Buffer = Buffer.alloc(4096)
  #listBegin = 0

  /** @param quality - of each document, in order */
  constructor(quality: Uint8Array) {
    this.#quality = quality
    this.#termStart.push(0)
    this.#listStart.push(0)
  }

  /** Begins a term: its two lists follow, each of them ended. */
  begin(term: string): void {
    const start = this.#termStart.last
    if (start + term.length > this.#texts.length) {
      const larger = Buffer.alloc(2 * (start + term.length))
      larger.set(this.#texts)
      this.#texts = larger
    }
    this.#texts.write(term, start, 'latin1')
    this.#termStart.push(start + term.length)
  }

  add(document: number, impact: number): void {
    this.#postings.push(document * 256 + impact)
  }

  /** @param isSorted - whether the postings were added in order of their documents */
  endList(isSorted: boolean): void {
    const list = this.#postings.taken(this.#listBegin)
    if (!isSorted && list.length > 1) list.sort()
    let best = 0
    for (let index = 0; index < list.length; index += 1) {
      const posting = list[index] ?? 0
      const weighted = weightedImpact(posting & 0xff, this.#quality[posting >>> 8] ?? 0)
      if (weighted > best) best = weighted
    }
    this.#best.push(best)
    this.#listBegin = this.#postings.length
    this.#listStart.push(this.#listBegin)
  }

  /** Takes back a term of which both lists are empty. */
  dropIfEmpty(): void {
    const lists = this.#listStart
    if (lists.last !== lists.numbers[lists.length - 3]) return
    lists.length -= 2
    this.#best.length -= 2
    this.#termStart.length -= 1
  }

  /** Makes the segment; of its documents only the values are in it. */
  finish(counts: DocumentCounts): { buffer: SharedArrayBuffer; arrays: SegmentArrays } {
    const terms = this.#termStart.length - 1
    const termStart = this.#termStart.taken()
    const listStart = this.#listStart.taken()
    const grams = gramsOf(this.#texts, termStart, listStart)
    const segment = allocateSegment({
      documents: counts.documents,
      nameBytes: counts.nameBytes,
      values: counts.values.length,
      valueBytes: counts.values.reduce((sum, { length }) => sum + length, 0),
      valueReferences: counts.valueReferences,
      streamHashes: counts.streamHashes,
      terms,
      termBytes: this.#termStart.last,
      postings: this.#postings.length,
      gramBuckets: grams.start.length - 1,
      gramBlocks: grams.blocks.length,
      blockShift: grams.blockShift,
      removed: counts.removed
    })
    const { arrays } = segment
    arrays.termStart.set(termStart)
    arrays.listStart.set(listStart)
    arrays.postings.set(this.#postings.taken())
    arrays.best.set(this.#best.taken())
    arrays.gramStart.set(grams.start)
    arrays.gramBlocks.set(grams.blocks)
    arrays.termTexts.set(this.#texts.subarray(0, this.#termStart.last))
    arrays.quality.set(this.#quality)
    for (let term = 0; term < terms; term += 1) {
      const text = this.#texts.toString('latin1', termStart[term], termStart[term + 1])
      arrays.signatures[term] = signatureOf(text)
      arrays.stemLength[term] = stemLengthOf(text)
    }
    let valueEnd = 0
    for (const [value, bytes] of counts.values.entries()) {
      arrays.valueTexts.set(bytes, valueEnd)
      valueEnd += bytes.length
      arrays.valueTextStart[value + 1] = valueEnd
    }
    return segment
  }
}

/** Values in the order in which a segment has them, and their places in it. */
export function sortedValues(values: Iterable<string>): { bytes: Buffer[]; places: Map<string, number> } {
  const sorted = Array.from(values, (text) => ({ text, folded: text.toLowerCase() }))
  sorted.sort((a, b) => compareTexts(a.folded, b.folded) || compareTexts(a.text, b.text))
  return {
    bytes: sorted.map(({ text }) => Buffer.from(text)),
    places: new Map(sorted.map(({ text }, place) => [text, place]))
  }
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** For each bucket of trigrams the blocks of terms in which one of it is, of terms that are in names. */
function gramsOf(
  texts: Uint8Array,
  termStart: Uint32Array,
  listStart: Uint32Array
): { start: Uint32Array; blocks: Uint16Array; blockShift: number } {
  const terms = termStart.length - 1
  let blockShift = MIN_BLOCK_SHIFT
  while (terms >>> blockShift >= MAX_BLOCKS) blockShift += 1
  let buckets = MIN_BUCKETS
  while (buckets < MAX_BUCKETS && buckets * 2 < terms) buckets *= 2
  const lastBlock = new Int32Array(buckets)
  const each = (visit: (bucket: number, block: number) => void): void => {
    lastBlock.fill(-1)
    for (let term = 0; term < terms; term += 1) {
      if ((listStart[2 * term + 1] ?? 0) === (listStart[2 * term] ?? 0)) continue
      const block = term >>> blockShift
      const end = (termStart[term + 1] ?? 0) - GRAM_LENGTH
      for (let index = termStart[term] ?? 0; index <= end; index += 1) {
        const hash = gramHashOf(texts[index] ?? 0, texts[index + 1] ?? 0, texts[index + 2] ?? 0)
        const bucket = hash & (buckets - 1)
        if (lastBlock[bucket] === block) continue
        lastBlock[bucket] = block
        visit(bucket, block)
      }
    }
  }
  const start = new Uint32Array(buckets + 1)
  each((bucket) => {
    start[bucket + 1] = (start[bucket + 1] ?? 0) + 1
  })
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    start[bucket + 1] = (start[bucket + 1] ?? 0) + (start[bucket] ?? 0)
  }
  const blocks = new Uint16Array(start[buckets] ?? 0)
  const next = start.slice()
  each((bucket, block) => {
    const place = next[bucket] ?? 0
    blocks[place] = block
    next[bucket] = place + 1
  })
  return { start, blocks, blockShift }
}

/** A growing list of 32-bit numbers. */
export class NumberList {
  /** Longer than the list. */
  numbers: Uint32Array = new Uint32Array(64)
  length = 0

  get last(): number {
    return this.numbers[this.length - 1] ?? 0
  }

  push(number: number): void {
    if (this.length === this.numbers.length) {
      const larger = new Uint32Array(2 * this.length)
      larger.set(this.numbers)
      this.numbers = larger
    }
    this.numbers[this.length] = number
    this.length += 1
  }

  taken(from = 0): Uint32Array {
    return this.numbers.subarray(from, this.length)
  }
}
