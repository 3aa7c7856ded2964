import {
  type CatalogueSummary,
  InvalidValueError,
  PROTOCOL_LIMITS,
  parseBytes,
  parseCount,
  parseList,
  parseMap,
  RECORD_KINDS,
  type RecordId,
  type RecordIdPage,
  type RecordKind
} from '@registry/types'
import { encodeCid, encodeCids, parseWireRecordId } from './cid.ts'
import { fitting, type Method, type ProtocolShape } from './method.ts'

/** IDs of one page, and records asked for at once. */
export const MAX_RECORD_IDS = 2048
/** Of an answer; records over it are left out. */
const MAX_RECORDS_BYTES = 512 * 1024

export const SYNC: ProtocolShape = Object.freeze({
  name: 'sync',
  maxRequestBytes: 128 * 1024,
  maxResponseBytes: MAX_RECORDS_BYTES + 16 * 1024,
  maxConcurrentRequests: 4
})

export const CATALOGUE_SUMMARY: Method<null, CatalogueSummary> = {
  name: 'catalogueSummary',
  encodeParams: () => null,
  parseParams: () => null,
  encodeResult: ({ fingerprint, records }) => ({ fingerprint, records }),
  parseResult: (value) => {
    const map = parseMap(value, 'result')
    return {
      fingerprint: parseBytes(map.fingerprint, 'result.fingerprint', 32, 32),
      records: parseCount(map.records, 'result.records')
    }
  }
}

export interface RecordIdsParams {
  kind: RecordKind
  after?: RecordId
  limit: number
}

export const RECORD_IDS: Method<RecordIdsParams, RecordIdPage> = {
  name: 'recordIds',
  encodeParams: ({ kind, after, limit }) => {
    const params = { kind, limit: parseCount(limit, 'limit', MAX_RECORD_IDS) }
    return after === undefined ? params : { ...params, after: encodeCid(after) }
  },
  parseParams: (value) => {
    const map = parseMap(value, 'params')
    const kind = parseRecordKind(map.kind, 'params.kind')
    const limit = parseCount(map.limit, 'params.limit', MAX_RECORD_IDS)
    return map.after === undefined
      ? { kind, limit }
      : { kind, limit, after: parseWireRecordId(map.after, 'params.after') }
  },
  encodeResult: ({ ids, next }) => {
    const result = { ids: encodeCids(ids, 'result.ids', MAX_RECORD_IDS) }
    return next === undefined ? result : { ...result, next: encodeCid(next) }
  },
  parseResult: (value, { limit }) => {
    const map = parseMap(value, 'result')
    const ids = parseList(map.ids, 'result.ids', limit, parseWireRecordId)
    if (map.next === undefined) return { ids }
    if (ids.length === 0) throw new InvalidValueError('result.next', 'must not follow an empty page')
    return { ids, next: parseWireRecordId(map.next, 'result.next') }
  }
}

export const RECORDS: Method<readonly RecordId[], Uint8Array[]> = {
  name: 'records',
  encodeParams: (ids) => ({ ids: encodeCids(ids, 'ids', MAX_RECORD_IDS) }),
  parseParams: (value) =>
    parseList(parseMap(value, 'params').ids, 'params.ids', MAX_RECORD_IDS, parseWireRecordId),
  encodeResult: (records) => fitting(records, MAX_RECORDS_BYTES, (record) => record.length + 5),
  parseResult: (value, ids) =>
    parseList(value, 'result', ids.length, (item, field) =>
      parseBytes(item, field, PROTOCOL_LIMITS.maxRecordBytes)
    )
}

function parseRecordKind(value: unknown, field: string): RecordKind {
  const kind = RECORD_KINDS.find((known) => known === value)
  if (kind === undefined) throw new InvalidValueError(field, 'is not a known kind of record')
  return kind
}
