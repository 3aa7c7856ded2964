import type { TermMatch } from '@registry/types'
import { termOf, wordOfTerm } from './analysis.ts'
import { editDistance } from './edit-distance.ts'
import { IN_NAME, IN_TEXT, type Part, type Side } from './part.ts'
import { gramHashOf, signatureOf } from './term-writer.ts'
import { stemLengthOf } from './words.ts'

/** A term that a word of a query leads to. */
export interface Expansion {
  /** Of bytes, as in a segment. */
  term: string
  side: Side
  how: TermMatch
  weight: number
}

/** What a match is worth beside the exact word. */
const WEIGHT = Object.freeze({ exact: 1, stem: 0.9, prefix: 0.7, contains: 0.6, typo: 0.6, twoTypos: 0.4 })
/** How many terms each way of matching brings, the best ones. */
const MAX_NAME_PREFIXES = 32
const MAX_TEXT_PREFIXES = 16
const MAX_CONTAINING = 16
const MAX_STEMS = 16
const MAX_TYPOS = 8

/** A word that is in more of the names than one in so many, and in so many names, is not looked for inside others. */
const COMMON_SHARE = 16
const COMMON_NAMES = 256

const MIN_PREFIX_LENGTH = 3
const MIN_TEXT_PREFIX_LENGTH = 2
const MIN_CONTAINED_LENGTH = 3
const MIN_TYPO_LENGTH = 4
const MIN_TWO_TYPOS_LENGTH = 8
/** A form of a word is at most this much longer than its stem. */
const MAX_ENDING_LENGTH = 8

/**
 * The terms that a word leads to, over all parts together, so that it does not matter how documents lie in them.
 *
 * @param isLast - the word may be unfinished, as it is while somebody types
 */
export function expansionsOf(parts: readonly Part[], word: string, isLast: boolean): Expansion[] {
  const term = termOf(word)
  const found = new Map<string, Expansion>()
  const add = (expansion: Expansion): void => {
    const key = `${expansion.side}${expansion.term}`
    const known = found.get(key)
    if (known === undefined || known.weight < expansion.weight) found.set(key, expansion)
  }
  for (const side of [IN_NAME, IN_TEXT]) {
    for (const same of formsOf(parts, term, side)) {
      const how = same === term ? 'exact' : 'stem'
      add({ term: same, side, how, weight: WEIGHT[how] })
    }
  }
  const isCommon = isCommonName(parts, term)
  if (!isCommon && (isLast || term.length >= MIN_PREFIX_LENGTH)) {
    for (const longer of longerTerms(parts, term, IN_NAME, MAX_NAME_PREFIXES)) {
      add({ term: longer, side: IN_NAME, how: 'prefix', weight: WEIGHT.prefix })
    }
  }
  if (isLast && term.length >= MIN_TEXT_PREFIX_LENGTH) {
    for (const longer of longerTerms(parts, term, IN_TEXT, MAX_TEXT_PREFIXES)) {
      add({ term: longer, side: IN_TEXT, how: 'prefix', weight: WEIGHT.prefix })
    }
  }
  if (!isCommon && term.length >= MIN_CONTAINED_LENGTH) {
    for (const containing of containingTerms(parts, term)) {
      add({ term: containing, side: IN_NAME, how: 'contains', weight: WEIGHT.contains })
    }
  }
  if (found.size === 0) for (const expansion of typosOf(parts, word)) add(expansion)
  return [...found.values()]
}

function isCommonName(parts: readonly Part[], term: string): boolean {
  let names = 0
  let live = 0
  for (const part of parts) {
    const found = part.segment.find(term)
    if (found !== -1) names += part.countOf(found, IN_NAME)
    live += part.liveCount
  }
  return names >= COMMON_NAMES && names * COMMON_SHARE >= live
}

