import {
  type CatalogueScope,
  InvalidValueError,
  parseBytes,
  parseMap,
  parseOneOf,
  RECORD_KINDS,
  type SnapshotCursor,
  type SnapshotPage
} from '@registry/types'
import { compareDigests } from './cid.ts'
import type { Method, ProtocolShape } from './method.ts'
import { ANSWER_MARGIN_BYTES, MAX_ANSWERED_BYTES, parseRecords } from './records.ts'
import { encodeScope, parseScope } from './scope.ts'

/** More than pages of the shortest records have. */
const MAX_SNAPSHOT_RECORDS = 4096

export const SNAPSHOT: ProtocolShape = Object.freeze({
  name: 'snapshot',
  maxRequestBytes: 1024,
  maxResponseBytes: MAX_ANSWERED_BYTES + ANSWER_MARGIN_BYTES,
  maxConcurrentRequests: 2
})

export interface SnapshotParams {
  scope: CatalogueScope
  after?: SnapshotCursor
}

export const SNAPSHOT_PAGE: Method<SnapshotParams, SnapshotPage> = {
  name: 'snapshot',
  encodeParams: ({ scope, after }) =>
    after === undefined
      ? { scope: encodeScope(scope) }
      : { scope: encodeScope(scope), after: parseCursor(after, 'after') },
  parseParams: (value) => {
    const map = parseMap(value, 'params')
    const scope = parseScope(map.scope, 'params.scope')
    return map.after === undefined ? { scope } : { scope, after: parseCursor(map.after, 'params.after') }
  },
  encodeResult: ({ records, next }) => {
    const result = {
      records: parseRecords(records, 'result.records', MAX_SNAPSHOT_RECORDS, MAX_ANSWERED_BYTES)
    }
    return next === undefined ? result : { ...result, next: parseCursor(next, 'result.next') }
  },
  parseResult: (value, { after }) => {
    const map = parseMap(value, 'result')
    const records = parseRecords(map.records, 'result.records', MAX_SNAPSHOT_RECORDS, MAX_ANSWERED_BYTES)
    if (map.next === undefined) return { records }
    const next = parseCursor(map.next, 'result.next')
    if (records.length === 0 || (after !== undefined && compareCursors(next, after) <= 0)) {
      throw new InvalidValueError('result.next', 'must lead on')
    }
    return { records, next }
  }
}

function parseCursor(value: unknown, field: string): SnapshotCursor {
  const map = parseMap(value, field)
  return {
    kind: parseOneOf(map.kind, `${field}.kind`, RECORD_KINDS),
    digest: parseBytes(map.digest, `${field}.digest`, 32, 32)
  }
}

function compareCursors(a: SnapshotCursor, b: SnapshotCursor): number {
  return RECORD_KINDS.indexOf(a.kind) - RECORD_KINDS.indexOf(b.kind) || compareDigests(a.digest, b.digest)
}
