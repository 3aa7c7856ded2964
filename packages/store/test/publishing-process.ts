/**
 * A peer's store in a process of its own, to be killed: publishes and takes in records for as long as it lives, and
 * writes a line for each that was acknowledged. Its arguments: the data folder, and a number that no earlier run had.
 */
import { signRelease } from '@registry/identity'
import { makeRelease, seededBytes, seededOwner } from '@registry/testing'
import { registryStore } from '../src/index.ts'

const [dataDir = '', run = ''] = process.argv.slice(2)
const clock = { now: () => Date.now(), schedule: () => () => {} }
const store = registryStore({ dataDir })({ clock })
await store.start()
process.stdout.write('started\n')
const own = await seededOwner('own')
const other = await seededOwner('other')

async function publishOne(count: number): Promise<void> {
  const name = `published-${count % 7}`
  const version = `${run}.${count}.0`
  // Every fourth is large enough for files.
  const content = seededBytes(`${name}@${version}`, count % 4 === 0 ? 1_200_000 : 500)
  const info = await store.blobs.add(
    (async function* () {
      yield content
    })()
  )
  const release = makeRelease({
    owner: own.id,
    name,
    version,
    content: info.cid,
    size: info.size,
    integrity: info.integrity
  })
  const [published] = await store.publish([own.inception, await signRelease(release, own.signer)])
  process.stdout.write(`published ${published?.id} ${info.cid}\n`)
}

async function ingestSome(count: number): Promise<void> {
  const releases = Array.from({ length: 20 }, (_, index) =>
    makeRelease({
      owner: other.id,
      name: `taken-${index}`,
      version: `${run}.${count}.0`,
      dependencies: { [`taken-${(index + count) % 20}`]: '*' }
    })
  )
  const signed = await Promise.all(releases.map((release) => signRelease(release, other.signer)))
  const outcomes = await store.catalogue.ingest([other.inception, ...signed])
  for (const outcome of outcomes)
    if (outcome.status === 'accepted') process.stdout.write(`taken ${outcome.id}\n`)
}

for (let count = 0; ; count++) {
  await Promise.all([publishOne(count), ingestSome(count)])
}
