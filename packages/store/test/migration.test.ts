import { hash } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { decodeEnvelope, recordIdOf } from '@registry/identity'
import { seededBytes } from '@registry/testing'
import { expect, it } from 'vitest'
import { recordKeyOf } from '../src/record-key.ts'
import { MIGRATIONS } from '../src/schema.ts'
import { derivedTables } from './derived-tables.ts'
import { runningStore, temporaryFolder } from './folder-store.ts'
import { ownerWithTwoKeys, signedBy, stated } from './signed-records.ts'

const PINNED = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

/** Writes a catalogue as the first schema had it: releases with their sequence, in the order given. */
function writeFirstSchema(path: string, records: readonly Uint8Array[]): void {
  const db = new DatabaseSync(path)
  const [first] = MIGRATIONS
  db.exec(`${first?.sql}; PRAGMA user_version = 1`)
  const sequences = new Map<string, number>()
  for (const [index, envelope] of records.entries()) {
    const { kind, payload } = decodeEnvelope(envelope)
    const said = hash('sha256', payload)
    if (kind === 'release' && !sequences.has(said)) sequences.set(said, sequences.size + 1)
    db.prepare('INSERT INTO records (id, kind, release, seen_ms, envelope) VALUES (?, ?, ?, ?, ?)').run(
      recordKeyOf(recordIdOf(envelope)),
      kind,
      sequences.get(said) ?? null,
      1000 + index,
      envelope
    )
  }
  db.prepare('INSERT INTO outbox (record, content, due_ms) VALUES (?, ?, 5)').run(
    seededBytes('record'),
    PINNED
  )
  db.prepare('INSERT INTO pins (cid) VALUES (?)').run(PINNED)
  db.close()
}

it('opens a folder of the first schema, with its order of arrival, and goes on from there', async () => {
  const team = await ownerWithTwoKeys('team')
  const { inception, releases } = await signedBy(
    0,
    { version: '1.1.0', dependencies: { other: '*' } },
    { version: '1.0.0' },
    { version: '1.0.0', description: 'Another' },
    { name: 'other' }
  )
  const [one = expect.fail(), two = expect.fail()] = await team.release({ name: 'shared' })
  const records = [inception, ...releases.slice(0, 2), ...team.inceptions, one, ...releases.slice(2), two]
  const dataDir = await temporaryFolder()
  writeFirstSchema(join(dataDir, 'catalogue.sqlite'), records)

  const store = await runningStore({ dataDir })
  const { catalogue } = store
  const told = (): unknown[] =>
    catalogue
      .changes({ after: 0, limit: 9 })
      .map(({ sequence, type, id, seenMs }) => [sequence, type, id, seenMs])
  const before = [
    [1, 'NewPackage', recordIdOf(releases[0] ?? inception), 1001],
    [2, 'NewVersion', recordIdOf(releases[1] ?? inception), 1002],
    [3, 'NewPackage', recordIdOf(one), 1005],
    [4, 'Conflicted', recordIdOf(releases[2] ?? inception), 1006],
    [5, 'NewPackage', recordIdOf(releases[3] ?? inception), 1007]
  ]
  expect(told()).toEqual(before)
  expect(store.outbox.size).toBe(1)
  expect(catalogue.counts()).toEqual({ owners: 2, packages: 3, releases: 5 })

  await store.stop()
  await store.start()
  await catalogue.ingest([await stated(0, { field: 'readme', content: null })])
  expect(told().slice(0, 5)).toEqual(before)
  expect(catalogue.sequence).toBe(6)

  const fresh = await runningStore()
  await fresh.catalogue.ingest([...records, await stated(0, { field: 'readme', content: null })])
  expect(catalogue.summary()).toEqual(fresh.catalogue.summary())
  expect(derivedTables(dataDir)).toEqual(derivedTables(fresh.dataDir))
  const db = new DatabaseSync(join(dataDir, 'catalogue.sqlite'), { readOnly: true })
  expect(db.prepare('SELECT cid FROM pins').all()).toEqual([{ cid: PINNED }])
  db.close()
})
