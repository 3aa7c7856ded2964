import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseList, parseMap, parseRecordId, parseText } from '@registry/types'
import { expect, it } from 'vitest'
import { Database } from '../src/database.ts'
import { runningStore, temporaryFolder } from './folder-store.ts'

// In blocks of 512 bytes, as POSIX has it.
const FILE_LIMIT = (3 * 1024 * 1024) / 512

it.skipIf(process.platform === 'win32')(
  'never acknowledges what the disk refused, keeps what it acknowledged, and goes on reading',
  async () => {
    const dataDir = await temporaryFolder()
    const program = fileURLToPath(new URL('limited-process.ts', import.meta.url))
    const command = [process.execPath, ...process.execArgv, program, dataDir]
    const child = spawn('sh', ['-c', `ulimit -f ${FILE_LIMIT} && exec "$@"`, 'sh', ...command])
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
    expect(errors).toBe('')
    const report = parseMap(JSON.parse(output), 'report')
    const ids = (field: string): string[] =>
      parseList(report[field], field, 1000, (item, at) => parseText(item, at, 100))

    expect(report.faults).toEqual(
      Array(3).fill(expect.objectContaining({ code: 'ERR_STORAGE', hint: expect.any(String) }))
    )
    const published = ids('published')
    expect(published.length).toBeGreaterThan(10)
    expect(ids('readable')).toEqual(published)
    // The owner's is one more.
    expect(report.records).toBe(published.length + 1)

    const store = await runningStore({ dataDir })
    for (const id of published) {
      expect(store.catalogue.has(parseRecordId(id))).toBe(true)
    }
    expect(store.catalogue.summary().records).toBe(published.length + 1)
    expect(store.outbox.size).toBe(published.length)
  },
  30_000
)

it('tells a full disk from other faults, and undoes the whole transaction', async () => {
  const db = new Database(join(await temporaryFolder(), 'full.sqlite'), () =>
    expect.fail('it is not damaged')
  )
  db.open()
  db.exec('CREATE TABLE t (x BLOB)')
  db.run('INSERT INTO t VALUES (?)', new Uint8Array(10))
  db.exec('PRAGMA max_page_count = 20')
  const fill = (): void =>
    db.transaction('power', () => {
      for (let index = 0; index < 100; index++) db.run('INSERT INTO t VALUES (?)', new Uint8Array(4000))
    })
  expect(fill).toThrowError(
    expect.objectContaining({ code: 'ERR_STORAGE', details: expect.objectContaining({ fault: 'disk-full' }) })
  )
  expect(db.get('SELECT count(*) AS count FROM t')).toEqual({ count: 1 })
  expect(db.get('PRAGMA synchronous')).toEqual({ synchronous: 1 })
  db.exec('PRAGMA max_page_count = 1000')
  fill()
  expect(db.get('SELECT count(*) AS count FROM t')).toEqual({ count: 101 })
  db.close()
})
