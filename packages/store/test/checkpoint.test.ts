import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, onTestFinished } from 'vitest'
import { checkpoint } from '../src/checkpoint.ts'
import { Database } from '../src/database.ts'
import { temporaryFolder } from './folder-store.ts'

async function openDatabase(): Promise<Database> {
  const db = new Database(join(await temporaryFolder(), 'some.sqlite'), () =>
    expect.fail('it is not damaged')
  )
  db.open()
  onTestFinished(() => db.close())
  db.exec('CREATE TABLE t (x BLOB)')
  return db
}

function insert(db: Database, rows: number): void {
  db.transaction('process', () => {
    for (let row = 0; row < rows; row++) db.run('INSERT INTO t VALUES (?)', new Uint8Array(100).fill(row))
  })
}

it('brings the log into the file while that is open, as far as readers let it', async () => {
  const db = await openDatabase()
  const inFile = (): number => statSync(db.path).size
  insert(db, 1000)
  const before = inFile()
  expect(await checkpoint(db.path)).toEqual({ isWhole: true })
  expect(inFile()).toBeGreaterThan(before + 100_000)

  const reader = new DatabaseSync(db.path, { readOnly: true })
  onTestFinished(() => reader.close())
  reader.exec('BEGIN')
  expect(reader.prepare('SELECT count(*) AS count FROM t').get()).toEqual({ count: 1000 })
  insert(db, 1000)
  expect(await checkpoint(db.path)).toEqual({ isWhole: false })
  reader.exec('COMMIT')
  expect(await checkpoint(db.path)).toEqual({ isWhole: true })
})

it('rejects when the file cannot be opened', async () => {
  await expect(checkpoint(join(await temporaryFolder(), 'no', 'such.sqlite'))).rejects.toThrow(/open/)
})

it('begins the log anew for whoever waits for it, so that it does not grow with what is written', async () => {
  const db = await openDatabase()
  const write = async (rows: number): Promise<number> => {
    for (let written = 0; written < rows; written += 500) {
      insert(db, 500)
      await db.backpressure()
    }
    return statSync(`${db.path}-wal`).size
  }
  const size = await write(40_000)
  expect(await write(80_000)).toBeLessThan(size * 1.5)
  expect(db.get('SELECT count(*) AS count FROM t')).toEqual({ count: 120_000 })
})

it('is done with it before it is closed', async () => {
  const db = await openDatabase()
  insert(db, 10_000)
  await db.close()
  await db.close()
  expect(() => statSync(`${db.path}-wal`)).toThrow(/ENOENT/)
})
