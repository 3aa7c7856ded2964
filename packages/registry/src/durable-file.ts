import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { hasCode, UnwritableError } from './packing/errors.ts'

/**
 * Lets `write` fill a file that appears under its name complete and on disk, or not at all. A file that has the name is
 * replaced, and nothing but a file is.
 *
 * @throws {UnwritableError} ERR_STORAGE, the operating system refused; and whatever `write` throws
 */
export async function writeDurably<T>(
  path: string,
  write: (file: FileHandle) => Promise<T>,
  mode = 0o666
): Promise<T> {
  const folder = dirname(path)
  const draft = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.part`)
  try {
    if (await isNoFile(path)) throw Object.assign(new Error('it is no file'), { syscall: 'rename' })
    const file = await open(draft, 'wx', mode)
    let written: T
    try {
      written = await write(file)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
    await syncFolder(folder)
    return written
  } catch (error) {
    await rm(draft, { force: true })
    throw error instanceof Error && 'syscall' in error ? new UnwritableError(path, error) : error
  }
}

async function isNoFile(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isFile()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** A name is durable with its folder only. Windows opens no folder, and keeps names by itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
