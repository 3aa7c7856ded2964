import type { SQLInputValue } from 'node:sqlite'
import { type CatalogueScope, RECORD_KINDS, type RecordKind } from '@registry/types'
import { placesOf } from './live-scopes.ts'

/** The records of one kind in a scope, in ascending order of their digests. */
export interface Rows {
  kind: RecordKind
  sql: (columns: string, limit: string) => string
  /** The values for `sql` up to its limit, for records after this digest. */
  values: (after: Uint8Array) => SQLInputValue[]
}

/**
 * How the records of a scope are read, kind by kind in their order. All is read in the order of an index, but the records
 * of an owner that is not large: these are gathered from his packages and sorted.
 */
export function rowsOf(scope: CatalogueScope, { isLarge }: { isLarge: boolean }): Rows[] {
  switch (scope.kind) {
    case 'all':
      return RECORD_KINDS.map((kind) => rows(kind, 'records', ''))
    case 'owners':
      return [rows('owner', 'records', '')]
    case 'shard':
      return RECORD_KINDS.filter((kind) => kind !== 'owner').map((kind) =>
        rows(kind, 'records', 'AND place BETWEEN ? AND ?', ...placesOf(scope))
      )
    case 'owner': {
      const from = isLarge
        ? 'records INDEXED BY records_by_kind CROSS JOIN packages ON packages.id = package'
        : 'packages CROSS JOIN records INDEXED BY records_by_package ON package = packages.id'
      const about = (kind: RecordKind): Rows => rows(kind, from, 'AND packages.owner = ?', scope.owner)
      return [rows('owner', 'records', 'AND field = ?', scope.owner), about('release'), about('statement')]
    }
  }
}

function rows(kind: RecordKind, from: string, condition: string, ...given: SQLInputValue[]): Rows {
  const index = RECORD_KINDS.indexOf(kind)
  return {
    kind,
    // The kind is written out, so that the index on the inceptions of one owner is found.
    sql: (columns, limit) =>
      `SELECT ${columns} FROM ${from} WHERE kind = ${index} AND records.id > ? ${condition} ORDER BY records.id ${limit}`,
    values: (after) => [after, ...given]
  }
}
