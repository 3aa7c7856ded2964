// A peer with a store and the network, in a process of its own. Started by replication.ts.
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { loadOrCreatePeerKey, marketplaceBehaviour } from '@registry/behaviour'
import { registryStore } from '@registry/store'
import { systemClock } from '@registry/timing'
import type { MarketplaceBehaviour, PeerIdText, RegistryStore, SyncReport } from '@registry/types'
import { type Stall, watchStalls } from './self-observation.ts'
import { batchesOf, recordOwners } from './signed-records.ts'
import { syntheticOwner, syntheticPackages, syntheticRecord } from './synthetic.ts'

/** As many records as a peer takes in one call while it synchronises. */
const BATCH = 256
const DAY_MS = 24 * 60 * 60_000

export interface ReplicationInit {
  dataDir: string
  network: string
}

export type ReplicationCommand =
  | { kind: 'start' }
  /** Takes in releases as if they had come from others, and tells nobody. */
  | { kind: 'fill'; files: string[] }
  /** The same for new ones. */
  | { kind: 'add'; count: number; seed: number }
  | { kind: 'connect'; address: string }
  | { kind: 'sync'; peerId: string }
  /** Connects and waits until all releases are here. */
  | { kind: 'catch-up'; address: string; releases: number }
  | { kind: 'state' }
  /** Waits until nothing was compared for so long. */
  | { kind: 'rest'; quietMs: number }
  /** Stops as a peer does that is asked to. */
  | { kind: 'close' }

export type ReplicationEvent =
  | { kind: 'started'; address: string; peerId: string }
  | { kind: 'filled'; records: number; elapsedMs: number; stall?: Stall }
  /** `bytes`: of their records. */
  | { kind: 'added'; bytes: number }
  | { kind: 'connected' }
  | { kind: 'synced'; report: SyncReport; elapsedMs: number }
  | { kind: 'caught-up'; elapsedMs: number; stall?: Stall }
  | { kind: 'state'; records: number; releases: number; fingerprint: string; cpuMs: number; stall?: Stall }
  | { kind: 'rested' }
  | { kind: 'closed' }
  | { kind: 'failed'; message: string }

const init: ReplicationInit = JSON.parse(process.argv[2] ?? '')
const clock = systemClock()
const store: RegistryStore = registryStore({ dataDir: init.dataDir })({ clock })
let behaviour: MarketplaceBehaviour | undefined
let stalls = watchStalls()

process.on('disconnect', () => process.exit())
process.on('message', (command: ReplicationCommand) => {
  obey(command).then(tell, (error: unknown) =>
    tell({ kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  )
})

async function obey(command: ReplicationCommand): Promise<ReplicationEvent> {
  switch (command.kind) {
    case 'start':
      return await start()
    case 'fill':
      return await fill(command.files)
    case 'add':
      return await add(command.count, command.seed)
    case 'connect':
      await running().connect(command.address)
      await running().settled()
      return { kind: 'connected' }
    case 'sync':
      return await sync(command.peerId as PeerIdText)
    case 'catch-up':
      return await catchUp(command.address, command.releases)
    case 'state':
      return await state()
    case 'rest':
      return await rest(command.quietMs)
    case 'close':
      await behaviour?.stop()
      await store.stop()
      return { kind: 'closed' }
  }
}

async function start(): Promise<ReplicationEvent> {
  await store.start()
  // Beside the folder, which may be copied for another peer.
  const privateKey = await loadOrCreatePeerKey({ path: `${init.dataDir}.key`, keyType: 'Ed25519' })
  behaviour = marketplaceBehaviour({
    network: { name: init.network, listenAddresses: ['/ip4/127.0.0.1/tcp/0'], minPeers: 0 },
    bootstrap: { mdns: false },
    // Nothing is compared but when it is measured.
    sync: { intervalMs: DAY_MS }
  })({ store, privateKey, clock })
  await behaviour.start()
  return { kind: 'started', address: behaviour.addresses()[0] ?? '', peerId: behaviour.peerId }
}

async function fill(files: readonly string[]): Promise<ReplicationEvent> {
  const { catalogue } = store
  for (const { inception } of await recordOwners()) await catalogue.ingest([inception])
  const watched = watchStalls()
  let elapsedMs = 0
  for (const batch of batchesOf(files, BATCH)) {
    const startedMs = performance.now()
    await catalogue.ingest(batch)
    elapsedMs += performance.now() - startedMs
    await nextTurn()
  }
  return { kind: 'filled', records: catalogue.counts().releases, elapsedMs, ...watched() }
}

async function add(count: number, seed: number): Promise<ReplicationEvent> {
  const owner = await syntheticOwner(0)
  await store.catalogue.ingest([owner.inception])
  const records = await Promise.all(
    syntheticPackages(count, seed).map((one) =>
      syntheticRecord(owner, { ...one, name: `${one.name}-${seed.toString(36)}` }, new Uint8Array(8))
    )
  )
  for (let at = 0; at < records.length; at += BATCH) {
    const outcomes = await store.catalogue.ingest(records.slice(at, at + BATCH))
    if (outcomes.some(({ status }) => status !== 'accepted')) throw new Error('a new record was not taken')
  }
  return { kind: 'added', bytes: records.reduce((sum, { length }) => sum + length, 0) }
}

async function sync(peerId: PeerIdText): Promise<ReplicationEvent> {
  const startedMs = performance.now()
  const [report] = await running().sync(peerId)
  if (report === undefined) throw new Error('nothing was compared')
  return { kind: 'synced', report, elapsedMs: performance.now() - startedMs }
}

async function catchUp(address: string, releases: number): Promise<ReplicationEvent> {
  const { catalogue } = store
  const complete = Promise.withResolvers<void>()
  const look = (): void => {
    if (catalogue.counts().releases >= releases) complete.resolve()
  }
  const forget = catalogue.onChange(look)
  const watched = watchStalls()
  const startedMs = performance.now()
  await running().connect(address)
  look()
  await complete.promise
  const elapsedMs = performance.now() - startedMs
  forget()
  return { kind: 'caught-up', elapsedMs, ...watched() }
}

async function rest(quietMs: number): Promise<ReplicationEvent> {
  for (;;) {
    await running().settled()
    const { comparedAtMs } = running().completeness()
    await pause(quietMs)
    if (running().completeness().comparedAtMs === comparedAtMs) return { kind: 'rested' }
  }
}

/** Once nothing is on its way. `stall` is since the last time it was asked for. */
async function state(): Promise<ReplicationEvent> {
  await behaviour?.settled()
  const { records, fingerprint } = store.catalogue.summary()
  const { user, system } = process.cpuUsage()
  const stall = stalls()
  stalls = watchStalls()
  return {
    kind: 'state',
    records,
    releases: store.catalogue.counts().releases,
    fingerprint: Buffer.from(fingerprint).toString('hex'),
    cpuMs: (user + system) / 1000,
    ...stall
  }
}

function running(): MarketplaceBehaviour {
  if (behaviour === undefined) throw new Error('it was not started')
  return behaviour
}

function tell(event: ReplicationEvent): void {
  process.send?.(event)
}
