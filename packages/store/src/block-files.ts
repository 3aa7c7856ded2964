import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContentId } from '@registry/types'
import type { Durability } from './database.ts'
import { makeFolder, syncFolder } from './durable-folder.ts'
import { isSystemError, storageErrorOf } from './storage-fault.ts'

const UNFINISHED = 'tmp'

/**
 * Blocks as files, each under its CID, in folders of two characters from the end of it, where CIDs differ. A file under
 * its final name is whole, short of a power cut that `write` was not asked to survive.
 */
export class BlockFiles {
  readonly #dir: string
  readonly #folders = new Set<string>()

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Makes the folder and clears away what a crash left half-written. */
  open(): void {
    this.#folders.clear()
    try {
      rmSync(join(this.#dir, UNFINISHED), { recursive: true, force: true })
      makeFolder(join(this.#dir, UNFINISHED))
    } catch (error) {
      throw storageErrorOf(error, this.#dir)
    }
  }

  /** Writes a block in place of an earlier one. Resolves once it is as durable as asked. */
  async write(cid: ContentId, bytes: Uint8Array, durability: Durability): Promise<void> {
    const unfinished = join(this.#dir, UNFINISHED, randomUUID())
    await this.#onDisk(async () => {
      const folder = await this.#folderOf(cid, durability)
      try {
        const file = await open(unfinished, 'wx')
        try {
          await file.writeFile(bytes)
          if (durability === 'power') await file.sync()
        } finally {
          await file.close()
        }
        await rename(unfinished, join(folder, cid))
        if (durability === 'power') await syncFolder(folder)
      } catch (error) {
        await rm(unfinished, { force: true })
        throw error
      }
    })
  }

  /** The bytes as they are on disk; undefined when there is no such file or it is not of this size. */
  async read(cid: ContentId, size: number): Promise<Uint8Array | undefined> {
    return this.#onDisk(async () => {
      try {
        const file = await open(this.#pathOf(cid), 'r')
        try {
          const { size: found } = await file.stat()
          return found === size ? await file.readFile() : undefined
        } finally {
          await file.close()
        }
      } catch (error) {
        if (isSystemError(error) && error.code === 'ENOENT') return undefined
        throw error
      }
    })
  }

  /** At once, so that nothing can come between a check whether the file is needed and this. */
  removeNow(cid: ContentId): void {
    rmSync(this.#pathOf(cid), { force: true })
  }

  /** The names of all files, folder by folder. */
  async *names(): AsyncGenerator<string, void, undefined> {
    for (const folder of await this.#onDisk(() => readdir(this.#dir))) {
      if (folder === UNFINISHED) continue
      yield* await this.#onDisk(() => readdir(join(this.#dir, folder)))
    }
  }

  #pathOf(cid: ContentId): string {
    return join(this.#dir, folderNameOf(cid), cid)
  }

  async #folderOf(cid: ContentId, durability: Durability): Promise<string> {
    const name = folderNameOf(cid)
    const folder = join(this.#dir, name)
    if (this.#folders.has(name)) return folder
    await mkdir(folder, { recursive: true })
    if (durability === 'power') {
      await syncFolder(this.#dir)
      this.#folders.add(name)
    }
    return folder
  }

  async #onDisk<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw storageErrorOf(error, this.#dir)
    }
  }
}

/** The last character of a CID holds only part of its bits, so the two before it. */
function folderNameOf(cid: ContentId): string {
  return cid.slice(-3, -1)
}
