import { hash } from 'node:crypto'
import { type Query, SEARCH_SORTS } from '@registry/types'
import { InvalidCursorError } from './errors.ts'

/** The last package of a page, as far as the order needs it. */
export interface Position {
  /** What it is sorted by first; equal for all where it is sorted by name. */
  key: number
  name: string
  /** The end of the owner's ID. */
  owner: string
  package: number
}

const QUERY_LENGTH = 6
const KEY_LENGTH = 11
const OWNER_LENGTH = 12
const PACKAGE_LENGTH = 7
const NAME_AT = 1 + QUERY_LENGTH + KEY_LENGTH + OWNER_LENGTH + PACKAGE_LENGTH

/** A position as a text of at most 256 characters: parts of fixed length, and the name. */
export function cursorOf(query: Query, position: Position): string {
  const key = Buffer.alloc(8)
  key.writeDoubleBE(position.key)
  return [
    SEARCH_SORTS.indexOf(query.sort),
    queryHashOf(query),
    key.toString('base64url'),
    position.owner.padStart(OWNER_LENGTH, '_'),
    position.package.toString(36).padStart(PACKAGE_LENGTH, '0'),
    position.name
  ].join('')
}

/** @throws {InvalidCursorError} ERR_INVALID_CURSOR, it is none, or of another query */
export function positionOf(query: Query, cursor: string): Position {
  const [, sort = '', of = '', key = '', owner = '', packageKey = '', name = ''] =
    /^(\d)(.{6})([\w-]{11})(.{12})([0-9a-z]{7})(.+)$/s.exec(cursor) ?? []
  const bytes = Buffer.from(key, 'base64url')
  if (cursor.length <= NAME_AT || bytes.length !== 8 || name === '') {
    throw new InvalidCursorError('it is not the cursor of a search')
  }
  if (Number(sort) !== SEARCH_SORTS.indexOf(query.sort) || of !== queryHashOf(query)) {
    throw new InvalidCursorError('it is of another query')
  }
  const position = {
    key: bytes.readDoubleBE(),
    name,
    owner: owner.replace(/^_+/, ''),
    package: Number.parseInt(packageKey, 36)
  }
  if (Number.isNaN(position.key)) throw new InvalidCursorError('it is not the cursor of a search')
  return position
}

/** What of a query decides which packages fit and in which order. */
function queryHashOf(query: Query): string {
  const asked = [
    query.keywords,
    query.phrases,
    query.category,
    query.tags,
    query.owner,
    query.license,
    query.labels,
    query.minDownloads
  ]
  return hash('sha256', JSON.stringify(asked), 'base64url').slice(0, QUERY_LENGTH)
}
