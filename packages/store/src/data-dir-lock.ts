import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from './durable-folder.ts'
import { DataDirInUseError } from './errors.ts'
import { isBusy, storageErrorOf } from './storage-fault.ts'

/**
 * Takes the data folder, made if need be, for this store alone, and returns what gives it back. The lock is the operating
 * system's, on a file that SQLite locks for us: it ends with the process, however that ends, and keeps out a second store
 * of the same process too. The process ID beside it is for the message only.
 *
 * @throws {DataDirInUseError} ERR_DATA_DIR_IN_USE
 * @throws {StorageError} ERR_STORAGE
 */
export function lockDataDir(dataDir: string): () => void {
  const lockPath = join(dataDir, 'lock.sqlite')
  const pidPath = join(dataDir, 'lock.pid')
  try {
    makeFolder(dataDir)
    const connection = lockFile(lockPath)
    writeFileSync(pidPath, `${process.pid}\n`)
    return () => {
      rmSync(pidPath, { force: true })
      connection.close()
    }
  } catch (error) {
    if (isBusy(error)) throw new DataDirInUseError(dataDir, readPid(pidPath))
    throw storageErrorOf(error, lockPath)
  }
}

/** No one may open this file but through SQLite: closing any other descriptor of it would drop the lock. */
function lockFile(path: string): DatabaseSync {
  const connection = new DatabaseSync(path, { timeout: 0 })
  try {
    connection.exec('BEGIN EXCLUSIVE')
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8').slice(0, 16), 10)
    return Number.isSafeInteger(pid) ? pid : undefined
  } catch {
    return undefined
  }
}
