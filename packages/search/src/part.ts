import { comparePackages, ownerTailOf } from './package-order.ts'
import { Segment } from './segment.ts'
import { replacedDocuments } from './segment-merger.ts'
import { weightedImpact } from './term-writer.ts'

/** The list of a term: where it is in names, or where it is elsewhere. */
export type Side = 0 | 1
export const IN_NAME: Side = 0
export const IN_TEXT: Side = 1

/** A segment and which of its documents still stand. */
export class Part {
  readonly segment: Segment
  /** 1 for a document that stands. */
  readonly live: Uint8Array
  readonly #dead: number[] = []

  constructor(buffer: SharedArrayBuffer, dead: Iterable<number> = []) {
    this.segment = new Segment(buffer)
    this.live = new Uint8Array(this.segment.counts.documents).fill(1)
    for (const document of dead) this.#kill(document)
  }

  get liveCount(): number {
    return this.live.length - this.#dead.length
  }

  /** Whether every document stands. */
  get whole(): boolean {
    return this.#dead.length === 0
  }

  /** Takes out the document of a package, if there is one. */
  kill(packageKey: number): void {
    const document = this.segment.documentOf(packageKey)
    if (document !== -1) this.#kill(document)
  }

  /** The packages of which the document no longer stands. */
  deadPackages(): number[] {
    return this.#dead.map((document) => this.segment.arrays.packages[document] ?? 0)
  }

  /** Takes out what a newer segment replaces or removes. */
  killReplaced(newer: Segment): void {
    for (const document of replacedDocuments(this.segment, newer)) this.#kill(document)
  }

  #kill(document: number): void {
    if (this.live[document] !== 1) return
    this.live[document] = 0
    this.#dead.push(document)
  }

  /** How many documents of a list stand. */
  countOf(term: number, side: Side): number {
    const { listStart, postings } = this.segment.arrays
    const start = listStart[2 * term + side] ?? 0
    const end = listStart[2 * term + side + 1] ?? 0
    const length = end - start
    if (this.whole) return length
    let dead = 0
    if (this.#dead.length * Math.log2(2 + length) < length) {
      for (const document of this.#dead) if (this.impactOf(term, side, document) > 0) dead += 1
    } else {
      for (let index = start; index < end; index += 1) {
        if (this.live[(postings[index] ?? 0) >>> 8] === 0) dead += 1
      }
    }
    return length - dead
  }

  /** The impact of a term in a document, 0 where it is not. */
  impactOf(term: number, side: Side, document: number): number {
    const { listStart, postings } = this.segment.arrays
    let low = listStart[2 * term + side] ?? 0
    let high = (listStart[2 * term + side + 1] ?? 0) - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const posting = postings[middle] ?? 0
      const found = posting >>> 8
      if (found === document) return posting & 0xff
      if (found < document) low = middle + 1
      else high = middle - 1
    }
    return 0
  }

  /** The most that impact and quality come to in the documents of a list that stand; 0 for none. */
  bestOf(term: number, side: Side): number {
    const { best, listStart, postings, quality } = this.segment.arrays
    const bound = best[2 * term + side] ?? 0
    if (this.whole || bound === 0) return bound
    let most = 0
    const end = listStart[2 * term + side + 1] ?? 0
    for (let index = listStart[2 * term + side] ?? 0; index < end && most < bound; index += 1) {
      const posting = postings[index] ?? 0
      if (this.live[posting >>> 8] === 1) {
        most = Math.max(most, weightedImpact(posting & 0xff, quality[posting >>> 8] ?? 0))
      }
    }
    return most
  }

  /** How many documents are not after this one in order of name, owner and package. */
  rankAfter(position: { name: string; owner: string; package: number }): number {
    const { nameRank, packages } = this.segment.arrays
    const byRank = new Uint32Array(nameRank.length)
    for (let document = 0; document < nameRank.length; document += 1)
      byRank[nameRank[document] ?? 0] = document
    let low = 0
    let high = byRank.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const document = byRank[middle] ?? 0
      const found = {
        name: this.segment.nameOf(document),
        owner: ownerTailOf(this.segment.ownerOf(document)),
        package: packages[document] ?? 0
      }
      if (comparePackages(found, position) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
