import type { VerifiedRecord } from '@registry/identity'
import {
  type OwnerId,
  type PackageName,
  parseOwnerId,
  parsePackageName,
  statementField
} from '@registry/types'
import { type Database, integerOf, type Row, textOf } from './database.ts'
import { isSaying } from './fold.ts'
import type { RecordSet } from './record-set.ts'
import type { ViewUpdate } from './view-update.ts'

/** Rows looked at in one transaction. */
const BATCH = 100

/** What the columns of `records` that are views have to be. */
interface RecordViews {
  place: number | null
  package: number | null
  field: string | null
  seq: number | null
  says: number | null
}

/**
 * Makes every view anew from the records, in steps that are transactions of their own: after a crash it is begun again.
 * Records keep their numbers, so that the order of arrival is what it was. Packages keep theirs where they can.
 */
export class ViewRebuild {
  readonly #db: Database
  readonly #records: RecordSet

  constructor(db: Database, records: RecordSet) {
    this.#db = db
    this.#records = records
  }

  *steps(): Generator<(update: ViewUpdate) => void, void, undefined> {
    yield () => {
      this.#db.exec(`
        DELETE FROM owners;
        DELETE FROM dependents;
        UPDATE packages SET latest = NULL, live = 0, plain = 1, changed = 0;
        REINDEX records_by_package`)
    }
    yield* this.#batches(
      'SELECT * FROM records WHERE number > ? ORDER BY number LIMIT ?',
      'number',
      (row, update) => this.#restore(row, update)
    )
    yield () => {
      this.#db.exec(
        'DELETE FROM packages WHERE NOT EXISTS (SELECT 1 FROM records WHERE package = packages.id)'
      )
    }
    yield* this.#batches('SELECT * FROM packages WHERE id > ? ORDER BY id LIMIT ?', 'id', (row, update) =>
      update.refold(parseOwnerId(textOf(row, 'owner')), parsePackageName(textOf(row, 'name')))
    )
  }

  *#batches(
    sql: string,
    key: string,
    work: (row: Row, update: ViewUpdate) => void
  ): Generator<(update: ViewUpdate) => void, void, undefined> {
    for (let last: number | undefined = Number.MIN_SAFE_INTEGER; last !== undefined; ) {
      const rows: Row[] = this.#db.all(sql, last, BATCH)
      yield (update) => {
        for (const row of rows) work(row, update)
      }
      const end = rows.at(-1)
      last = end === undefined ? undefined : integerOf(end, key)
    }
  }

  #restore(row: Row, update: ViewUpdate): void {
    const number = integerOf(row, 'number')
    const record = this.#records.read(row)
    if (record === undefined) {
      this.#db.run('DELETE FROM records WHERE number = ?', number)
      return
    }
    if (record.kind === 'owner') update.restoreOwner(record.owner, number, record.id)
    const views = viewsOf(record, (owner, name) => update.packageOf(owner, name))
    const columns = ['place', 'package', 'field', 'seq', 'says'] as const
    if (columns.every((column) => row[column] === views[column])) return
    this.#db.run(
      'UPDATE records SET place = ?, package = ?, field = ?, seq = ?, says = ? WHERE number = ?',
      ...columns.map((column) => views[column]),
      number
    )
  }
}

function viewsOf(
  record: VerifiedRecord,
  packageOf: (owner: OwnerId, name: PackageName) => { id: number; place: number }
): RecordViews {
  const of = ({
    owner,
    name
  }: {
    owner: OwnerId
    name: PackageName
  }): Pick<RecordViews, 'place' | 'package'> => {
    const { id, place } = packageOf(owner, name)
    return { package: id, place }
  }
  switch (record.kind) {
    case 'owner':
      return { place: null, package: null, field: record.owner, seq: null, says: null }
    case 'release':
      return { ...of(record.release), field: record.release.version, seq: null, says: null }
    case 'statement': {
      const { fact, seq } = record.statement
      return { ...of(record.statement), field: statementField(fact), seq, says: Number(isSaying(fact)) }
    }
    case 'attestation':
      return { ...of(record.attestation), field: null, seq: null, says: null }
  }
}
