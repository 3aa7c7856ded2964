import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type ManualClock, manualClock } from '@registry/testing'
import type { RegistryStore } from '@registry/types'
import { onTestFinished } from 'vitest'
import { type RegistryStoreInit, registryStore } from '../src/index.ts'

/** A folder that is gone after the test. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'registry-store-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A running store, stopped after the test; in a folder of its own unless one is given. */
export async function runningStore(
  init: Partial<RegistryStoreInit> = {},
  clock: ManualClock = manualClock()
): Promise<RegistryStore & { dataDir: string; clock: ManualClock }> {
  const dataDir = init.dataDir ?? (await temporaryFolder())
  const store = registryStore({ ...init, dataDir })({ clock })
  await store.start()
  onTestFinished(() => store.stop())
  return Object.assign(store, { dataDir, clock })
}

export async function* pieces(...bytes: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* bytes
}

export async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(source))
}

/** Flips a bit of a stored block behind the store's back: of its file, or of its row. */
export async function damageBlock(dataDir: string, cid: string): Promise<void> {
  const path = join(dataDir, 'blocks', cid.slice(-3, -1), cid)
  if (existsSync(path)) return writeFile(path, flipped(await readFile(path)))
  const db = new DatabaseSync(join(dataDir, 'catalogue.sqlite'))
  try {
    const row = db.prepare('SELECT bytes FROM blocks WHERE cid = ?').get(cid)
    if (!(row?.bytes instanceof Uint8Array)) throw new Error(`No block ${cid} is stored`)
    db.prepare('UPDATE blocks SET bytes = ? WHERE cid = ?').run(flipped(row.bytes), cid)
  } finally {
    db.close()
  }
}

export function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, index) => (index === 0 ? byte ^ 1 : byte))
}
