import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { recordIdOf, verifyRecord } from '@registry/identity'
import { registryStore } from '@registry/store'
import { systemClock } from '@registry/timing'
import {
  type ContentId,
  type OwnerDocument,
  type PackageName,
  parsePackageName,
  type RegistryStore
} from '@registry/types'
import type { Benchmark, Report, RunOptions } from './benchmark.ts'
import { pick, randomBytes, seededRandom } from './random.ts'
import { alternate, perSecond, timed } from './rounds.ts'
import { syntheticOwner, syntheticPackages, syntheticRecord } from './synthetic.ts'

/** As many records as a peer takes in one transaction while it synchronises. */
const BATCH = 256
const CONTENT_BYTES = 16 * 1024

export const store: Benchmark = {
  name: 'store',
  description: 'records taken in, gets and durable publishes, beside bare SQLite on the same disk',
  async run(report, options) {
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-store-'))
    try {
      await measureIngest(folder, report, options)
      await measureGets(folder, report, options)
      await measurePublish(folder, report, options)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** Signed records into an empty catalogue: verified, folded into tables and indexed for search. */
async function measureIngest(folder: string, report: Report, { signal, quick }: RunOptions): Promise<void> {
  const count = quick ? 500 : 5_000
  report.progress(`take in ${count} records`)
  const owner = await syntheticOwner(1)
  const records = await Promise.all(
    syntheticPackages(count, 1).map((one) => syntheticRecord(owner, one, new Uint8Array(1)))
  )
  const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, at) =>
    records.slice(at * BATCH, (at + 1) * BATCH)
  )
  const subjects = {
    ours: (round: number) =>
      withStore(join(folder, `ingest-${round}`), async ({ catalogue }) => {
        await catalogue.ingest([owner.inception])
        return await perSecond(count, async () => {
          for (const batch of batches) await catalogue.ingest(batch)
          if (catalogue.counts().releases !== count) throw new Error('the store refused records')
        })
      }),
    sqlite: (round: number) =>
      withSqlite(join(folder, `sqlite-${round}.db`), 'NORMAL', (database) => {
        const insert = database.prepare('INSERT INTO content (id, bytes) VALUES (?, ?)')
        return perSecond(count, () => {
          for (const batch of batches) {
            database.exec('BEGIN')
            for (const bytes of batch) insert.run(recordIdOf(bytes), bytes)
            database.exec('COMMIT')
          }
        })
      }),
    'verify-only': () => {
      const documents = new Map<string, OwnerDocument>()
      const inception = verifyRecord(owner.inception, () => undefined)
      if (inception.kind === 'owner') documents.set(inception.owner, inception.document)
      return perSecond(count, () => {
        for (const bytes of records) verifyRecord(bytes, (id) => documents.get(id))
      })
    }
  }
  report.comparison('ingest', 'records/s', await alternate(quick ? 1 : 5, subjects, signal))
}

/** The releases of a package, and its content compared with its hash, in random order. */
async function measureGets(folder: string, report: Report, { signal, quick }: RunOptions): Promise<void> {
  const packages = syntheticPackages(quick ? 50 : 1_000, 2)
  const gets = quick ? 200 : 5_000
  report.progress(`get from ${packages.length} stored packages`)
  const owner = await syntheticOwner(1)
  const random = seededRandom(2)
  await withStore(join(folder, 'gets'), async ({ catalogue, blobs }) =>
    withSqlite(join(folder, 'gets.db'), 'NORMAL', async (database) => {
      const insert = database.prepare('INSERT INTO content (id, bytes) VALUES (?, ?)')
      await catalogue.ingest([owner.inception])
      const stored: Array<{ name: PackageName; cid: ContentId }> = []
      for (const one of packages) {
        signal.throwIfAborted()
        const bytes = randomBytes(random, CONTENT_BYTES)
        const { cid } = await blobs.add(once(bytes))
        const record = await syntheticRecord(owner, one, bytes)
        await catalogue.ingest([record])
        insert.run(cid, bytes)
        insert.run(one.name, record)
        stored.push({ name: parsePackageName(one.name), cid })
      }
      const select = database.prepare('SELECT bytes FROM content WHERE id = ?')
      const rounds = quick ? 1 : 5
      const records = await alternate(
        rounds,
        {
          ours: () =>
            perSecond(gets, () => {
              for (let count = 0; count < gets; count++)
                catalogue.releases(owner.id, pick(random, stored).name)
            }),
          sqlite: () =>
            perSecond(gets, () => {
              for (let count = 0; count < gets; count++) select.get(pick(random, stored).name)
            })
        },
        signal
      )
      report.comparison('get-record', 'gets/s', records)
      const contents = await alternate(
        rounds,
        {
          ours: () =>
            perSecond(gets, async () => {
              for (let count = 0; count < gets; count++) await drain(blobs.read(pick(random, stored).cid))
            }),
          sqlite: () =>
            perSecond(gets, () => {
              for (let count = 0; count < gets; count++) select.get(pick(random, stored).cid)
            })
        },
        signal
      )
      report.comparison('get-content-16k', 'gets/s', contents)
    })
  )
}

/** Content and record on disk when a publish returns: one after the other, then many at once. */
async function measurePublish(folder: string, report: Report, { signal, quick }: RunOptions): Promise<void> {
  const count = quick ? 20 : 500
  const atOnce = quick ? 8 : 64
  const rounds = quick ? 1 : 5
  report.progress(`publish ${count} packages one by one, then ${atOnce} at once`)
  const owner = await syntheticOwner(1)
  const random = seededRandom(3)
  const unpublished = await Promise.all(
    syntheticPackages(count + (rounds + 1) * atOnce, 3).map(async ({ name, ...rest }) => {
      const bytes = randomBytes(random, CONTENT_BYTES)
      return { name, bytes, record: await syntheticRecord(owner, { name, ...rest }, bytes) }
    })
  )
  type Publish = (typeof unpublished)[number]
  await withStore(join(folder, 'publish'), async (opened) =>
    withSqlite(join(folder, 'publish.db'), 'FULL', async (database) => {
      const insert = database.prepare('INSERT INTO content (id, bytes) VALUES (?, ?)')
      const ours = async ({ bytes, record }: Publish): Promise<void> => {
        await opened.blobs.add(once(bytes))
        await opened.publish([owner.inception, record])
      }
      const sqlite = (some: readonly Publish[]): void => {
        database.exec('BEGIN')
        for (const { name, bytes, record } of some) {
          insert.run(recordIdOf(record), record)
          insert.run(name, bytes)
        }
        database.exec('COMMIT')
      }
      const oursMs: number[] = []
      const sqliteMs: number[] = []
      for (const one of unpublished.splice(0, count)) {
        signal.throwIfAborted()
        oursMs.push(await timed(() => ours(one)))
        sqliteMs.push(await timed(() => sqlite([one])))
      }
      report.latencies('publish-durable-16k', 'ours', oursMs)
      report.latencies('publish-durable-16k', 'sqlite', sqliteMs)

      const batch = (round: number): Publish[] =>
        unpublished.slice((round + 1) * atOnce, (round + 2) * atOnce)
      const batched = await alternate(
        rounds,
        {
          ours: (round) => perSecond(atOnce, () => Promise.all(batch(round).map(ours))),
          sqlite: (round) => perSecond(atOnce, () => sqlite(batch(round)))
        },
        signal
      )
      report.comparison(`publish-${atOnce}-at-once-16k`, 'packages/s', batched)
    })
  )
}

/** A store of its own folder, which is gone afterwards. */
async function withStore<T>(dataDir: string, act: (store: RegistryStore) => Promise<T>): Promise<T> {
  const opened = registryStore({ dataDir })({ clock: systemClock() })
  try {
    await opened.start()
    return await act(opened)
  } finally {
    await opened.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** A table of bytes by text, in a database that is gone afterwards. FULL: each commit is on disk when it returns. */
async function withSqlite<T>(
  file: string,
  synchronous: 'NORMAL' | 'FULL',
  act: (database: DatabaseSync) => Promise<T>
): Promise<T> {
  const database = new DatabaseSync(file)
  try {
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};
      CREATE TABLE content (id TEXT PRIMARY KEY, bytes BLOB NOT NULL)`)
    return await act(database)
  } finally {
    database.close()
    for (const suffix of ['', '-wal', '-shm']) await rm(file + suffix, { force: true })
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

async function drain(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of source);
}
