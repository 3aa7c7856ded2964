import {
  InvalidValueError,
  type OwnerId,
  type PackageName,
  type PushStatus,
  parseList,
  parseMap,
  parsePackageName,
  parseQuery,
  parseVersion,
  type Query,
  type ReleaseKey,
  type RemoteSearchHit
} from '@registry/types'
import { encodeCid, parseWireOwnerId } from './cid.ts'
import type { Method, ProtocolShape } from './method.ts'
import {
  ANSWER_MARGIN_BYTES,
  bytesOf,
  encodeStatuses,
  fitting,
  MAX_ANSWERED_BYTES,
  parseRecords,
  parseStatuses
} from './records.ts'

/** Hits of one answer. */
export const MAX_SEARCH_HITS = 100
/** Records of one name in one answer. */
export const MAX_NAME_RECORDS = 1024
/** Records pushed at once, of one package or one hit; all of them together fit one frame. */
const MAX_ENVELOPES = 256
/** What of a query is of use only where the index is: a hit carries neither, and a place in one index is none in another. */
const LOCAL_FIELDS: ReadonlySet<string> = new Set(['after', 'facets', 'explain'])

export const LOOKUP: ProtocolShape = Object.freeze({
  name: 'lookup',
  maxRequestBytes: 256 * 1024,
  maxResponseBytes: MAX_ANSWERED_BYTES + ANSWER_MARGIN_BYTES,
  maxConcurrentRequests: 8
})

export const GET_PACKAGE: Method<ReleaseKey, Uint8Array[] | undefined> = {
  name: 'getPackage',
  encodeParams: ({ owner, name, version }) => ({ owner: encodeCid(owner), name, version }),
  parseParams: (value) => {
    const map = parseMap(value, 'params')
    return {
      owner: parseWireOwnerId(map.owner, 'params.owner'),
      name: parsePackageName(map.name),
      version: parseVersion(map.version)
    }
  },
  encodeResult: (envelopes) =>
    envelopes === undefined ? undefined : parseRecords(envelopes, 'result', MAX_ENVELOPES),
  parseResult: (value) => parseRecords(value, 'result', MAX_ENVELOPES)
}

export interface NameParams {
  name: PackageName
  owner: OwnerId | undefined
}

export const LOOKUP_NAME: Method<NameParams, Uint8Array[]> = {
  name: 'lookupName',
  encodeParams: ({ name, owner }) => (owner === undefined ? { name } : { name, owner: encodeCid(owner) }),
  parseParams: (value) => {
    const { name, owner } = parseMap(value, 'params')
    return {
      name: parsePackageName(name),
      owner: owner === undefined ? undefined : parseWireOwnerId(owner, 'params.owner')
    }
  },
  encodeResult: (records) =>
    fitting(
      parseRecords(records.slice(0, MAX_NAME_RECORDS), 'result', MAX_NAME_RECORDS),
      MAX_ANSWERED_BYTES,
      ({ length }) => length
    ),
  parseResult: (value) => parseRecords(value, 'result', MAX_NAME_RECORDS, MAX_ANSWERED_BYTES)
}

export const SEARCH_PACKAGES: Method<Query, RemoteSearchHit[]> = {
  name: 'searchPackages',
  encodeParams: (query) => {
    const params = withoutLocalFields({ ...boundedQuery(query).toJSON() })
    return query.owner === undefined ? params : { ...params, owner: encodeCid(query.owner) }
  },
  parseParams: (value) => {
    const params = withoutLocalFields(parseMap(value, 'params'))
    if (params.owner !== undefined) params.owner = parseWireOwnerId(params.owner, 'params.owner')
    return boundedQuery(parseQuery(params))
  },
  encodeResult: (hits, { limit }) =>
    fitting(
      hits.slice(0, limit),
      MAX_ANSWERED_BYTES,
      ({ envelopes }) => bytesOf(envelopes) + 8 * envelopes.length + 64
    ).map(({ envelopes, score }) => ({
      envelopes: parseRecords(envelopes, 'result.envelopes', MAX_ENVELOPES),
      score
    })),
  parseResult: (value, { limit }) =>
    parseList(value, 'result', limit, (item, field) => {
      const map = parseMap(item, field)
      if (typeof map.score !== 'number') throw new InvalidValueError(`${field}.score`, 'must be a number')
      return { envelopes: parseRecords(map.envelopes, `${field}.envelopes`, MAX_ENVELOPES), score: map.score }
    })
}

export const PUBLISH_PACKAGE: Method<readonly Uint8Array[], PushStatus[]> = {
  name: 'publishPackage',
  encodeParams: (envelopes) => ({ envelopes: parseRecords(envelopes, 'envelopes', MAX_ENVELOPES) }),
  parseParams: (value) =>
    parseRecords(parseMap(value, 'params').envelopes, 'params.envelopes', MAX_ENVELOPES),
  encodeResult: (statuses, { length }) => encodeStatuses(statuses, 'result', length),
  parseResult: (value, { length }) => parseStatuses(value, 'result', length)
}

function withoutLocalFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => !LOCAL_FIELDS.has(field)))
}

function boundedQuery(query: Query): Query {
  return query.limit > MAX_SEARCH_HITS ? query.withLimit(MAX_SEARCH_HITS) : query
}
