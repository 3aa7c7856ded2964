import type { FacetCount, SearchFacets } from '@registry/types'
import { VALUE_KINDS } from './analysis.ts'
import type { Segment } from './segment.ts'

const MAX_VALUES = 20

/** Counts the values of documents, part after part. */
export class FacetCounter {
  readonly #counts = new Map<string, number>()

  /** Something to call for each document of a segment, and when there are no more of it. */
  countIn(segment: Segment): { add(document: number): void; end(): void } {
    const { valueReferences, valueStart } = segment.arrays
    const counts = new Uint32Array(segment.counts.values)
    return {
      add: (document) => {
        const end = valueStart[document + 1] ?? 0
        for (let index = valueStart[document] ?? 0; index < end; index += 1) {
          const value = valueReferences[index] ?? 0
          counts[value] = (counts[value] ?? 0) + 1
        }
      },
      end: () => {
        for (const [value, count] of counts.entries()) {
          if (count === 0) continue
          const text = segment.valueOf(value)
          this.#counts.set(text, (this.#counts.get(text) ?? 0) + count)
        }
      }
    }
  }

  taken(): SearchFacets {
    const kinds: Record<string, FacetCount[]> = {}
    for (const [text, count] of this.#counts) {
      const kind = text.slice(0, 1)
      kinds[kind] ??= []
      kinds[kind].push({ value: text.slice(1), count })
    }
    const best = (kind: string): FacetCount[] =>
      (kinds[kind] ?? [])
        .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
        .slice(0, MAX_VALUES)
    return {
      category: best(VALUE_KINDS.category),
      tag: best(VALUE_KINDS.tag),
      license: best(VALUE_KINDS.license),
      owner: best(VALUE_KINDS.owner),
      keyword: best(VALUE_KINDS.keyword)
    }
  }
}
