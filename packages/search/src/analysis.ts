import { MAX_QUALITY, type QualitySignals, qualityOf } from './quality.ts'
import type { SearchDocument } from './search-index.ts'
import { isStopWord, wordsOf, writtenWordsOf } from './words.ts'

/** What is read of a description; more is not what a package is about. */
const MAX_TEXT_LENGTH = 4096
const MAX_LABELS = 64
/** Words of a package that keep their order, for phrases. */
const MAX_STREAM_LENGTH = 256
const MAX_SYNOPSIS_LENGTH = 240
/** An address says where something is, not what it is. */
const ADDRESS = /\b[a-z]+:\/\/\S+/gi

/** The impact of a word: how much it says of the package that it stands there. Below 256. */
const IMPACT = Object.freeze({
  /** The word is the whole name. */
  wholeName: 160,
  /** In the name: up to `nameSpan` more, the larger its part of the name. */
  name: 88,
  nameSpan: 55,
  scope: 70
})
/** A place of a text, with the impact of a word there. */
interface Place {
  number: number
  impact: number
}

const PLACES = Object.freeze({
  synopsis: { number: 1, impact: 80 },
  description: { number: 2, impact: 40 },
  label: { number: 3, impact: 66 },
  category: { number: 4, impact: 50 }
})
/** For each further place. */
const AGAIN = 8
const MAX_TEXT_IMPACT = 98

export const WHOLE_NAME_IMPACT: number = IMPACT.wholeName

/** The kinds of value that are filtered by and counted, as the first character of a stored value. */
export const VALUE_KINDS: Readonly<Record<'owner' | 'category' | 'license' | 'tag' | 'keyword', string>> =
  Object.freeze({
    owner: 'o',
    category: 'c',
    license: 'l',
    tag: 't',
    keyword: 'k'
  })

/** A package as it is indexed. Terms are binary strings: one character for each byte of their UTF-8. */
export interface AnalysedDocument extends QualitySignals {
  package: number
  name: string
  quality: number
  /** By term its impact in the name and elsewhere, as `nameImpactOf` and `textImpactOf` read them. */
  terms: Map<string, number>
  /** A hash for each word of the name, the description and the labels, with a 0 between these. */
  stream: number[]
  /** `VALUE_KINDS` and the value; the owner first. */
  values: string[]
}

/** Of the numbers of `terms`: impact elsewhere, then the last place it was seen at, then impact in the name. */
const PLACE_SHIFT = 8
const NAME_SHIFT = 12

export function nameImpactOf(impacts: number): number {
  return impacts >> NAME_SHIFT
}

export function textImpactOf(impacts: number): number {
  return impacts & 0xff
}

export function analyse(document: SearchDocument): AnalysedDocument {
  const signals: QualitySignals = {
    dependents: bounded(document.dependents, 0xffffffff),
    providers: bounded(document.providers, 0xffff),
    updatedS: bounded(document.updatedAtMs / 1000, 0xffffffff),
    trust: bounded(document.trust * 255, MAX_QUALITY)
  }
  const terms = new Map<string, number>()
  const stream: number[] = []
  addName(terms, stream, document.name)
  const text = cut(document.description, MAX_TEXT_LENGTH).replace(ADDRESS, ' ')
  const synopsisLength = synopsisLengthOf(text)
  addText(terms, stream, text.slice(0, synopsisLength), PLACES.synopsis)
  addText(terms, stream, text.slice(synopsisLength), PLACES.description)
  const tags = document.tags.slice(0, MAX_LABELS)
  const keywords = document.keywords.slice(0, MAX_LABELS)
  for (const label of new Set([...tags, ...keywords])) {
    stream.push(0)
    addText(terms, stream, label, PLACES.label)
  }
  stream.push(0)
  addText(terms, stream, document.category, PLACES.category)
  if (stream.length > MAX_STREAM_LENGTH) stream.length = MAX_STREAM_LENGTH
  const values = new Set([VALUE_KINDS.owner + document.owner])
  if (document.category !== '') values.add(VALUE_KINDS.category + document.category)
  for (const license of licensesOf(document.license ?? '')) values.add(VALUE_KINDS.license + license)
  for (const tag of tags) values.add(VALUE_KINDS.tag + tag)
  for (const keyword of keywords) values.add(VALUE_KINDS.keyword + keyword)
  return {
    package: document.package,
    name: document.name,
    ...signals,
    quality: qualityOf(signals),
    terms,
    stream,
    values: [...values]
  }
}

