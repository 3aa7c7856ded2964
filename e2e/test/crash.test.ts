import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { signRelease } from '@registry/identity'
import { type P2PRegistry, P2PRegistryBuilder, Query, systemClock } from '@registry/registry'
import { registryStore } from '@registry/store'
import { makeRelease, seededBytes, seededOwner } from '@registry/testing'
import {
  type Catalogue,
  type OwnerId,
  parseContentId,
  parsePackageName,
  parseVersion,
  type RegistryStore,
  type SnapshotCursor
} from '@registry/types'
import { describe, expect, it } from 'vitest'

/** Peers at a time, and how often each is killed. */
const LANES = 4
const KILLS = 26
/** A peer is killed at most so long after it has started or, one of four, after its process was made. */
const MAX_LIFE_MS = 1500
/** What there is to synchronise: enough that most peers are killed while it comes. */
const SOURCE_PACKAGES = 1500

interface Promised {
  event: 'started' | 'published' | 'deprecated'
  name: string
  version: string
  cid?: string
  message?: string
}

describe('a peer that is killed at any moment of synchronising and publishing', () => {
  it(`has lost nothing it acknowledged, and finds what its records say, ${LANES * KILLS} times`, {
    timeout: 600_000
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'registry-crash-'))
    const network = `crash-${process.pid}`
    const source = await sourcePeer(join(folder, 'source'), network)
    try {
      const [address = ''] = (await source.status()).addresses
      const lanes = Array.from({ length: LANES }, (_, lane) =>
        runLane(join(folder, `lane-${lane}`), lane, network, address)
      )
      const outcomes = await Promise.all(lanes)
      const all = outcomes.flat()
      expect(all).toHaveLength(LANES * KILLS)
      // The kills fell before, during and after what they were to interrupt.
      expect(all.filter(({ promises }) => promises > 0).length).toBeGreaterThan(KILLS)
      expect(all.filter(({ synced }) => synced > 0).length).toBeGreaterThan(LANES)
    } finally {
      await source.stop()
      await rm(folder, { recursive: true, force: true })
    }
  })
})

/** How many promises a round made, and how many records of others it left on disk. */
interface Round {
  promises: number
  synced: number
}

async function runLane(folder: string, lane: number, network: string, source: string): Promise<Round[]> {
  const random = seeded(lane + 1)
  const promised: Promised[] = []
  const rounds: Round[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    // From time to time a new peer, so that the first synchronisation is cut short as well.
    const dataDir = join(folder, `peer-${Math.floor(kill / 5)}`)
    if (kill % 5 === 0) promised.length = 0
    const made = await liveAndDie([dataDir, network, source, `${lane}-${kill}`], {
      whenStarted: random() > 0.25,
      lifeMs: random() * MAX_LIFE_MS
    })
    promised.push(...made.filter(({ event }) => event !== 'started'))
    const synced = await examine(dataDir, promised, kill % 5 === 4)
    rounds.push({ promises: promised.length, synced })
  }
  return rounds
}

/** Starts a peer, kills it `lifeMs` after it has started or after its process was made, and resolves to what it said. */
async function liveAndDie(
  args: readonly string[],
  { whenStarted, lifeMs }: { whenStarted: boolean; lifeMs: number }
): Promise<Promised[]> {
  const script = join(import.meta.dirname, '../src/crashing-peer.ts')
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--conditions=@registry/source', script, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] }
  )
  const said: Promised[] = []
  let complaint = ''
  child.stderr?.on('data', (chunk) => {
    complaint += String(chunk)
  })
  if (child.stdout === null) throw new Error('the peer has no standard output')
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => said.push(JSON.parse(line)))
  const ended = Promise.all([once(child, 'close'), once(lines, 'close')])
  if (whenStarted) await Promise.race([once(lines, 'line'), ended])
  await pause(lifeMs)
  expect(child.exitCode, complaint).toBeNull()
  child.kill('SIGKILL')
  await ended
  return said
}

