import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { manualClock, seededBytes } from '@registry/testing'
import { parsePackageName, parseVersion, Query } from '@registry/types'
import { describe, expect, it, onTestFinished } from 'vitest'
import { REGISTRY_STORE_DEFAULTS, registryStore } from '../src/index.ts'
import { derivedTables } from './derived-tables.ts'
import { flipped, pieces, runningStore, temporaryFolder } from './folder-store.ts'
import { attested, signedBy, stated } from './signed-records.ts'

const clock = manualClock()

async function exampleStore(dataDir: string, count = 20): Promise<Uint8Array[]> {
  const store = await runningStore({ dataDir })
  const names = Array.from({ length: count }, (_, index) => ({
    name: `example-${index}`,
    description: 'some words'
  }))
  const { inception, releases } = await signedBy(0, ...names)
  await store.catalogue.ingest([inception, ...releases])
  await store.stop()
  return [inception, ...releases]
}

describe('the lock', () => {
  it('keeps a second store of this process out, until the first has stopped', async () => {
    const first = await runningStore()
    const second = registryStore({ dataDir: first.dataDir })({ clock })
    await expect(second.start()).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_IN_USE',
      retryable: false,
      details: { dataDir: first.dataDir, pid: process.pid }
    })
    await expect(second.start()).rejects.toMatchObject({ code: 'ERR_DATA_DIR_IN_USE' })
    await first.stop()
    await second.start()
    await expect(first.start()).rejects.toMatchObject({ code: 'ERR_DATA_DIR_IN_USE' })
    await second.stop()
  })

  it('keeps a store of another process out, and ends with that process however it ends', {
    timeout: 30_000
  }, async () => {
    const dataDir = await temporaryFolder()
    const program = fileURLToPath(new URL('publishing-process.ts', import.meta.url))
    const child = spawn(process.execPath, [...process.execArgv, program, dataDir, '0'])
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const exited = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'started') break
    }
    const store = registryStore({ dataDir })({ clock })
    await expect(store.start()).rejects.toMatchObject({
      code: 'ERR_DATA_DIR_IN_USE',
      details: { pid: child.pid }
    })
    child.kill('SIGKILL')
    await exited
    await store.start()
    await store.stop()
  })

  it('is not kept by a start that failed', async () => {
    const dataDir = await temporaryFolder()
    await writeFile(
      join(dataDir, 'catalogue.sqlite'),
      'no database at all, but longer than a header of one '.repeat(9)
    )
    const store = registryStore({ dataDir })({ clock })
    await expect(store.start()).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' })
    await writeFile(join(dataDir, 'catalogue.sqlite'), '')
    await store.start()
    await store.stop()
  })
})

it('can be started, stopped and started again, also while it stops', async () => {
  const store = await runningStore()
  await Promise.all([store.stop(), store.start()])
  expect(store.catalogue.sequence).toBe(0)
  await Promise.all([store.start(), store.start()])
  await Promise.all([store.stop(), store.stop()])
})

it('refuses every call with ERR_NOT_RUNNING before it is started and after it is stopped', async () => {
  const store = registryStore({ dataDir: await temporaryFolder() })({ clock })
  const { inception, releases } = await signedBy(0, {})
  const refused = { code: 'ERR_NOT_RUNNING', retryable: false }
  const expectRefused = async (): Promise<void> => {
    await expect(store.catalogue.ingest([inception])).rejects.toMatchObject(refused)
    await expect(store.publish([inception, ...releases])).rejects.toMatchObject(refused)
    await expect(store.blobs.add(pieces(seededBytes(1)))).rejects.toMatchObject(refused)
    for (const call of [
      () => store.catalogue.sequence,
      () => store.catalogue.search(new Query(['a'])),
      () => store.catalogue.recordIds({ scope: { kind: 'all' }, limit: 1 }),
      () => store.blobs.usage(),
      () => store.outbox.size,
      () => store.outbox.nextDueMs()
    ]) {
      expect(call).toThrowError(expect.objectContaining(refused))
    }
  }
  await expectRefused()
  await store.start()
  await store.stop()
  await expectRefused()
})

it('has defaults that nobody can change, and uses them', async () => {
  expect(Object.isFrozen(REGISTRY_STORE_DEFAULTS)).toBe(true)
  const { blobs } = await runningStore()
  expect(blobs.usage().quotaBytes).toBe(10 * 1024 ** 3)
})

