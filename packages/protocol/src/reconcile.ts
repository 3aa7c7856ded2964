import {
  type CatalogueComparison,
  type CatalogueHoldings,
  type CatalogueScope,
  type ComparisonAnswer,
  InvalidValueError,
  type PushStatus,
  parseBytes,
  parseCount,
  parseList,
  type RecordId,
  type RecordIdPage,
  type SymbolChunk
} from '@registry/types'
import { compareDigests, digestOf, recordIdOfDigest } from './cid.ts'
import type { Method, ProtocolShape } from './method.ts'
import { pack, unpack } from './packed.ts'
import {
  ANSWER_MARGIN_BYTES,
  encodeStatuses,
  fitting,
  MAX_ANSWERED_BYTES,
  parseRecords,
  parseStatuses
} from './records.ts'
import { encodeScope, parseScope, parseShardBits, parseShardIndex } from './scope.ts'

/** Of a comparison. */
export const MAX_PROBES_BYTES = 64
/** Coded symbols there may be of a scope. */
export const MAX_SYMBOLS = 65_536
/** Records asked for in one exchange. */
export const MAX_WANTED = 1024
/** Records handed over in one exchange, and their bytes. */
export const MAX_GIVEN = 256
export const MAX_GIVEN_BYTES: number = 192 * 1024
/** IDs of one page. */
export const MAX_RECORD_IDS = 2048

const FINGERPRINT_BYTES = 32
const DIGEST_BYTES = 32
const SHORT_ID_BYTES = 16

export const RECONCILE: ProtocolShape = Object.freeze({
  name: 'reconcile',
  maxRequestBytes: MAX_GIVEN_BYTES + ANSWER_MARGIN_BYTES,
  maxResponseBytes: MAX_ANSWERED_BYTES + ANSWER_MARGIN_BYTES,
  maxConcurrentRequests: 4
})

export const HOLDS_CATALOGUE: Method<null, CatalogueHoldings> = {
  name: 'holdsCatalogue',
  encodeParams: () => null,
  parseParams: () => null,
  encodeResult: (holdings) =>
    holdings.mode === 'shards' ? [holdings.bits, parseShards(holdings.shards, holdings.bits)] : holdings.mode,
  parseResult: (value) => {
    if (value === 'full' || value === 'light') return { mode: value }
    const [bitsValue, shards] = parseTuple(value, 'result', 2)
    const bits = parseShardBits(bitsValue, 'result.bits')
    return { mode: 'shards', bits, shards: parseShards(shards, bits) }
  }
}

export const COMPARE: Method<CatalogueComparison, ComparisonAnswer> = {
  name: 'compare',
  encodeParams: ({ scope, summary: { fingerprint, records }, probes }) => [
    encodeScope(scope),
    parseFingerprint(fingerprint, 'fingerprint'),
    parseCount(records, 'records'),
    parseBytes(probes, 'probes', MAX_PROBES_BYTES)
  ],
  parseParams: (value) => {
    const [scope, fingerprint, records, probes] = parseTuple(value, 'params', 4)
    return {
      scope: parseScope(scope, 'params.scope'),
      summary: {
        fingerprint: parseFingerprint(fingerprint, 'params.fingerprint'),
        records: parseCount(records, 'params.records')
      },
      probes: parseBytes(probes, 'params.probes', MAX_PROBES_BYTES)
    }
  },
  encodeResult: (answer) => {
    if (answer.status === 'absent') return undefined
    return answer.status === 'equal' ? null : encodeChunk(answer, 0, MAX_SYMBOLS)
  },
  parseResult: (value) =>
    value === null ? { status: 'equal' } : { status: 'different', ...parseChunk(value, 0, MAX_SYMBOLS) }
}

export interface SymbolRange {
  scope: CatalogueScope
  from: number
  count: number
}

export const SYMBOLS: Method<SymbolRange, SymbolChunk> = {
  name: 'symbols',
  encodeParams: ({ scope, from, count }) => [
    encodeScope(scope),
    parseCount(from, 'from', MAX_SYMBOLS),
    parseCount(count, 'count', MAX_SYMBOLS - from)
  ],
  parseParams: (value) => {
    const [scope, fromValue, count] = parseTuple(value, 'params', 3)
    const from = parseCount(fromValue, 'params.from', MAX_SYMBOLS)
    return {
      scope: parseScope(scope, 'params.scope'),
      from,
      count: parseCount(count, 'params.count', MAX_SYMBOLS - from)
    }
  },
  encodeResult: (chunk, { from, count }) => encodeChunk(chunk, from, count),
  parseResult: (value, { from, count }) => parseChunk(value, from, count)
}

export interface RecordExchange {
  /** Short IDs. */
  want: readonly Uint8Array[]
  /** Encoded envelopes. */
  give: readonly Uint8Array[]
}

