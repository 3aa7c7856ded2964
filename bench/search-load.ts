import { nameWords, type PackageDocument, textWords } from './package-documents.ts'
import { pick, seededRandom } from './random.ts'

/** How people search, each measured by itself. */
export const QUERY_LOADS = ['mixed', 'common', 'prefix', 'typo'] as const
export type QueryLoad = (typeof QUERY_LOADS)[number]

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const COMMON_WORDS = 40

/**
 * Searches in words of the given packages, as many of each load, the same for the same seed.
 *
 * `mixed`: one to four words of the name and the first sentence of one package. `common`: four of the forty words that most
 * packages use. `prefix`: a word of a name cut to two to five letters, half of them after a whole word. `typo`: a word with
 * one letter changed, left out, added or swapped with the next, such that no package has it.
 */
export function searchLoad(
  packages: readonly PackageDocument[],
  count: number,
  seed: number
): Record<QueryLoad, string[]> {
  const random = seededRandom(seed)
  const uses = new Map<string, number>()
  const spoken = packages.map(({ name, description }) => [
    ...nameWords(name),
    ...textWords(description.split(/[.\n]/, 1)[0] ?? '').filter((word) => word.length > 2)
  ])
  for (const { name, description } of packages) {
    for (const word of new Set([...nameWords(name), ...textWords(description)])) {
      uses.set(word, (uses.get(word) ?? 0) + 1)
    }
  }
  const common = [...uses]
    .filter(([word]) => word.length > 3)
    .sort(([, a], [, b]) => b - a)
    .slice(0, COMMON_WORDS)
    .map(([word]) => word)
  const long = packages.flatMap(({ name }) => nameWords(name)).filter((word) => /^[a-z]{6,}$/.test(word))

  const mixed = (): string => {
    const words = pick(random, spoken)
    return Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(random, words)).join(' ')
  }
  const prefix = (): string => {
    const cut = pick(random, long).slice(0, 2 + Math.floor(random() * 4))
    return random() < 0.5 ? cut : `${pick(random, pick(random, spoken))} ${cut}`
  }
  const typo = (): string => {
    for (;;) {
      const word = misspelt(random, pick(random, long))
      if (!uses.has(word)) return word
    }
  }
  const many = (one: () => string): string[] => Array.from({ length: count }, one)
  return {
    mixed: many(mixed),
    common: many(() => Array.from({ length: 4 }, () => pick(random, common)).join(' ')),
    prefix: many(prefix),
    typo: many(typo)
  }
}

function misspelt(random: () => number, word: string): string {
  const at = 1 + Math.floor(random() * (word.length - 2))
  const [before, letter, after] = [word.slice(0, at), word.charAt(at), word.slice(at + 1)]
  const other = LETTERS.charAt(Math.floor(random() * LETTERS.length))
  switch (Math.floor(random() * 4)) {
    case 0:
      return before + other + after
    case 1:
      return before + after
    case 2:
      return before + letter + other + after
    default:
      return before + after.charAt(0) + letter + after.slice(1)
  }
}
