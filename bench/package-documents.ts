import { builtinModules } from 'node:module'
import type { SearchDocument } from '@registry/search'
import { parsePackageName } from '@registry/types'
import { pick, seededRandom } from './random.ts'

/** A package as a search engine is given it; numbered from 1. */
export type PackageDocument = SearchDocument

/**
 * The given packages and then made-up ones, `count` in all: names of parts of real names, descriptions of real sentences
 * with some of their words changed, all drawn as often as they occur, so that common words stay as common as they are.
 * The same for the same seed.
 */
export function* enlarged(
  real: readonly PackageDocument[],
  count: number,
  seed: number
): Generator<PackageDocument> {
  yield* real.slice(0, count)
  const random = seededRandom(seed)
  const names = real.map(({ name }) => String(name))
  const parts = names.flatMap(nameWords)
  const texts = real.map(({ description }) =>
    description.split(/(?<=[.!?])\s+|\n+/).filter((one) => one !== '')
  )
  const sentences = texts.flat()
  const words = sentences.flatMap((one) => one.split(/\s+/))
  const taken = new Set<string>(names)

  const unusedName = (): string => {
    const model = pick(random, names)
    const separator = model.includes('_') ? '_' : '-'
    let name = nameWords(model)
      .map(() => pick(random, parts))
      .join(separator)
    // What npm reserves is a single part that is a module of Node.
    for (let more = 0; taken.has(name) || builtinModules.includes(name); more++) {
      name += more < 2 ? separator + pick(random, parts) : Math.floor(random() * 1000).toString(36)
    }
    taken.add(name)
    return name
  }
  const sentence = (): string =>
    pick(random, sentences)
      .split(' ')
      .map((word) => (random() < 0.25 ? pick(random, words) : word))
      .join(' ')

  for (let at = real.length; at < count; at++) {
    const like = pick(random, real)
    yield {
      ...like,
      package: at + 1,
      owner: pick(random, real).owner,
      name: parsePackageName(unusedName()),
      description: pick(random, texts).map(sentence).join(' '),
      tags: [...pick(random, real).tags],
      updatedAtMs: pick(random, real).updatedAtMs
    }
  }
}

/** The words of a name: what is between its hyphens, underscores and points. */
export function nameWords(name: string): string[] {
  return name
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '')
}

/** The words of a text, in lower case. */
export function textWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}
