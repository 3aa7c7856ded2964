import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Catalogue, type CatalogueSearch, parseContentId, parseRecordId, Query } from '@registry/types'
import { expect, it } from 'vitest'
import { derivedTables } from './derived-tables.ts'
import { readAll, runningStore, temporaryFolder } from './folder-store.ts'

const ROUNDS = 10

function startProcess(dataDir: string, run: number): ChildProcessWithoutNullStreams {
  const program = fileURLToPath(new URL('publishing-process.ts', import.meta.url))
  return spawn(process.execPath, [...process.execArgv, program, dataDir, String(run)])
}

/** Runs the process until it has acknowledged so much, kills it, and gives back all that it acknowledged. */
async function killedAfter(dataDir: string, run: number, lines: number): Promise<string[]> {
  const child = startProcess(dataDir, run)
  let faults = ''
  child.stderr.on('data', (data) => {
    faults += String(data)
  })
  const acknowledged: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    // Those already in the pipe still count.
    if (acknowledged.length === lines) child.kill('SIGKILL')
  }
  expect(faults).toBe('')
  return acknowledged
}

/** What depends on every word and every fact that packages are found by. */
function everything(catalogue: Catalogue): CatalogueSearch {
  return catalogue.search(new Query([], { limit: 1000, facets: true, explain: true }))
}

/** Each package is found by the release that stands for it, and counted with its tags. */
function expectIndexed(catalogue: Catalogue): void {
  const packages = catalogue.packages({ limit: 1000 }).map(({ release }) => release)
  const { total, facets } = everything(catalogue)
  expect(total).toBe(packages.length)
  const tags = Object.entries(
    Object.groupBy(
      packages.flatMap((release) => release.tags),
      (tag) => tag
    )
  )
  const counts = tags.map(([value, tagged = []]) => ({ value, count: tagged.length }))
  expect(facets?.tag.toSorted(byValue)).toEqual(counts.toSorted(byValue))
  for (const { name, description } of packages) {
    const { hits } = catalogue.search(new Query(description.split(' ').slice(-1), { limit: 1000 }))
    expect(hits.map(({ record }) => record.release.name)).toContain(name)
  }
}

/** But for when it was seen. */
function plain({ hits, ...rest }: CatalogueSearch): unknown {
  return {
    hits: hits.map(({ record, ...hit }) => ({ ...hit, record: { ...record, firstSeenMs: 0 } })),
    ...rest
  }
}

function byValue(a: { value: string }, b: { value: string }): number {
  return a.value < b.value ? -1 : 1
}

it(`loses nothing acknowledged and keeps its index equal to its records, killed ${ROUNDS} times at any point`, async () => {
  const dataDir = await temporaryFolder()
  const acknowledged: string[] = []
  for (let run = 0; run < ROUNDS; run++) {
    acknowledged.push(...(await killedAfter(dataDir, run, 1 + run * 13)))
    const again = await runningStore({ dataDir })
    expectIndexed(again.catalogue)
    await again.stop()
  }

  expect(existsSync(join(dataDir, 'catalogue.suspect'))).toBe(false)
  const store = await runningStore({ dataDir })
  const published = acknowledged.filter((line) => line.startsWith('published '))
  expect(published.length).toBeGreaterThan(ROUNDS)
  // A later statement of the field may have taken the place of one.
  const lastOfField = new Map(
    acknowledged.filter((line) => line.startsWith('stated ')).map((line) => [line.split(' ')[2], line])
  )
  for (const line of acknowledged) {
    const [kind, id, cid] = line.split(' ')
    if (kind === 'started' || (kind === 'stated' && lastOfField.get(cid) !== line)) continue
    expect(store.catalogue.record(parseRecordId(id))).toBeDefined()
    if (kind !== 'published') continue
    const content = parseContentId(cid)
    expect(await readAll(store.blobs.read(content))).toHaveLength(store.blobs.stat(content)?.size ?? -1)
  }
  const announced = store.outbox
    .due({ nowMs: Number.MAX_SAFE_INTEGER, limit: 10_000 })
    .map(({ record }) => record)
  expect(announced).toEqual(expect.arrayContaining(published.map((line) => line.split(' ')[1])))

  const records = store.catalogue
    .recordIds({ scope: { kind: 'all' }, limit: 100_000 })
    .ids.map((id) => store.catalogue.record(id) ?? expect.fail(id))
  // Made from the same records without a crash, at a time before all of these were seen.
  const untroubled = await runningStore()
  await untroubled.catalogue.ingest(records)
  expect(store.catalogue.summary()).toEqual(untroubled.catalogue.summary())
  expect(store.catalogue.counts()).toEqual(untroubled.catalogue.counts())
  expect(derivedTables(dataDir)).toEqual(derivedTables(untroubled.dataDir))
  expect(plain(everything(store.catalogue))).toEqual(plain(everything(untroubled.catalogue)))
}, 120_000)
