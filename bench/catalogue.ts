import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { checkRecord, recordIdOf } from '@registry/identity'
import { registryStore } from '@registry/store'
import { systemClock } from '@registry/timing'
import type { Benchmark, Report, RunOptions } from './benchmark.ts'
import { type Helper, isEvent, isOfKind, type OfKind, obeyed, startHelper } from './child.ts'
import { folderBytes } from './folder-size.ts'
import { opamPackages } from './opam-catalogue.ts'
import type { PackageDocument } from './package-documents.ts'
import { alternate, perSecond } from './rounds.ts'
import { searchLoad } from './search-load.ts'
import type { Stall } from './self-observation.ts'
import { batchesOf, type SignedRecords, signedRecords } from './signed-records.ts'
import type { StoreCommand, StoreEvent, StoreInit } from './store-process.ts'

/** As many records as a peer takes in one call while it synchronises. */
const BATCH = 256
const MIB = 2 ** 20
const PUBLISHES_PER_SECOND = 200
const STEP_LIMIT_MS = 30 * 60_000

export const catalogue: Benchmark = {
  name: 'catalogue',
  description:
    'records checked and taken in, what they cost in memory and on disk, and a restart after kill -9',
  timeLimitMs: 3 * 60 * 60_000,
  async run(report, options) {
    const { packages, releases } = await opamPackages()
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-catalogue-'))
    const signed = (count: number): Promise<SignedRecords> => {
      report.progress(`sign ${count} releases, unless they are kept from before`)
      const releasesPerPackage = releases / packages.length
      return signedRecords(count, { packages, releasesPerPackage, folder, signal: options.signal })
    }
    try {
      await measureChecks(await signed(options.quick ? 500 : 20_000), folder, report, options)
      for (const count of sizes(options)) {
        await measureStore(await signed(count), { count, packages, folder }, report, options)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

function sizes({ quick, large }: RunOptions): number[] {
  if (quick) return [500]
  return large ? [100_000, 1_000_000] : [100_000]
}

/** Whether records are what their owners signed, with nothing stored. */
async function measureChecks(
  { files }: SignedRecords,
  folder: string,
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  report.progress('check signatures')
  const records = [...batchesOf(files, BATCH)].flat()
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const signatures = records.map((record) => sign(null, record, privateKey))
  // It knows none of the owners, so it checks each record and then refuses it.
  const opened = registryStore({ dataDir: join(folder, 'checks') })({ clock: systemClock() })
  try {
    await opened.start()
    const rates = await alternate(
      quick ? 1 : 5,
      {
        ours: () =>
          perSecond(records.length, () => {
            for (const record of records) {
              if (!checkRecord(record).signed) throw new Error('a record was refused')
            }
          }),
        'ours-ingest': () =>
          perSecond(records.length, async () => {
            for (let at = 0; at < records.length; at += BATCH) {
              const outcomes = await opened.catalogue.ingest(records.slice(at, at + BATCH))
              if (outcomes.some(({ status }) => status !== 'refused')) throw new Error('an owner is known')
            }
          }),
        'node-crypto': () =>
          perSecond(records.length, () => {
            for (const [at, record] of records.entries()) {
              verify(null, record, publicKey, signatures[at] ?? new Uint8Array())
            }
          })
      },
      signal
    )
    report.comparison('check', 'records/s', rates)
  } finally {
    await opened.stop()
  }
}

interface Filled {
  count: number
  packages: readonly PackageDocument[]
  folder: string
}

/** A store with so many releases: taken in, what it weighs, searched while packages are published, killed and started again. */
async function measureStore(
  signed: SignedRecords,
  { count, packages, folder }: Filled,
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  const label = count >= 1_000_000 ? `${count / 1_000_000}m` : count < 1000 ? `${count}` : `${count / 1000}k`
  // So many releases take minutes.
  const rounds = quick || count >= 1_000_000 ? 1 : 3
  const texts = searchLoad(packages, quick ? 20 : 1000, 1).mixed
  let held: StoreProcess | undefined
  let heldDir = ''
  try {
    const empty = await startedStore(join(folder, `empty-${label}`), signal)
    const emptyBytes = empty.started.residentBytes
    await empty.process.stop()
    const rates = new Map<string, number[]>([
      ['ours', []],
      ['sqlite', []]
    ])
    for (let round = 0; round < rounds; round++) {
      report.progress(`${label}: take in, round ${round + 1} of ${rounds}`)
      await held?.stop()
      if (heldDir !== '') await rm(heldDir, { recursive: true, force: true })
      heldDir = join(folder, `store-${label}-${round}`)
      const opened = await startedStore(heldDir, signal)
      held = opened.process
      const took = await held.obey({ kind: 'ingest', files: signed.files }, 'ingested', signal)
      if (took.records !== count) throw new Error(`the store took in ${took.records} records of ${count}`)
      rates.get('ours')?.push((took.records * 1000) / took.elapsedMs)
      if (took.stall !== undefined) reportStall(`ingest-stall-${label}`, took.stall, report)
      rates.get('sqlite')?.push(rawRate(signed, count, join(folder, 'raw.db'), round, report, label))
      await rm(join(folder, 'raw.db'), { force: true })
    }
    report.comparison(`ingest-${label}`, 'records/s', rates)

    if (held === undefined) throw new Error('there was no round')
    report.progress(`${label}: search, then while packages are published`)
    const quiet = await held.obey({ kind: 'search', texts }, 'searched', signal)
    report.latencies(`search-quiet-${label}`, 'ours', quiet.samplesMs)
    if (quiet.stall !== undefined) reportStall(`search-quiet-stall-${label}`, quiet.stall, report)
    const live = await held.obey(
      { kind: 'live', texts, durationMs: quick ? 300 : 10_000, publishesPerSecond: PUBLISHES_PER_SECOND },
      'lived',
      signal
    )
    report.latencies(`search-live-${label}`, 'ours', live.samplesMs)
    report.latencies(`publish-live-${label}`, 'ours', live.publishMs)
    report.latencies(`publish-findable-live-${label}`, 'ours', live.findMs)
    report.spread(`publish-rate-live-${label}`, 'ours', 'publishes/s', [
      (live.publishMs.length * 1000) / live.durationMs
    ])
    if (live.stall !== undefined) reportStall(`search-live-stall-${label}`, live.stall, report)

    await measureRestarts({ held, dataDir: heldDir, count, emptyBytes, label }, report, { signal, quick })
  } finally {
    await held?.stop()
    if (heldDir !== '') await rm(heldDir, { recursive: true, force: true })
  }
}

/** Killed while it takes in records, and started again on the same folder, some times. */
async function measureRestarts(
  {
    held,
    dataDir,
    count,
    emptyBytes,
    label
  }: { held: StoreProcess; dataDir: string; count: number; emptyBytes: number; label: string },
  report: Report,
  { signal, quick }: { signal: AbortSignal; quick: boolean }
): Promise<void> {
  const startMs: number[] = []
  const readyMs: number[] = []
  const memory: number[] = []
  let running = held
  for (let kill = 0; kill < (quick ? 1 : 5); kill++) {
    report.progress(`${label}: kill -9 and restart ${kill + 1}`)
    const acknowledged = await running.churnThenKill(quick ? 5 : 200, signal)
    const again = await startedStore(dataDir, signal)
    running = again.process
    try {
      if (again.started.releases < acknowledged) throw new Error('an acknowledged record is lost')
      startMs.push(again.started.startMs)
      readyMs.push(again.started.readyMs)
      memory.push(again.started.residentBytes)
    } catch (error) {
      await running.stop()
      throw error
    }
  }
  report.spread(`restart-${label}`, 'ours', 'ms', startMs)
  report.spread(`restart-ready-${label}`, 'ours', 'ms', readyMs)
  report.spread(
    `memory-${label}`,
    'ours',
    'MiB',
    memory.map((bytes) => bytes / MIB)
  )
  report.spread(
    `memory-per-release-${label}`,
    'ours',
    'B',
    memory.map((bytes) => Math.max(0, bytes - emptyBytes) / count)
  )
  await running.obey({ kind: 'close' }, 'closed', signal)
  await running.stop()
  report.spread(`disk-per-release-${label}`, 'ours', 'B', [(await folderBytes(dataDir)) / count])
}

function reportStall(name: string, { p99Ms, maxMs }: Stall, report: Report): void {
  report.row({ case: name, subject: 'ours', metric: 'p99', value: p99Ms, unit: 'ms', n: 1 })
  report.row({ case: name, subject: 'ours', metric: 'max', value: maxMs, unit: 'ms', n: 1 })
}

/** The same bytes into one table, in as many transactions; and once what they take of the disk. */
function rawRate(
  { files }: SignedRecords,
  count: number,
  file: string,
  round: number,
  report: Report,
  label: string
): number {
  const database = new DatabaseSync(file)
  try {
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      CREATE TABLE content (id TEXT PRIMARY KEY, bytes BLOB NOT NULL)`)
    const insert = database.prepare('INSERT INTO content (id, bytes) VALUES (?, ?)')
    let elapsedMs = 0
    let bytes = 0
    for (const batch of batchesOf(files, BATCH)) {
      const startedMs = performance.now()
      database.exec('BEGIN')
      for (const record of batch) insert.run(recordIdOf(record), record)
      database.exec('COMMIT')
      elapsedMs += performance.now() - startedMs
      for (const record of batch) bytes += record.length
    }
    if (round === 0) {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      const size = database.prepare('PRAGMA page_count').get()?.page_count
      report.spread(`disk-per-release-${label}`, 'sqlite', 'B', [(Number(size) * 4096) / count])
      report.spread(`disk-per-release-${label}`, 'records-alone', 'B', [bytes / count])
    }
    return (count * 1000) / elapsedMs
  } finally {
    database.close()
  }
}

interface StoreProcess {
  obey<Kind extends StoreEvent['kind']>(
    command: StoreCommand,
    kind: Kind,
    signal: AbortSignal
  ): Promise<OfKind<StoreEvent, Kind>>
  /** Lets it take in records, kills it once so many are acknowledged, and resolves to how many releases that makes. */
  churnThenKill(records: number, signal: AbortSignal): Promise<number>
  stop(): Promise<void>
}

async function startedStore(
  dataDir: string,
  signal: AbortSignal
): Promise<{ process: StoreProcess; started: OfKind<StoreEvent, 'started'> }> {
  const process = storeProcess({ dataDir })
  try {
    return { process, started: await process.obey({ kind: 'start' }, 'started', signal) }
  } catch (error) {
    await process.stop()
    throw error
  }
}

function storeProcess(init: StoreInit): StoreProcess {
  const helper: Helper<StoreCommand, StoreEvent> = startHelper<StoreCommand, StoreEvent>(
    'store-process.ts',
    init,
    isEvent,
    { nodeArguments: ['--expose-gc'] }
  )
  const obey: StoreProcess['obey'] = (command, kind, signal) =>
    obeyed(helper, command, kind, AbortSignal.any([signal, AbortSignal.timeout(STEP_LIMIT_MS)]))
  return {
    obey,
    churnThenKill: async (records, signal) => {
      let { releases } = await obey({ kind: 'churn' }, 'acknowledged', signal)
      const until = releases + records
      while (releases < until) {
        const event = await helper.next(
          (one): one is OfKind<StoreEvent, 'acknowledged'> => isOfKind(one, 'acknowledged'),
          signal
        )
        releases = event.releases
      }
      await helper.kill()
      return releases
    },
    stop: () => helper.stop()
  }
}
