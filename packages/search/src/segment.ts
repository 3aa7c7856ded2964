const MAGIC = 0x49475253
const FORMAT = 1
const HEADER_LENGTH = 16
export const HEADER_BYTES: number = HEADER_LENGTH * 4

/** How long each part of a segment is, in elements. */
export interface SegmentCounts {
  documents: number
  nameBytes: number
  values: number
  valueBytes: number
  valueReferences: number
  streamHashes: number
  terms: number
  termBytes: number
  postings: number
  /** A power of two. */
  gramBuckets: number
  gramBlocks: number
  /** A block of the index of trigrams is two to this many terms. */
  blockShift: number
  removed: number
}

/** The arrays of a segment over one buffer. Documents are sorted by falling quality, then by package. */
export interface SegmentArrays {
  packages: Uint32Array
  /** Documents in order of their package. */
  byPackage: Uint32Array
  /** The place of each document in order of name, owner and package. */
  nameRank: Uint32Array
  updatedS: Uint32Array
  dependents: Uint32Array
  nameStart: Uint32Array
  valueStart: Uint32Array
  streamStart: Uint32Array
  /** Values in order of kind, lower case and text. */
  valueTextStart: Uint32Array
  valueReferences: Uint32Array
  /** Terms in order of their bytes. */
  termStart: Uint32Array
  /** Which letters a term has, as bits. */
  signatures: Uint32Array
  /** Two lists for each term, where it is in the name and where elsewhere: `document << 8 | impact`, rising. */
  listStart: Uint32Array
  postings: Uint32Array
  gramStart: Uint32Array
  /** Blocks of terms of names in which a trigram is. */
  gramBlocks: Uint16Array
  /** Packages that were removed when this segment was the newest, rising. */
  removed: Uint32Array
  /** The most that `impact · quality` is in a list, two for each term. */
  best: Uint16Array
  providers: Uint16Array
  stream: Uint16Array
  quality: Uint8Array
  trust: Uint8Array
  stemLength: Uint8Array
  names: Uint8Array
  valueTexts: Uint8Array
  termTexts: Uint8Array
}

type Layout = { [Part in keyof SegmentArrays]: [offset: number, length: number] } & { byteLength: number }

function layoutOf(counts: SegmentCounts): Layout {
  const { documents, terms } = counts
  let end = HEADER_BYTES
  const place = (length: number, width: number): [number, number] => {
    const offset = end
    end += (length * width + 3) & ~3
    return [offset, length]
  }
  const layout = {
    packages: place(documents, 4),
    byPackage: place(documents, 4),
    nameRank: place(documents, 4),
    updatedS: place(documents, 4),
    dependents: place(documents, 4),
    nameStart: place(documents + 1, 4),
    valueStart: place(documents + 1, 4),
    streamStart: place(documents + 1, 4),
    valueTextStart: place(counts.values + 1, 4),
    valueReferences: place(counts.valueReferences, 4),
    termStart: place(terms + 1, 4),
    signatures: place(terms, 4),
    listStart: place(2 * terms + 1, 4),
    postings: place(counts.postings, 4),
    gramStart: place(counts.gramBuckets + 1, 4),
    removed: place(counts.removed, 4),
    gramBlocks: place(counts.gramBlocks, 2),
    best: place(2 * terms, 2),
    providers: place(documents, 2),
    stream: place(counts.streamHashes, 2),
    quality: place(documents, 1),
    trust: place(documents, 1),
    stemLength: place(terms, 1),
    names: place(counts.nameBytes, 1),
    valueTexts: place(counts.valueBytes, 1),
    termTexts: place(counts.termBytes, 1),
    byteLength: 0
  }
  layout.byteLength = end
  return layout
}

function arraysOf(buffer: SharedArrayBuffer, layout: Layout): SegmentArrays {
  const u32 = ([offset, length]: [number, number]): Uint32Array => new Uint32Array(buffer, offset, length)
  const u16 = ([offset, length]: [number, number]): Uint16Array => new Uint16Array(buffer, offset, length)
  const u8 = ([offset, length]: [number, number]): Uint8Array => new Uint8Array(buffer, offset, length)
  return {
    packages: u32(layout.packages),
    byPackage: u32(layout.byPackage),
    nameRank: u32(layout.nameRank),
    updatedS: u32(layout.updatedS),
    dependents: u32(layout.dependents),
    nameStart: u32(layout.nameStart),
    valueStart: u32(layout.valueStart),
    streamStart: u32(layout.streamStart),
    valueTextStart: u32(layout.valueTextStart),
    valueReferences: u32(layout.valueReferences),
    termStart: u32(layout.termStart),
    signatures: u32(layout.signatures),
    listStart: u32(layout.listStart),
    postings: u32(layout.postings),
    gramStart: u32(layout.gramStart),
    gramBlocks: u16(layout.gramBlocks),
    removed: u32(layout.removed),
    best: u16(layout.best),
    providers: u16(layout.providers),
    stream: u16(layout.stream),
    quality: u8(layout.quality),
    trust: u8(layout.trust),
    stemLength: u8(layout.stemLength),
    names: u8(layout.names),
    valueTexts: u8(layout.valueTexts),
    termTexts: u8(layout.termTexts)
  }
}

const COUNT_NAMES = [
  'documents',
  'nameBytes',
  'values',
  'valueBytes',
  'valueReferences',
  'streamHashes',
  'terms',
  'termBytes',
  'postings',
  'gramBuckets',
  'gramBlocks',
  'blockShift',
  'removed'
] as const

