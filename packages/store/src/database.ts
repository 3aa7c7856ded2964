import { statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { isRegistryError } from '@registry/types'
import { checkpoint } from './checkpoint.ts'
import { StoreCorruptError, StoreNotRunningError } from './errors.ts'
import { storageErrorOf } from './storage-fault.ts'

export type Row = Record<string, SQLOutputValue>

/**
 * What must survive for a transaction to be kept: `process` a crash of this process, `power` also of the machine. The
 * first leaves the write-ahead log in the system's cache, the second waits until it is on disk.
 */
export type Durability = 'process' | 'power'

/** A backup or a shell may hold the file for a moment; nothing else of ours writes to it. */
const BUSY_TIMEOUT_MS = 1000

/** Rows changed between two checkpoints. */
const CHECKPOINT_ROWS = 4096

/** Rows in the log above which `backpressure` waits until it can be begun anew. */
const MAX_LOGGED_ROWS = 16_384

/** Of the log, for each row changed: about a page, since few rows of a transaction lie side by side. */
const BYTES_PER_ROW = 4096

/** Pages in the log above which a transaction does the checkpoint itself, should there be no other way. */
const MAX_LOG_PAGES = 131_072

/**
 * One connection to one SQLite file. Statements are prepared once and kept. Every call throws ERR_NOT_RUNNING while it
 * is closed, ERR_STORAGE when the disk refuses and ERR_STORE_CORRUPT when the file is damaged. The write-ahead log is
 * brought into the file in a thread beside, since that takes longer than the event loop may wait.
 */
export class Database {
  readonly path: string
  readonly #onCorrupt: () => void
  readonly #statements = new Map<string, StatementSync>()
  #connection: DatabaseSync | undefined
  /** Rows changed since the last checkpoint began, and those before it that are still in the log. */
  #changedRows = 0
  #loggedRows = 0
  #checkpointing: Promise<void> | undefined

  /** `onCorrupt` is called when SQLite finds the file damaged, before the error is thrown. */
  constructor(path: string, onCorrupt: () => void) {
    this.path = path
    this.#onCorrupt = onCorrupt
  }

  get isOpen(): boolean {
    return this.#connection !== undefined
  }

  open(): void {
    this.#guard(() => {
      const connection = new DatabaseSync(this.path, { timeout: BUSY_TIMEOUT_MS })
      try {
        connection.exec(
          // Where fsync does not reach the platter (macOS), `fullfsync` asks for what does.
          'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA fullfsync = ON; PRAGMA cache_size = -32768'
        )
        connection.exec(`PRAGMA wal_autocheckpoint = ${MAX_LOG_PAGES}`)
      } catch (error) {
        connection.close()
        throw error
      }
      this.#connection = connection
      this.#loggedRows = 0
      // A log of before is there when that process was killed.
      this.#changedRows = (statSync(`${this.path}-wal`, { throwIfNoEntry: false })?.size ?? 0) / BYTES_PER_ROW
    })
  }

  /** Resolves when the log is short enough for more; to be awaited between transactions by whoever makes many. */
  async backpressure(): Promise<void> {
    // A checkpoint begins the log anew only when nothing was written meanwhile: two are enough unless others go on.
    for (let attempt = 0; attempt < 2; attempt++) {
      if (this.#loggedRows + this.#changedRows <= MAX_LOGGED_ROWS) return
      await this.#startCheckpoint()
    }
  }

  async close(): Promise<void> {
    await this.#checkpointing
    this.#statements.clear()
    const connection = this.#connection
    this.#connection = undefined
    this.#guard(() => connection?.close())
  }

  /** Runs statements that return nothing and take no values. */
  exec(sql: string): void {
    this.#guard(() => this.#open().exec(sql))
  }

  /** Returns how many rows were changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => {
      const changes = Number(this.#prepared(sql).run(...values).changes)
      this.#changedRows += changes
      return changes
    })
  }

  /** Returns the rowid of the inserted row. */
  insert(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => {
      const { lastInsertRowid } = this.#prepared(sql).run(...values)
      this.#changedRows += 1
      return Number(lastInsertRowid)
    })
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard(() => this.#prepared(sql).get(...values))
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guard(() => this.#prepared(sql).all(...values))
  }

  /** Rows as they are read; nothing may be written until the last one was taken. */
  *each(sql: string, ...values: SQLInputValue[]): Generator<Row, void, undefined> {
    // A statement of its own: a kept one could be started again from within the loop.
    const rows = this.#guard(() =>
      this.#open()
        .prepare(sql)
        .iterate(...values)
    )
    try {
      while (true) {
        const next = this.#guard(() => rows.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      rows.return?.()
    }
  }

  /** Does `work`, which must not wait for anything, as one transaction; none of it is kept when it throws. */
  transaction<T>(durability: Durability, work: () => T): T {
    return this.#guard(() => {
      const connection = this.#open()
      // The commit syncs the whole log, so whatever was written before it is on disk with it.
      if (durability === 'power') connection.exec('PRAGMA synchronous = FULL')
      try {
        connection.exec('BEGIN IMMEDIATE')
        try {
          const result = work()
          connection.exec('COMMIT')
          return result
        } catch (error) {
          try {
            connection.exec('ROLLBACK')
          } catch {
            // SQLite has done so by itself, as after some faults, a full disk among them.
          }
          throw error
        }
      } finally {
        if (durability === 'power') connection.exec('PRAGMA synchronous = NORMAL')
        if (this.#changedRows >= CHECKPOINT_ROWS) void this.#startCheckpoint()
      }
    })
  }

  /** Never rejects. */
  #startCheckpoint(): Promise<void> {
    this.#checkpointing ??= this.#checkpoint().finally(() => {
      this.#checkpointing = undefined
    })
    return this.#checkpointing
  }

  async #checkpoint(): Promise<void> {
    this.#loggedRows += this.#changedRows
    this.#changedRows = 0
    try {
      const { isWhole } = await checkpoint(this.path)
      // The next transaction overwrites the log.
      if (isWhole && this.#changedRows === 0) this.#loggedRows = 0
    } catch {
      // What the disk refuses there it will refuse here, once the log cannot grow any more.
    }
  }

  #open(): DatabaseSync {
    if (this.#connection === undefined) throw new StoreNotRunningError()
    return this.#connection
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#open().prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      const translated = storageErrorOf(error, this.path)
      if (isRegistryError(translated, 'ERR_STORE_CORRUPT')) this.#onCorrupt()
      throw translated
    }
  }
}

/** The columns of a row by their type. Another type than the schema's means a damaged file. */
export function textOf(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw unreadable(column)
  return value
}

export function integerOf(row: Row, column: string): number {
  const value = row[column]
  if (typeof value !== 'number') throw unreadable(column)
  return value
}

export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row[column]
  if (!(value instanceof Uint8Array)) throw unreadable(column)
  return value
}

function unreadable(column: string): StoreCorruptError {
  return new StoreCorruptError('catalogue.sqlite', `column ${column} holds a value of another type`)
}