export const EXCHANGE_RECORDS: Method<RecordExchange, { records: Uint8Array[]; given: PushStatus[] }> = {
  name: 'exchangeRecords',
  encodeParams: ({ want, give }) => [
    pack(want, 'want', SHORT_ID_BYTES, MAX_WANTED),
    parseRecords(give, 'give', MAX_GIVEN, MAX_GIVEN_BYTES)
  ],
  parseParams: (value) => {
    const [want, give] = parseTuple(value, 'params', 2)
    return {
      want: unpack(want, 'params.want', SHORT_ID_BYTES, MAX_WANTED),
      give: parseRecords(give, 'params.give', MAX_GIVEN, MAX_GIVEN_BYTES)
    }
  },
  encodeResult: ({ records, given }, { want, give }) => [
    fitting(parseRecords(records, 'result.records', want.length), MAX_ANSWERED_BYTES, ({ length }) => length),
    encodeStatuses(given, 'result.given', give.length)
  ],
  parseResult: (value, { want, give }) => {
    const [records, given] = parseTuple(value, 'result', 2)
    return {
      records: parseRecords(records, 'result.records', want.length, MAX_ANSWERED_BYTES),
      given: parseStatuses(given, 'result.given', give.length)
    }
  }
}

export interface RecordIdsParams {
  scope: CatalogueScope
  after?: RecordId
  limit: number
}

export const RECORD_IDS: Method<RecordIdsParams, RecordIdPage> = {
  name: 'recordIds',
  encodeParams: ({ scope, after, limit }) => [
    encodeScope(scope),
    parseCount(limit, 'limit', MAX_RECORD_IDS),
    after === undefined ? null : digestOf(after)
  ],
  parseParams: (value) => {
    const [scope, limit, after] = parseTuple(value, 'params', 3)
    const params = {
      scope: parseScope(scope, 'params.scope'),
      limit: parseCount(limit, 'params.limit', MAX_RECORD_IDS)
    }
    return after === null
      ? params
      : { ...params, after: recordIdOfDigest(parseDigest(after, 'params.after')) }
  },
  encodeResult: ({ ids, next }, { limit }) => [
    pack(ids.map(digestOf), 'result.ids', DIGEST_BYTES, limit),
    next === undefined ? null : digestOf(next)
  ],
  parseResult: (value, { limit, after }) => {
    const [ids, nextValue] = parseTuple(value, 'result', 2)
    const page = { ids: unpack(ids, 'result.ids', DIGEST_BYTES, limit).map(recordIdOfDigest) }
    if (nextValue === null) return page
    const next = parseDigest(nextValue, 'result.next')
    if (page.ids.length === 0 || (after !== undefined && compareDigests(next, digestOf(after)) <= 0)) {
      throw new InvalidValueError('result.next', 'must lead on')
    }
    return { ...page, next: recordIdOfDigest(next) }
  }
}

function encodeChunk(
  { fingerprint, records, from, count, symbols }: SymbolChunk,
  at: number,
  max: number
): unknown {
  if (from !== at) throw new InvalidValueError('result.from', `must be ${at}, as was asked for`)
  return [
    parseFingerprint(fingerprint, 'result.fingerprint'),
    parseCount(records, 'result.records'),
    parseCount(count, 'result.count', max),
    parseBytes(symbols, 'result.symbols', MAX_ANSWERED_BYTES)
  ]
}

function parseChunk(value: unknown, from: number, max: number): SymbolChunk {
  const [fingerprint, records, count, symbols] = parseTuple(value, 'result', 4)
  return {
    fingerprint: parseFingerprint(fingerprint, 'result.fingerprint'),
    records: parseCount(records, 'result.records'),
    from,
    count: parseCount(count, 'result.count', max),
    symbols: parseBytes(symbols, 'result.symbols', MAX_ANSWERED_BYTES)
  }
}

function parseShards(value: unknown, bits: number): number[] {
  const field = 'result.shards'
  const shards = parseList(value, field, 2 ** bits, (item, at) => parseShardIndex(item, at, bits))
  if (shards.some((shard, index) => index > 0 && shard <= (shards[index - 1] ?? 0))) {
    throw new InvalidValueError(field, 'must be in ascending order')
  }
  return shards
}

function parseFingerprint(value: unknown, field: string): Uint8Array {
  return parseBytes(value, field, FINGERPRINT_BYTES, FINGERPRINT_BYTES)
}

function parseDigest(value: unknown, field: string): Uint8Array {
  return parseBytes(value, field, DIGEST_BYTES, DIGEST_BYTES)
}

/** What this protocol says is in lists, in the order of its document: a comparison is to cost few bytes. */
function parseTuple(value: unknown, field: string, length: number): unknown[] {
  const items = parseList(value, field, length, (item) => item)
  if (items.length < length) throw new InvalidValueError(field, `must have ${length} entries`)
  return items
}
