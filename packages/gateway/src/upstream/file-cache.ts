import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'

/** Files under keys, of a bounded size together; those not used for longest make room. */
export interface FileCache {
  read(key: string): Promise<Uint8Array | undefined>
  /** The path of what is under a key, which may be gone as soon as something else comes in. */
  find(key: string, nowMs: number): Promise<{ path: string; size: number } | undefined>
  /** Lets `fill` write a file that is under its key when it is whole, and not at all when that fails. */
  write(key: string, nowMs: number, fill: (file: FileHandle) => Promise<void>): Promise<void>
  remove(key: string): Promise<void>
}

const NAME = /^[\da-f]{64}$/

export function fileCache(folder: string, maxBytes: number): FileCache {
  const pathOf = (key: string): string => join(folder, createHash('sha256').update(key).digest('hex'))
  let total: number | undefined
  const all = async (): Promise<Array<{ path: string; size: number; usedMs: number }>> => {
    const names = (await readdir(folder)).filter((name) => NAME.test(name))
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name)
        const found = await orMissing(stat(path))
        return found === undefined ? undefined : { path, size: found.size, usedMs: found.mtimeMs }
      })
    )
    return files.filter((file) => file !== undefined)
  }
  /** Far below the bound at once, so that it is not done for each file. */
  const makeRoom = async (): Promise<void> => {
    const files = (await all()).sort((a, b) => a.usedMs - b.usedMs)
    total = files.reduce((sum, { size }) => sum + size, 0)
    for (const { path, size } of files) {
      if (total <= maxBytes * 0.9) return
      await rm(path, { force: true })
      total -= size
    }
  }
  return {
    read: (key) => orMissing(readFile(pathOf(key))),
    async find(key, nowMs) {
      const path = pathOf(key)
      const found = await orMissing(stat(path))
      if (found === undefined) return undefined
      await orMissing(utimes(path, nowMs / 1000, nowMs / 1000))
      return { path, size: found.size }
    },
    async write(key, nowMs, fill) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const path = pathOf(key)
      const draft = `${path}.${randomBytes(6).toString('hex')}.part`
      try {
        const file = await open(draft, 'wx', 0o600)
        try {
          await fill(file)
          await file.utimes(nowMs / 1000, nowMs / 1000)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(draft, path)
      } finally {
        await rm(draft, { force: true })
      }
      if (total === undefined) await makeRoom()
      else {
        total += (await orMissing(stat(path)))?.size ?? 0
        if (total > maxBytes) await makeRoom()
      }
    },
    remove: (key) => rm(pathOf(key), { force: true })
  }
}

async function orMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