/** A buffer for a segment of these sizes, with the arrays to fill. */
export function allocateSegment(counts: SegmentCounts): { buffer: SharedArrayBuffer; arrays: SegmentArrays } {
  const layout = layoutOf(counts)
  const buffer = new SharedArrayBuffer(layout.byteLength)
  const header = new Uint32Array(buffer, 0, HEADER_LENGTH)
  header.set([MAGIC, FORMAT, ...COUNT_NAMES.map((name) => counts[name])])
  return { buffer, arrays: arraysOf(buffer, layout) }
}

/** An immutable part of the index, over a buffer that threads share and files hold as it is. */
export class Segment {
  readonly buffer: SharedArrayBuffer
  readonly counts: Readonly<SegmentCounts>
  readonly arrays: SegmentArrays
  readonly #names: Buffer
  readonly #valueTexts: Buffer
  readonly #termTexts: Buffer

  /**
   * @param buffer - what `allocateSegment` gave, here or in another process. It is trusted but for its header: whoever
   *   read it from a file has compared its checksum
   * @throws {RangeError} it is none
   */
  constructor(buffer: SharedArrayBuffer) {
    if (buffer.byteLength < HEADER_BYTES) throw new RangeError('too short for a segment')
    const header = new Uint32Array(buffer, 0, HEADER_LENGTH)
    if (header[0] !== MAGIC || header[1] !== FORMAT) throw new RangeError('not a segment of this format')
    const entries = COUNT_NAMES.map((name, index) => [name, header[index + 2] ?? 0] as const)
    const counts: SegmentCounts = { ...NO_COUNTS, ...Object.fromEntries(entries) }
    const layout = layoutOf(counts)
    if (layout.byteLength !== buffer.byteLength) throw new RangeError('not as long as its header says')
    this.buffer = buffer
    this.counts = counts
    this.arrays = arraysOf(buffer, layout)
    const bytes = ([offset, length]: [number, number]): Buffer => Buffer.from(buffer, offset, length)
    this.#names = bytes(layout.names)
    this.#valueTexts = bytes(layout.valueTexts)
    this.#termTexts = bytes(layout.termTexts)
  }

  /** The document of a package, or -1. */
  documentOf(packageKey: number): number {
    const { byPackage, packages } = this.arrays
    let low = 0
    let high = byPackage.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const document = byPackage[middle] ?? 0
      const found = packages[document] ?? 0
      if (found === packageKey) return document
      if (found < packageKey) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  /** The documents in order of name, owner and package. */
  byRank(): Uint32Array {
    const { nameRank } = this.arrays
    const documents = new Uint32Array(nameRank.length)
    for (let document = 0; document < nameRank.length; document += 1) {
      documents[nameRank[document] ?? 0] = document
    }
    return documents
  }

  nameOf(document: number): string {
    const { nameStart } = this.arrays
    return this.#names.toString('latin1', nameStart[document], nameStart[document + 1])
  }

  ownerOf(document: number): string {
    return this.valueOf(this.arrays.valueReferences[this.arrays.valueStart[document] ?? 0] ?? 0).slice(1)
  }

  /** The kind of the value and its text. */
  valueOf(value: number): string {
    const { valueTextStart } = this.arrays
    return this.#valueTexts.toString('utf8', valueTextStart[value], valueTextStart[value + 1])
  }

  termOf(term: number): string {
    const { termStart } = this.arrays
    return this.#termTexts.toString('latin1', termStart[term], termStart[term + 1])
  }

  /** The first term that is not before `text`. */
  lowerBound(text: string): number {
    const { termStart, termTexts } = this.arrays
    let low = 0
    let high = this.counts.terms
    while (low < high) {
      const middle = (low + high) >>> 1
      const start = termStart[middle] ?? 0
      const length = (termStart[middle + 1] ?? 0) - start
      const shared = Math.min(length, text.length)
      let order = 0
      for (let index = 0; index < shared && order === 0; index += 1) {
        order = (termTexts[start + index] ?? 0) - text.charCodeAt(index)
      }
      if (order === 0) order = length - text.length
      if (order < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first term after all that start with `prefix`. */
  prefixEnd(prefix: string, from: number): number {
    let low = from
    let high = this.counts.terms
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.startsWith(middle, prefix)) low = middle + 1
      else high = middle
    }
    return low
  }

  startsWith(term: number, prefix: string): boolean {
    const { termStart, termTexts } = this.arrays
    const start = termStart[term] ?? 0
    if ((termStart[term + 1] ?? 0) - start < prefix.length) return false
    for (let index = 0; index < prefix.length; index += 1) {
      if (termTexts[start + index] !== prefix.charCodeAt(index)) return false
    }
    return true
  }

  /** The number of a term, or -1. */
  find(text: string): number {
    const term = this.lowerBound(text)
    if (term === this.counts.terms) return -1
    const { termStart } = this.arrays
    const length = (termStart[term + 1] ?? 0) - (termStart[term] ?? 0)
    return length === text.length && this.startsWith(term, text) ? term : -1
  }
}

const NO_COUNTS: SegmentCounts = Object.freeze({
  documents: 0,
  nameBytes: 0,
  values: 0,
  valueBytes: 0,
  valueReferences: 0,
  streamHashes: 0,
  terms: 0,
  termBytes: 0,
  postings: 0,
  gramBuckets: 0,
  gramBlocks: 0,
  blockShift: 0,
  removed: 0
})
