import { InvalidValueError, PROTOCOL_LIMITS, type PushStatus, parseBytes, parseList } from '@registry/types'

/** Bytes of records, or of coded symbols, in one answer. Where there are more, it has the first of them. */
export const MAX_ANSWERED_BYTES: number = 512 * 1024
/** What an answer may have beside them: the map around them and five bytes for the length of each. */
export const ANSWER_MARGIN_BYTES: number = 32 * 1024

/** Records as they travel, in either direction. @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseRecords(
  value: unknown,
  field: string,
  max: number,
  maxBytes: number = Number.POSITIVE_INFINITY
): Uint8Array[] {
  const records = parseList(value, field, max, (item, at) =>
    parseBytes(item, at, PROTOCOL_LIMITS.maxRecordBytes)
  )
  if (bytesOf(records) > maxBytes) {
    throw new InvalidValueError(field, `must have at most ${maxBytes} bytes in all`)
  }
  return records
}

export function bytesOf(records: readonly Uint8Array[]): number {
  return records.reduce((bytes, { length }) => bytes + length, 0)
}

/** The first items that together have at most `maxBytes`. */
export function fitting<T>(items: readonly T[], maxBytes: number, sizeOf: (item: T) => number): T[] {
  let bytes = 0
  const end = items.findIndex((item) => {
    bytes += sizeOf(item)
    return bytes > maxBytes
  })
  return end === -1 ? [...items] : items.slice(0, end)
}

/** A status travels as one byte, its place in this list. */
const PUSH_STATUSES: readonly PushStatus[] = ['accepted', 'known', 'superseded', 'refused']

/** One status for each of `count` records. @throws {InvalidValueError} ERR_INVALID_VALUE */
export function encodeStatuses(statuses: readonly PushStatus[], field: string, count: number): Uint8Array {
  const bytes = Uint8Array.from(statuses, (status) => PUSH_STATUSES.indexOf(status))
  parseStatuses(bytes, field, count)
  return bytes
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE */
export function parseStatuses(value: unknown, field: string, count: number): PushStatus[] {
  return Array.from(parseBytes(value, field, count, count), (byte, index) => {
    const status = PUSH_STATUSES[byte]
    if (status === undefined) throw new InvalidValueError(`${field}[${index}]`, 'is not a known status')
    return status
  })
}
