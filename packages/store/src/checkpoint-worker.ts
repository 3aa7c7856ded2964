import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { CheckpointResult } from './checkpoint.ts'

/** Waits that long for a lock that another connection has. */
const BUSY_TIMEOUT_MS = 1000

/** One checkpoint, and the thread ends. The connection is closed in any case, so that no lock is left behind. */
function checkpoint(path: unknown): CheckpointResult {
  const connection = new DatabaseSync(String(path), { timeout: BUSY_TIMEOUT_MS })
  try {
    connection.exec('PRAGMA synchronous = NORMAL; PRAGMA fullfsync = ON')
    const row = connection.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
    return { isWhole: row !== undefined && row.busy === 0 && row.log === row.checkpointed }
  } finally {
    connection.close()
  }
}

parentPort?.postMessage(checkpoint(workerData))
