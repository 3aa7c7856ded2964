import { getPriority, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { checkRecord } from '@registry/identity'
import { isRegistryError } from '@registry/types'
import type { PackedRecords, RecordVerdict } from './record-verifier.ts'

/** How much the event loop goes before what is checked for it. */
const NICER = 5
const NICEST = 19

// Elsewhere a priority is that of the whole process.
if (process.platform === 'linux') setPriority(Math.min(NICEST, getPriority() + NICER))

function verdictOf(record: Uint8Array): RecordVerdict {
  try {
    return { status: 'checked', checked: checkRecord(record) }
  } catch (error) {
    // Anything else is a fault of this program, and ends the thread.
    if (!isRegistryError(error)) throw error
    return { status: 'refused', error: error.toJSON() }
  }
}

parentPort?.on('message', ({ bytes, lengths }: PackedRecords) => {
  let start = 0
  const verdicts = lengths.map((length) => {
    start += length
    return verdictOf(bytes.subarray(start - length, start))
  })
  parentPort?.postMessage(verdicts)
})
