import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type SearchDocument, type SearchIndex, searchIndex } from '../src/index.ts'
import { found, makeDocument, openIndex, queryOf, temporaryFolder } from './documents.ts'

function documents(from: number, to: number): SearchDocument[] {
  return Array.from({ length: to - from }, (_, at) =>
    makeDocument({ package: from + at, name: `package-${from + at}`, description: 'for a test' })
  )
}

async function written(folder: string, count: number): Promise<void> {
  const index = searchIndex({ folder })()
  await index.open()
  index.put(documents(1, count + 1), count)
  await index.close()
}

describe('an index in a folder', () => {
  it('answers 0 as its watermark before anything was written', async () => {
    const index = openIndex({ folder: join(temporaryFolder(), 'new', 'folder') })
    expect(await index.open()).toEqual({ watermark: 0 })
  })

  it('is there again after it was closed, with its watermark', async () => {
    const folder = temporaryFolder()
    await written(folder, 300)
    const index = openIndex({ folder })
    expect(await index.open()).toEqual({ watermark: 300 })
    expect(index.stats()).toMatchObject({ packages: 300, watermark: 300 })
    expect(found(index, 'package-17', { limit: 1 })).toEqual([17])
  })

  it('keeps what was removed removed', async () => {
    const folder = temporaryFolder()
    await written(folder, 20)
    const index = searchIndex({ folder })()
    await index.open()
    index.remove([3, 4], 21)
    await index.flushed()
    await index.close()
    const again = openIndex({ folder })
    expect(await again.open()).toEqual({ watermark: 21 })
    expect(again.stats().packages).toBe(18)
    expect(found(again, 'package-3', { limit: 1 })).not.toEqual([3])
  })

  it('is durable once flushed, and says up to where', async () => {
    const folder = temporaryFolder()
    const index = openIndex({ folder })
    await index.open()
    index.put(documents(1, 5), 4)
    expect(index.stats().watermark).toBe(0)
    await index.flushed()
    expect(index.stats()).toMatchObject({ watermark: 4, waiting: 0 })
    const beside = openIndex({ folder })
    expect(await beside.open()).toEqual({ watermark: 4 })
  })

  it('forgets all on disk, too', async () => {
    const folder = temporaryFolder()
    await written(folder, 20)
    const index = searchIndex({ folder })()
    await index.open()
    index.clear()
    expect(found(index, '')).toEqual([])
    await index.flushed()
    index.put(documents(30, 32), 2)
    await index.close()
    const again = openIndex({ folder })
    expect(await again.open()).toEqual({ watermark: 2 })
    expect(found(again, '')).toEqual([30, 31])
    expect(readdirSync(folder).filter((name) => name.endsWith('.segment'))).toHaveLength(1)
  })

  it('can be cleared at once after it was opened, and be put into again', async () => {
    const folder = temporaryFolder()
    await written(folder, 200)
    const index = openIndex({ folder })
    await index.open()
    index.put(documents(300, 600), 300)
    index.clear()
    index.put(documents(1, 3), 1)
    await index.flushed()
    expect(found(index, '')).toEqual([1, 2])
    expect(index.stats()).toMatchObject({ watermark: 1, packages: 2 })
  })
})

describe('a damaged index', () => {
  const segmentOf = (folder: string): string =>
    join(folder, readdirSync(folder).find((name) => name.endsWith('.segment')) ?? '')
  const damages: Array<[string, (folder: string) => void]> = [
    ['a flipped bit in a segment', (folder) => flip(segmentOf(folder), 4000)],
    ['a flipped bit in the header of a segment', (folder) => flip(segmentOf(folder), 9)],
    ['a truncated segment', (folder) => truncateSync(segmentOf(folder), 1000)],
    ['a segment that is gone', (folder) => rmSync(segmentOf(folder))],
    ['an empty segment', (folder) => truncateSync(segmentOf(folder), 0)],
    ['a flipped bit in the manifest', (folder) => flip(join(folder, 'manifest'), 20)],
    ['an empty manifest', (folder) => truncateSync(join(folder, 'manifest'), 0)],
    ['no manifest', (folder) => rmSync(join(folder, 'manifest'))]
  ]

  it.each(damages)('with %s starts empty at watermark 0, and can be filled again', async (_, damage) => {
    const folder = temporaryFolder()
    await written(folder, 100)
    damage(folder)
    const index = searchIndex({ folder })()
    expect(await index.open()).toEqual({ watermark: 0 })
    expect(found(index, '')).toEqual([])
    index.put(documents(1, 50), 49)
    await index.close()
    const again = openIndex({ folder })
    expect(await again.open()).toEqual({ watermark: 49 })
    expect(again.stats().packages).toBe(49)
  })

  function flip(path: string, at: number): void {
    const bytes = readFileSync(path)
    bytes[at] = (bytes[at] ?? 0) ^ 4
    writeFileSync(path, bytes)
  }
})