/** The licenses that an expression as of SPDX is made of. */
export function licensesOf(expression: string): string[] {
  return expression.split(/\s+(?:AND|OR|WITH)\s+|[()]/i).flatMap((part) => part.trim() || [])
}

/** A word as it is stored: a character for each byte of its UTF-8. */
export function termOf(word: string): string {
  return isLatin(word) ? word : Buffer.from(word).toString('latin1')
}

export function wordOfTerm(term: string): string {
  return isLatin(term) ? term : Buffer.from(term, 'latin1').toString('utf8')
}

/** FNV-1a of a word, folded to 16 bits, never 0. */
export function streamHashOf(word: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < word.length; index += 1) {
    hash = Math.imul(hash ^ word.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 16) ^ (hash & 0xffff) || 1
}

function isLatin(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return false
  return true
}

/** `@a/b-c` has the words a, b and c, and is whole as bc and as abc. */
function addName(terms: Map<string, number>, stream: number[], name: string): void {
  const slash = name.indexOf('/')
  const scopeWords = slash === -1 ? [] : wordsOf(name.slice(0, slash))
  const words = wordsOf(name.slice(slash + 1))
  const plain = words.join('')
  for (const word of [...scopeWords, ...words]) stream.push(streamHashOf(word))
  for (const word of scopeWords) raiseName(terms, word, IMPACT.scope)
  for (const word of words) {
    raiseName(terms, word, IMPACT.name + Math.floor((IMPACT.nameSpan * word.length) / plain.length))
  }
  raiseName(terms, plain, IMPACT.wholeName)
  if (scopeWords.length > 0) raiseName(terms, scopeWords.join('') + plain, IMPACT.wholeName)
  stream.push(0)
}

function raiseName(terms: Map<string, number>, word: string, impact: number): void {
  const term = termOf(word.slice(0, 64))
  const known = terms.get(term) ?? 0
  if (nameImpactOf(known) < impact)
    terms.set(term, (known & ((1 << NAME_SHIFT) - 1)) | (impact << NAME_SHIFT))
}

function addText(terms: Map<string, number>, stream: number[], text: string, place: Place): void {
  for (const parts of writtenWordsOf(text)) {
    for (const part of parts) {
      stream.push(streamHashOf(part))
      raiseText(terms, part, place)
    }
    if (parts.length > 1) raiseText(terms, parts.join('').slice(0, 64), place)
  }
}

/** What stands in several places counts a little more than in the best of them. */
function raiseText(terms: Map<string, number>, word: string, { impact, number }: Place): void {
  if (isStopWord(word)) return
  const term = termOf(word)
  const known = terms.get(term) ?? 0
  const text = textImpactOf(known)
  if (((known >> PLACE_SHIFT) & 0xf) === number) return
  const raised = text === 0 ? impact : Math.min(MAX_TEXT_IMPACT, Math.max(text, impact) + AGAIN)
  const name = nameImpactOf(known)
  terms.set(term, (name << NAME_SHIFT) | (number << PLACE_SHIFT) | raised)
}

/** The first line, or its beginning. */
function synopsisLengthOf(text: string): number {
  const end = text.indexOf('\n')
  const length = end === -1 ? text.length : end
  if (length <= MAX_SYNOPSIS_LENGTH) return length
  const space = text.lastIndexOf(' ', MAX_SYNOPSIS_LENGTH)
  return space === -1 ? MAX_SYNOPSIS_LENGTH : space
}

function bounded(value: number, max: number): number {
  return Number.isNaN(value) ? 0 : Math.min(max, Math.max(0, Math.round(value)))
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).toWellFormed()
}
