import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AbortOptions } from '@registry/types'
import ignore, { type Ignore } from 'ignore'
import { entryKind } from './entry-kind.ts'
import { EntryPaths } from './entry-paths.ts'
import {
  hasCode,
  NoManifestError,
  PackageTooLargeError,
  SourceChangedError,
  SourceUnreadableError,
  UnsafeEntryError
} from './errors.ts'
import { PACKING_LIMITS } from './limits.ts'
import { MANIFEST_FILES, type ManifestFile } from './manifest.ts'
import { npmFiles } from './npm-files.ts'
import type { TarSource } from './tar.ts'

const READ_BYTES = 64 * 1024
const IGNORE_FILE = '.registryignore'
const NEVER_PACKED = new Set(['.git', 'node_modules', '.DS_Store'])

/** The manifest at the top of a folder. @throws ERR_NO_MANIFEST, ERR_UNSAFE_ENTRY, ERR_TOO_LARGE */
export async function readManifest(folder: string): Promise<{ file: ManifestFile; bytes: Uint8Array }> {
  const names = new Set(await readdir(folder))
  const file = MANIFEST_FILES.find((name) => names.has(name))
  if (file === undefined) throw new NoManifestError(folder, MANIFEST_FILES)
  return { file, bytes: await readWhole(folder, file) }
}

/**
 * The files of a package in a folder: with a package.json those that npm would take, with any other manifest all but
 * `.git`, `node_modules`, `.DS_Store` and what `.registryignore` names in the syntax of `.gitignore`.
 *
 * @throws ERR_UNSAFE_ENTRY, ERR_UNSAFE_PATH, ERR_TOO_LARGE
 */
export async function folderFiles(
  folder: string,
  manifest: ManifestFile,
  options: AbortOptions
): Promise<TarSource[]> {
  const paths =
    manifest === 'package.json' ? await npmFiles(folder) : await allFiles(folder, manifest, options)
  if (paths.length > PACKING_LIMITS.maxEntries) {
    throw new PackageTooLargeError('Its contents', PACKING_LIMITS.maxEntries, 'files')
  }
  const checked = new EntryPaths(PACKING_LIMITS)
  const realFolders = new Set(['.'])
  const files: TarSource[] = []
  for (const path of paths) {
    options.signal?.throwIfAborted()
    checked.addFile(path)
    await refuseLinkedFolders(folder, path, realFolders)
    files.push(await fileSource(folder, path))
  }
  return files
}

async function allFiles(folder: string, manifest: ManifestFile, options: AbortOptions): Promise<string[]> {
  const rules = ignore({ ignorecase: false }).add(await ignoreRules(folder))
  const paths: string[] = []
  const walk = async (prefix: string): Promise<void> => {
    for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
      options.signal?.throwIfAborted()
      const path = `${prefix}${entry.name}`
      if (NEVER_PACKED.has(entry.name) || (path !== manifest && isIgnored(rules, path, entry.isDirectory())))
        continue
      if (entry.isDirectory()) await walk(`${path}/`)
      else if (entry.isFile()) paths.push(path)
      else throw new UnsafeEntryError(path, entryKind(entry))
      if (paths.length > PACKING_LIMITS.maxEntries) return
    }
  }
  await walk('')
  return paths
}

async function ignoreRules(folder: string): Promise<string> {
  try {
    return Buffer.from(await readWhole(folder, IGNORE_FILE)).toString()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    throw error
  }
}

/** A file that is small, or refused. */
async function readWhole(folder: string, path: string): Promise<Uint8Array> {
  const { maxManifestBytes } = PACKING_LIMITS
  const { size, content } = await fileSource(folder, path)
  if (size > maxManifestBytes) throw new PackageTooLargeError(path, maxManifestBytes, 'bytes')
  return Buffer.concat(await Array.fromAsync(content()))
}

function isIgnored(rules: Ignore, path: string, isFolder: boolean): boolean {
  return rules.ignores(isFolder ? `${path}/` : path)
}

/** npm's rules may name a file through a folder that is a link, out of the package. */
async function refuseLinkedFolders(folder: string, path: string, real: Set<string>): Promise<void> {
  const unknown: string[] = []
  for (let parent = dirname(path); !real.has(parent); parent = dirname(parent)) unknown.push(parent)
  for (const parent of unknown.reverse()) {
    const kind = entryKind(await lstat(join(folder, parent)))
    if (kind !== 'a folder') throw new UnsafeEntryError(parent, kind)
    real.add(parent)
  }
}

/** One file on disk. It is not held open, and refused if it is no longer the same when it is read. */
async function fileSource(folder: string, path: string): Promise<TarSource> {
  const stat = await lstat(join(folder, path))
  if (!stat.isFile()) throw new UnsafeEntryError(path, entryKind(stat))
  return {
    path,
    size: stat.size,
    executable: (stat.mode & 0o100) !== 0,
    async *content() {
      let file: FileHandle
      try {
        file = await open(join(folder, path), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR')) throw new SourceChangedError(path)
        throw new SourceUnreadableError(join(folder, path), error)
      }
      try {
        const now = await file.stat()
        if (now.ino !== stat.ino || now.size !== stat.size) throw new SourceChangedError(path)
        for (let remaining = stat.size; remaining > 0; ) {
          const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(READ_BYTES, remaining)))
          if (bytesRead === 0) throw new SourceChangedError(path)
          remaining -= bytesRead
          yield buffer.subarray(0, bytesRead)
        }
        if ((await file.stat()).mtimeMs !== stat.mtimeMs) throw new SourceChangedError(path)
      } finally {
        await file.close()
      }
    }
  }
}
