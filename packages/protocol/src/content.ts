import {
  type BlobInfo,
  type ContentId,
  type DocumentKey,
  type HoldingsPage,
  InvalidValueError,
  type KeptDocument,
  PROTOCOL_LIMITS,
  parseBytes,
  parseCount,
  parseList,
  parseMap,
  parseOneOf,
  parseText
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

export const LOCATE: Method<string, BlobInfo | undefined> = {
  name: 'locate',
  encodeParams: (integrity) => ({ sha512: sha512Of(integrity, 'integrity') }),
  parseParams: (value) => integrityOf(parseMap(value, 'params').sha512, 'params.sha512'),
  encodeResult: (found) => (found === undefined ? undefined : { ...encodeContent(found) }),
  parseResult: (value, integrity) => {
    const content = parseContent(value, 'result')
    if (content.integrity !== integrity) throw new InvalidValueError('result.sha512', 'is of another content')
    return content
  }
}

export const DOCUMENT: Method<DocumentKey, KeptDocument | undefined> = {
  name: 'document',
  encodeParams: (key) => ({ ...parseDocumentKey(key, 'key') }),
  parseParams: (value) => parseDocumentKey(value, 'params'),
  encodeResult: (found) =>
    found === undefined
      ? undefined
      : {
          content: encodeContent(found.content),
          etag: parseText(found.etag, 'etag', MAX_ETAG_LENGTH),
          askedAtMs: parseCount(found.askedAtMs, 'askedAtMs')
        },
  parseResult: (value) => {
    const map = parseMap(value, 'result')
    return {
      content: parseContent(map.content, 'result.content'),
      etag: parseText(map.etag, 'result.etag', MAX_ETAG_LENGTH),
      askedAtMs: parseCount(map.askedAtMs, 'result.askedAtMs')
    }
  }
}

const SHA512 = 'sha512-'
const MAX_ETAG_LENGTH = 256

function sha512Of(integrity: string, field: string): Uint8Array {
  const bytes = Buffer.from(integrity.slice(SHA512.length), 'base64')
  if (!integrity.startsWith(SHA512)) throw new InvalidValueError(field, 'must be a sha512')
  return parseBytes(new Uint8Array(bytes), field, 64, 64)
}

function integrityOf(value: unknown, field: string): string {
  return SHA512 + Buffer.from(parseBytes(value, field, 64, 64)).toString('base64')
}

function encodeContent({ cid, size, integrity }: BlobInfo): object {
  return {
    cid: encodeCid(cid),
    size: parseCount(size, 'size', PROTOCOL_LIMITS.maxPackageBytes),
    sha512: sha512Of(integrity, 'integrity')
  }
}

function parseContent(value: unknown, field: string): BlobInfo {
  const map = parseMap(value, field)
  return {
    cid: parseWireContentId(map.cid, `${field}.cid`),
    size: parseCount(map.size, `${field}.size`, PROTOCOL_LIMITS.maxPackageBytes),
    integrity: integrityOf(map.sha512, `${field}.sha512`)
  }
}

function parseDocumentKey(value: unknown, field: string): DocumentKey {
  const map = parseMap(value, field)
  return {
    registry: parseText(map.registry, `${field}.registry`, 1024),
    name: parseText(map.name, `${field}.name`, 256),
    form: parseOneOf(map.form, `${field}.form`, ['abbreviated', 'full'])
  }
}

function parseBlock(value: unknown): Uint8Array {
  return parseBytes(value, 'result', PROTOCOL_LIMITS.maxBlockBytes)
}