/** The expansion to exactly this word, on each side on which it is found. */
export function exactExpansions(parts: readonly Part[], word: string): Expansion[] {
  const term = termOf(word)
  return [IN_NAME, IN_TEXT].flatMap((side) => {
    const isThere = parts.some((part) => {
      const found = part.segment.find(term)
      return found !== -1 && part.bestOf(found, side) > 0
    })
    return isThere ? [{ term, side, how: 'exact' as const, weight: WEIGHT.exact }] : []
  })
}

/** The best terms found in any part: by the best document that each is in, then by text. */
class BestTerms {
  readonly #limit: number
  readonly #terms = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** What of each part is given is the best of that part; then what is taken is the best of all. */
  addAll(part: Part, terms: ReadonlyArray<{ term: number; best: number }>): void {
    for (const { term, best } of terms) {
      const text = part.segment.termOf(term)
      this.#terms.set(text, Math.max(best, this.#terms.get(text) ?? 0))
    }
  }

  taken(): string[] {
    return [...this.#terms]
      .sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1))
      .slice(0, this.#limit)
      .map(([text]) => text)
  }
}

/** Keeps the best few terms of a part, given in order. */
class BestOfPart {
  readonly #part: Part
  readonly #side: Side
  readonly #limit: number
  readonly terms: Array<{ term: number; best: number }> = []
  /** Only a term whose bound is above this may be among the best. */
  least = 0

  constructor(part: Part, side: Side, limit: number) {
    this.#part = part
    this.#side = side
    this.#limit = limit
  }

