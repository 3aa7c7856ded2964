import type { Query, ScoreExplanation } from '@registry/types'
import { WHOLE_NAME_IMPACT, wordOfTerm } from './analysis.ts'
import { cursorOf, type Position, positionOf } from './cursor.ts'
import { FacetCounter } from './facets.ts'
import { type Filter, filterOf, passing } from './filter.ts'
import { comparePackages, ownerTailOf } from './package-order.ts'
import { IN_NAME, type Part } from './part.ts'
import { type Plan, planOf, UNIT, WHOLE_IMPACT } from './plan.ts'
import { factorOf, MAX_QUALITY, qualitySharesOf } from './quality.ts'
import type { SearchMatch, SearchMatches } from './search-index.ts'

/** Documents to a window: those in which nothing is found are passed over, and of each the highest quality is known. */
const WINDOW_SHIFT = 8
const WINDOW = 1 << WINDOW_SHIFT

/** What one word gives is below 2^20: an impact below 2^8 times a multiplier below 2^12. Twelve words are left room. */
const GAIN_BITS = 20
const GAIN_MASK = (1 << GAIN_BITS) - 1

const FACTORS: Float64Array = Float64Array.from({ length: MAX_QUALITY + 1 }, (_, quality) =>
  factorOf(quality)
)

/** A document among the best. */
interface Candidate {
  part: Part
  document: number
  /** What is sorted by first, the most first. */
  key: number
  score: number
  /** Of the words of the plan, those that the document has. */
  found: number
}

/** Room for the sums of one part at a time, used again by the next search. */
export class Scoring {
  #sums: Int32Array = new Int32Array(0)
  /**
   * In the upper bits which words each document has, in the lower what the last of these gave it: of the terms of a word
   * the best counts.
   */
  #states: Int32Array = new Int32Array(0)
  /** The highest sum of each window. */
  #highest: Int32Array = new Int32Array(0)

  search(
    parts: readonly Part[],
    query: Query,
    accept: ((packageKey: number) => boolean) | undefined
  ): SearchMatches {
    const after = query.after === undefined ? undefined : positionOf(query, query.after)
    const filter = filterOf(query)
    const plan = queryPlanOf(query, parts, filter)
    const counter = query.facets ? new FacetCounter() : undefined
    const limit = query.limit + 1
    let best: Candidate[] = []
    let total = 0
    if (plan === undefined || plan.words.length > 0) {
      const isLarger = (a: { part: Part }, b: { part: Part }): number =>
        b.part.live.length - a.part.live.length
      for (const { part, index } of parts.map((part, index) => ({ part, index })).sort(isLarger)) {
        const marks = passing(part, filter)
        if (marks === null) continue
        const selection = new Selection(part, query, limit, after, best[limit - 1]?.key)
        const documentsFound = plan === undefined ? 0 : this.#sum(part, index, plan, marks)
        try {
          total += this.#select(selection, { part, plan, marks, accept, counter, documentsFound })
        } catch (error) {
          // The caller's `accept` failed: the next search begins with sums of 0 all the same.
          this.#sums.fill(0)
          this.#states.fill(0)
          this.#highest.fill(0)
          throw error
        }
        best = [...best, ...selection.taken()].sort(compareCandidates).slice(0, limit)
      }
    }
    const page = best.slice(0, query.limit)
    const answer: SearchMatches = {
      matches: page.map((candidate) => matchOf(candidate, parts, plan, query)),
      total
    }
    const last = page.at(-1)
    if (last !== undefined && best.length > page.length) answer.next = cursorOf(query, placeOf(last))
    if (counter !== undefined) answer.facets = counter.taken()
    return answer
  }

