import type { AnalysedDocument } from './analysis.ts'
import { allocateSegment, BLOCK_SHIFT, type Segment } from './segment.ts'
import { stemLengthOf } from './words.ts'

/** Added to a quality, so that the product with it orders as the one with `factorOf` does, in whole numbers. */
const QUALITY_BASE = 85
const MIN_BUCKETS = 16
const MAX_BUCKETS = 32_768
const GRAM_LENGTH = 3
/** Terms between two pauses of a merge. */
const TERMS_BETWEEN_PAUSES = 256
const NOWHERE = 0xffffffff

/** A document as the writer places it. */
interface WrittenDocument {
  package: number
  name: string
  owner: string
  quality: number
  trust: number
  updatedS: number
  dependents: number
  providers: number
  values: readonly string[]
  stream: ArrayLike<number>
}

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

/**
 * The order of packages that are equal otherwise: by name, by the end of the owner's ID, which is all a cursor has room
 * for, and by package.
 */
export function comparePackages(
  a: { name: string; owner: string; package: number },
  b: { name: string; owner: string; package: number }
): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  const left = ownerTailOf(a.owner)
  const right = ownerTailOf(b.owner)
  if (left !== right) return left < right ? -1 : 1
  return a.package - b.package
}

export function ownerTailOf(owner: string): string {
  return owner.slice(-12)
}

/**
 * Builds a segment.
 *
 * @param documents - no two of one package
 * @param removed - packages to hide in older segments
 */
export function buildSegment(
  documents: readonly AnalysedDocument[],
  removed: Iterable<number>
): SharedArrayBuffer {
  const sorted = documents.toSorted(compareQuality)
  const writer = new SegmentWriter(
    sorted.map((document) => ({ ...document, owner: document.values[0]?.slice(1) ?? '' })),
    removed
  )
  const lists = new Map<string, { names: number[]; texts: number[] }>()
  for (const [place, document] of sorted.entries()) {
    for (const [term, impacts] of document.terms) {
      let list = lists.get(term)
      if (list === undefined) {
        list = { names: [], texts: [] }
        lists.set(term, list)
      }
      const base = place * 256
      if (impacts > 0xff) list.names.push(base + (impacts >> 8))
      if ((impacts & 0xff) > 0) list.texts.push(base + (impacts & 0xff))
    }
  }
  for (const term of [...lists.keys()].sort()) {
    const list = lists.get(term)
    if (list !== undefined) writer.addTerm(term, list.names, list.texts)
  }
  return writer.finish()
}

/** Finds the documents of `older` that `newer` replaces or removes. */
export function replacedDocuments(older: Segment, newer: Segment): number[] {
  const replaced: number[] = []
  for (const keys of [newer.arrays.packages, newer.arrays.removed]) {
    for (const key of keys) {
      const document = older.documentOf(key)
      if (document !== -1) replaced.push(document)
    }
  }
  return replaced
}

/**
 * Makes one segment of several, pausing often.
 *
 * @param segments - neighbours in age, oldest first
 * @param newest - all that are newer; what they replace is left out
 * @param keepRemoved - whether there are older segments in which packages have to stay hidden
 */
export function* mergeSegments(
  segments: readonly Segment[],
  newest: readonly Segment[],
  keepRemoved: boolean
): Generator<void, SharedArrayBuffer> {
  const sources = segments.map((segment, index) => {
    const places = new Uint32Array(segment.counts.documents)
    for (const newer of [...segments.slice(index + 1), ...newest]) {
      for (const document of replacedDocuments(segment, newer)) places[document] = NOWHERE
    }
    return { segment, places }
  })
  yield
  const documents: Array<WrittenDocument & { source: Uint32Array; document: number }> = []
  for (const { segment, places } of sources) {
    const values = Array.from({ length: segment.counts.values }, (_, value) => segment.valueOf(value))
    for (let document = 0; document < places.length; document += 1) {
      if (places[document] === NOWHERE) continue
      documents.push({ ...readDocument(segment, document, values), source: places, document })
      if (documents.length % TERMS_BETWEEN_PAUSES === 0) yield
    }
  }
  documents.sort(compareQuality)
  for (const [place, { source, document }] of documents.entries()) source[document] = place
  yield
  const writer = new SegmentWriter(documents, keepRemoved ? removedBy(segments) : [])
  yield
  yield* mergeTerms(sources, writer)
  return writer.finish()
}

/** What the newest word on it says is removed. */
function removedBy(segments: readonly Segment[]): Set<number> {
  const removed = new Set<number>()
  for (const { arrays } of segments) {
    for (const key of arrays.packages) removed.delete(key)
    for (const key of arrays.removed) removed.add(key)
  }
  return removed
}

