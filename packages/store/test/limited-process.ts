/**
 * A store in a process whose files may not grow beyond a limit: publishes until that fails, looks whether reading goes
 * on, and writes what happened as JSON. Its argument: the data folder.
 */
import { signRelease } from '@registry/identity'
import { makeRelease, seededBytes, seededOwner } from '@registry/testing'
import { isRegistryError } from '@registry/types'
import { registryStore } from '../src/index.ts'

const [dataDir = ''] = process.argv.slice(2)
const clock = { now: () => Date.now(), schedule: () => () => {} }
const store = registryStore({ dataDir })({ clock })
await store.start()
const owner = await seededOwner(0)
const published: string[] = []
const faults: unknown[] = []

for (let count = 0; faults.length < 3 && count < 1000; count++) {
  const version = `1.${count}.0`
  try {
    const info = await store.blobs.add(
      (async function* () {
        yield seededBytes(version, 60_000)
      })()
    )
    const { cid: content, size, integrity } = info
    const release = makeRelease({ owner: owner.id, version, content, size, integrity })
    published.push(...(await store.publish([owner.inception, await signRelease(release, owner.signer)])))
  } catch (error) {
    faults.push(isRegistryError(error) ? error.toJSON() : String(error))
  }
}
const readable = store.catalogue.changes({ after: 0, limit: 1000 }).map(({ record }) => record.id)
const { records } = store.catalogue.summary()
process.stdout.write(JSON.stringify({ published, faults, readable, records }))
// Without stopping: whatever was acknowledged is on disk.
process.exit(0)
