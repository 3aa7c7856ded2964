import { randomBytes } from 'node:crypto'
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** The text of a file; undefined when there is none. */
export async function readOrMissing(path: string): Promise<string | undefined> {
  return orMissing(readFile(path, 'utf8'))
}

/**
 * Changes the text of a file, an empty one where there is no file. It appears complete or not at all, and keeps its mode
 * unless one is given.
 */
export async function replaceFile(
  path: string,
  change: (text: string) => string,
  { mode }: { mode?: number } = {}
): Promise<void> {
  // Behind a link the file itself is meant, which may be kept elsewhere.
  const target = (await orMissing(realpath(path))) ?? path
  const text = change((await readOrMissing(target)) ?? '')
  const kept = (await orMissing(stat(target)))?.mode ?? 0o644
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.part`)
  try {
    const file = await open(draft, 'wx', mode ?? kept & 0o777)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, target)
  } finally {
    await rm(draft, { force: true })
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
