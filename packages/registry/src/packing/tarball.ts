import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { type AbortOptions, isRegistryError, type NpmFields, type Release } from '@registry/types'
import { EntryPaths } from './entry-paths.ts'
import {
  CorruptTarballError,
  hasCode,
  InvalidManifestError,
  NoManifestError,
  PackageTooLargeError,
  SourceUnreadableError,
  UnsafePathError
} from './errors.ts'
import { PACKING_LIMITS, type PackingLimits } from './limits.ts'
import { isManifestFile, MANIFEST_FILES, type ManifestFile, parseManifest } from './manifest.ts'
import { checkRecordSize, type ManifestFields } from './manifest-format.ts'
import { type NpmHints, readNpmFields } from './npm-fields.ts'
import { readTar, type TarEntry } from './tar.ts'

/** A `.tgz` on disk by its path, or its bytes in pieces. */
export type TarballSource = string | AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export interface TarballOptions extends AbortOptions {
  /** Narrower bounds than `PACKING_LIMITS`. */
  limits?: Partial<PackingLimits>
}

/** All that a release says of a package but what needs an owner, a store or a clock. */
export type ReleaseFields = Omit<Release, 'owner' | 'content' | 'claimedAtMs'>

export interface TarballSummary {
  /** Bytes of the tarball. */
  size: number
  /** Of the tarball: `sha512-` and base64. */
  integrity: string
  /** sha1 of the tarball, hexadecimal. */
  shasum: string
  /** Bytes of the files in it. */
  unpackedSize: number
  fileCount: number
}

/**
 * Reads a tarball through once, as a stream: refuses what must not be published or unpacked, and gives the fields of the
 * release it would be. Holds one manifest and the set of paths in memory, whatever the size.
 *
 * @throws ERR_NO_MANIFEST, ERR_INVALID_MANIFEST, ERR_INVALID_NAME, ERR_INVALID_VERSION, ERR_UNSAFE_PATH, ERR_UNSAFE_ENTRY,
 *   ERR_TOO_LARGE, ERR_CORRUPT_TARBALL, ERR_SOURCE_UNREADABLE
 */
export async function inspectTarball(
  source: TarballSource,
  options: TarballOptions = {}
): Promise<ReleaseFields> {
  const { maxManifestBytes } = { ...PACKING_LIMITS, ...options.limits }
  const found = new Map<ManifestFile, Uint8Array>()
  const others = new Set<string>()
  const { shasum, ...summary } = await readTarball(
    source,
    async ({ path, size, content }) => {
      if (path === 'npm-shrinkwrap.json' || path === 'binding.gyp') others.add(path)
      if (!isManifestFile(path)) return
      if (size > maxManifestBytes) throw new PackageTooLargeError(path, maxManifestBytes, 'bytes')
      found.set(path, await collect(content, size))
    },
    options
  )
  for (const file of MANIFEST_FILES) {
    const bytes = found.get(file)
    if (bytes === undefined) continue
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const fields = parseManifest(file, bytes)
    const npm = npmFields(found.get('package.json'), fields, {
      shasum,
      hasShrinkwrap: others.has('npm-shrinkwrap.json'),
      hasBindingGyp: others.has('binding.gyp')
    })
    return {
      ...fields,
      ...summary,
      manifest: { file, sha256 },
      ...(npm === undefined ? {} : { npm })
    }
  }
  throw new NoManifestError(typeof source === 'string' ? source : 'The tarball', MANIFEST_FILES)
}

/** @throws {InvalidManifestError} ERR_INVALID_MANIFEST, it says more than fits into a record */
function npmFields(
  packageJson: Uint8Array | undefined,
  fields: ManifestFields,
  hints: NpmHints
): NpmFields | undefined {
  if (packageJson === undefined) return undefined
  try {
    const npm = readNpmFields(packageJson, fields, hints)
    if (npm !== undefined) checkRecordSize('package.json', { ...fields, npm })
    return npm
  } catch (error) {
    if (!isRegistryError(error, 'ERR_INVALID_VALUE')) throw error
    const { field, reason } = error.details
    throw new InvalidManifestError('package.json', [{ path: String(field), reason: String(reason) }], error)
  }
}

