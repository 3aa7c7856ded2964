import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { contentBlocks, manualClock, seededBytes } from '@registry/testing'
import { type BlobInfo, type ContentId, PROTOCOL_LIMITS, type RegistryStore } from '@registry/types'
import { describe, expect, it, onTestFinished } from 'vitest'
import { damageBlock, pieces, readAll, runningStore, temporaryFolder } from './folder-store.ts'

const { chunkBytes } = PROTOCOL_LIMITS
/** Two leaves in files, one in a row, and the root in a row. */
const LARGE = 2 * chunkBytes + 100

function add(store: RegistryStore, seed: string, length = 1000): Promise<BlobInfo> {
  return store.blobs.add(pieces(seededBytes(seed, length)))
}

async function filesIn(dataDir: string): Promise<string[]> {
  const entries = await readdir(join(dataDir, 'blocks'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
}

async function put(
  store: RegistryStore,
  content: ReturnType<typeof contentBlocks>,
  count: number
): Promise<void> {
  for (const [cid, bytes] of [...content.blocks].slice(0, count))
    await store.blobs.putBlock(content.cid, cid, bytes)
}

it('keeps a block in a row up to 64 KiB and in a file above', async () => {
  const store = await runningStore()
  await add(store, 'small', 64 * 1024)
  expect(await filesIn(store.dataDir)).toEqual([])
  const { cid } = await add(store, 'larger', 64 * 1024 + 1)
  expect(await filesIn(store.dataDir)).toEqual([cid])
})

it('has everything after a restart, what was fetched in part included', async () => {
  const dataDir = await temporaryFolder()
  const fetched = contentBlocks(seededBytes('fetched', LARGE))
  const first = await runningStore({ dataDir })
  const info = await add(first, 'content', LARGE)
  await put(first, fetched, 2)
  const usage = first.blobs.usage()
  await first.stop()

  const { blobs } = await runningStore({ dataDir })
  expect(blobs.usage()).toEqual(usage)
  expect(Buffer.compare(await readAll(blobs.read(info.cid)), seededBytes('content', LARGE))).toBe(0)
  const missing = [...fetched.blocks].filter(([cid]) => !blobs.hasBlock(cid))
  expect(missing).toHaveLength(fetched.blocks.size - 2)
  for (const [cid, bytes] of missing) await blobs.putBlock(fetched.cid, cid, bytes)
  await blobs.complete(fetched.cid, fetched)
  expect(await readAll(blobs.read(fetched.cid))).toHaveLength(LARGE)
})

describe('room', () => {
  it('is made of the content used longest ago that is not pinned', async () => {
    const store = await runningStore({ quotaBytes: 3000 })
    const [pinned, old, used] = [
      await add(store, 'pinned'),
      await add(store, 'old'),
      await add(store, 'used')
    ]
    store.blobs.pin(pinned.cid)
    await store.clock.advance(60_000)
    await readAll(store.blobs.read(used.cid))
    await add(store, 'new')
    expect([pinned, old, used].map(({ cid }) => store.blobs.has(cid))).toEqual([true, false, true])
    expect(store.blobs.usage()).toEqual({ blobs: 3, bytes: 3000, quotaBytes: 3000 })
    store.blobs.unpin(pinned.cid)
    await add(store, 'newer')
    expect(store.blobs.has(pinned.cid)).toBe(false)
  })

  it('is made of a fetch that was given up before any whole content, but not of a fresh one', async () => {
    const store = await runningStore({ quotaBytes: 2 * LARGE + 500, partialMaxIdleMs: 5000 })
    const fetched = contentBlocks(seededBytes('fetched', LARGE))
    await put(store, fetched, 2)
    const whole = await add(store, 'whole', 1000)
    await store.clock.advance(4999)
    await add(store, 'first', LARGE)
    expect(store.blobs.has(whole.cid)).toBe(false)
    expect([...fetched.blocks.keys()].slice(0, 2).every((cid) => store.blobs.hasBlock(cid))).toBe(true)
    const other = await add(store, 'other', 1000)
    await store.clock.advance(1)
    await add(store, 'second', LARGE)
    expect(store.blobs.has(other.cid)).toBe(true)
    expect([...fetched.blocks.keys()].some((cid) => store.blobs.hasBlock(cid))).toBe(false)
  })

  it('is not exceeded by contents that come at the same time, nor leaves files of one that had no room', async () => {
    const store = await runningStore({ quotaBytes: 3 * LARGE })
    const pinned = await add(store, 'pinned', LARGE)
    store.blobs.pin(pinned.cid)
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map((seed) => add(store, seed, LARGE)))
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
    const { bytes, blobs } = store.blobs.usage()
    expect(bytes).toBeLessThanOrEqual(3 * LARGE)
    expect(await filesIn(store.dataDir)).toHaveLength(2 * blobs)
    expect(store.blobs.has(pinned.cid)).toBe(true)
  })

  it('is not needed twice for a content that is here already', async () => {
    const store = await runningStore({ quotaBytes: 1000 })
    const { cid } = await add(store, 'content')
    store.blobs.pin(cid)
    expect(await add(store, 'content')).toMatchObject({ cid })
    expect(store.blobs.usage().bytes).toBe(1000)
  })

  it('counts against the quota that was configured', async () => {
    const store = await runningStore({ quotaBytes: 999 })
    await expect(add(store, 'content')).rejects.toMatchObject({
      code: 'ERR_QUOTA_EXCEEDED',
      details: { neededBytes: 1000, quotaBytes: 999 }
    })
  })
})

describe('damage', () => {
  it('to a shared block takes every content that has it, and fetching that block heals them', async () => {
    const store = await runningStore()
    const shared = seededBytes('shared', chunkBytes)
    const infos: BlobInfo[] = []
    for (const tail of ['one', 'two']) infos.push(await store.blobs.add(pieces(shared, seededBytes(tail))))
    const { cid: leaf } = await store.blobs.add(pieces(shared))
    await store.blobs.delete(leaf)
    await damageBlock(store.dataDir, leaf)
    const gone: ContentId[] = []
    store.blobs.onChange((cid, present) => present || gone.push(cid))
    expect(await store.blobs.block(leaf)).toBeUndefined()
    expect(gone.sort()).toEqual(infos.map(({ cid }) => cid).sort())
    expect(existsSync(join(store.dataDir, 'blocks', leaf.slice(-3, -1), leaf))).toBe(false)
    for (const info of infos) {
      await store.blobs.putBlock(info.cid, leaf, shared)
      expect(await store.blobs.complete(info.cid, info)).toEqual(info)
    }
  })

  it('is also a file that is gone or of another length', async () => {
    const store = await runningStore()
    for (const harm of [
      (path: string) => rm(path),
      (path: string) => writeFile(path, 'short'),
      (path: string) => writeFile(path, '')
    ]) {
      const info = await add(store, 'content', chunkBytes)
      await harm(join(store.dataDir, 'blocks', info.cid.slice(-3, -1), info.cid))
      await expect(readAll(store.blobs.read(info.cid))).rejects.toMatchObject({ code: 'ERR_CORRUPT_BLOB' })
      expect(store.blobs.has(info.cid)).toBe(false)
      expect(store.blobs.usage().bytes).toBe(0)
    }
  })

  it('is healed by adding the content again before anyone notices', async () => {
    const store = await runningStore()
    const { cid } = await add(store, 'content', chunkBytes)
    await damageBlock(store.dataDir, cid)
    await add(store, 'content', chunkBytes)
    expect(await readAll(store.blobs.read(cid))).toHaveLength(chunkBytes)
  })
})

it('reads on while nothing can be written', async () => {
  const store = await runningStore()
  const { cid } = await add(store, 'content')
  await store.clock.advance(600_000)
  const other = new DatabaseSync(join(store.dataDir, 'catalogue.sqlite'))
  onTestFinished(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  expect(await readAll(store.blobs.read(cid))).toHaveLength(1000)
})

it('keeps a whole content when a release states another size or integrity for it', async () => {
  const store = await runningStore()
  const info = await add(store, 'content')
  const { integrity } = contentBlocks(seededBytes('other'))
  await expect(store.blobs.complete(info.cid, { ...info, integrity })).rejects.toMatchObject({
    code: 'ERR_HASH_MISMATCH'
  })
  expect(store.blobs.stat(info.cid)).toEqual(info)
})

it('completes a content with blocks that another one brought, and keeps them when that goes', async () => {
  const store = await runningStore()
  const shared = seededBytes('shared', chunkBytes)
  const other = await store.blobs.add(pieces(shared, seededBytes('other')))
  const wanted = contentBlocks(Buffer.concat([shared, seededBytes('wanted')]))
  for (const [cid, bytes] of wanted.blocks) {
    if (!store.blobs.hasBlock(cid)) await store.blobs.putBlock(wanted.cid, cid, bytes)
  }
  await store.blobs.complete(wanted.cid, wanted)
  await store.blobs.delete(other.cid)
  expect(await readAll(store.blobs.read(wanted.cid))).toHaveLength(wanted.size)
})

it('drops blocks that turn out not to belong to the content they were fetched for', async () => {
  const store = await runningStore()
  const wanted = contentBlocks(seededBytes('wanted'))
  const foreign = contentBlocks(seededBytes('foreign'))
  await store.blobs.putBlock(wanted.cid, foreign.cid, seededBytes('foreign'))
  await put(store, wanted, 1)
  await store.blobs.complete(wanted.cid, wanted)
  expect(store.blobs.hasBlock(foreign.cid)).toBe(false)
  expect(store.blobs.usage().bytes).toBe(wanted.size)
})

it('refuses a block larger than the protocol allows, and a name that is no CID', async () => {
  const { blobs } = await runningStore()
  const bytes = seededBytes('block', PROTOCOL_LIMITS.maxBlockBytes + 1)
  const { cid } = contentBlocks(seededBytes('root'))
  await expect(blobs.putBlock(cid, cid, bytes)).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
  await expect(blobs.putBlock(cid, '../../etc/passwd', bytes)).rejects.toMatchObject({
    code: 'ERR_INVALID_VALUE'
  })
  expect(await blobs.block('../../etc/passwd')).toBeUndefined()
  expect(blobs.hasBlock('../../etc/passwd')).toBe(false)
})

it('gives up a content whose source is silent when the signal aborts, and keeps nothing of it', async () => {
  const store = await runningStore()
  const controller = new AbortController()
  const silent = async function* (): AsyncGenerator<Uint8Array> {
    yield seededBytes('first', chunkBytes + 1)
    controller.abort(new Error('enough'))
    await new Promise(() => {})
  }
  await expect(store.blobs.add(silent(), { signal: controller.signal })).rejects.toThrow('enough')
  expect(await filesIn(store.dataDir)).toEqual([])
  expect(store.blobs.usage()).toMatchObject({ blobs: 0, bytes: 0 })
})

it('keeps a block that one content gives up while another one is being added with it', async () => {
  const store = await runningStore()
  const shared = seededBytes('shared', chunkBytes)
  const old = await store.blobs.add(pieces(shared, seededBytes('old')))
  const { promise: deleted, resolve } = Promise.withResolvers<void>()
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield shared
    yield seededBytes('new')
    // The first leaf is written by now.
    await store.blobs.delete(old.cid)
    resolve()
  }
  const info = await store.blobs.add(source())
  await deleted
  expect(await readAll(store.blobs.read(info.cid))).toHaveLength(info.size)
})

it('takes the same content from two sources at once', async () => {
  const store = await runningStore()
  const [first, second] = await Promise.all([add(store, 'content', LARGE), add(store, 'content', LARGE)])
  expect(first).toEqual(second)
  expect(await readAll(store.blobs.read(first.cid))).toHaveLength(LARGE)
  expect(store.blobs.usage().blobs).toBe(1)
  await store.blobs.delete(first.cid)
  expect(store.blobs.usage().bytes).toBe(0)
  expect(await filesIn(store.dataDir)).toEqual([])
})

it('sweeps away files that no content needs, and half-written ones', async () => {
  const dataDir = await temporaryFolder()
  const first = await runningStore({ dataDir })
  const kept = await add(first, 'kept', chunkBytes)
  await first.stop()
  const orphan = contentBlocks(seededBytes('orphan', 1000))
  const folder = join(dataDir, 'blocks', orphan.cid.slice(-3, -1))
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, orphan.cid), seededBytes('orphan', 1000))
  await writeFile(join(dataDir, 'blocks', 'tmp', 'half'), 'written')

  const second = await runningStore({ dataDir }, manualClock())
  // Stopping waits for the sweep that starting began.
  await second.stop()
  expect(await filesIn(dataDir)).toEqual([kept.cid])
})
