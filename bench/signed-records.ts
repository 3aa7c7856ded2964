import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { checkRecord } from '@registry/identity'
import type { OwnerIdentity } from '@registry/types'
import type { PackageDocument } from './package-documents.ts'
import { syntheticOwner } from './synthetic.ts'

const RECORD_OWNERS = 256
const PARTS = 2
/** So many take long enough to sign that they are kept for the next run. */
const KEPT_FROM = 50_000
const LENGTH_BYTES = 4
const READ_BYTES = 2 ** 20

export interface SignedRecords {
  /** Each has releases, one after the other, behind their lengths in four bytes. */
  files: string[]
}

/** What a thread signs: every `PARTS`th release, from `part` on. */
export interface SigningTask {
  packagesFile: string
  file: string
  count: number
  packages: number
  part: number
  parts: number
}

/**
 * `count` signed releases of packages like the given ones, `count / releasesPerPackage` of them, in an order that has nothing
 * to do with their names. The same for the same arguments. Many are kept in the system's folder for temporary files, and
 * taken from there the next time.
 */
export async function signedRecords(
  count: number,
  {
    packages,
    releasesPerPackage,
    folder,
    signal
  }: {
    packages: readonly PackageDocument[]
    releasesPerPackage: number
    folder: string
    signal: AbortSignal
  }
): Promise<SignedRecords> {
  const json = JSON.stringify(packages)
  const hash = createHash('sha256').update(json).digest('hex').slice(0, 12)
  const kept = count >= KEPT_FROM ? join(tmpdir(), 'registry-bench-records') : folder
  await mkdir(kept, { recursive: true })
  const packagesFile = join(kept, `packages-${hash}.json`)
  await writeFile(packagesFile, json)
  const tasks = Array.from({ length: PARTS }, (_, part): SigningTask => {
    const file = join(kept, `releases-${hash}-${count}-${part}.bin`)
    return { packagesFile, file, count, packages: Math.ceil(count / releasesPerPackage), part, parts: PARTS }
  })
  await Promise.all(tasks.filter(({ file }) => !isUsable(file)).map((task) => sign(task, signal)))
  return { files: tasks.map(({ file }) => file) }
}

/** Who signs the releases. */
export function recordOwners(): Promise<OwnerIdentity[]> {
  return Promise.all(Array.from({ length: RECORD_OWNERS }, (_, seed) => syntheticOwner(seed)))
}

/** The records of files in turn, so many at a time. */
export function* batchesOf(files: readonly string[], size: number): Generator<Uint8Array[]> {
  let batch: Uint8Array[] = []
  for (const file of files) {
    for (const record of recordsOf(file)) {
      batch.push(record)
      if (batch.length < size) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

function* recordsOf(file: string): Generator<Uint8Array> {
  const descriptor = openSync(file, 'r')
  try {
    const chunk = Buffer.alloc(READ_BYTES)
    let waiting = Buffer.alloc(0)
    for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
      waiting = Buffer.concat([waiting, chunk.subarray(0, read)])
      let at = 0
      while (at + LENGTH_BYTES <= waiting.length) {
        const end = at + LENGTH_BYTES + waiting.readUInt32BE(at)
        if (end > waiting.length) break
        yield new Uint8Array(waiting.subarray(at + LENGTH_BYTES, end))
        at = end
      }
      waiting = waiting.subarray(at)
    }
  } finally {
    closeSync(descriptor)
  }
}

/** Whether it is there and what it has is still a record. */
function isUsable(file: string): boolean {
  if (!existsSync(file)) return false
  try {
    const [record] = recordsOf(file)
    return record !== undefined && checkRecord(record).signed
  } catch {
    return false
  }
}

function sign(task: SigningTask, signal: AbortSignal): Promise<void> {
  const worker = new Worker(new URL('./signed-records-worker.ts', import.meta.url), { workerData: task })
  const onAbort = (): void => void worker.terminate()
  signal.addEventListener('abort', onAbort)
  return new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', (code) => {
      if (signal.aborted) reject(signal.reason)
      else if (code === 0) resolve()
      else reject(new Error(`signing ended with code ${code}`))
    })
  }).finally(() => signal.removeEventListener('abort', onAbort))
}
