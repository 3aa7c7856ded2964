import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type AbortOptions, InvalidValueError, type PublishSource, parseVersion } from '@registry/types'
import { EntryPaths } from './entry-paths.ts'
import { isSystemError, NoManifestError, SourceUnreadableError } from './errors.ts'
import { folderFiles, readManifest } from './folder.ts'
import { PACKING_LIMITS } from './limits.ts'
import { MANIFEST_FILES, type ManifestFile, parseManifest, withVersion } from './manifest.ts'
import type { ManifestFields } from './manifest-format.ts'
import type { TarSource } from './tar.ts'
import type { TarballSource } from './tarball.ts'

/** What is to be published, before any work: a tarball, or files to pack whose manifest is already known. */
export type OpenedSource =
  | { kind: 'tarball'; tarball: TarballSource }
  | { kind: 'files'; manifest: ManifestFields; files: TarSource[] }

/**
 * Finds out what a source is and reads its manifest; of a folder, lists the files that belong to the package.
 *
 * @throws ERR_INVALID_VALUE, a version was given for a tarball, which is published as it is
 */
export async function openSource(
  source: PublishSource,
  options: AbortOptions & { version?: string } = {}
): Promise<OpenedSource> {
  if (source.kind === 'files') return openFiles(source.files, options.version)
  if (source.kind === 'path' && (await isFolder(source.path)))
    return openFolder(resolve(source.path), options)
  if (options.version !== undefined) {
    throw new InvalidValueError('version', 'cannot be given for a tarball, which is published as it is')
  }
  return { kind: 'tarball', tarball: source.kind === 'path' ? source.path : [source.bytes] }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw new SourceUnreadableError(path, error)
  }
}

async function openFolder(
  folder: string,
  options: AbortOptions & { version?: string }
): Promise<OpenedSource> {
  try {
    const { file, bytes } = await readManifest(folder)
    const { manifest, replacement } = readAs(file, bytes, options.version)
    const files = await folderFiles(folder, file, options)
    return {
      kind: 'files',
      manifest,
      files: files.map((source) => (source.path === file ? replacement : source))
    }
  } catch (error) {
    throw isSystemError(error) ? new SourceUnreadableError(folder, error) : error
  }
}

function openFiles(contents: Readonly<Record<string, Uint8Array | string>>, version?: string): OpenedSource {
  const files = new Map<string, TarSource>()
  const paths = new EntryPaths(PACKING_LIMITS)
  for (const [path, content] of Object.entries(contents)) {
    paths.addFile(path)
    files.set(path, inMemory(path, typeof content === 'string' ? Buffer.from(content) : content))
  }
  const file = MANIFEST_FILES.find((name) => files.has(name))
  const written = file === undefined ? undefined : contents[file]
  if (file === undefined || written === undefined) throw new NoManifestError('The package', MANIFEST_FILES)
  const { manifest, replacement } = readAs(
    file,
    typeof written === 'string' ? Buffer.from(written) : written,
    version
  )
  files.set(file, replacement)
  return { kind: 'files', manifest, files: [...files.values()] }
}

function readAs(
  file: ManifestFile,
  bytes: Uint8Array,
  version: string | undefined
): { manifest: ManifestFields; replacement: TarSource } {
  const content = version === undefined ? bytes : withVersion(file, bytes, parseVersion(version))
  return { manifest: parseManifest(file, content), replacement: inMemory(file, content) }
}

function inMemory(path: string, bytes: Uint8Array): TarSource {
  return {
    path,
    size: bytes.length,
    executable: false,
    async *content() {
      yield bytes
    }
  }
}