  /**
   * Adds up what the words give to each document of a part, and answers how many have any of them. In which order it is
   * done does not matter to the sums.
   */
  #sum(part: Part, index: number, plan: Plan, marks: Uint8Array | undefined): number {
    const documents = part.live.length
    if (documents > this.#sums.length) {
      this.#sums = new Int32Array(documents)
      this.#states = new Int32Array(documents)
      this.#highest = new Int32Array((documents + WINDOW - 1) >>> WINDOW_SHIFT)
    }
    let documentsFound = 0
    const { listStart } = part.segment.arrays
    for (const [place, { terms }] of plan.words.entries()) {
      const lists: List[] = []
      for (const { numbers, side, multiplier } of terms) {
        const number = numbers[index] ?? -1
        if (number === -1) continue
        const start = listStart[2 * number + side] ?? 0
        const end = listStart[2 * number + side + 1] ?? 0
        if (start < end) lists.push({ start, end, multiplier })
      }
      // The first list of a word is the fastest: no document has the word yet.
      lists.sort((x, y) => y.end - y.start - (x.end - x.start))
      const bit = 1 << (GAIN_BITS + place)
      for (const list of lists) documentsFound += this.#addList(part, list, bit, marks)
    }
    this.#addName(part, index, plan)
    return documentsFound
  }

  /**
   * Adds a list to documents, some of which may have the word already: what gives more counts. Answers how many had no
   * word before.
   */
  #addList(part: Part, list: List, bit: number, marks: Uint8Array | undefined): number {
    const { postings } = part.segment.arrays
    const { start, end, multiplier } = list
    const sums = this.#sums
    const states = this.#states
    const highest = this.#highest
    let found = 0
    let window = 0
    let top = 0
    for (let index = start; index < end; index += 1) {
      const posting = postings[index] ?? 0
      const document = posting >>> 8
      if (marks !== undefined && marks[document] === 0) continue
      const gain = (posting & 0xff) * multiplier
      const state = states[document] ?? 0
      const given = (state & bit) === 0 ? 0 : state & GAIN_MASK
      if (gain <= given) continue
      const sum = (sums[document] ?? 0) + gain - given
      // 1 for a state of 0, without a branch that would be guessed wrong half of the time.
      found += ((state | -state) >>> 31) ^ 1
      states[document] = (state & ~GAIN_MASK) | bit | gain
      sums[document] = sum
      if (document >>> WINDOW_SHIFT !== window) {
        if (top > (highest[window] ?? 0)) highest[window] = top
        window = document >>> WINDOW_SHIFT
        top = 0
      }
      top = Math.max(top, sum)
    }
    if (top > (highest[window] ?? 0)) highest[window] = top
    return found
  }

  /** Adds the bonus to documents whose whole name is asked for. */
  #addName(part: Part, index: number, plan: Plan): void {
    const name = plan.name?.numbers[index] ?? -1
    if (plan.name === undefined || name === -1) return
    const { listStart, postings } = part.segment.arrays
    const end = listStart[2 * name + IN_NAME + 1] ?? 0
    for (let at = listStart[2 * name + IN_NAME] ?? 0; at < end; at += 1) {
      const posting = postings[at] ?? 0
      const document = posting >>> 8
      if ((posting & 0xff) !== WHOLE_NAME_IMPACT || this.#states[document] === 0) continue
      const sum = (this.#sums[document] ?? 0) + plan.name.bonus
      this.#sums[document] = sum
      const window = document >>> WINDOW_SHIFT
      if (sum > (this.#highest[window] ?? 0)) this.#highest[window] = sum
    }
  }

  /** Offers each document that fits to the selection and answers how many fit; leaves the sums at 0. */
  #select(
    selection: Selection,
    options: {
      part: Part
      plan: Plan | undefined
      marks: Uint8Array | undefined
      accept: ((packageKey: number) => boolean) | undefined
      counter: FacetCounter | undefined
      documentsFound: number
    }
  ): number {
    const { part, plan, marks, accept, counter, documentsFound } = options
    const { packages } = part.segment.arrays
    const facets = counter?.countIn(part.segment)
    let total = 0
    const offer = (document: number, score: number, found: number): void => {
      if (accept !== undefined && !accept(packages[document] ?? 0)) return
      facets?.add(document)
      total += 1
      selection.offer(document, score, found)
    }
    if (plan === undefined) this.#listAll(part, marks, offer)
    else if (selection.byScore && accept === undefined && facets === undefined) {
      this.#offerBest(part, plan, selection)
      total = documentsFound
    } else this.#offerAll(part, plan, offer)
    facets?.end()
    return total
  }

  #listAll(part: Part, marks: Uint8Array | undefined, offer: Offer): void {
    const { quality } = part.segment.arrays
    for (let document = 0; document < part.live.length; document += 1) {
      if (marks !== undefined && marks[document] === 0) continue
      offer(document, FACTORS[quality[document] ?? 0] ?? 1, 0)
    }
  }

  #offerAll(part: Part, plan: Plan, offer: Offer): void {
    const { quality } = part.segment.arrays
    const shares = sharesOf(plan.words.length)
    this.#eachWindow(part, (start, end) => {
      for (let document = start; document < end; document += 1) {
        const found = (this.#states[document] ?? 0) >>> GAIN_BITS
        if (found === 0) continue
        const share = shares[bitCount(found)] ?? 0
        offer(document, scoreOf(this.#sums[document] ?? 0, share, quality[document] ?? 0), found)
      }
    })
  }

  /** Offers what can be among the best. */
  #offerBest(part: Part, plan: Plan, selection: Selection): void {
    const { quality } = part.segment.arrays
    const shares = sharesOf(plan.words.length)
    this.#eachWindow(part, (start, end, highest) => {
      // The first document of a window is of the highest quality in it.
      const best = quality[start] ?? 0
      let leastSum = leastSumOf(selection.least, best)
      if (highest <= leastSum) return
      for (let document = start; document < end; document += 1) {
        const sum = this.#sums[document] ?? 0
        if (sum <= leastSum) continue
        const found = (this.#states[document] ?? 0) >>> GAIN_BITS
        const score = scoreOf(sum, shares[bitCount(found)] ?? 0, quality[document] ?? 0)
        if (score < selection.least) continue
        selection.offer(document, score, found)
        leastSum = leastSumOf(selection.least, best)
      }
    })
  }

  /** Goes through the windows in which there is anything, and leaves them at 0. */
  #eachWindow(part: Part, visit: (start: number, end: number, highest: number) => void): void {
    for (let start = 0; start < part.live.length; start += WINDOW) {
      const window = start >>> WINDOW_SHIFT
      const highest = this.#highest[window] ?? 0
      if (highest === 0) continue
      this.#highest[window] = 0
      const end = Math.min(part.live.length, start + WINDOW)
      visit(start, end, highest)
      this.#sums.fill(0, start, end)
      this.#states.fill(0, start, end)
    }
  }
}

