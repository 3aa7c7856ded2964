import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Benchmark, Report, RunOptions } from './benchmark.ts'
import { type Helper, isEvent, type OfKind, obeyed, startHelper } from './child.ts'
import { opamPackages } from './opam-catalogue.ts'
import type { ReplicationCommand, ReplicationEvent, ReplicationInit } from './replication-peer.ts'
import { type SignedRecords, signedRecords } from './signed-records.ts'

const STEP_LIMIT_MS = 30 * 60_000
/** Each waits until nothing is on its way. */
const MAX_LOOKS = 1000
/** More than a peer waits until it compares once more. */
const QUIET_MS = 1500
/** What is measured of each synchronisation. */
const FIGURES = [
  ['round-trips', 'round trips'],
  ['bytes', 'B'],
  ['bytes-beside-records', 'B'],
  ['records', 'records'],
  ['elapsed', 'ms'],
  ['until-equal', 'ms'],
  ['cpu-asking', 'ms'],
  ['cpu-answering', 'ms']
] as const
type Figure = (typeof FIGURES)[number][0]

export const replication: Benchmark = {
  name: 'replication',
  description: 'two real peers that differ in some records, and one that begins with none',
  timeLimitMs: 2 * 60 * 60_000,
  async run(report, options) {
    const { packages, releases } = await opamPackages()
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-replication-'))
    try {
      for (const count of sizes(options)) {
        report.progress(`sign ${count} releases, unless they are kept from before`)
        const releasesPerPackage = releases / packages.length
        const signed = await signedRecords(count, {
          packages,
          releasesPerPackage,
          folder,
          signal: options.signal
        })
        await measure({ count, signed, folder: join(folder, `${count}`) }, report, options)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

function sizes({ quick, large }: RunOptions): number[] {
  if (quick) return [500]
  return large ? [10_000, 100_000, 1_000_000] : [10_000, 100_000]
}

interface Filled {
  count: number
  signed: SignedRecords
  folder: string
}

async function measure(
  { count, signed, folder }: Filled,
  report: Report,
  options: RunOptions
): Promise<void> {
  const { signal, quick } = options
  const label = count >= 1_000_000 ? `${count / 1_000_000}m` : count < 1000 ? `${count}` : `${count / 1000}k`
  const network = `bench-${randomBytes(4).toString('hex')}`
  const peers: Peer[] = []
  const peer = (name: string): Peer => {
    const started = peerProcess({ dataDir: join(folder, name), network })
    peers.push(started)
    return started
  }
  try {
    report.progress(`${label}: fill`)
    const filler = peer('first')
    await filler.obey({ kind: 'start' }, 'started', signal)
    const filled = await filler.obey({ kind: 'fill', files: signed.files }, 'filled', signal)
    if (filled.records !== count) throw new Error(`${filled.records} of ${count} records were taken in`)
    await filler.obey({ kind: 'close' }, 'closed', signal)
    await filler.stop()
    await cp(join(folder, 'first'), join(folder, 'second'), { recursive: true })

    const [answering, asking] = [peer('first'), peer('second')]
    const { address, peerId } = await answering.obey({ kind: 'start' }, 'started', signal)
    await asking.obey({ kind: 'start' }, 'started', signal)
    await asking.obey({ kind: 'connect', address }, 'connected', signal)
    for (const differences of quick ? [0, 10] : [0, 1, 100, 10_000]) {
      report.progress(`${label}: ${differences} differences`)
      const rounds = quick ? 1 : differences > 1000 ? 3 : 10
      const quietMs = quick ? 0 : QUIET_MS
      await measureSync({ asking, answering, peerId, differences, rounds, quietMs, label }, report, signal)
    }
    await asking.stop()

    report.progress(`${label}: a peer that has nothing`)
    const { records, releases } = await answering.obey({ kind: 'state' }, 'state', signal)
    const cold = peer('third')
    await cold.obey({ kind: 'start' }, 'started', signal)
    const caughtUp = await cold.obey({ kind: 'catch-up', address, releases }, 'caught-up', signal)
    const served = await answering.obey({ kind: 'state' }, 'state', signal)
    const after = await cold.obey({ kind: 'state' }, 'state', signal)
    if (after.fingerprint !== served.fingerprint) throw new Error('the catalogues are not equal')
    report.spread(`cold-start-${label}`, 'ours', 's', [caughtUp.elapsedMs / 1000])
    report.comparison(
      `cold-start-rate-${label}`,
      'records/s',
      new Map([
        ['ours', [(records * 1000) / caughtUp.elapsedMs]],
        // What the same store takes in when the records are at hand.
        ['ingest-alone', [(filled.records * 1000) / filled.elapsedMs]]
      ])
    )
    for (const [subject, stall] of [
      ['ours', caughtUp.stall],
      ['ours-serving', served.stall]
    ] as const) {
      if (stall === undefined) continue
      const row = { case: `cold-start-stall-${label}`, subject, unit: 'ms', n: 1 }
      report.row({ ...row, metric: 'p99', value: stall.p99Ms })
      report.row({ ...row, metric: 'max', value: stall.maxMs })
    }
  } finally {
    await Promise.all(peers.map((one) => one.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

interface SyncCase {
  asking: Peer
  answering: Peer
  peerId: string
  differences: number
  rounds: number
  quietMs: number
  label: string
}

/** Both are connected and equal; then each takes in half of what differs, and one asks. */
async function measureSync(
  { asking, answering, peerId, differences, rounds, quietMs, label }: SyncCase,
  report: Report,
  signal: AbortSignal
): Promise<void> {
  const name = `${label}-${differences}`
  const measured: Array<Record<Figure, number>> = []
  for (let round = -1; round < rounds; round++) {
    const seed = (differences + 1) * 1000 + (round + 1) * 2
    const mine = Math.floor(differences / 2)
    const theirs = differences - mine
    // After one that left them different, a peer looks again by itself before long.
    await asking.obey({ kind: 'rest', quietMs }, 'rested', signal)
    await answering.obey({ kind: 'rest', quietMs }, 'rested', signal)
    let recordBytes = 0
    for (const [one, count, own] of [
      [asking, mine, seed],
      [answering, theirs, seed + 1]
    ] as const) {
      if (count > 0) recordBytes += (await one.obey({ kind: 'add', count, seed: own }, 'added', signal)).bytes
    }
    const before = await bothStates(asking, answering, signal)
    const startedMs = performance.now()
    const { report: synced, elapsedMs } = await asking.obey({ kind: 'sync', peerId }, 'synced', signal)
    let after = await bothStates(asking, answering, signal)
    // Of what only the side that asks has, the other one fetches more than a few itself, as soon as it hears of it.
    for (let times = 0; after.asking.fingerprint !== after.answering.fingerprint; times++) {
      if (times === MAX_LOOKS) throw new Error('the catalogues do not become equal')
      after = await bothStates(asking, answering, signal)
    }
    const equalMs = performance.now() - startedMs
    if (round < 0) continue
    if (differences > 0 && synced.received === 0) {
      report.progress(`${name}: they became equal by themselves before; not counted`)
      continue
    }
    const exchanged = differences === 0 ? 0 : (synced.received + synced.sent) / differences
    measured.push({
      'round-trips': synced.roundTrips,
      bytes: synced.bytes,
      'bytes-beside-records': synced.bytes - recordBytes * exchanged,
      records: synced.received + synced.sent,
      elapsed: elapsedMs,
      'until-equal': equalMs,
      'cpu-asking': after.asking.cpuMs - before.asking.cpuMs,
      'cpu-answering': after.answering.cpuMs - before.answering.cpuMs
    })
  }
  for (const [figure, unit] of FIGURES) {
    report.spread(
      `${figure}-${name}`,
      'ours',
      unit,
      measured.map((one) => one[figure])
    )
  }
}

type State = OfKind<ReplicationEvent, 'state'>

async function bothStates(
  asking: Peer,
  answering: Peer,
  signal: AbortSignal
): Promise<{ asking: State; answering: State }> {
  return {
    answering: await answering.obey({ kind: 'state' }, 'state', signal),
    asking: await asking.obey({ kind: 'state' }, 'state', signal)
  }
}

interface Peer {
  obey<Kind extends ReplicationEvent['kind']>(
    command: ReplicationCommand,
    kind: Kind,
    signal: AbortSignal
  ): Promise<OfKind<ReplicationEvent, Kind>>
  stop(): Promise<void>
}

function peerProcess(init: ReplicationInit): Peer {
  const helper: Helper<ReplicationCommand, ReplicationEvent> = startHelper<
    ReplicationCommand,
    ReplicationEvent
  >('replication-peer.ts', init, isEvent)
  return {
    obey: (command, kind, signal) =>
      obeyed(helper, command, kind, AbortSignal.any([signal, AbortSignal.timeout(STEP_LIMIT_MS)])),
    stop: () => helper.stop()
  }
}
