import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type AbortOptions, InvalidValueError, tarballFileName } from '@registry/types'
import { isSystemError, PackageTooLargeError, UnwritableError } from './errors.ts'
import { gzip } from './gzip.ts'
import { PACKING_LIMITS, type PackingLimits } from './limits.ts'
import { type OpenedSource, openSource } from './source.ts'
import { type TarSource, writeTar } from './tar.ts'
import { inspectTarball, type ReleaseFields, type TarballSource } from './tarball.ts'

export interface PackOptions extends AbortOptions {
  /** Pack under this version rather than the manifest's, which is rewritten in the tarball. */
  version?: string
  /**
   * Where the tarball gets a folder of its own.
   * @default the system's folder for temporary files
   */
  tmpDir?: string
  /** Narrower bounds than `PACKING_LIMITS`. */
  limits?: Partial<PackingLimits>
}

export interface PackedPackage {
  /** The tarball on disk, `name-version.tgz`. It is the caller's, and so is the folder made for it. */
  path: string
  /** What was read back from it. */
  release: ReleaseFields
}

/**
 * Packs a folder. The same files give the same tarball, byte for byte, on every machine and at every time: sorted by the
 * bytes of their paths, without owners and dates, the mode 755 for what its owner may execute and else 644, compressed by
 * code that comes with this package. No script of the package is run.
 *
 * @throws as `inspectTarball`; ERR_SOURCE_CHANGED (retryable), a file changed meanwhile; ERR_INVALID_VALUE, no folder;
 *   ERR_STORAGE, the disk refused the tarball
 */
export async function packPackage(folder: string, options: PackOptions = {}): Promise<PackedPackage> {
  const opened = await openSource({ kind: 'path', path: folder }, options)
  if (opened.kind === 'tarball') throw new InvalidValueError('folder', 'is a file')
  const { home, path } = await writePackage(opened, options)
  try {
    return { path, release: await inspectTarball(path, options) }
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
}

/** Up to so many bytes of files are packed in memory: a file would take longer to make and remove than to fill. */
const IN_MEMORY_BYTES = 1024 ** 2

/** Runs `use` with the tarball of an opened source, packed if it has to be, and removes what was packed for it. */
export async function withTarball<T>(
  opened: OpenedSource,
  options: PackOptions,
  use: (tarball: TarballSource) => Promise<T>
): Promise<T> {
  if (opened.kind === 'tarball') return use(opened.tarball)
  const size = opened.files.reduce((sum, file) => sum + file.size, 0)
  if (size <= IN_MEMORY_BYTES) return use(await Array.fromAsync(packFiles(opened.files, options)))
  const { home, path } = await writePackage(opened, options)
  try {
    return await use(path)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

async function writePackage(
  { manifest, files }: Extract<OpenedSource, { kind: 'files' }>,
  options: PackOptions
): Promise<{ home: string; path: string }> {
  const { tmpDir = tmpdir(), signal } = options
  const home = await makeHome(tmpDir)
  const path = join(home, tarballFileName(manifest.name, manifest.version))
  try {
    // Opened here, since a stream that opens it by itself may do so after its folder was removed.
    const output = await open(path, 'wx')
    await pipeline(
      packFiles(files, options),
      output.createWriteStream(),
      signal === undefined ? {} : { signal }
    )
    return { home, path }
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    signal?.throwIfAborted()
    throw isSystemError(error) ? new UnwritableError(path, error) : error
  }
}

async function makeHome(tmpDir: string): Promise<string> {
  try {
    await mkdir(tmpDir, { recursive: true, mode: 0o700 })
    return await mkdtemp(join(tmpDir, 'package-'))
  } catch (error) {
    throw isSystemError(error) ? new UnwritableError(tmpDir, error) : error
  }
}

/** Under npm's top folder, ordered by the bytes of their paths, which no locale and no file system changes. */
function inTarOrder(files: readonly TarSource[]): TarSource[] {
  return files
    .map((file) => ({ ...file, path: `package/${file.path}`, bytes: Buffer.from(file.path) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
}

async function* packFiles(
  files: readonly TarSource[],
  { limits, signal }: PackOptions
): AsyncGenerator<Uint8Array> {
  const { maxPackageBytes } = { ...PACKING_LIMITS, ...limits }
  let size = 0
  for await (const chunk of gzip(writeTar(inTarOrder(files)))) {
    signal?.throwIfAborted()
    size += chunk.length
    if (size > maxPackageBytes) throw new PackageTooLargeError('The tarball', maxPackageBytes, 'bytes')
    yield chunk
  }
}