/**
 * Calls `visit` with each file in turn, its path without the top folder, after the checks that `inspectTarball` makes of
 * paths, kinds and sizes. A content that `visit` does not read is passed over.
 */
export async function readTarball(
  source: TarballSource,
  visit: (file: TarEntry) => Promise<void>,
  options: TarballOptions = {}
): Promise<TarballSummary> {
  const limits = { ...PACKING_LIMITS, ...options.limits }
  const paths = new EntryPaths(limits)
  const summary: TarballSummary = { size: 0, integrity: '', shasum: '', unpackedSize: 0, fileCount: 0 }
  const [sha512, sha1] = [createHash('sha512'), createHash('sha1')]
  const gunzip = createGunzip()
  let entries = 0
  let top: string | undefined
  try {
    await pipeline(
      measured(
        typeof source === 'string' ? createReadStream(source) : source,
        summary,
        [sha512, sha1],
        limits
      ),
      gunzip,
      async (unpacked: AsyncIterable<Uint8Array>) => {
        for await (const entry of readTar(bounded(unpacked, summary, limits))) {
          if (++entries > limits.maxEntries)
            throw new PackageTooLargeError('Its contents', limits.maxEntries, 'files')
          const slash = entry.path.indexOf('/')
          const folder = slash === -1 ? entry.path : entry.path.slice(0, slash)
          top ??= checkedTop(folder)
          if (folder !== top)
            throw new UnsafePathError(entry.path, `lies outside of ${JSON.stringify(top)}, the top folder`)
          if (entry.kind === 'folder') {
            if (slash !== -1) paths.addFolder(entry.path.slice(slash + 1))
            continue
          }
          if (slash === -1) throw new UnsafePathError(entry.path, 'lies in no folder')
          const path = entry.path.slice(slash + 1)
          paths.addFile(path)
          summary.fileCount++
          summary.unpackedSize += entry.size
          if (summary.unpackedSize > limits.maxUnpackedBytes) {
            throw new PackageTooLargeError('Its files together', limits.maxUnpackedBytes, 'bytes')
          }
          await visit({ ...entry, path })
        }
      },
      options.signal === undefined ? {} : { signal: options.signal }
    )
  } catch (error) {
    options.signal?.throwIfAborted()
    if (hasCode(error, 'Z_DATA_ERROR', 'Z_BUF_ERROR', 'Z_NEED_DICT', 'Z_STREAM_ERROR')) {
      throw new CorruptTarballError('it is not gzip, or damaged', error)
    }
    if (typeof source === 'string' && hasCode(error, 'ENOENT', 'EISDIR', 'EACCES', 'EPERM')) {
      throw new SourceUnreadableError(source, error)
    }
    throw error
  }
  if (entries === 0) throw new CorruptTarballError('it is empty')
  if (gunzip.bytesWritten !== summary.size) throw new CorruptTarballError('there is something after its end')
  summary.integrity = `sha512-${sha512.digest('base64')}`
  summary.shasum = sha1.digest('hex')
  return summary
}

/** The bytes of an entry whose size is known and bounded. */
async function collect(content: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size)
  let offset = 0
  for await (const chunk of content) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

function checkedTop(folder: string): string {
  new EntryPaths(PACKING_LIMITS).addFolder(folder)
  return folder
}

async function* measured(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  summary: TarballSummary,
  hashes: readonly Hash[],
  { maxPackageBytes }: PackingLimits
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    summary.size += chunk.length
    if (summary.size > maxPackageBytes)
      throw new PackageTooLargeError('The tarball', maxPackageBytes, 'bytes')
    for (const hash of hashes) hash.update(chunk)
    yield chunk
  }
}

async function* bounded(
  unpacked: AsyncIterable<Uint8Array>,
  summary: TarballSummary,
  { maxUnpackedBytes, maxRatio, ratioFreeBytes }: PackingLimits
): AsyncGenerator<Uint8Array> {
  let total = 0
  for await (const chunk of unpacked) {
    total += chunk.length
    if (total > maxUnpackedBytes)
      throw new PackageTooLargeError('What it unpacks to', maxUnpackedBytes, 'bytes')
    if (total > ratioFreeBytes && total > summary.size * maxRatio) {
      throw new PackageTooLargeError('What it unpacks to for each of its bytes', maxRatio, 'times')
    }
    yield chunk
  }
}
