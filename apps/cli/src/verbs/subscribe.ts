import { UsageError } from '@registry/node'
import { type PackageUpdate, type PackageUpdateType, parsePackageName, type Topic } from '@registry/types'
import { type Command, Option } from 'commander'
import { note, plain, print, printJson } from '../output.ts'
import { ownerOf } from '../owner-text.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { does, verb, wholeNumber } from '../verb.ts'

interface SubscribeVerbOptions extends CommonOptions {
  category?: string
  tag?: string
  owner?: string
  package?: string
  after?: string
  from?: 'start' | 'now'
  count?: number
}

const WORDS: Readonly<Record<PackageUpdateType, string>> = Object.freeze({
  NewPackage: 'new package',
  NewVersion: 'new version',
  MetadataUpdate: 'changed',
  Deprecated: 'deprecated',
  Yanked: 'yanked',
  Unpublished: 'unpublished',
  Conflicted: 'conflicted',
  Attested: 'attested'
})

export function subscribeVerb(): Command {
  const command = verb('subscribe', {
    summary: 'Print what is published and said of packages, as the peer learns of it.',
    details: 'Until Ctrl-C, unless a count is given. With --json each line has a cursor to go on from.',
    example: 'registry subscribe --tag css --count 3 --json'
  })
    .option('--category <name>', 'only of this category')
    .option('--tag <tag>', 'only with this tag')
    .option('--owner <id>', 'only of this owner')
    .option('--package <name>', 'only of this name')
    .option('--after <cursor>', 'go on after this update, what was missed included')
    .addOption(
      new Option('--from <place>', 'begin with all there ever was, or with what comes').choices([
        'start',
        'now'
      ])
    )
    .option('--count <number>', 'end after so many', wholeNumber(1, Number.MAX_SAFE_INTEGER))
  return does<[], SubscribeVerbOptions>(command, async (options, signal) => {
    const topic = topicOf(options)
    if (options.after !== undefined && options.from !== undefined) {
      throw new UsageError('--after and --from exclude each other', 'Give one of them.')
    }
    const after = options.from === 'start' ? 'start' : options.after
    const client = await connectToPeer(options, { signal })
    const onListening = options.json ? () => {} : () => note('Listening. End with Ctrl-C.')
    const from = after === undefined ? {} : { after }
    let heard = 0
    for await (const update of client.subscribe(topic, { ...from, onListening, signal })) {
      if (options.json) printJson(update)
      else print(line(update))
      if (++heard === options.count) return
    }
  })
}

function topicOf({ category, tag, owner, package: name }: SubscribeVerbOptions): Topic {
  const topics: Topic[] = []
  if (category !== undefined) topics.push({ kind: 'category', category })
  if (tag !== undefined) topics.push({ kind: 'tag', tag })
  if (owner !== undefined) topics.push({ kind: 'owner', owner: ownerOf(owner) })
  if (name !== undefined) topics.push({ kind: 'package', name: parsePackageName(name) })
  if (topics.length > 1) {
    throw new UsageError(
      '--category, --tag, --owner and --package exclude each other',
      'Run one subscription for each.'
    )
  }
  return topics[0] ?? { kind: 'all' }
}

function line({ type, packageId, package: { owner, description }, timestamp }: PackageUpdate): string {
  return `${new Date(timestamp).toISOString()}  ${WORDS[type]}  ${packageId}  ${owner}  ${plain(description)}`.trimEnd()
}
