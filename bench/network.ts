import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BEHAVIOUR_DEFAULTS } from '@registry/behaviour'
import { packPackage } from '@registry/registry'
import type { ConnectedPeer } from '@registry/types'
import { type Arrivals, arrivals } from './arrivals.ts'
import type { Benchmark, Report } from './benchmark.ts'
import { measureGossip as gossipAmong } from './gossip.ts'
import { type Peer, withPeers } from './peers.ts'
import { pick, seededRandom } from './random.ts'
import { timed } from './rounds.ts'
import { type SyntheticPackage, syntheticPackages, syntheticSearches } from './synthetic.ts'

interface Size {
  peers: number
  /** In the catalogue before anything is timed. */
  packages: number
  searches: number
  lookups: number
  publishes: number
  gossipNodes: number
  gossipMessages: number
}

const FULL: Size = {
  peers: 8,
  packages: 1_000,
  searches: 1_000,
  lookups: 200,
  publishes: 200,
  gossipNodes: 16,
  gossipMessages: 200
}
const QUICK: Size = {
  peers: 3,
  packages: 12,
  searches: 20,
  lookups: 4,
  publishes: 4,
  gossipNodes: 5,
  gossipMessages: 5
}

/** What the original registry aims at; it does not say at which percentile. */
const ORIGINAL = 'original-target'
const ORIGINAL_MS = { search: 100, lookup: 500, publish: 1_000, gossip: 200 }

/** The last peer keeps nothing from which a look-up could be answered without asking the DHT. */
const COLD_SETTINGS = {
  // What connected peers tell of their holdings is forgotten at once.
  'dht.cacheSize': '0',
  // A server would hold the provider records of so small a network itself.
  'dht.server': 'false',
  // Soon after it has hung up on a holder, it may dial it again when the DHT names it.
  'bootstrap.retryIntervalMs': '50',
  'network.minPeers': '1'
}
/** Longer than a peer that was hung up on is not dialled, as set above. */
const HANG_UP_MS = 75
const HANG_UP_TIMEOUT_MS = 30_000

const MESSAGE_BYTES = 1024
const POLL_MS = 200
const FILL_TIMEOUT_MS = 300_000
/** Longer than the interval of synchronisation, so that what gossip and push both missed is counted with its true time. */
const VISIBLE_TIMEOUT_MS = 90_000
const PUBLISHED_AT_ONCE = 2
const WARM_UPS = 5
const WARM_UP_TIMEOUT_MS = 5_000
const VERSION = '1.0.0'

export const network: Benchmark = {
  name: 'network',
  description: 'search, cold look-up, publish until visible everywhere, and gossip, among real processes',
  async run(report, options) {
    const size = options.quick ? QUICK : FULL
    const packages = syntheticPackages(size.packages + WARM_UPS + size.publishes, 5)
    report.progress(`start ${size.peers} peers`)
    await withPeers({ count: size.peers, lastSettings: COLD_SETTINGS }, options.signal, async (peers) => {
      const published = await fill(peers, packages.slice(0, size.packages), report, options.signal)
      await measureSearch(peers, size, report, options.signal)
      await measureColdLookup(peers, published, size, report, options.signal)
      await measurePublish(peers, packages.slice(size.packages), report, options.signal)
    })
    await measureGossip(size, report, options.signal)
  }
}

interface Published {
  reference: string
  holder: Peer
}

/** Publishes the packages on all peers but the last; resolves when every peer has them all and no announcement is due. */
async function fill(
  peers: readonly Peer[],
  packages: readonly SyntheticPackage[],
  report: Report,
  signal: AbortSignal
): Promise<Published[]> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(FILL_TIMEOUT_MS)])
  report.progress(`publish ${packages.length} packages`)
  const published: Published[] = []
  const queue = [...packages]
  const holders = peers.slice(0, -1)
  const work = async (holder: Peer): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const { owner, name, version } = await withTarball(one, (bytes) =>
        holder.client.publish(bytes, { signal: deadline })
      )
      published.push({ reference: `@${owner}/${name}@${version}`, holder })
    }
  }
  await Promise.all(Array.from({ length: PUBLISHED_AT_ONCE }, () => holders.map(work)).flat())

  report.progress('wait until every peer has them and they are announced')
  for (;;) {
    const statuses = await Promise.all(peers.map(({ client }) => client.status({ signal: deadline })))
    const complete = statuses.every(
      ({ releases, pendingAnnouncements }) => releases === packages.length && pendingAnnouncements === 0
    )
    if (complete) return published
    await delay(POLL_MS, undefined, { signal: deadline })
  }
}

/** Each peer in turn, one search at a time, each asked once before. */
async function measureSearch(
  peers: readonly Peer[],
  { searches }: Size,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  report.progress(`search ${searches} times`)
  const queries = syntheticSearches(searches, 6)
  const search = async (keywords: readonly string[], at: number): Promise<number> => {
    const peer = peers[at % peers.length]
    return await timed(() => peer?.client.search({ keywords }, { signal }))
  }
  for (const [at, query] of queries.entries()) await search(query, at)
  const samplesMs: number[] = []
  for (const [at, query] of queries.entries()) samplesMs.push(await search(query, at))
  report.latencies('search-warm', 'ours', samplesMs)
  report.target('search-warm', ORIGINAL, ORIGINAL_MS.search, samplesMs)
}

