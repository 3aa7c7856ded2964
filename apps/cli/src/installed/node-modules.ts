import type { Dirent } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseMap } from '@registry/types'

/** A package as it lies in a `node_modules`. */
export interface InstalledFolder {
  /** From the folder of the project. */
  path: string
  /** By which it is required: its folder's. */
  folderName: string
  /** What its manifest says. */
  name: string
  version: string
}

/** Where pnpm, bun and yarn keep packages that `node_modules` only links to. */
const STORES = ['.pnpm', '.bun', '.store']

/** Every package in the `node_modules` of a project, links not followed, and those left out that another one brought with it. */
export async function* installedFolders(
  project: string,
  modules = 'node_modules',
  bundled: ReadonlySet<string> = new Set()
): AsyncGenerator<InstalledFolder> {
  for (const entry of await foldersIn(join(project, modules))) {
    const path = `${modules}/${entry.name}`
    if (STORES.includes(entry.name)) {
      for (const { name } of await foldersIn(join(project, path))) {
        yield* installedFolders(project, `${path}/${name}/node_modules`)
      }
    } else if (entry.name.startsWith('@')) {
      for (const { name } of await foldersIn(join(project, path))) {
        yield* installedFolder(project, `${path}/${name}`, `${entry.name}/${name}`, bundled)
      }
    } else if (!entry.name.startsWith('.')) {
      yield* installedFolder(project, path, entry.name, bundled)
    }
  }
}

async function* installedFolder(
  project: string,
  path: string,
  folderName: string,
  bundled: ReadonlySet<string>
): AsyncGenerator<InstalledFolder> {
  if (bundled.has(folderName)) return
  const manifest = await readManifest(join(project, path))
  if (manifest === undefined) return
  const { name, version, bundleDependencies = manifest.bundledDependencies } = manifest
  if (typeof name === 'string' && typeof version === 'string') yield { path, folderName, name, version }
  const brought = Array.isArray(bundleDependencies) ? bundleDependencies.map(String) : []
  yield* installedFolders(project, `${path}/node_modules`, new Set(brought))
}

async function foldersIn(path: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))
  } catch {
    // Most packages have none in them.
    return []
  }
}

async function readManifest(folder: string): Promise<Record<string, unknown> | undefined> {
  try {
    return parseMap(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')), 'package.json')
  } catch {
    // A folder without one is no package.
    return undefined
  }
}
