import type { Query, TermMatch } from '@registry/types'
import { type Expansion, exactExpansions, expansionsOf } from './expansion.ts'
import type { Part, Side } from './part.ts'
import { isStopWord, wordsOf, writtenWordsOf } from './words.ts'

/** More words than this say nothing more about what is meant. At most 12, the bits of a mask. */
const MAX_WORDS = 12
/** Multipliers are whole numbers, so that sums of them do not depend on their order: this many make 1. */
export const UNIT = 256
/** An impact of this counts once. */
export const WHOLE_IMPACT = 100
/** What a package gains whose name is the whole query, as a share of what finding all its words would give. */
const NAME_BONUS = 2

/** A list of documents to score, in each part where it is. */
export interface PlannedTerm {
  term: string
  side: Side
  how: TermMatch
  weight: number
  /** What an impact is multiplied by. */
  multiplier: number
  /** The term's number in each part, or -1. */
  numbers: readonly number[]
}

export interface PlannedWord {
  word: string
  terms: PlannedTerm[]
}

export interface Plan {
  /** Words that lead somewhere. */
  words: PlannedWord[]
  /** The whole query as one word, where it is more than part of a name, and what a package of that name gains. */
  name: { numbers: readonly number[]; bonus: number } | undefined
}

/** Decides which lists to look at, and what each counts. */
export function planOf(query: Query, parts: readonly Part[]): Plan {
  const words = queryWordsOf(query, parts)
  const isTyping = query.keywords.length > 0
  const live = parts.reduce((sum, part) => sum + part.liveCount, 0)
  const expansions = words.map((word, index) =>
    expansionsOf(parts, word, isTyping && index === words.length - 1)
  )
  for (let index = 0; index + 1 < words.length; index += 1) {
    // `graph ql` is `graphql`, too: each of the two words is then found by both together.
    const joined = exactExpansions(parts, `${words[index] ?? ''}${words[index + 1] ?? ''}`)
    for (const expansion of joined) {
      replaceOrAdd(expansions[index] ?? [], expansion)
      replaceOrAdd(expansions[index + 1] ?? [], expansion)
    }
  }
  const planned: PlannedWord[] = []
  let allWords = 0
  for (const [index, word] of words.entries()) {
    const terms = (expansions[index] ?? []).map((expansion) => ({
      ...expansion,
      numbers: parts.map((part) => part.segment.find(expansion.term))
    }))
    const count = terms.reduce((sum, { numbers, side }) => sum + countOf(parts, numbers, side), 0)
    if (count === 0) continue
    const idf = Math.log(1 + live / count)
    allWords += idf
    planned.push({
      word,
      terms: terms.map((term) => ({ ...term, multiplier: Math.max(1, Math.round(UNIT * idf * term.weight)) }))
    })
  }
  if (planned.length === 0) return { words: [], name: undefined }
  const whole = exactExpansions(parts, words.join(''))[0]
  const name = whole && {
    numbers: parts.map((part) => part.segment.find(whole.term)),
    bonus: Math.round(UNIT * WHOLE_IMPACT * NAME_BONUS * allWords)
  }
  return { words: planned, name }
}

function countOf(parts: readonly Part[], numbers: readonly number[], side: Side): number {
  return parts.reduce((sum, part, index) => {
    const number = numbers[index] ?? -1
    return number === -1 ? sum : sum + part.countOf(number, side)
  }, 0)
}

function replaceOrAdd(expansions: Expansion[], expansion: Expansion): void {
  const same = expansions.findIndex(({ term, side }) => term === expansion.term && side === expansion.side)
  if (same === -1) expansions.push(expansion)
  else expansions[same] = expansion
}

/** The words to look for, each once: those of the keywords last, since the last one may be unfinished. */
function queryWordsOf(query: Query, parts: readonly Part[]): string[] {
  const words = query.phrases.flatMap(wordsOf)
  for (const written of query.keywords.flatMap(writtenWordsOf)) {
    const joined = written.join('')
    // `GraphQL` is one word to most, `jsonParser` to none.
    if (written.length > 1 && exactExpansions(parts, joined).length > 0) words.push(joined)
    else words.push(...written)
  }
  const distinct = [...new Set(words)]
  const telling = distinct.filter((word) => !isStopWord(word))
  return (telling.length > 0 ? telling : distinct).slice(0, MAX_WORDS)
}
