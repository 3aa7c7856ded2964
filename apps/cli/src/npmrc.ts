import { randomBytes } from 'node:crypto'
import { open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Writes one setting into a file of npm's, in place of the one that was there, if any, and leaves all else as it is. The file
 * appears complete or not at all, and only its user can read it: there are tokens in it.
 */
export async function writeNpmSetting(path: string, key: string, value: string): Promise<void> {
  // Behind a link the file itself is meant, which may be kept elsewhere.
  const target = await orMissing(realpath(path), path)
  const text = await orMissing(readFile(target, 'utf8'), '')
  const lines = text.split('\n').filter((line) => line.split('=')[0]?.trim() !== key)
  while (lines.at(-1) === '') lines.pop()
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.part`)
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(`${[...lines, `${key}=${value}`].join('\n')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, target)
  } finally {
    await rm(draft, { force: true })
  }
}

async function orMissing<T>(reading: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise
    throw error
  }
}
