import { type ContentId, type Outbox, type OutboxEntry, parseContentId, type RecordId } from '@registry/types'
import { bytesOf, type Database, integerOf, type Row, textOf } from './database.ts'
import { recordIdOfKey, recordKeyOf } from './record-key.ts'

/** The outbox in SQLite. Progress that a power cut takes back is only announced once more. */
export class StoredOutbox implements Outbox {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** To be called within the transaction that stores the record. */
  add(record: RecordId, content: ContentId | undefined, dueMs: number): void {
    this.#db.run(
      'INSERT INTO outbox (record, content, due_ms) VALUES (?, ?, ?)',
      recordKeyOf(record),
      content ?? null,
      dueMs
    )
  }

  due(options: { nowMs: number; limit: number }): OutboxEntry[] {
    return this.#db
      .all('SELECT * FROM outbox WHERE due_ms <= ? ORDER BY sequence LIMIT ?', options.nowMs, options.limit)
      .map(entryOf)
  }

  nextDueMs(): number | undefined {
    const row = this.#db.get('SELECT min(due_ms) AS due FROM outbox')
    return row === undefined || row.due === null ? undefined : integerOf(row, 'due')
  }

  record(sequence: number, progress: { pushed: boolean; provided: boolean; nextAttemptMs: number }): void {
    if (progress.pushed && progress.provided) {
      this.#db.run('DELETE FROM outbox WHERE sequence = ?', sequence)
      return
    }
    this.#db.run(
      `UPDATE outbox SET attempts = attempts + 1, pushed = ?, provided = ?, due_ms = ? WHERE sequence = ?`,
      Number(progress.pushed),
      Number(progress.provided),
      progress.nextAttemptMs,
      sequence
    )
  }

  get size(): number {
    const row = this.#db.get('SELECT count(*) AS size FROM outbox')
    return row === undefined ? 0 : integerOf(row, 'size')
  }
}

function entryOf(row: Row): OutboxEntry {
  const entry: OutboxEntry = {
    sequence: integerOf(row, 'sequence'),
    record: recordIdOfKey(bytesOf(row, 'record')),
    attempts: integerOf(row, 'attempts'),
    pushed: integerOf(row, 'pushed') === 1,
    provided: integerOf(row, 'provided') === 1
  }
  if (row.content !== null) entry.content = parseContentId(textOf(row, 'content'))
  return entry
}
