import type { QueryOptions, SearchResult } from '@registry/types'
import type { Command } from 'commander'
import { print, printJson, table } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { collect, does, verb, wholeNumber } from '../verb.ts'

interface SearchVerbOptions extends CommonOptions {
  category?: string
  tags: string[]
  limit: number
  minDownloads?: number
}

export function searchVerb(): Command {
  const command = verb('search [word...]', {
    summary: "Search the peer's catalogue, best first.",
    details: 'Without a word it lists what fits the other options. Nothing found is no failure.',
    example: 'registry search web kit --category web --limit 5'
  })
    .option('--category <name>', 'only of this category')
    .option('--tags <tag>', 'only with this tag (repeatable: with all of them)', collect, [])
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1000), 20)
    .option('--min-downloads <count>', 'fetched so often through this peer', wholeNumber(0, 2 ** 31))
  return does<[string[]], SearchVerbOptions>(command, async (options, signal, keywords) => {
    const { category, tags, limit, minDownloads } = options
    const query: QueryOptions = { keywords, tags, limit }
    if (category !== undefined) query.category = category
    if (minDownloads !== undefined) query.minDownloads = minDownloads
    const client = await connectToPeer(options, { signal })
    const results = await client.search(query, { signal })
    if (options.json) printJson({ results: results.map(row) })
    else if (results.length === 0) print('Nothing found.')
    else print(...table(['PACKAGE', 'VERSION', 'SCORE', 'PEERS', 'DESCRIPTION'], cells(results)))
  })
}

function row({ package: found, score, peerCount }: SearchResult): Record<string, unknown> {
  const { owner, name, version, description } = found
  return { owner, name, version, description, score, peerCount }
}

function cells(results: readonly SearchResult[]): string[][] {
  const names = results.map(({ package: { name } }) => name)
  return results.map(({ package: { owner, name, version, description }, score, peerCount }) => {
    // A name that two owners have is shown as it must be written to mean one of them.
    const isShared = names.indexOf(name) !== names.lastIndexOf(name)
    return [isShared ? `@${owner}/${name}` : name, version, score.toFixed(2), String(peerCount), description]
  })
}
