import { UsageError } from '@registry/node'
import {
  formatPackageReference,
  type OwnerId,
  type PackageName,
  parsePackageReference
} from '@registry/types'
import type { Command } from 'commander'
import { print, printJson, table } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { does, verb, wholeNumber } from '../verb.ts'

interface ListOptions extends CommonOptions {
  limit: number
  after?: string
}

export function listVerb(): Command {
  const command = verb('list', {
    summary: 'List all packages, each at its newest version, by owner and name.',
    details: 'In pages: `next` of one page is `--after` of the next.',
    example: 'registry list --limit 50'
  })
    .option('--limit <count>', 'at most so many', wholeNumber(1, 1000), 100)
    .option('--after <@owner/name>', 'go on after this package')
  return does<[], ListOptions>(command, async (options, signal) => {
    const { limit } = options
    const page = options.after === undefined ? { limit } : { limit, after: parseAfter(options.after) }
    const client = await connectToPeer(options, { signal })
    const packages = await client.list(page, { signal })
    const last = packages.length === limit ? packages.at(-1) : undefined
    const next =
      last === undefined ? undefined : formatPackageReference({ owner: last.owner, name: last.name })
    if (options.json) return printJson(next === undefined ? { packages } : { packages, next })
    if (packages.length === 0) return print('There are no packages.')
    const rows = packages.map(({ name, version, category, description }) => [
      name,
      version,
      category,
      description
    ])
    print(...table(['PACKAGE', 'VERSION', 'CATEGORY', 'DESCRIPTION'], rows))
    if (next !== undefined) print('', `More: registry list --after ${next}`)
  })
}

function parseAfter(text: string): { owner: OwnerId; name: PackageName } {
  const { owner, name, range, tag } = parsePackageReference(text)
  if (owner === undefined || range !== undefined || tag !== undefined) {
    throw new UsageError(`${JSON.stringify(text)} is no place in the list`, 'Write it as @<owner ID>/<name>.')
  }
  return { owner, name }
}
