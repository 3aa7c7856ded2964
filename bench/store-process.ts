// A store in a process of its own, which may be killed. Started by catalogue.ts.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { registryStore } from '@registry/store'
import { systemClock } from '@registry/timing'
import { Query, type RegistryStore } from '@registry/types'
import { residentBytes, type Stall, watchStalls } from './self-observation.ts'
import { batchesOf, recordOwners } from './signed-records.ts'
import { syntheticOwner, syntheticPackages, syntheticRecord } from './synthetic.ts'

/** As many records as a peer takes in one call while it synchronises. */
const BATCH = 256
/** One of so many publishes is looked for as soon as it is acknowledged. */
const FIND_EVERY = 4

export interface StoreInit {
  dataDir: string
}

export type StoreCommand =
  | { kind: 'start' }
  | { kind: 'ingest'; files: string[] }
  | { kind: 'search'; texts: string[] }
  /** Searches one after the other for `durationMs`, while packages are published at a rate. */
  | { kind: 'live'; texts: string[]; durationMs: number; publishesPerSecond: number }
  /** Takes in one record after the other, until it is killed. */
  | { kind: 'churn' }
  /** Stops as a store does that is asked to. */
  | { kind: 'close' }

export type StoreEvent =
  | {
      kind: 'started'
      startMs: number
      /** From the beginning of `start` until a search and the sketch of all records were there too. */
      readyMs: number
      releases: number
      residentBytes: number
    }
  | { kind: 'ingested'; records: number; elapsedMs: number; stall?: Stall; residentBytes: number }
  | { kind: 'searched'; samplesMs: number[]; stall?: Stall }
  | {
      kind: 'lived'
      samplesMs: number[]
      publishMs: number[]
      findMs: number[]
      durationMs: number
      stall?: Stall
    }
  | { kind: 'acknowledged'; releases: number }
  | { kind: 'closed' }
  | { kind: 'failed'; message: string }

const init: StoreInit = JSON.parse(process.argv[2] ?? '')
const opened: RegistryStore = registryStore({ dataDir: init.dataDir })({ clock: systemClock() })

process.on('disconnect', () => process.exit())
process.on('message', (command: StoreCommand) => {
  obey(command).then(tell, (error: unknown) =>
    tell({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  )
})

async function obey(command: StoreCommand): Promise<StoreEvent> {
  switch (command.kind) {
    case 'start':
      return await start()
    case 'ingest':
      return await ingest(command.files)
    case 'search':
      return await search(command.texts)
    case 'live':
      return await live(command)
    case 'churn':
      return await churn()
    case 'close':
      await opened.stop()
      return { kind: 'closed' }
  }
}

async function start(): Promise<StoreEvent> {
  const startedMs = performance.now()
  await opened.start()
  const startMs = performance.now() - startedMs
  opened.catalogue.search(new Query(['library']))
  opened.catalogue.sketch({ kind: 'all' }).probes()
  const readyMs = performance.now() - startedMs
  const { releases } = opened.catalogue.counts()
  return { kind: 'started', startMs, readyMs, releases, residentBytes: await residentBytes() }
}

async function ingest(files: readonly string[]): Promise<StoreEvent> {
  const { catalogue } = opened
  for (const { inception } of await recordOwners()) await catalogue.ingest([inception])
  const stalls = watchStalls()
  let records = 0
  let elapsedMs = 0
  for (const batch of batchesOf(files, BATCH)) {
    const startedMs = performance.now()
    const outcomes = await catalogue.ingest(batch)
    elapsedMs += performance.now() - startedMs
    records += outcomes.filter(({ status }) => status === 'accepted').length
    await nextTurn()
  }
  return { kind: 'ingested', records, elapsedMs, ...stalls(), residentBytes: await residentBytes() }
}

async function search(texts: readonly string[]): Promise<StoreEvent> {
  const stalls = watchStalls()
  const samplesMs: number[] = []
  for (const text of texts) {
    samplesMs.push(searchOnce(text))
    await nextTurn()
  }
  return { kind: 'searched', samplesMs, ...stalls() }
}

async function live(command: StoreCommand & { kind: 'live' }): Promise<StoreEvent> {
  const { texts, durationMs, publishesPerSecond } = command
  const records = await newReleases(Math.ceil((publishesPerSecond * durationMs) / 1000))
  const stalls = watchStalls()
  const samplesMs: number[] = []
  const publishMs: number[] = []
  const findMs: number[] = []
  const under: Array<Promise<void>> = []
  const startedMs = performance.now()
  const elapsedMs = (): number => performance.now() - startedMs
  const publish = async ({ name, record }: NewRelease, isSought: boolean): Promise<void> => {
    const calledMs = performance.now()
    await opened.publish([record])
    const acknowledgedMs = performance.now()
    publishMs.push(acknowledgedMs - calledMs)
    if (!isSought) return
    while (!finds(name)) await nextTurn()
    findMs.push(performance.now() - acknowledgedMs)
  }
  for (let at = 0; elapsedMs() < durationMs; at++) {
    while (under.length < Math.min(records.length, (elapsedMs() * publishesPerSecond) / 1000)) {
      const one = records[under.length]
      if (one !== undefined) under.push(publish(one, under.length % FIND_EVERY === 0))
    }
    samplesMs.push(searchOnce(texts[at % texts.length] ?? ''))
    await nextTurn()
  }
  await Promise.all(under)
  return { kind: 'lived', samplesMs, publishMs, findMs, durationMs: elapsedMs(), ...stalls() }
}

async function churn(): Promise<never> {
  for (;;) {
    for (const { record } of await newReleases(BATCH)) {
      await opened.catalogue.ingest([record])
      tell({ kind: 'acknowledged', releases: opened.catalogue.counts().releases })
      await nextTurn()
    }
  }
}

interface NewRelease {
  name: string
  record: Uint8Array
}

let made = 0

/** Of packages that nobody has, and whose owner and content are here. */
async function newReleases(count: number): Promise<NewRelease[]> {
  const owner = await syntheticOwner(-1)
  const content = new Uint8Array(8)
  await opened.catalogue.ingest([owner.inception])
  await opened.blobs.add(once(content))
  made += 1
  const seed = process.pid * 1000 + made
  return await Promise.all(
    syntheticPackages(count, seed).map(async (one) => {
      const name = `${one.name}-${seed.toString(36)}`
      return { name, record: await syntheticRecord(owner, { ...one, name }, content) }
    })
  )
}

function searchOnce(text: string): number {
  const startedMs = performance.now()
  opened.catalogue.search(new Query(text.split(' '), { limit: 20 }))
  return performance.now() - startedMs
}

function finds(name: string): boolean {
  const { hits } = opened.catalogue.search(new Query([name], { limit: 20 }))
  return hits.some(({ record }) => record.release.name === name)
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

function tell(event: StoreEvent): void {
  process.send?.(event)
}
