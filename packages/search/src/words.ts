const MAX_WORD_LENGTH = 64
/** A run of letters, digits and marks. A hyphen between a letter and a digit, or after a lone letter, is inside it. */
const RUN = /(?<![\p{L}\p{N}\p{M}])(?:\p{L}-(?=\p{L}))?(?:[\p{L}\p{N}\p{M}]+(?:(?<=\p{L})-(?=\p{N}))?)+/gu
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u
const UNSPACED_PARTS =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}ー々]\p{M}*|[^\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}ー々]+/gu
const TURN = /(\p{Ll}|\p{N})(?=\p{Lu})|(\p{Lu})(?=\p{Lu}\p{Ll})/gu

const STOP_WORDS: ReadonlySet<string> = new Set(
  'a an and are as at be by for from in into is it its of on or that the this to with'.split(' ')
)

/** Words so frequent that they say nothing of a description. */
export function isStopWord(word: string): boolean {
  return STOP_WORDS.has(word)
}

/**
 * The words of a text, in lower case and in order, each as the parts it is written of: `jsonParser` is one word of two
 * parts. Compatibility forms and accents are folded away; all that is neither letter nor digit separates. A run in a
 * script that puts no spaces is cut into all pairs of neighbouring characters.
 */
export function writtenWordsOf(text: string): string[][] {
  return isAscii(text) ? asciiWordsOf(text) : foldedWordsOf(text)
}

/** The words of a text with each part as a word of its own. */
export function wordsOf(text: string): string[] {
  return writtenWordsOf(text).flat()
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false
  return true
}

const SEPARATOR = 0
const DIGIT = 1
const LOWER = 2
const UPPER = 3
/** A hyphen inside a word. */
const JOINT = 4
const HYPHEN = 0x2d
const KINDS: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code >= 0x30 && code <= 0x39) return DIGIT
  if (code >= 0x61 && code <= 0x7a) return LOWER
  return code >= 0x41 && code <= 0x5a ? UPPER : SEPARATOR
})

/** What `foldedWordsOf` gives, several times as fast. */
function asciiWordsOf(text: string): string[][] {
  const words: string[][] = []
  const lower = text.toLowerCase()
  const kindAt = (index: number): number => (index < text.length ? (KINDS[text.charCodeAt(index)] ?? 0) : 0)
  let parts: string[] | undefined
  let start = 0
  let previous = SEPARATOR
  const endPart = (end: number): void => {
    if (parts === undefined) {
      parts = []
      words.push(parts)
    }
    parts.push(lower.slice(start, Math.min(end, start + MAX_WORD_LENGTH)))
  }
  for (let index = 0; index <= text.length; index += 1) {
    const kind = kindAt(index)
    if (kind === SEPARATOR) {
      if (previous === SEPARATOR) continue
      endPart(index)
      const isLone = parts?.length === 1 && index - start === 1
      const next = kindAt(index + 1)
      const joins = next === DIGIT || (isLone && next > DIGIT)
      if (previous >= LOWER && joins && text.charCodeAt(index) === HYPHEN) previous = JOINT
      else {
        parts = undefined
        previous = SEPARATOR
      }
      continue
    }
    if (previous === SEPARATOR || previous === JOINT) start = index
    else if (kind === UPPER && (previous !== UPPER || kindAt(index + 1) === LOWER)) {
      endPart(index)
      start = index
    }
    previous = kind
  }
  return words
}

function foldedWordsOf(text: string): string[][] {
  const folded = text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
  const words: string[][] = []
  for (const [run] of folded.matchAll(RUN)) {
    if (!UNSPACED.test(run)) words.push(partsOf(run))
    else words.push(...unspacedWordsOf(run))
  }
  return words
}

function partsOf(run: string): string[] {
  return run
    .replace(TURN, '$& ')
    .toLowerCase()
    .split(/[ -]/)
    .filter((part) => part !== '')
    .map(cutWord)
}

function cutWord(word: string): string {
  return word.length <= MAX_WORD_LENGTH ? word : word.slice(0, MAX_WORD_LENGTH).toWellFormed()
}

/** Pairs of neighbours; a character that stands alone is a word, and so is what is of another script. */
function unspacedWordsOf(run: string): string[][] {
  const words: string[][] = []
  let row: string[] = []
  const endRow = (): void => {
    if (row.length === 1) words.push(row.map(cutWord))
    for (let index = 1; index < row.length; index += 1) {
      words.push([cutWord(`${row[index - 1] ?? ''}${row[index] ?? ''}`)])
    }
    row = []
  }
  for (const [part] of run.matchAll(UNSPACED_PARTS)) {
    if (UNSPACED.test(part) || /^[ー々]/.test(part)) row.push(part)
    else {
      endRow()
      words.push(partsOf(part))
    }
  }
  endRow()
  return words
}

/**
 * How many letters of an English word stay the same in its other forms: `parser`, `parsed` and `parsing` share four. A
 * light stemming that only cuts endings, so that the forms of a word stand side by side in a sorted list. Words of
 * other than a to z are left whole.
 */
export function stemLengthOf(word: string): number {
  if (word.length < 4) return word.length
  // The next of its kind: `pcre2`, `html5`.
  if (/^[a-z]{3,}\d$/.test(word)) return stemLengthOf(word.slice(0, -1))
  if (!/^[a-z]+$/.test(word)) return word.length
  let stem = word
  if (/[^aeiu]ies$/.test(stem)) return Math.max(3, stem.length - 3)
  if (/(ss|x|ch|sh|zz)es$/.test(stem)) stem = stem.slice(0, -2)
  else if (/[^sui]s$/.test(stem)) stem = stem.slice(0, -1)
  for (let turn = 0; turn < 2; turn += 1) {
    const ending = /(?:ation|ator|ing|ion|ed|er|or)$/.exec(stem)
    if (ending === null || ending.index < 3 || !/[aeiouy]/.test(stem.slice(0, ending.index))) break
    stem = stem.slice(0, ending.index)
    if (/([bdfgklmnprt])\1$/.test(stem) && stem.length > 3) stem = stem.slice(0, -1)
  }
  if (stem.length > 3 && /[^aeiou][eiy]$|[aeiou]e$/.test(stem)) stem = stem.slice(0, -1)
  return stem.length
}