type Offer = (document: number, score: number, found: number) => void

/** A list of postings, and what an impact in it is multiplied by. */
interface List {
  start: number
  end: number
  multiplier: number
}

/** No sum up to this one, which may be a little low, comes to the score with this quality or less. */
function leastSumOf(score: number, quality: number): number {
  return Math.max(0, Math.floor((score * UNIT * WHOLE_IMPACT) / (FACTORS[quality] ?? 1)) - 1)
}

/** Undefined where the filter alone decides: no word is asked for, or only phrases of words that are in no list. */
function queryPlanOf(query: Query, parts: readonly Part[], filter: Filter): Plan | undefined {
  if (query.keywords.length === 0 && query.phrases.length === 0) return undefined
  const plan = planOf(query, parts)
  const isOnlyPhrases = query.keywords.length === 0 && filter.phrases.length > 0
  return plan.words.length === 0 && isOnlyPhrases ? undefined : plan
}

/** What the sum of a document counts for when only some of the words are found: the share squared. */
function sharesOf(words: number): Float64Array {
  return Float64Array.from({ length: words + 1 }, (_, found) => (found / words) ** 2)
}

function scoreOf(sum: number, share: number, quality: number): number {
  return (sum / (UNIT * WHOLE_IMPACT)) * share * (FACTORS[quality] ?? 1)
}

/** The best documents of a part, by their key and then by name. */
class Selection {
  readonly byScore: boolean
  /** The least score that may still be among the best, where these are sorted by it. */
  least: number
  readonly #part: Part
  readonly #sort: Query['sort']
  readonly #limit: number
  readonly #after: Position | undefined
  readonly #afterRank: number
  readonly #best: Array<Candidate & { rank: number }> = []

  constructor(
    part: Part,
    query: Query,
    limit: number,
    after: Position | undefined,
    least: number | undefined
  ) {
    this.#part = part
    this.#sort = query.sort
    this.#limit = limit
    this.#after = after
    this.#afterRank = after === undefined ? 0 : part.rankAfter(after)
    this.byScore = query.sort === 'relevance'
    this.least = least ?? Number.NEGATIVE_INFINITY
  }

