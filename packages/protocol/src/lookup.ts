import {
  InvalidValueError,
  PROTOCOL_LIMITS,
  type PushStatus,
  parseBytes,
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
import { fitting, type Method, type ProtocolShape } from './method.ts'

/** Hits of one answer. */
export const MAX_SEARCH_HITS = 100
/** Records pushed or answered at once; all of them together fit one frame. */
const MAX_ENVELOPES = 256
/** Of an answer; what is over it is left out. */
const MAX_HITS_BYTES = 512 * 1024

export const LOOKUP: ProtocolShape = Object.freeze({
  name: 'lookup',
  maxRequestBytes: 256 * 1024,
  maxResponseBytes: MAX_HITS_BYTES + 16 * 1024,
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
  encodeResult: (envelopes) => (envelopes === undefined ? undefined : parseEnvelopes(envelopes, 'result')),
  parseResult: (value) => parseEnvelopes(value, 'result')
}

export const SEARCH_PACKAGES: Method<Query, RemoteSearchHit[]> = {
  name: 'searchPackages',
  encodeParams: (query) => boundedQuery(query).toJSON(),
  parseParams: (value) => boundedQuery(parseQuery(parseMap(value, 'params'))),
  encodeResult: (hits, { limit }) =>
    fitting(hits.slice(0, limit), MAX_HITS_BYTES, ({ envelopes }) =>
      envelopes.reduce((bytes, envelope) => bytes + envelope.length + 8, 64)
    ).map(({ envelopes, score }) => ({ envelopes, score })),
  parseResult: (value, { limit }) =>
    parseList(value, 'result', limit, (item, field) => {
      const map = parseMap(item, field)
      if (typeof map.score !== 'number') throw new InvalidValueError(`${field}.score`, 'must be a number')
      return { envelopes: parseEnvelopes(map.envelopes, `${field}.envelopes`), score: map.score }
    })
}

export const PUBLISH_PACKAGE: Method<readonly Uint8Array[], PushStatus[]> = {
  name: 'publishPackage',
  encodeParams: (envelopes) => ({ envelopes: parseEnvelopes(envelopes, 'envelopes') }),
  parseParams: (value) => parseEnvelopes(parseMap(value, 'params').envelopes, 'params.envelopes'),
  encodeResult: (statuses) => statuses,
  parseResult: (value, envelopes) => {
    const statuses = parseList(value, 'result', envelopes.length, parsePushStatus)
    if (statuses.length !== envelopes.length) {
      throw new InvalidValueError('result', `must have ${envelopes.length} entries, one a record`)
    }
    return statuses
  }
}

function parseEnvelopes(value: unknown, field: string): Uint8Array[] {
  return parseList(value, field, MAX_ENVELOPES, (item, at) =>
    parseBytes(item, at, PROTOCOL_LIMITS.maxRecordBytes)
  )
}

function boundedQuery(query: Query): Query {
  return query.limit > MAX_SEARCH_HITS ? query.withLimit(MAX_SEARCH_HITS) : query
}

function parsePushStatus(value: unknown, field: string): PushStatus {
  if (value === 'accepted' || value === 'known' || value === 'refused') return value
  throw new InvalidValueError(field, 'must be "accepted", "known" or "refused"')
}
