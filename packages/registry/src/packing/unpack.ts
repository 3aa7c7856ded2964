import { mkdir, mkdtemp, open, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { hasCode, isSystemError, TargetNotEmptyError, UnwritableError } from './errors.ts'
import { readTarball, type TarballOptions, type TarballSource, type TarballSummary } from './tarball.ts'

/**
 * Unpacks a tarball into `folder`, without its top folder, after the checks that `inspectTarball` makes of each entry. All
 * or nothing: the folder appears complete, or not at all; one that exists must be empty. Files get the mode 755 or 644
 * within the limits of the umask, and the time of now.
 *
 * @throws ERR_TARGET_NOT_EMPTY, ERR_UNSAFE_PATH, ERR_UNSAFE_ENTRY, ERR_TOO_LARGE, ERR_CORRUPT_TARBALL,
 *   ERR_SOURCE_UNREADABLE, ERR_STORAGE
 */
export async function unpackTarball(
  source: TarballSource,
  folder: string,
  options: TarballOptions = {}
): Promise<TarballSummary> {
  const target = resolve(folder)
  try {
    return await unpack(source, target, options)
  } catch (error) {
    throw isSystemError(error) ? new UnwritableError(target, error) : error
  }
}

async function unpack(
  source: TarballSource,
  target: string,
  options: TarballOptions
): Promise<TarballSummary> {
  await removeEmpty(target)
  await mkdir(dirname(target), { recursive: true })
  // Beside the target, so that it can be moved there in one step.
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`))
  try {
    const content = join(draft, 'package')
    await mkdir(content)
    const made = new Set([content])
    const summary = await readTarball(
      source,
      async (file) => {
        const path = join(content, ...file.path.split('/'))
        const parent = dirname(path)
        if (!made.has(parent)) {
          await mkdir(parent, { recursive: true })
          made.add(parent)
        }
        // Opened here, since a stream that opens it by itself may do so after the draft was removed.
        const output = await open(path, 'wx', file.executable ? 0o755 : 0o644)
        await pipeline(file.content, output.createWriteStream())
      },
      options
    )
    await removeEmpty(target)
    await moveTo(content, target)
    return summary
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function removeEmpty(target: string): Promise<void> {
  try {
    await rmdir(target)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw new TargetNotEmptyError(target)
    throw error
  }
}

async function moveTo(content: string, target: string): Promise<void> {
  try {
    await rename(content, target)
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw new TargetNotEmptyError(target)
    throw error
  }
}
