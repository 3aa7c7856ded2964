// Signs one part of many releases into a file, in a thread of its own. Started by signed-records.ts.
import { once } from 'node:events'
import { createWriteStream, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { workerData } from 'node:worker_threads'
import { enlarged, type PackageDocument } from './package-documents.ts'
import { recordOwners, type SigningTask } from './signed-records.ts'
import { syntheticRecord } from './synthetic.ts'

/** Larger than any number of packages: walks through them all in an order that looks like none. */
const STRIDE = 1_000_000_007

const task: SigningTask = workerData
const real: PackageDocument[] = JSON.parse(readFileSync(task.packagesFile, 'utf8'))
const documents = [...enlarged(real, task.packages, 1)]
const owners = await recordOwners()
// Under another name until it is whole.
const unfinished = `${task.file}.unfinished`
const output = createWriteStream(unfinished)
for (let at = task.part; at < task.count; at += task.parts) {
  const place = Number((BigInt(at) * BigInt(STRIDE)) % BigInt(documents.length))
  const document = documents[place]
  const owner = owners[place % owners.length]
  if (document === undefined || owner === undefined) throw new RangeError(`there is no package ${place}`)
  const content = new Uint8Array(8)
  new DataView(content.buffer).setUint32(0, at)
  const version = `1.${Math.floor(at / documents.length)}.0`
  const record = await syntheticRecord(owner, document, content, version)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(record.length)
  output.write(length)
  if (!output.write(record)) await once(output, 'drain')
}
output.end()
await finished(output)
await rename(unfinished, task.file)