  take(term: number): void {
    const best = this.#part.bestOf(term, this.#side)
    if (best <= this.least) return
    let place = this.terms.length
    while (place > 0 && (this.terms[place - 1]?.best ?? 0) < best) place -= 1
    this.terms.splice(place, 0, { term, best })
    if (this.terms.length > this.#limit) this.terms.pop()
    if (this.terms.length === this.#limit) this.least = this.terms.at(-1)?.best ?? 0
  }
}

/** The term itself and the other forms of the word. */
function formsOf(parts: readonly Part[], term: string, side: Side): string[] {
  const stem = term.slice(0, stemLengthOf(term))
  const found = new BestTerms(MAX_STEMS)
  let isThere = false
  for (const part of parts) {
    const { segment } = part
    const { best: bounds, termStart, stemLength } = segment.arrays
    const exact = segment.find(term)
    if (exact !== -1 && part.bestOf(exact, side) > 0) isThere = true
    if (stem.length === term.length && stem.length < MIN_TYPO_LENGTH - 1) continue
    const start = segment.lowerBound(stem)
    const end = segment.prefixEnd(stem, start)
    const best = new BestOfPart(part, side, MAX_STEMS)
    for (let other = start; other < end; other += 1) {
      if (stemLength[other] !== stem.length || other === exact) continue
      const length = (termStart[other + 1] ?? 0) - (termStart[other] ?? 0)
      if (length > stem.length + MAX_ENDING_LENGTH) continue
      if ((bounds[2 * other + side] ?? 0) > best.least) best.take(other)
    }
    found.addAll(part, best.terms)
  }
  const others = found.taken().filter((other) => other !== term)
  return isThere ? [term, ...others] : others
}

/** The best terms that start with `prefix` and go on. */
function longerTerms(parts: readonly Part[], prefix: string, side: Side, limit: number): string[] {
  const found = new BestTerms(limit)
  for (const part of parts) {
    const { segment } = part
    let start = segment.lowerBound(prefix)
    const end = segment.prefixEnd(prefix, start)
    if (start < end && segment.termOf(start) === prefix) start += 1
    const best = new BestOfPart(part, side, limit)
    const bounds = segment.arrays.best
    for (let term = start; term < end; term += 1) {
      if ((bounds[2 * term + side] ?? 0) > best.least) best.take(term)
    }
    found.addAll(part, best.terms)
  }
  return found.taken()
}

/** The best terms of names that have `text` in them, but not at their start. */
function containingTerms(parts: readonly Part[], text: string): string[] {
  const found = new BestTerms(MAX_CONTAINING)
  const signature = signatureOf(text)
  const grams: number[] = []
  for (let index = 0; index + 2 < text.length; index += 1) {
    grams.push(gramHashOf(text.charCodeAt(index), text.charCodeAt(index + 1), text.charCodeAt(index + 2)))
  }
  for (const part of parts) {
    const { arrays, counts } = part.segment
    const { best: bounds, signatures } = arrays
    const mask = counts.gramBuckets - 1
    let start = 0
    let length = Number.POSITIVE_INFINITY
    for (const gram of grams) {
      const first = arrays.gramStart[gram & mask] ?? 0
      const count = (arrays.gramStart[(gram & mask) + 1] ?? 0) - first
      if (count < length) {
        start = first
        length = count
      }
    }
    const best = new BestOfPart(part, IN_NAME, MAX_CONTAINING)
    for (let index = start; index < start + length; index += 1) {
      const firstTerm = (arrays.gramBlocks[index] ?? 0) << counts.blockShift
      const end = Math.min(counts.terms, firstTerm + (1 << counts.blockShift))
      for (let term = firstTerm; term < end; term += 1) {
        if ((bounds[2 * term + IN_NAME] ?? 0) <= best.least) continue
        if (((signatures[term] ?? 0) & signature) >>> 0 !== signature) continue
        if (part.segment.termOf(term).indexOf(text) > 0) best.take(term)
      }
    }
    found.addAll(part, best.terms)
  }
  return found.taken()
}

/** The nearest terms of a word that is found nowhere; of those equally near the best. */
function typosOf(parts: readonly Part[], word: string): Expansion[] {
  const letters = [...word].length
  if (letters < MIN_TYPO_LENGTH) return []
  const max = letters < MIN_TWO_TYPOS_LENGTH ? 1 : 2
  const term = termOf(word)
  const bytesPerLetter = term.length > word.length ? 4 : 1
  const signature = signatureOf(term)
  const found = new Map<string, { distance: number; bests: [number, number] }>()
  for (const part of parts) {
    const { arrays, counts } = part.segment
    const { signatures, termStart } = arrays
    const slack = max * bytesPerLetter
    for (let other = 0; other < counts.terms; other += 1) {
      // A change brings at most one letter, and takes away one.
      const letters = signatures[other] ?? 0
      const brought = letters & ~signature
      const taken = signature & ~letters
      if (brought !== 0 && bitCount(brought) > slack) continue
      if (taken !== 0 && bitCount(taken) > slack) continue
      const length = (termStart[other + 1] ?? 0) - (termStart[other] ?? 0)
      if (length > term.length + slack || length < term.length - slack) continue
      const text = part.segment.termOf(other)
      const distance = editDistance(word, wordOfTerm(text), max)
      if (distance > max) continue
      const known = found.get(text)?.bests ?? [0, 0]
      const bests: [number, number] = [
        Math.max(known[0], part.bestOf(other, IN_NAME)),
        Math.max(known[1], part.bestOf(other, IN_TEXT))
      ]
      if (bests[0] + bests[1] > 0) found.set(text, { distance, bests })
    }
  }
  return [...found]
    .sort(
      ([a, left], [b, right]) =>
        left.distance - right.distance ||
        Math.max(...right.bests) - Math.max(...left.bests) ||
        (a < b ? -1 : 1)
    )
    .slice(0, MAX_TYPOS)
    .flatMap(([text, { distance, bests }]) => {
      const weight = distance === 1 ? WEIGHT.typo : WEIGHT.twoTypos
      return [IN_NAME, IN_TEXT]
        .filter((side) => bests[side] > 0)
        .map((side) => ({ term: text, side, how: 'typo' as const, weight }))
    })
}

function bitCount(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555)
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333)
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
