const MAX_WORD_LENGTH = 64

/**
 * The words of a text for search: compatibility forms and accents folded away, lower case, cut at all that is neither
 * letter nor digit and where `camelCase` turns.
 */
export function wordsOf(text: string): string[] {
  const folded = text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
  const cut = folded.replace(/(\p{Ll}|\p{N})(?=\p{Lu})|(\p{Lu})(?=\p{Lu}\p{Ll})/gu, '$& ')
  const words = cut.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  return words.map((word) => word.slice(0, MAX_WORD_LENGTH))
}

/** The words of a package name, of its scope too, and all of them as one word: `@a/b-c` is a, b, c, bc and abc. */
export function nameWordsOf(name: string): string[] {
  const words = wordsOf(name)
  return [...new Set([...words, plainNameOf(name), words.join('')])]
}

/** A name without its scope and all that parts words: `@a/b-c` and `bC` are both `bc`. */
export function plainNameOf(name: string): string {
  return wordsOf(name.slice(name.indexOf('/') + 1)).join('')
}

/** Folds English plurals (Harman: How Effective is Suffixing?, 1991, the S-stemmer); leaves other words alone. */
export function stemOf(word: string): string {
  if (word.length < 4 || !word.endsWith('s')) return word
  if (/[^ae]ies$/.test(word)) return `${word.slice(0, -3)}y`
  if (/[^aeo]es$/.test(word)) return word.slice(0, -1)
  return /[us]s$/.test(word) ? word : word.slice(0, -1)
}
