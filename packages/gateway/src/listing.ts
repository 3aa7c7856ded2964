import { setImmediate } from 'node:timers/promises'
import {
  type OwnerId,
  type P2PRegistry,
  type PackageName,
  parseCount,
  parseOwnerId,
  parsePackageName,
  parseText
} from '@registry/types'
import { packageSummary } from './search.ts'
import type { ShortNames } from './short-names.ts'

/** Lists for mirrors and dashboards, all of them in pages. */
const MAX_LIMIT = 1000

/** Packages by owner and name. `next` is the `after` of the next page. */
export async function listPackages(
  { registry, names }: { registry: P2PRegistry; names: ShortNames },
  params: URLSearchParams,
  baseUrl: string
): Promise<{ packages: object[]; next?: string }> {
  const limit = parseLimit(params)
  const after = parseAfter(params.get('after'))
  const page = await registry.list(after === undefined ? { limit } : { limit, after })
  const last = page.at(-1)
  const installable = page.filter(({ npm }) => npm !== undefined)
  const packages = await Promise.all(installable.map((one) => packageSummary(names, one, baseUrl)))
  return last === undefined || page.length < limit
    ? { packages }
    : { packages, next: `${last.owner}/${last.name}` }
}

/** What became true in this peer's catalogue after `since`, as far as it is here already. */
export async function listChanges(
  registry: P2PRegistry,
  params: URLSearchParams,
  signal: AbortSignal
): Promise<{ results: object[]; last_seq: string }> {
  const limit = parseLimit(params)
  const since = parseText(params.get('since') ?? '0', 'since', 64)
  const results: object[] = []
  let last = since
  const after = since === '0' ? 'start' : since
  const updates = registry.subscribe({ kind: 'all' }, { after, signal })[Symbol.asyncIterator]()
  try {
    while (results.length < limit) {
      // The catalogue answers within the turn; what has not come by then is not there yet.
      const update = await Promise.race([updates.next(), setImmediate()])
      if (update === undefined || update.done === true) break
      const { cursor, package: one, type } = update.value
      last = cursor
      results.push({ seq: cursor, id: one.name, owner: one.owner, type, changes: [{ rev: one.version }] })
    }
  } finally {
    // Its last question may wait for news without end.
    void updates.return?.()
  }
  return { results, last_seq: last }
}

/** Fetches through this peer, the only ones that it can count; all of them, whatever span was asked for. */
export async function countDownloads(registry: P2PRegistry, name: string): Promise<object | undefined> {
  const one = await registry.metadata(name)
  return one === undefined
    ? undefined
    : { package: name, downloads: one.downloads, counted: 'through this peer' }
}

function parseLimit(params: URLSearchParams): number {
  return Math.min(parseCount(Number(params.get('limit') ?? 100), 'limit'), MAX_LIMIT)
}

function parseAfter(text: string | null): { owner: OwnerId; name: PackageName } | undefined {
  if (text === null) return undefined
  const [owner = '', ...name] = text.split('/')
  return { owner: parseOwnerId(owner, 'after'), name: parsePackageName(name.join('/')) }
}