function readDocument(segment: Segment, document: number, values: readonly string[]): WrittenDocument {
  const { arrays } = segment
  const at = (array: ArrayLike<number>): number => array[document] ?? 0
  const references = arrays.valueReferences.subarray(
    arrays.valueStart[document],
    arrays.valueStart[document + 1]
  )
  const texts = Array.from(references, (value) => values[value] ?? '')
  return {
    package: at(arrays.packages),
    name: segment.nameOf(document),
    owner: texts[0]?.slice(1) ?? '',
    quality: at(arrays.quality),
    trust: at(arrays.trust),
    updatedS: at(arrays.updatedS),
    dependents: at(arrays.dependents),
    providers: at(arrays.providers),
    values: texts,
    stream: arrays.stream.subarray(arrays.streamStart[document], arrays.streamStart[document + 1])
  }
}

function* mergeTerms(
  sources: ReadonlyArray<{ segment: Segment; places: Uint32Array }>,
  writer: SegmentWriter
): Generator<void> {
  const cursors = sources
    .filter(({ segment }) => segment.counts.terms > 0)
    .map(({ segment, places }) => ({ segment, places, term: 0, text: segment.termOf(0) }))
  let scratch = new Uint32Array(1024)
  for (let count = 0; cursors.length > 0; count += 1) {
    if (count % TERMS_BETWEEN_PAUSES === 0) yield
    let text = cursors[0]?.text ?? ''
    for (const cursor of cursors) if (cursor.text < text) text = cursor.text
    const here = cursors.filter((cursor) => cursor.text === text)
    const lists: Uint32Array[] = []
    for (const side of [0, 1]) {
      let length = 0
      const starts = lists[0]?.length ?? 0
      const needed = here.reduce((sum, { segment, term }) => sum + listLength(segment, term, side), starts)
      if (needed > scratch.length) {
        const larger = new Uint32Array(2 * needed)
        larger.set(scratch.subarray(0, starts))
        scratch = larger
        if (side === 1) lists[0] = scratch.subarray(0, starts)
      }
      for (const { segment, places, term } of here) {
        const { listStart, postings } = segment.arrays
        const end = listStart[2 * term + side + 1] ?? 0
        for (let index = listStart[2 * term + side] ?? 0; index < end; index += 1) {
          const posting = postings[index] ?? 0
          const place = places[posting >>> 8] ?? NOWHERE
          if (place === NOWHERE) continue
          scratch[starts + length] = place * 256 + (posting & 0xff)
          length += 1
        }
      }
      const list = scratch.subarray(starts, starts + length)
      // Each source is in order by itself.
      if (here.length > 1) list.sort()
      lists.push(list)
    }
    const [names = [], texts = []] = lists
    if (names.length + texts.length > 0) writer.addTerm(text, names, texts)
    for (const cursor of here) {
      cursor.term += 1
      if (cursor.term < cursor.segment.counts.terms) cursor.text = cursor.segment.termOf(cursor.term)
      else cursors.splice(cursors.indexOf(cursor), 1)
    }
  }
}

function listLength(segment: Segment, term: number, side: number): number {
  const { listStart } = segment.arrays
  return (listStart[2 * term + side + 1] ?? 0) - (listStart[2 * term + side] ?? 0)
}

function compareQuality(
  a: { quality: number; package: number },
  b: { quality: number; package: number }
): number {
  return b.quality - a.quality || a.package - b.package
}

/** Takes documents in their order, then terms in theirs. */
class SegmentWriter {
  readonly #documents: readonly WrittenDocument[]
  readonly #removed: number[]
  readonly #termStart = new NumberList()
  readonly #listStart = new NumberList()
  readonly #postings = new NumberList()
  readonly #best = new NumberList()
  readonly #quality: Uint8Array
  #termTexts: Buffer = Buffer.alloc(1024)

  constructor(documents: readonly WrittenDocument[], removed: Iterable<number>) {
    this.#documents = documents
    this.#removed = [...removed].sort((a, b) => a - b)
    this.#quality = Uint8Array.from(documents, ({ quality }) => quality)
    this.#termStart.push(0)
    this.#listStart.push(0)
  }

