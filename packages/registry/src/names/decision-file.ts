import { readFile, stat } from 'node:fs/promises'
import { InvalidValueError } from '@registry/types'
import { writeDurably } from '../durable-file.ts'
import { CorruptNamesError } from '../errors.ts'
import { hasCode } from '../packing/errors.ts'

const MAX_FILE_BYTES = 64 * 1024 ** 2

/** One JSON file of what was decided about names. */
export interface DecisionFile {
  /** Writes it anew, complete or not at all; resolves when that is on disk. One after the other. */
  write(value: unknown): Promise<void>
}

/**
 * The file at `path`, and what `parse` makes of it; undefined where there is none.
 *
 * @throws {CorruptNamesError} ERR_CORRUPT_NAMES
 */
export async function openDecisionFile<T>(
  path: string,
  parse: (value: unknown) => T
): Promise<{ file: DecisionFile; found: T | undefined }> {
  let written = Promise.resolve()
  const file: DecisionFile = {
    async write(value) {
      const text = `${JSON.stringify(value, null, 2)}\n`
      written = written
        .catch(() => {})
        .then(() => writeDurably(path, (handle) => handle.writeFile(text), 0o600))
      await written
    }
  }
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) {
      throw new InvalidValueError('the file', `must have at most ${MAX_FILE_BYTES} bytes`)
    }
    return { file, found: parse(JSON.parse(await readFile(path, 'utf8'))) }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return { file, found: undefined }
    throw new CorruptNamesError(path, error)
  }
}
