import type { Query } from '@registry/types'
import { licensesOf, streamHashOf, termOf, VALUE_KINDS } from './analysis.ts'
import { IN_NAME, IN_TEXT, type Part } from './part.ts'
import type { Segment } from './segment.ts'
import { isStopWord, wordsOf } from './words.ts'

/** What a package must have beside words: values of its fields, and phrases. */
export interface Filter {
  /** `VALUE_KINDS` and the value in lower case. */
  values: readonly string[]
  phrases: ReadonlyArray<{ words: readonly string[]; hashes: readonly number[] }>
}

export function filterOf(query: Query): Filter {
  const values = [
    ...query.tags.map((tag) => VALUE_KINDS.tag + tag),
    ...query.labels.map((label) => VALUE_KINDS.keyword + label),
    ...licensesOf(query.license ?? '').map((license) => VALUE_KINDS.license + license)
  ]
  if (query.category !== undefined) values.push(VALUE_KINDS.category + query.category)
  if (query.owner !== undefined) values.push(VALUE_KINDS.owner + query.owner)
  const phrases = query.phrases
    .map(wordsOf)
    .filter((words) => words.length > 0)
    .map((words) => ({ words, hashes: words.map(streamHashOf) }))
  return { values: values.map((value) => value.toLowerCase()), phrases }
}

/** Marks the documents of a part that stand and pass; undefined if that is all of them, null if it is none. */
export function passing(part: Part, filter: Filter): Uint8Array | undefined | null {
  if (filter.values.length === 0 && filter.phrases.length === 0) return part.whole ? undefined : part.live
  const { segment } = part
  const ranges: Array<[number, number]> = []
  for (const value of filter.values) {
    const range = valueRange(segment, value)
    if (range[0] === range[1]) return null
    ranges.push(range)
  }
  const marks = part.live.slice()
  if (ranges.length > 0) {
    for (let document = 0; document < marks.length; document += 1) {
      if (marks[document] === 1 && !hasValues(segment, document, ranges)) marks[document] = 0
    }
  }
  for (const { words, hashes } of filter.phrases) keepPhrase(part, marks, words, hashes)
  return marks
}

/** The numbers of the values that are this one in lower case. */
function valueRange(segment: Segment, folded: string): [number, number] {
  const bound = (isBefore: (value: string) => boolean): number => {
    let low = 0
    let high = segment.counts.values
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(segment.valueOf(middle).toLowerCase())) low = middle + 1
      else high = middle
    }
    return low
  }
  return [bound((value) => value < folded), bound((value) => value <= folded)]
}

function hasValues(segment: Segment, document: number, ranges: ReadonlyArray<[number, number]>): boolean {
  const { valueReferences, valueStart } = segment.arrays
  const start = valueStart[document] ?? 0
  const end = valueStart[document + 1] ?? 0
  for (const [low, high] of ranges) {
    let has = false
    for (let index = start; index < end && !has; index += 1) {
      const value = valueReferences[index] ?? 0
      has = value >= low && value < high
    }
    if (!has) return false
  }
  return true
}

/** Unmarks the documents that do not have the words side by side. Only those of the rarest word are looked at. */
function keepPhrase(
  part: Part,
  marks: Uint8Array,
  words: readonly string[],
  hashes: readonly number[]
): void {
  const { segment } = part
  const { listStart, postings } = segment.arrays
  const had = marks.slice()
  marks.fill(0)
  let rarest: number | undefined
  let least = Number.POSITIVE_INFINITY
  for (const word of words) {
    // These are in no list but those of names.
    if (isStopWord(word)) continue
    const term = segment.find(termOf(word))
    if (term === -1) return
    const length = (listStart[2 * term + 2] ?? 0) - (listStart[2 * term] ?? 0)
    if (length < least) {
      rarest = term
      least = length
    }
  }
  if (rarest === undefined) {
    for (let document = 0; document < marks.length; document += 1) {
      if (had[document] === 1 && hasRun(segment, document, hashes)) marks[document] = 1
    }
    return
  }
  for (
    let index = listStart[2 * rarest + IN_NAME] ?? 0;
    index < (listStart[2 * rarest + IN_TEXT + 1] ?? 0);
  ) {
    const document = (postings[index] ?? 0) >>> 8
    if (had[document] === 1 && hasRun(segment, document, hashes)) marks[document] = 1
    index += 1
  }
}

function hasRun(segment: Segment, document: number, hashes: readonly number[]): boolean {
  const { stream, streamStart } = segment.arrays
  const first = hashes[0]
  const last = (streamStart[document + 1] ?? 0) - hashes.length
  for (let index = streamStart[document] ?? 0; index <= last; index += 1) {
    if (stream[index] !== first) continue
    let length = 1
    while (length < hashes.length && stream[index + length] === hashes[length]) length += 1
    if (length === hashes.length) return true
  }
  return false
}