/** Opens what a killed peer left, and compares it with what it promised and with what its records say. */
async function examine(dataDir: string, promised: readonly Promised[], thorough: boolean): Promise<number> {
  const store = registryStore({ dataDir })({ clock: systemClock() })
  await store.start()
  try {
    const { catalogue } = store
    for (const promise of promised) expectKept(store, promise)
    const found = catalogue.search(new Query([], { limit: 1000 }))
    expect(found.total).toBe(catalogue.counts().packages)
    if (thorough) await expectSameAsFromRecords(catalogue, `${dataDir}-again`)
    return catalogue.counts().packages
  } finally {
    await store.stop()
  }
}

function expectKept({ catalogue, blobs }: RegistryStore, promise: Promised): void {
  const { name, version, cid, message } = promise
  const packageName = parsePackageName(name)
  const [owner] = catalogue.ownersOf(packageName)
  const releases = owner === undefined ? [] : catalogue.releases(owner, packageName)
  const kept = releases.find(({ release }) => release.version === parseVersion(version))
  expect(kept?.release.content, `${name}@${version}`).toBeDefined()
  if (cid !== undefined) {
    expect(kept?.release.content).toBe(cid)
    expect(blobs.has(parseContentId(cid))).toBe(true)
  }
  if (message !== undefined) expect(kept?.deprecated).toBe(message)
}

/** Takes all records into a new store: its views and its index are made from nothing else. */
async function expectSameAsFromRecords(catalogue: Catalogue, dataDir: string): Promise<void> {
  const store = registryStore({ dataDir })({ clock: systemClock() })
  await store.start()
  try {
    let after: SnapshotCursor | undefined
    do {
      const scope = { kind: 'all' } as const
      const page = catalogue.snapshot({ scope, maxBytes: 500_000, ...(after === undefined ? {} : { after }) })
      await store.catalogue.ingest(page.records)
      after = page.next
    } while (after !== undefined)
    expect(store.catalogue.summary()).toEqual(catalogue.summary())
    expect(store.catalogue.counts()).toEqual(catalogue.counts())
    expect(viewsOf(store.catalogue)).toEqual(viewsOf(catalogue))
  } finally {
    await store.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

function viewsOf(catalogue: Catalogue): unknown {
  const searches = [[], ['round'], ['number', 'example'], ['package', '12'], ['mdae']]
  const packages = catalogue.packages({ limit: 10_000 })
  return {
    packages: packages.map(({ id, release, conflicted, deprecated }) => [
      id,
      release.name,
      conflicted,
      deprecated
    ]),
    versions: packages.map(({ release }) => catalogue.releases(release.owner, release.name).length),
    found: searches.map((words) => {
      const { hits, total } = catalogue.search(new Query(words, { limit: 1000 }))
      return [total, hits.map(({ record }) => `${record.release.owner} ${record.release.name}`).sort()]
    })
  }
}

async function sourcePeer(dataDir: string, network: string): Promise<P2PRegistry> {
  const store = registryStore({ dataDir })({ clock: systemClock() })
  await store.start()
  const owner = await seededOwner('source')
  const envelopes: Uint8Array[] = [owner.inception]
  for (let number = 0; number < SOURCE_PACKAGES; number++) {
    const release = makeRelease({
      owner: owner.id as OwnerId,
      name: `package-${number}`,
      description: `example ${Buffer.from(seededBytes(number, 20)).toString('hex')}`
    })
    envelopes.push(await signRelease(release, owner.signer))
  }
  await store.catalogue.ingest(envelopes)
  await store.stop()
  const peer = new P2PRegistryBuilder()
    .withDataDir(dataDir)
    .withNetwork(network)
    .withListenAddresses(['/ip4/127.0.0.1/tcp/0'])
    .withConfig({ bootstrap: { mdns: false }, dht: { enabled: false } })
    .build()
  await peer.start()
  return peer
}

/** Numbers from 0 to below 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let count = 0
  return () => {
    count += 1
    const [high = 0, low = 0] = seededBytes(`${seed} ${count}`, 2)
    return (high * 256 + low) / 65_536
  }
}
