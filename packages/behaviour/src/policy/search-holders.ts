import type { CatalogueHoldings } from '@registry/types'

/** How many to ask: `least` if there are so many, and up to `most` while each one keeps what those before it do not. */
export interface HolderCount {
  least: number
  most: number
}

/**
 * Whom to ask a question that any part of the catalogue may have something to say to: those who keep all of it, else those
 * who together keep most of it, each time the one that adds most, the first of several. Light peers are never among them.
 */
export function searchHolders<Holder extends { holds: CatalogueHoldings }>(
  holders: readonly Holder[],
  { least, most }: HolderCount
): Holder[] {
  const full = holders.filter(({ holds }) => holds.mode === 'full')
  const partial = holders.filter(({ holds }) => holds.mode === 'shards')
  if (full.length > 0) return [...full, ...partial].slice(0, least)
  const bits = Math.max(0, ...partial.map(({ holds }) => (holds.mode === 'shards' ? holds.bits : 0)))
  const left = partial.map((holder) => ({ holder, parts: partsOf(holder.holds, bits) }))
  const chosen: Holder[] = []
  let covered = new Set<number>()
  while (left.length > 0 && chosen.length < most) {
    const gains = left.map(({ parts }) => parts.filter((part) => !covered.has(part)).length)
    const gain = Math.max(...gains)
    if (gain === 0 && chosen.length >= least) break
    if (gain === 0) {
      // All is kept by one already: the next ones are to keep all of it once more.
      covered = new Set()
      continue
    }
    const [best] = left.splice(gains.indexOf(gain), 1)
    if (best === undefined) break
    chosen.push(best.holder)
    for (const part of best.parts) covered.add(part)
  }
  return chosen
}

/** Which of 2^`bits` parts of the name space somebody keeps who keeps some shards. */
function partsOf(holds: CatalogueHoldings, bits: number): number[] {
  if (holds.mode !== 'shards') return []
  const width = 2 ** (bits - holds.bits)
  return holds.shards.flatMap((index) => Array.from({ length: width }, (_, at) => index * width + at))
}
