import { manualClock, memoryStore } from '@registry/testing'
import { expect, it } from 'vitest'
import { conflictSpreader } from '../src/conflict-spreader.ts'
import { type SignedRelease, signedRelease } from './fixtures.ts'

async function spreading({ catchingUp = false } = {}) {
  const clock = manualClock()
  const { catalogue } = memoryStore()({ clock })
  const told: Array<{ records: Uint8Array[]; urgent: boolean | undefined }> = []
  const stop = conflictSpreader({
    catalogue,
    gossip: {
      publish: async (records, { urgent } = {}) => {
        told.push({ records: [...records], urgent })
        return 'heard'
      }
    },
    isCatchingUp: () => catchingUp,
    track: (task) => task,
    clock
  }).start()
  return { catalogue, clock, told, stop }
}

/** Two releases that an owner signed for one version. */
async function conflict(name = 'example'): Promise<[SignedRelease, SignedRelease]> {
  return Promise.all([signedRelease({ name }), signedRelease({ name, description: 'another one' })])
}

it('tells at once, and once, of two releases of one version, with their owner', async () => {
  const { catalogue, told } = await spreading()
  const [one, other] = await conflict()
  await catalogue.ingest(one.records)
  expect(told).toEqual([])
  await catalogue.ingest(other.records)
  const proof = [one.records[0], ...[one.records[1], other.records[1]].sort(Buffer.compare)]
  expect(told).toEqual([{ records: proof, urgent: true }])
  await catalogue.ingest([...one.records, ...other.records])
  expect(told).toHaveLength(1)
})

it('tells the same whichever of the two came first', async () => {
  const [first, second] = [await spreading(), await spreading()]
  const [one, other] = await conflict()
  await first.catalogue.ingest([...one.records, ...other.records])
  await second.catalogue.ingest([...other.records, ...one.records])
  expect(first.told).toEqual(second.told)
})

it('tells two of many, which is proof enough', async () => {
  const { catalogue, told } = await spreading()
  for (let number = 0; number < 12; number++) {
    await catalogue.ingest((await signedRelease({ description: `number ${number}` })).records)
  }
  expect(told).toHaveLength(11)
  for (const { records } of told) expect(records).toHaveLength(3)
})

it('says nothing of an owner who goes on and on, nor of what is old, nor when it was stopped', async () => {
  const flooded = await spreading()
  for (let number = 0; number < 50; number++) {
    for (const { records } of await conflict(`package-${number}`)) await flooded.catalogue.ingest(records)
  }
  expect(flooded.told).toHaveLength(32)
  await flooded.clock.advance(1000)
  for (const { records } of await conflict('later')) await flooded.catalogue.ingest(records)
  expect(flooded.told).toHaveLength(33)

  const cold = await spreading({ catchingUp: true })
  for (const { records } of await conflict()) await cold.catalogue.ingest(records)
  expect(cold.told).toEqual([])

  const stopped = await spreading()
  stopped.stop()
  for (const { records } of await conflict()) await stopped.catalogue.ingest(records)
  expect(stopped.told).toEqual([])
})
