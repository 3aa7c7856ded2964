import { Worker } from 'node:worker_threads'

/** All that had been written when it began is in the database file. */
export interface CheckpointResult {
  isWhole: boolean
}

/**
 * Brings what is in the write-ahead log into the database file, in a thread of its own: it writes and syncs for so long
 * that the event loop would stall. Transactions may go on meanwhile.
 *
 * Rejects with whatever SQLite throws there.
 */
export function checkpoint(path: string): Promise<CheckpointResult> {
  const fromSource = import.meta.url.endsWith('.ts')
  const url = new URL(fromSource ? './checkpoint-worker.ts' : './checkpoint-worker.js', import.meta.url)
  const worker = new Worker(url, { name: 'checkpoint', workerData: path, execArgv: [] })
  return new Promise((resolve, reject) => {
    let result: CheckpointResult = { isWhole: false }
    worker.on('message', (done: CheckpointResult) => {
      result = done
    })
    worker.on('error', reject)
    // Only then is its connection closed for certain.
    worker.on('exit', () => resolve(result))
  })
}
