import { makeRelease, seededBytes, seededOwnerId } from '@registry/testing'
import { type CatalogueComparison, Query, type RecordId, type SymbolChunk } from '@registry/types'
import { digestOf } from '../src/cid.ts'
import { ANNOUNCE_HOLDINGS, BLOCK, DOCUMENT, HOLDINGS, LOCATE } from '../src/content.ts'
import { frameLength } from '../src/frame-decoder.ts'
import { GET_PACKAGE, LOOKUP_NAME, PUBLISH_PACKAGE, SEARCH_PACKAGES } from '../src/lookup.ts'
import { encodeMessage } from '../src/message.ts'
import type { Method } from '../src/method.ts'
import { COMPARE, EXCHANGE_RECORDS, HOLDS_CATALOGUE, RECORD_IDS, SYMBOLS } from '../src/reconcile.ts'
import { SNAPSHOT_PAGE } from '../src/snapshot.ts'

/** The exchanges that the documents of `docs/protocol` write down in hex, as this implementation encodes them. */

export interface Example {
  /** As after the fence: ```` ```hex title ````. */
  title: string
  /** The bytes on the stream, length included. */
  frame: Uint8Array
}

const release = makeRelease()
const other = seededOwnerId(2) as string as RecordId
const record = seededOwnerId(1) as string as RecordId
/** Stand for envelopes; nothing here looks into them. */
const [inception, envelope] = [seededBytes('inception', 8), seededBytes('release', 8)]
const comparison: CatalogueComparison = {
  scope: { kind: 'all' },
  summary: { fingerprint: seededBytes('fingerprint'), records: 1000 },
  probes: seededBytes('probes', 16)
}
const chunk: SymbolChunk = {
  fingerprint: seededBytes('other fingerprint'),
  records: 1003,
  from: 3,
  count: 2,
  symbols: seededBytes('symbols', 48)
}

const located = { cid: release.content, size: release.size, integrity: release.integrity }

export const EXAMPLES: Readonly<
  Record<'framing' | 'lookup' | 'reconcile' | 'snapshot' | 'content', Example[]>
> = {
  framing: [
    { title: 'busy', frame: framed({ id: 1, status: 'busy' }) },
    { title: 'not-found', frame: framed({ id: 1, status: 'not-found' }) },
    { title: 'error', frame: framed({ id: 1, status: 'error', error: 'ERR_STORAGE' }) }
  ],
  lookup: [
    ...exchange(GET_PACKAGE, release, [inception, envelope]),
    ...exchange(LOOKUP_NAME, { name: release.name, owner: release.owner }, [inception, envelope]),
    ...exchange(
      SEARCH_PACKAGES,
      new Query(['tea'], {
        phrases: ['green leaf'],
        tags: ['hot'],
        owner: release.owner,
        labels: ['cup'],
        sort: 'updated',
        limit: 5
      }),
      [{ envelopes: [inception, envelope], score: 1.5 }]
    ),
    ...exchange(PUBLISH_PACKAGE, [inception, envelope], ['known', 'accepted'])
  ],
  reconcile: [
    ...exchange(HOLDS_CATALOGUE, null, { mode: 'shards', bits: 4, shards: [2, 10] }),
    ...exchange(COMPARE, comparison, { status: 'equal' }),
    answer('compare response, different', COMPARE, comparison, { status: 'different', ...chunk, from: 0 }),
    ...exchange(SYMBOLS, { scope: { kind: 'shard', bits: 4, index: 10 }, from: 3, count: 8 }, chunk),
    ...exchange(
      EXCHANGE_RECORDS,
      { want: [shortId(record), shortId(other)], give: [inception, envelope] },
      { records: [envelope], given: ['known', 'superseded'] }
    ),
    ...exchange(
      RECORD_IDS,
      { scope: { kind: 'owner', owner: release.owner }, after: other, limit: 2 },
      { ids: [record], next: record }
    )
  ],
  snapshot: [
    ...exchange(
      SNAPSHOT_PAGE,
      { scope: { kind: 'owners' }, after: { kind: 'owner', digest: digestOf(other) } },
      { records: [inception, envelope], next: { kind: 'owner', digest: digestOf(record) } }
    )
  ],
  content: [
    ...exchange(BLOCK, release.content, seededBytes('example@1.0.0', 64)),
    ...exchange(HOLDINGS, { limit: 1 }, { cids: [release.content], next: release.content }),
    ...exchange(LOCATE, release.integrity, located),
    ...exchange(
      DOCUMENT,
      { registry: 'https://registry.example.org', name: '@acme/kit', form: 'full' },
      { content: located, etag: '"1-a"', askedAtMs: 1_767_225_600_000 }
    ),
    ...exchange(ANNOUNCE_HOLDINGS, [release.content], null)
  ]
}

function exchange<Params, Result>(method: Method<Params, Result>, params: Params, result: Result): Example[] {
  return [
    {
      title: `${method.name} request`,
      frame: framed({ id: 1, method: method.name, params: method.encodeParams(params) })
    },
    answer(`${method.name} response`, method, params, result)
  ]
}

function answer<Params, Result>(
  title: string,
  method: Method<Params, Result>,
  params: Params,
  result: Result
): Example {
  return { title, frame: framed({ id: 1, status: 'ok', result: method.encodeResult(result, params) }) }
}

function shortId(id: RecordId): Uint8Array {
  return digestOf(id).subarray(0, 16)
}

function framed(message: Parameters<typeof encodeMessage>[0]): Uint8Array {
  const payload = encodeMessage(message)
  return new Uint8Array(Buffer.concat([frameLength(payload.length), payload]))
}