it('refuses a folder that a newer version wrote, and leaves it as it was', async () => {
  const dataDir = await temporaryFolder()
  await exampleStore(dataDir)
  const path = join(dataDir, 'catalogue.sqlite')
  const db = new DatabaseSync(path)
  db.exec('PRAGMA user_version = 1000')
  db.close()
  const before = await readFile(path)
  const store = registryStore({ dataDir })({ clock })
  await expect(store.start()).rejects.toMatchObject({ code: 'ERR_NEWER_SCHEMA', details: { schema: 1000 } })
  expect(Buffer.compare(await readFile(path), before)).toBe(0)
})

it('says so when the folder cannot be made', async () => {
  const dataDir = await temporaryFolder()
  await writeFile(join(dataDir, 'file'), '')
  const store = registryStore({ dataDir: join(dataDir, 'file', 'folder') })({ clock })
  await expect(store.start()).rejects.toMatchObject({ code: 'ERR_STORAGE' })
})

describe('damage on disk', () => {
  it('to a record is found when it is read; it is dropped, and taken again', async () => {
    const dataDir = await temporaryFolder()
    const records = await exampleStore(dataDir)
    const envelope = records[7] ?? expect.fail()
    await flipWhere(join(dataDir, 'catalogue.sqlite'), envelope.subarray(-40))

    const sound = await runningStore()
    await sound.catalogue.ingest(records)
    const store = await runningStore({ dataDir })
    expect(store.catalogue.search(new Query(['some', 'words'], { limit: 100 })).hits).toHaveLength(19)
    await turn()
    expect(store.catalogue.summary().records).toBe(records.length - 1)
    const [outcome] = await store.catalogue.ingest([envelope])
    expect(outcome).toMatchObject({ status: 'accepted' })
    expect(store.catalogue.summary()).toEqual(sound.catalogue.summary())
    expect(store.catalogue.search(new Query(['some', 'words'], { limit: 100 })).hits).toHaveLength(20)
    expect(store.catalogue.counts().releases).toBe(20)
  })

  it('to a record that nobody gives again leaves the views of the others, from the next start on', async () => {
    const dataDir = await temporaryFolder()
    const records = await exampleStore(dataDir)
    await flipWhere(join(dataDir, 'catalogue.sqlite'), (records[7] ?? expect.fail()).subarray(-40))
    const store = await runningStore({ dataDir })
    store.catalogue.packages({ limit: 100 })
    await turn()
    await store.stop()
    await store.start()
    expect(store.catalogue.counts()).toEqual({ owners: 1, packages: 19, releases: 19 })

    const others = await runningStore()
    await others.catalogue.ingest(records.filter((_, index) => index !== 7))
    expect(store.catalogue.summary()).toEqual(others.catalogue.summary())
    expect(derivedTables(dataDir)).toEqual(derivedTables(others.dataDir))
  })

  it('to the record of an owner makes its releases wait for it, and nothing false', async () => {
    const dataDir = await temporaryFolder()
    const [inception = expect.fail()] = await exampleStore(dataDir)
    await flipWhere(join(dataDir, 'catalogue.sqlite'), inception.subarray(-40))
    const store = await runningStore({ dataDir })
    const { releases } = await signedBy(0, { version: '2.0.0' })
    const codes = async (): Promise<unknown[]> =>
      (await store.catalogue.ingest(releases)).map((outcome) =>
        outcome.status === 'refused' ? outcome.error.code : outcome.status
      )
    expect(await codes()).toEqual(['ERR_OWNER_UNKNOWN'])
    await store.catalogue.ingest([inception])
    expect(await codes()).toEqual(['accepted'])
  })

  it('to a view is found where it leads to another record, and mended at the next start', async () => {
    const dataDir = await temporaryFolder()
    await exampleStore(dataDir)
    const sound = derivedTables(dataDir)
    const db = new DatabaseSync(join(dataDir, 'catalogue.sqlite'))
    db.exec("UPDATE packages SET name = 'forged' WHERE name = 'example-3'")
    db.close()
    const store = await runningStore({ dataDir })
    const arrivals = (): unknown[] =>
      store.catalogue
        .changes({ after: 0, limit: 100 })
        .map(({ sequence, type, id, seenMs, record }) => [sequence, type, id, seenMs, record.firstSeenMs])
    expect(store.catalogue.packages({ limit: 100 })).toHaveLength(19)
    const before = arrivals()
    await store.stop()
    await store.start()
    expect(store.catalogue.packages({ limit: 100 })).toHaveLength(20)
    expect(derivedTables(dataDir)).toEqual(sound)
    expect(arrivals()).toEqual(expect.arrayContaining(before))
    expect(arrivals()).toHaveLength(20)
  })

  it('to a statement or an attestation takes it out of what holds, and lets it be taken again', async () => {
    const dataDir = await temporaryFolder()
    const version = parseVersion('1.0.0')
    const { owner, inception, releases } = await signedBy(0, { version }, { version: '0.9.0' })
    const yank = await stated(0, { field: 'yank', version, reason: 'Broken' })
    const review = await attested(0)
    const first = await runningStore({ dataDir })
    await first.catalogue.ingest([inception, ...releases, yank, review])
    await first.stop()
    for (const damaged of [yank, review]) {
      await flipWhere(join(dataDir, 'catalogue.sqlite'), damaged.subarray(-40))
    }
    const store = await runningStore({ dataDir })
    const { catalogue } = store
    const name = parsePackageName('example')
    expect(catalogue.attestations(owner, name)).toEqual([])
    expect(catalogue.releases(owner, name).map(({ yanked }) => yanked)).toEqual([undefined, undefined])
    await turn()
    expect(catalogue.summary().records).toBe(3)
    expect(catalogue.latest(owner, name)?.release.version).toBe('1.0.0')
    const outcomes = await catalogue.ingest([yank, review])
    expect(outcomes.map(({ status }) => status)).toEqual(['accepted', 'accepted'])
    expect(catalogue.latest(owner, name)?.release.version).toBe('0.9.0')
    expect(catalogue.attestations(owner, name)).toHaveLength(1)
  })

  it('to any page of the file is never taken for a catalogue', { timeout: 60_000 }, async () => {
    const dataDir = await temporaryFolder()
    const records = await exampleStore(dataDir, 60)
    const path = join(dataDir, 'catalogue.sqlite')
    const sound = await readFile(path)
    const pages = sound.length / 4096
    const given = new Set(records.map((bytes) => Buffer.from(bytes).toString('hex')))
    const look = async (): Promise<void> => {
      const store = registryStore({ dataDir })({ clock })
      onTestFinished(() => store.stop())
      await store.start()
      try {
        const { catalogue } = store
        const { hits } = catalogue.search(new Query(['some', 'words'], { limit: 100 }))
        for (const { id, release } of [
          ...catalogue.packages({ limit: 100 }),
          ...hits.map((hit) => hit.record)
        ]) {
          expect(given).toContain(Buffer.from(catalogue.record(id) ?? []).toString('hex'))
          expect(catalogue.releases(release.owner, release.name).map((record) => record.id)).toEqual([id])
        }
        await turn()
      } finally {
        await store.stop()
      }
    }
    const found: string[] = []
    for (let page = 0; page < pages; page += Math.ceil(pages / 24)) {
      const damaged = Buffer.from(sound)
      damaged.set(seededBytes(page, 4096), page * 4096)
      await writeFile(path, damaged)
      // What the first look meets, the start after it looks for.
      for (const attempt of ['first', 'second']) {
        const fault = await look().catch((error: unknown) => error)
        if (fault === undefined) continue
        expect(fault).toMatchObject({ code: 'ERR_STORE_CORRUPT', hint: expect.any(String) })
        found.push(`${page} ${attempt}`)
      }
      await rm(join(dataDir, 'catalogue.suspect'), { force: true })
    }
    expect(found).toContain('0 first')
    expect(found.length).toBeGreaterThan(5)
  })

  it('is noticed when the file is cut short', async () => {
    const dataDir = await temporaryFolder()
    await exampleStore(dataDir, 60)
    const path = join(dataDir, 'catalogue.sqlite')
    await truncate(path, Math.floor((await stat(path)).size / 2))
    const store = registryStore({ dataDir })({ clock })
    await expect(store.start()).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' })
    await expect(store.start()).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' })
  })
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Flips a bit of the file at the one place where these bytes are. */
async function flipWhere(path: string, bytes: Uint8Array): Promise<void> {
  const content = await readFile(path)
  const at = content.indexOf(bytes)
  expect(at).toBeGreaterThan(0)
  expect(content.indexOf(bytes, at + 1)).toBe(-1)
  content.set(flipped(content.subarray(at, at + 1)), at)
  await writeFile(path, content)
}
