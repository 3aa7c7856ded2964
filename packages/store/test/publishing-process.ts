/**
 * A peer's store in a process of its own, to be killed: publishes and takes in records of every kind for as long as it
 * lives, and writes a line for each that was acknowledged. Its arguments: the data folder, and a number that no earlier run had.
 */
import { signAttestation, signRelease, signStatement } from '@registry/identity'
import { makeAttestation, makeRelease, makeStatement, seededBytes, seededOwner } from '@registry/testing'
import { parseVersion, type StatementFact } from '@registry/types'
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
  const fact: StatementFact = { field: 'dist-tag', tag: `run-${run}`, version: release.version }
  const tag = makeStatement({ owner: own.id, name, seq: count + 1, fact })
  const [id, tagged] = await store.publish([
    own.inception,
    await signRelease(release, own.signer),
    await signStatement(tag, own.signer)
  ])
  process.stdout.write(`published ${id} ${info.cid}\nstated ${tagged} ${name}\n`)
}

async function ingestSome(count: number): Promise<void> {
  const releases = Array.from({ length: 20 }, (_, index) =>
    makeRelease({
      owner: other.id,
      name: `taken-${index}`,
      version: `${run}.${count}.0`,
      description: `Taken in run${run}round${count}`,
      tags: [`round-${count % 5}`],
      dependencies: { [`taken-${(index + count) % 20}`]: '*' }
    })
  )
  const facts = releases.slice(0, 5).map(({ name, version }, index) => {
    const fact: StatementFact =
      index % 2 === 0
        ? { field: 'yank', version, reason: count % 2 === 0 ? 'Broken' : null }
        : { field: 'dist-tag', tag: 'latest', version: count % 3 === 0 ? null : version }
    return makeStatement({ owner: other.id, name, seq: count + 1, fact })
  })
  const gone = makeStatement({
    owner: other.id,
    name: 'taken-5',
    fact: { field: 'unpublish', version: parseVersion(`${run}.${count}.0`), reason: '' }
  })
  const attestation = makeAttestation({
    issuer: own.id,
    owner: other.id,
    name: 'taken-0',
    text: `${run}.${count}`
  })
  const lasting = [
    own.inception,
    other.inception,
    ...(await Promise.all(releases.map((release) => signRelease(release, other.signer)))),
    await signStatement(gone, other.signer),
    await signAttestation(attestation, own.signer)
  ]
  const statements = await Promise.all(facts.map((statement) => signStatement(statement, other.signer)))
  const outcomes = await store.catalogue.ingest([...lasting, ...statements])
  // A later statement may take the place of the others.
  for (const outcome of outcomes.slice(0, lasting.length))
    if (outcome.status === 'accepted') process.stdout.write(`taken ${outcome.id}\n`)
}

for (let count = 0; ; count++) {
  await Promise.all([publishOne(count), ingestSome(count)])
}
