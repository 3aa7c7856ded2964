import {
  type ContentId,
  type HoldingsPage,
  InvalidValueError,
  PROTOCOL_LIMITS,
  parseBytes,
  parseCount,
  parseList,
  parseMap
} from '@registry/types'
import { encodeCid, encodeCids, parseWireContentId } from './cid.ts'
import type { Method, ProtocolShape } from './method.ts'

/** Contents of one page of holdings. */
export const MAX_HOLDINGS = 1024
/** Contents announced at once. */
export const MAX_ANNOUNCED = 256

export const CONTENT: ProtocolShape = Object.freeze({
  name: 'content',
  maxRequestBytes: 16 * 1024,
  maxResponseBytes: PROTOCOL_LIMITS.maxBlockBytes + 1024,
  maxConcurrentRequests: 4
})

export const BLOCK: Method<string, Uint8Array | undefined> = {
  name: 'block',
  encodeParams: (cid) => ({ cid: encodeCid(cid) }),
  parseParams: (value) => parseWireContentId(parseMap(value, 'params').cid, 'params.cid'),
  encodeResult: (block) => (block === undefined ? undefined : parseBlock(block)),
  parseResult: parseBlock
}

export interface HoldingsParams {
  after?: ContentId
  limit: number
}

export const HOLDINGS: Method<HoldingsParams, HoldingsPage> = {
  name: 'holdings',
  encodeParams: ({ after, limit }) => {
    const params = { limit: parseCount(limit, 'limit', MAX_HOLDINGS) }
    return after === undefined ? params : { ...params, after: encodeCid(after) }
  },
  parseParams: (value) => {
    const map = parseMap(value, 'params')
    const limit = parseCount(map.limit, 'params.limit', MAX_HOLDINGS)
    return map.after === undefined
      ? { limit }
      : { limit, after: parseWireContentId(map.after, 'params.after') }
  },
  encodeResult: ({ cids, next }) => {
    const result = { cids: encodeCids(cids, 'result.cids', MAX_HOLDINGS) }
    return next === undefined ? result : { ...result, next: encodeCid(next) }
  },
  parseResult: (value, { limit }) => {
    const map = parseMap(value, 'result')
    const cids = parseList(map.cids, 'result.cids', limit, parseWireContentId)
    if (map.next === undefined) return { cids }
    if (cids.length === 0) throw new InvalidValueError('result.next', 'must not follow an empty page')
    return { cids, next: parseWireContentId(map.next, 'result.next') }
  }
}

export const ANNOUNCE_HOLDINGS: Method<readonly ContentId[], null> = {
  name: 'announceHoldings',
  encodeParams: (cids) => ({ cids: encodeCids(cids, 'cids', MAX_ANNOUNCED) }),
  parseParams: (value) =>
    parseList(parseMap(value, 'params').cids, 'params.cids', MAX_ANNOUNCED, parseWireContentId),
  encodeResult: () => null,
  parseResult: () => null
}

function parseBlock(value: unknown): Uint8Array {
  return parseBytes(value, 'result', PROTOCOL_LIMITS.maxBlockBytes)
}