  offer(document: number, score: number, found: number): void {
    const { dependents, nameRank, updatedS } = this.#part.segment.arrays
    let key = 0
    if (this.byScore) key = score
    else if (this.#sort === 'updated') key = updatedS[document] ?? 0
    else if (this.#sort === 'dependents') key = dependents[document] ?? 0
    if (key < this.least) return
    const rank = nameRank[document] ?? 0
    const after = this.#after
    if (after !== undefined && (key > after.key || (key === after.key && rank < this.#afterRank))) return
    const best = this.#best
    let place = best.length
    if (place === this.#limit) {
      const last = best[place - 1]
      if (last !== undefined && (key < last.key || (key === last.key && rank > last.rank))) return
    }
    while (place > 0) {
      const above = best[place - 1]
      if (above === undefined || above.key > key || (above.key === key && above.rank < rank)) break
      place -= 1
    }
    best.splice(place, 0, { part: this.#part, document, key, score, found, rank })
    if (best.length > this.#limit) best.pop()
    if (best.length === this.#limit) this.least = Math.max(this.least, best.at(-1)?.key ?? this.least)
  }

  taken(): Candidate[] {
    return this.#best
  }
}

function compareCandidates(a: Candidate, b: Candidate): number {
  return b.key - a.key || comparePackages(placeOf(a), placeOf(b))
}

function placeOf({ part, document, key }: Candidate): Position {
  return {
    key,
    name: part.segment.nameOf(document),
    owner: ownerTailOf(part.segment.ownerOf(document)),
    package: part.segment.arrays.packages[document] ?? 0
  }
}

function matchOf(
  candidate: Candidate,
  parts: readonly Part[],
  plan: Plan | undefined,
  query: Query
): SearchMatch {
  const { part, document, score } = candidate
  const match: SearchMatch = { package: part.segment.arrays.packages[document] ?? 0, score }
  if (query.explain) match.explanation = explain(candidate, parts.indexOf(part), plan)
  return match
}

function explain(
  { part, document, found }: Candidate,
  index: number,
  plan: Plan | undefined
): ScoreExplanation {
  const { dependents, providers, quality, trust, updatedS } = part.segment.arrays
  const at = (array: ArrayLike<number>): number => array[document] ?? 0
  const signals = {
    dependents: at(dependents),
    providers: at(providers),
    updatedS: at(updatedS),
    trust: at(trust)
  }
  const explanation: ScoreExplanation = {
    terms: [],
    bonuses: [],
    quality: { ...qualitySharesOf(signals), factor: factorOf(at(quality)) }
  }
  if (plan === undefined) {
    explanation.bonuses.push({ reason: 'no word was asked for', score: 1 })
    return explanation
  }
  let sum = 0
  for (const { word, terms } of plan.words) {
    let most = 0
    let best: ScoreExplanation['terms'][number] | undefined
    for (const { term, side, how, weight, multiplier, numbers } of terms) {
      const number = numbers[index] ?? -1
      const impact = number === -1 ? 0 : part.impactOf(number, side, document)
      if (impact * multiplier <= most) continue
      most = impact * multiplier
      best = {
        word,
        term: wordOfTerm(term),
        field: side === IN_NAME ? 'name' : 'text',
        how,
        idf: multiplier / UNIT / weight,
        impact: impact / WHOLE_IMPACT,
        weight
      }
    }
    sum += most
    if (best !== undefined) explanation.terms.push(best)
  }
  const name = plan.name?.numbers[index] ?? -1
  if (
    plan.name !== undefined &&
    name !== -1 &&
    part.impactOf(name, IN_NAME, document) === WHOLE_NAME_IMPACT
  ) {
    sum += plan.name.bonus
    explanation.bonuses.push({
      reason: 'the whole name was asked for',
      score: plan.name.bonus / (UNIT * WHOLE_IMPACT)
    })
  }
  const words = plan.words.length
  const share = sharesOf(words)[bitCount(found)] ?? 0
  if (share < 1) {
    explanation.bonuses.push({
      reason: `${bitCount(found)} of ${words} words were found`,
      score: (-(1 - share) * sum) / (UNIT * WHOLE_IMPACT)
    })
  }
  return explanation
}

function bitCount(bits: number): number {
  let rest = bits
  let count = 0
  for (; rest !== 0; count += 1) rest &= rest - 1
  return count
}
