import { randomBytes } from 'node:crypto'
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RegistryError } from '@registry/types'
import { CorruptKeyError, KeyFileError } from './errors.ts'

const MAX_KEY_FILE_BYTES = 16 * 1024

/**
 * The text of the key file at `path`; when there is none, what `make` gives, which is then on disk when this resolves. Only
 * its user may read the file (mode 0600); it is never written over, and of two processes that create it at once both get
 * the text that was first.
 *
 * @throws {CorruptKeyError} ERR_CORRUPT_KEY, it is no file, or too large for a key
 * @throws {KeyFileError} ERR_KEY_FILE, it cannot be read or written
 */
export async function loadOrCreateKeyFile(path: string, make: () => Promise<string>): Promise<string> {
  try {
    const known = await read(path)
    if (known !== undefined) return known
    const text = await make()
    if (await create(path, text)) return text
    const other = await read(path)
    if (other === undefined) throw new CorruptKeyError(path, 'it is a link to a file that is not there')
    return other
  } catch (error) {
    throw error instanceof RegistryError ? error : new KeyFileError(path, error)
  }
}

/** The text of a file, or undefined when there is none. */
async function read(path: string): Promise<string | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    const stat = await file.stat()
    if (!stat.isFile() || stat.size > MAX_KEY_FILE_BYTES) {
      throw new CorruptKeyError(path, `it is not a file of at most ${MAX_KEY_FILE_BYTES} bytes`)
    }
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_KEY_FILE_BYTES), 0, MAX_KEY_FILE_BYTES, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Creates a file with its whole content or not at all; false when there is one already. */
async function create(path: string, text: string): Promise<boolean> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    // A link, unlike a rename, fails when the name is taken.
    await link(draft, path)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
  // Windows has no handle of a folder to flush, and needs none.
  if (process.platform !== 'win32') {
    const entry = await open(folder, 'r')
    try {
      await entry.sync()
    } finally {
      await entry.close()
    }
  }
  return true
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