/** Packages that only their publisher holds, got by the peer that knows no provider and is not connected to this one. */
async function measureColdLookup(
  peers: readonly Peer[],
  published: readonly Published[],
  { lookups }: Size,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  report.progress(`get ${lookups} packages that only the DHT can find`)
  const getter = peers.at(-1)
  if (getter === undefined) throw new Error('there is no peer to get them')
  const samplesMs: number[] = []
  for (const { reference, holder } of published.slice(0, lookups)) {
    await hangUp(getter, holder, signal)
    samplesMs.push(
      await timed(async () => {
        if ((await getter.client.get(reference, { signal })) === undefined)
          throw new Error('it was not found')
      })
    )
  }
  const { cacheHitRate } = await getter.client.status({ signal })
  if (cacheHitRate !== 0) throw new Error(`the cache answered: its hit rate is ${cacheHitRate}`)
  report.latencies('lookup-cold', 'ours', samplesMs)
  report.target('lookup-cold', ORIGINAL, ORIGINAL_MS.lookup, samplesMs)
}

/**
 * Resolves when `peer` has no connection to `other`, which may dial again at any time. What they still have to say to
 * each other is waited for: a peer that breaks off halfway counts as one that fails, and is shut out in the end.
 */
async function hangUp(peer: Peer, other: Peer, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(HANG_UP_TIMEOUT_MS)])
  for (;;) {
    const [there, back] = await Promise.all([connection(peer, other, limit), connection(other, peer, limit)])
    if (there === undefined) return
    if (there.inSync && back?.inSync !== false) await peer.client.disconnect(other.peerId, { signal: limit })
    await delay(HANG_UP_MS, undefined, { signal: limit })
  }
}

async function connection(from: Peer, to: Peer, signal: AbortSignal): Promise<ConnectedPeer | undefined> {
  return (await from.client.peers({ signal })).find(({ peerId }) => peerId === to.peerId)
}

/** From the call on a random peer until the last of all others has told its subscribers. */
async function measurePublish(
  peers: readonly Peer[],
  packages: readonly SyntheticPackage[],
  report: Report,
  signal: AbortSignal
): Promise<void> {
  report.progress(`publish ${packages.length - WARM_UPS} packages until all have heard of each`)
  const random = seededRandom(7)
  const ended = new AbortController()
  const heard = arrivals(peers, AbortSignal.any([signal, ended.signal]))
  const samples: Array<{ acknowledgedMs: number; visibleMs: number }> = []
  try {
    // What is published before a subscription stands is not told by it.
    for (const one of packages.slice(0, WARM_UPS)) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(WARM_UP_TIMEOUT_MS)])
      await publishEverywhere(pick(random, peers), one, heard, limit).catch(() => signal.throwIfAborted())
    }
    for (const one of packages.slice(WARM_UPS)) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(VISIBLE_TIMEOUT_MS)])
      samples.push(await publishEverywhere(pick(random, peers), one, heard, limit))
    }
  } finally {
    ended.abort()
  }
  const acknowledgedMs = samples.map((sample) => sample.acknowledgedMs)
  const visibleMs = samples.map((sample) => sample.visibleMs)
  report.latencies('publish-acknowledged', 'ours', acknowledgedMs)
  report.latencies('publish-visible-everywhere', 'ours', visibleMs)
  report.target('publish-visible-everywhere', ORIGINAL, ORIGINAL_MS.publish, visibleMs)
}

function publishEverywhere(
  publisher: Peer,
  one: SyntheticPackage,
  heard: Arrivals,
  signal: AbortSignal
): Promise<{ acknowledgedMs: number; visibleMs: number }> {
  return withTarball(one, async (bytes) => {
    const everywhere = heard.of(`${one.name}@${VERSION}`, signal)
    const startedMs = performance.now()
    const [acknowledgedAtMs, heardAtMs] = await Promise.all([
      publisher.client.publish(bytes, { signal }).then(() => performance.now()),
      everywhere
    ])
    return { acknowledgedMs: acknowledgedAtMs - startedMs, visibleMs: Math.max(...heardAtMs) - startedMs }
  })
}

/** gossipsub alone, with the mesh our peers keep: no record is checked, none is stored. */
async function measureGossip(
  { gossipNodes, gossipMessages }: Size,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  report.progress(`gossip ${gossipMessages} messages among ${gossipNodes} nodes`)
  const { topicPrefix, ...mesh } = BEHAVIOUR_DEFAULTS.gossipsub
  const { deliveriesMs, lastDeliveriesMs, expected, meshSizes } = await gossipAmong(
    { nodes: gossipNodes, messages: gossipMessages, messageBytes: MESSAGE_BYTES, ...mesh },
    signal
  )
  const name = `gossip-mesh-${mesh.meshSize}`
  const n = deliveriesMs.length
  report.latencies(name, 'ours', deliveriesMs)
  report.target(name, ORIGINAL, ORIGINAL_MS.gossip, deliveriesMs)
  report.latencies(`${name}-to-last`, 'ours', lastDeliveriesMs)
  report.row({
    case: name,
    subject: 'ours',
    metric: 'delivered',
    value: n / expected,
    unit: 'ratio',
    n: expected
  })
  report.spread(name, 'ours', 'mesh peers', meshSizes)
}

/** A package of one small file, packed as people pack theirs. */
async function withTarball<T>(
  one: SyntheticPackage,
  act: (bytes: AsyncIterable<Uint8Array>) => Promise<T>
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-bench-package-'))
  try {
    const { name, description, category, keywords } = one
    const fields = Object.entries({ name, version: VERSION, description, category, keywords })
    const manifest = fields.map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('')
    const source = join(folder, 'package')
    await mkdir(source)
    await writeFile(join(source, 'registry.toml'), `[package]\n${manifest}`)
    await writeFile(join(source, 'README.txt'), `${one.description}\n`)
    const { path } = await packPackage(source, { tmpDir: folder })
    return await act(createReadStream(path))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
