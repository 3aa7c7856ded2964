import { StorageError, type StorageFault, StoreCorruptError } from './errors.ts'

const SYSTEM_FAULTS: Readonly<Record<string, StorageFault>> = Object.freeze({
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EROFS: 'read-only',
  EACCES: 'denied',
  EPERM: 'denied'
})

/** Primary result codes, https://sqlite.org/rescode.html */
const SQLITE_FAULTS: ReadonlyMap<number, StorageFault> = new Map([
  [5, 'busy'],
  [8, 'read-only'],
  [10, 'io'],
  [13, 'disk-full'],
  [14, 'denied']
])
const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** An error of a system call, as Node throws them. */
export function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}

export function isBusy(error: unknown): boolean {
  return sqliteCodeOf(error) === SQLITE_BUSY
}

/** An error of the file system or of the SQLite file at `path` as ERR_STORAGE or ERR_STORE_CORRUPT; others as they are. */
export function storageErrorOf(error: unknown, path: string): unknown {
  if (isSystemError(error)) return new StorageError(SYSTEM_FAULTS[error.code] ?? 'io', error)
  const code = sqliteCodeOf(error)
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) {
    return new StoreCorruptError(path, error instanceof Error ? error.message : String(error), error)
  }
  const fault = code === undefined ? undefined : SQLITE_FAULTS.get(code)
  return fault === undefined ? error : new StorageError(fault, error)
}

function sqliteCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined
  // The low byte of an extended code.
  return error.errcode & 0xff
}