  addTerm(term: string, names: ArrayLike<number>, texts: ArrayLike<number>): void {
    const start = this.#termStart.last
    if (start + term.length > this.#termTexts.length) {
      const larger = Buffer.alloc(2 * (start + term.length))
      larger.set(this.#termTexts)
      this.#termTexts = larger
    }
    this.#termTexts.write(term, start, 'latin1')
    this.#termStart.push(start + term.length)
    this.#addList(names)
    this.#addList(texts)
  }

  #addList(list: ArrayLike<number>): void {
    let best = 0
    for (let index = 0; index < list.length; index += 1) {
      const posting = list[index] ?? 0
      best = Math.max(best, weightedImpact(posting & 0xff, this.#quality[posting >>> 8] ?? 0))
    }
    this.#postings.pushAll(list)
    this.#best.push(best)
    this.#listStart.push(this.#postings.length)
  }

  finish(): SharedArrayBuffer {
    const documents = this.#documents
    const termCount = this.#termStart.length - 1
    const termStart = this.#termStart.taken()
    const listStart = this.#listStart.taken()
    const grams = gramsOf(this.#termTexts, termStart, listStart)
    const valueTexts = [...new Set(documents.flatMap(({ values }) => values))]
      .map((text) => ({ text, folded: text.toLowerCase(), bytes: Buffer.from(text) }))
      .sort((a, b) => compareTexts(a.folded, b.folded) || compareTexts(a.text, b.text))
    const valueNumbers = new Map(valueTexts.map(({ text }, index) => [text, index]))
    const sum = (lengthOf: (document: WrittenDocument) => number): number =>
      documents.reduce((total, document) => total + lengthOf(document), 0)
    const { buffer, arrays } = allocateSegment({
      documents: documents.length,
      nameBytes: sum(({ name }) => name.length),
      values: valueTexts.length,
      valueBytes: valueTexts.reduce((total, { bytes }) => total + bytes.length, 0),
      valueReferences: sum(({ values }) => values.length),
      streamHashes: sum(({ stream }) => stream.length),
      terms: termCount,
      termBytes: this.#termStart.last,
      postings: this.#postings.length,
      gramBuckets: grams.start.length - 1,
      gramBlocks: grams.blocks.length,
      removed: this.#removed.length
    })
    arrays.termStart.set(termStart)
    arrays.listStart.set(listStart)
    arrays.postings.set(this.#postings.taken())
    arrays.best.set(this.#best.taken())
    arrays.gramStart.set(grams.start)
    arrays.gramBlocks.set(grams.blocks)
    arrays.removed.set(this.#removed)
    arrays.termTexts.set(this.#termTexts.subarray(0, this.#termStart.last))
    for (let term = 0; term < termCount; term += 1) {
      const text = this.#termTexts.toString('latin1', termStart[term], termStart[term + 1])
      arrays.signatures[term] = signatureOf(text)
      arrays.stemLength[term] = stemLengthOf(text)
    }
    let valueEnd = 0
    for (const [value, { bytes }] of valueTexts.entries()) {
      arrays.valueTexts.set(bytes, valueEnd)
      valueEnd += bytes.length
      arrays.valueTextStart[value + 1] = valueEnd
    }
    const names = Buffer.from(buffer, arrays.names.byteOffset, arrays.names.length)
    let nameEnd = 0
    let referenceEnd = 0
    let streamEnd = 0
    for (const [place, document] of documents.entries()) {
      arrays.packages[place] = document.package
      arrays.updatedS[place] = document.updatedS
      arrays.dependents[place] = document.dependents
      arrays.providers[place] = document.providers
      arrays.quality[place] = document.quality
      arrays.trust[place] = document.trust
      nameEnd += names.write(document.name, nameEnd, 'latin1')
      arrays.nameStart[place + 1] = nameEnd
      for (const value of document.values) {
        arrays.valueReferences[referenceEnd] = valueNumbers.get(value) ?? 0
        referenceEnd += 1
      }
      arrays.valueStart[place + 1] = referenceEnd
      arrays.stream.set(document.stream, streamEnd)
      streamEnd += document.stream.length
      arrays.streamStart[place + 1] = streamEnd
    }
    const places = documents.map((document, place) => ({ document, place }))
    places.sort((a, b) => a.document.package - b.document.package)
    for (const [index, { place }] of places.entries()) arrays.byPackage[index] = place
    places.sort((a, b) => comparePackages(a.document, b.document))
    for (const [rank, { place }] of places.entries()) arrays.nameRank[place] = rank
    return buffer
  }
}

/** For each bucket of trigrams the blocks of terms in which one of it is, of terms that are in names. */
function gramsOf(
  texts: Uint8Array,
  termStart: Uint32Array,
  listStart: Uint32Array
): { start: Uint32Array; blocks: Uint32Array } {
  const terms = termStart.length - 1
  let buckets = MIN_BUCKETS
  while (buckets < MAX_BUCKETS && buckets * 2 < terms) buckets *= 2
  const lastBlock = new Int32Array(buckets)
  const each = (visit: (bucket: number, block: number) => void): void => {
    lastBlock.fill(-1)
    for (let term = 0; term < terms; term += 1) {
      if ((listStart[2 * term + 1] ?? 0) === (listStart[2 * term] ?? 0)) continue
      const block = term >>> BLOCK_SHIFT
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
  const blocks = new Uint32Array(start[buckets] ?? 0)
  const next = start.slice()
  each((bucket, block) => {
    const place = next[bucket] ?? 0
    blocks[place] = block
    next[bucket] = place + 1
  })
  return { start, blocks }
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** A growing list of 32-bit numbers. */
class NumberList {
  #numbers: Uint32Array = new Uint32Array(64)
  length = 0

  get last(): number {
    return this.#numbers[this.length - 1] ?? 0
  }

  push(number: number): void {
    this.#reserve(1)
    this.#numbers[this.length] = number
    this.length += 1
  }

  pushAll(numbers: ArrayLike<number>): void {
    this.#reserve(numbers.length)
    this.#numbers.set(numbers, this.length)
    this.length += numbers.length
  }

  taken(): Uint32Array {
    return this.#numbers.subarray(0, this.length)
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#numbers.length) return
    const larger = new Uint32Array(2 * (this.length + count))
    larger.set(this.taken())
    this.#numbers = larger
  }
}
