import { UsageError } from '@registry/node'
import {
  isRegistryError,
  type Package,
  parseSearchText,
  type QueryOptions,
  SEARCH_SORTS,
  type SearchFacets,
  type SearchPage,
  type SearchResult,
  type SearchSort
} from '@registry/types'
import { type Command, Option } from 'commander'
import { completenessText } from '../completeness.ts'
import { plain, plural, print, printJson, table } from '../output.ts'
import { ownerOf } from '../owner-text.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { collect, does, verb, wholeNumber } from '../verb.ts'

interface SearchVerbOptions extends CommonOptions {
  category?: string
  tags: string[]
  owner?: string
  license?: string
  keyword: string[]
  limit: number
  minDownloads?: number
  sort: SearchSort
  after?: string
  facets?: boolean
  explain?: boolean
}

export function searchVerb(): Command {
  const command = verb('search [word...]', {
    summary: "Search the peer's catalogue, best first.",
    details:
      'Words, phrases in quotes, and category:, tag:, owner:, license: or keyword: with a value. A word may be misspelt or only begun. Without a word it lists what fits the rest. Nothing found is no failure.',
    example: 'registry search web kit category:web --limit 5'
  })
    .option('--category <name>', 'only of this category')
    .option('--tags <tag>', 'only with this tag (repeatable: with all of them)', collect, [])
    .option('--owner <id>', 'only of this owner')
    .option('--license <expression>', 'only under this license')
    .option('--keyword <word>', 'only with this keyword in its manifest (repeatable)', collect, [])
    .option('--min-downloads <count>', 'fetched so often through this peer', wholeNumber(0, 2 ** 31))
    .addOption(new Option('--sort <order>', 'in which order').choices(SEARCH_SORTS).default('relevance'))
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1000), 20)
    .option('--after <cursor>', 'the next page: `next` of the one before')
    .option('--facets', 'count categories, tags, licenses, owners and keywords of all that fits')
    .option('--explain', 'tell of what each score is made')
  return does<[string[]], SearchVerbOptions>(command, async (options, signal, words) => {
    const query = queryOf(words, options)
    const client = await connectToPeer(options, { signal })
    const page = await client.searchPage(query, { signal })
    if (options.json) printJson({ ...page, results: page.results.map(row) })
    else print(...describe(page))
  })
}

/** What was written as text and what as options, together. @throws {UsageError} ERR_USAGE */
function queryOf(words: readonly string[], options: SearchVerbOptions): QueryOptions {
  const text = readText(words.join(' '))
  const { limit, sort, tags, keyword, minDownloads, after, facets = false, explain = false } = options
  const query: QueryOptions = {
    ...text,
    limit,
    sort,
    facets,
    explain,
    tags: [...(text.tags ?? []), ...tags],
    labels: [...(text.labels ?? []), ...keyword]
  }
  for (const key of ['category', 'license'] as const) {
    const one = either(key, text[key], options[key])
    if (one !== undefined) query[key] = one
  }
  const owner = either('owner', text.owner, options.owner)
  if (owner !== undefined) query.owner = ownerOf(owner)
  if (minDownloads !== undefined) query.minDownloads = minDownloads
  if (after !== undefined) query.after = after
  return query
}

function readText(text: string): QueryOptions {
  // An owner that is none has a sentence of its own.
  const [, owner] = /(?:^|\s)owner:("?)([^"\s]+)\1/.exec(text)?.slice(1) ?? []
  if (owner !== undefined) ownerOf(owner)
  try {
    return parseSearchText(text.replaceAll(/(^|\s)owner:("?)@/g, '$1owner:$2'))
  } catch (error) {
    if (!isRegistryError(error, 'ERR_INVALID_VALUE')) throw error
    throw new UsageError(`This cannot be searched for: ${error.message}`, 'See registry search --help.')
  }
}

function either(key: string, written: string | undefined, option: string | undefined): string | undefined {
  if (written !== undefined && option !== undefined && written !== option) {
    throw new UsageError(`${key}: and --${key} say different things`, 'Give one of them.')
  }
  return option ?? written
}

function row({ package: found, score, peerCount, explanation }: SearchResult): Record<string, unknown> {
  const { owner, name, version, description, conflicted, deprecated, yanked } = found
  return {
    owner,
    name,
    version,
    description,
    score,
    peerCount,
    ...(conflicted ? { conflicted } : {}),
    ...(yanked === undefined ? {} : { yanked }),
    ...(deprecated === undefined ? {} : { deprecated }),
    ...(explanation === undefined ? {} : { explanation })
  }
}

function describe({ results, total, next, facets, completeness }: SearchPage): string[] {
  const found =
    results.length === 0
      ? ['Nothing found.']
      : table(['PACKAGE', 'VERSION', 'SCORE', 'PEERS', 'DESCRIPTION'], cells(results))
  return [
    ...found,
    ...results.flatMap(explain),
    ...(facets === undefined ? [] : ['', ...facetLines(facets)]),
    '',
    `${plural(total, 'package')} in all. ${completenessText(completeness)}`,
    ...(next === undefined ? [] : [`More: the same with --after ${plain(next)}`])
  ]
}

function cells(results: readonly SearchResult[]): string[][] {
  const names = results.map(({ package: { name } }) => name)
  return results.map(({ package: found, score, peerCount }) => {
    const { owner, name, version, description } = found
    // A name that two owners have is shown as it must be written to mean one of them.
    const isShared = names.indexOf(name) !== names.lastIndexOf(name)
    return [
      isShared ? `@${owner}/${name}` : name,
      [version, ...warningsOf(found).map((warning) => `(${warning})`)].join(' '),
      score.toFixed(2),
      String(peerCount),
      description
    ]
  })
}

function warningsOf({ conflicted, yanked, deprecated }: Package): string[] {
  return [
    ...(conflicted ? ['conflicted'] : []),
    ...(yanked === undefined ? [] : ['yanked']),
    ...(deprecated === undefined ? [] : ['deprecated'])
  ]
}

/** Of what a score is made, as a sum that can be checked. */
function explain({ package: found, score, explanation }: SearchResult): string[] {
  if (explanation === undefined) return []
  const { terms, bonuses, quality } = explanation
  const number = (value: number): string => value.toFixed(3)
  const parts = terms.map(({ word, term, field, how, idf, impact, weight }) => [
    number(idf * impact * weight),
    `${word}: ${term} in the ${field} (${how})`,
    `idf ${number(idf)} · impact ${number(impact)} · weight ${number(weight)}`
  ])
  const { dependents, providers, recency, trust, factor } = quality
  const signals = { dependents, providers, recency, trust }
  const made = Object.entries(signals).map(([name, value]) => `${name} ${value.toFixed(2)}`)
  const rows = [
    ...parts,
    ...bonuses.map((bonus) => [`+ ${number(bonus.score)}`, bonus.reason, '']),
    [`× ${number(factor)}`, 'quality', made.join(' · ')]
  ]
  return ['', ...table([number(score), found.id, 'OF WHAT IT IS MADE'], rows)]
}

function facetLines(facets: SearchFacets): string[] {
  const rows = Object.entries(facets)
    .filter(([, counts]) => counts.length > 0)
    .map(([facet, counts]: [string, SearchFacets['tag']]) => [
      facet,
      counts.map(({ value, count }) => `${value} ${count}`).join(', ')
    ])
  return rows.length === 0 ? [] : table(['FACET', 'VALUES'], rows)
}