describe('a folder that cannot be written', () => {
  it('makes a flush fail, loses nothing, and is tried again', async () => {
    const folder = temporaryFolder()
    const index = openIndex({ folder })
    await index.open()
    index.put(documents(1, 3), 2)
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'in the way')
    await expect(index.flushed()).rejects.toMatchObject({ code: 'ERR_SEARCH_STORAGE', retryable: true })
    expect(found(index, 'package-1', { limit: 1 })).toEqual([1])
    expect(index.stats().watermark).toBe(0)
    rmSync(folder)
    mkdirSync(folder)
    await index.flushed()
    expect(index.stats().watermark).toBe(2)
    const again = openIndex({ folder })
    expect(await again.open()).toEqual({ watermark: 2 })
  })

  it('makes opening fail', async () => {
    const folder = join(temporaryFolder(), 'file')
    writeFileSync(folder, '')
    await expect(openIndex({ folder }).open()).rejects.toMatchObject({ code: 'ERR_SEARCH_STORAGE' })
  })
})

describe('many changes', () => {
  it('are found before the worker has seen them', () => {
    const index = openIndex()
    index.put(documents(1, 1001), 1)
    expect(index.stats()).toMatchObject({ packages: 1000, segments: 0 })
    expect(index.search(queryOf('package')).total).toBe(1000)
  })

  it('make the caller wait while too many are on their way to the worker', async () => {
    const index = openIndex({ maxWaitingDocuments: 100 })
    index.put(documents(1, 90), 1)
    await index.backpressure()
    expect(index.stats().segments).toBe(0)
    index.put(documents(100, 300), 2)
    await index.backpressure()
    expect(index.stats().segments).toBeGreaterThan(0)
    expect(index.stats().waiting).toBeLessThanOrEqual(100)
  })

  it('do not make the caller wait for ever for a worker that failed', async () => {
    const index = openIndex({ maxTableDocuments: 1, maxWaitingDocuments: 1 })
    index.put([makeDocument({ package: 1, name: 'unreadable', tags: [undefined as never] })], 1)
    index.put(documents(2, 4), 2)
    await expect(index.backpressure()).resolves.toBeUndefined()
    // Nothing new has come that would begin another worker.
    await expect(index.backpressure()).resolves.toBeUndefined()
  })

  it('stay replaced when the segment with what they replace arrives later', async () => {
    const index = openIndex({ maxTableDocuments: 2, maxWaitingDocuments: 0 })
    index.put(
      [makeDocument({ package: 1, name: 'old-name' }), makeDocument({ package: 2, name: 'other' })],
      1
    )
    index.put([makeDocument({ package: 1, name: 'new-name' })], 2)
    expect(found(index, 'old')).toEqual([])
    await index.backpressure()
    expect(index.stats()).toMatchObject({ segments: 1, packages: 2 })
    expect(found(index, 'old')).toEqual([])
    expect(found(index, 'new')).toEqual([1])
  })

  it('go to the worker from a number on that can be chosen', async () => {
    const small = openIndex({ maxTableDocuments: 4, maxWaitingDocuments: 0 })
    small.put(documents(1, 4), 1)
    await small.backpressure()
    expect(small.stats().segments).toBe(0)
    small.put(documents(4, 5), 2)
    await small.backpressure()
    expect(small.stats().segments).toBe(1)
  })

  it('do not make the segments many, and those that were merged are gone from disk', async () => {
    const folder = temporaryFolder()
    const index = openIndex({ folder, maxTableDocuments: 1 })
    await index.open()
    for (let at = 1; at <= 40; at += 1) {
      index.put(documents(at, at + 1), at)
      await index.flushed()
    }
    for (let files = 99; files > 15; files = readdirSync(folder).length) await index.flushed()
    expect(index.stats().segments).toBeLessThanOrEqual(15)
    expect(index.stats().packages).toBe(40)
  })

  it('of the same packages do not make the index large', async () => {
    const index = openIndex({ maxTableDocuments: 1 })
    for (let round = 0; round < 12; round += 1) {
      index.put(documents(1, 301), round)
      await index.flushed()
    }
    const once = openIndex()
    once.put(documents(1, 301), 1)
    await once.flushed()
    while (index.stats().segments > 8) await index.flushed()
    expect(index.stats().bytes).toBeLessThan(9 * once.stats().bytes)
  })
})

describe('a killed process', () => {
  const program = join(import.meta.dirname, 'writing-process.ts')

  it('leaves an index that holds exactly what its watermark says', { timeout: 60_000 }, async () => {
    const folder = temporaryFolder()
    let watermark = 0
    for (let round = 0; round < 12; round += 1) {
      const writer = spawn(process.execPath, [...process.execArgv, program, folder], {
        stdio: ['ignore', 'pipe', 'inherit']
      })
      const acknowledged = await new Promise<number>((resolve) => {
        let lines = 0
        writer.stdout.on('data', (data: Buffer) => {
          lines += data.toString().split('\n').length - 1
          if (lines < 1 + round) return
          writer.kill('SIGKILL')
          resolve(Number(data.toString().trim().split('\n').at(-1)))
        })
      })
      await once(writer, 'exit')
      const index: SearchIndex = searchIndex({ folder })()
      const opened = await index.open()
      expect(opened.watermark).toBeGreaterThanOrEqual(Math.max(watermark, acknowledged))
      watermark = opened.watermark
      // The process puts package n at watermark n, but for each tenth, where it removes the one before.
      expect(index.stats().packages).toBe(watermark - 2 * Math.floor(watermark / 10))
      const last = watermark % 10 === 0 ? watermark - 2 : watermark
      expect(found(index, `package-${last}`, { limit: 1 })).toEqual([last])
      await index.close()
    }
    expect(existsSync(join(folder, 'manifest'))).toBe(true)
  })
})
