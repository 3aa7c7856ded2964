import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import semver from 'semver'

/** A package as it was installed from some registry: its files, and what it says of itself. */
export interface RealPackage {
  folder: string
  manifest: Manifest
  /** Of all its files. */
  bytes: number
}

interface Manifest {
  name: string
  version: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
  scripts?: Record<string, string>
  os?: string[]
  cpu?: string[]
  libc?: string[]
}

const store = join(import.meta.dirname, '../../node_modules/.pnpm')
/** Programs for one platform, which are most of what is larger, would make it a test of the disk. */
const MAX_BYTES = 8 * 1024 ** 2
const SCRIPTS = ['preinstall', 'install', 'postinstall']

/**
 * The packages that this repository needs itself, as the package manager's store has them: those that need nothing that is not
 * among them, are for every platform, and run nothing when they are installed. By name and version.
 */
export async function realPackages(): Promise<RealPackage[]> {
  const found = new Map<string, RealPackage>()
  for (const entry of await readdir(store)) {
    for (const folder of await packageFolders(join(store, entry, 'node_modules'))) {
      const read = await readPackage(folder)
      if (read !== undefined) found.set(`${read.manifest.name}@${read.manifest.version}`, read)
    }
  }
  let packages = [...found.values()]
  for (;;) {
    const complete = packages.filter(({ manifest }) => {
      return needs(manifest).every(([name, range]) => bestOf(packages, name, range) !== undefined)
    })
    if (complete.length === packages.length) break
    packages = complete
  }
  return packages.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

/** A project that needs at least `count` of the packages, and which ones it is installed with. */
export interface RealTree {
  dependencies: Record<string, string>
  packages: RealPackage[]
}

/** What is needed anyhow, and the first packages that will do, with what they need. */
export function treeOf(
  packages: readonly RealPackage[],
  count: number,
  needed: Readonly<Record<string, string>> = {}
): RealTree {
  const dependencies: Record<string, string> = {}
  const reached = new Set<RealPackage>()
  const reach = (one: RealPackage | undefined): void => {
    if (one === undefined || reached.has(one)) return
    reached.add(one)
    for (const [name, range] of needs(one.manifest)) reach(bestOf(packages, name, range))
  }
  for (const [name, range] of Object.entries(needed)) reach(bestOf(packages, name, range))
  for (const one of packages) {
    if (reached.size >= count) break
    const { name, version } = one.manifest
    if (reached.has(one) || dependencies[name] !== undefined) continue
    dependencies[name] = version
    reach(one)
  }
  return { dependencies, packages: [...reached] }
}

function keyOf({ manifest }: RealPackage): string {
  return `${manifest.name}@${manifest.version}`
}

/** Everything that an installation of it looks for. */
function needs(manifest: Manifest): Array<[name: string, range: string]> {
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = manifest
  const peers = Object.entries(peerDependencies ?? {}).filter(
    ([name]) => !peerDependenciesMeta?.[name]?.optional
  )
  return [...Object.entries({ ...dependencies, ...optionalDependencies }), ...peers]
}

function bestOf(packages: readonly RealPackage[], name: string, range: string): RealPackage | undefined {
  return packages
    .filter(({ manifest }) => manifest.name === name && semver.satisfies(manifest.version, range))
    .sort((a, b) => semver.rcompare(a.manifest.version, b.manifest.version))[0]
}

/** The folders of packages right in a `node_modules`, not those that are only links to others. */
async function packageFolders(modules: string): Promise<string[]> {
  const entries = await readdir(modules, { withFileTypes: true }).catch(() => [])
  const folders = await Promise.all(
    entries.map(async (entry) => {
      const path = join(modules, entry.name)
      if (!entry.isDirectory()) return []
      return entry.name.startsWith('@') ? packageFolders(path) : [path]
    })
  )
  return folders.flat()
}

async function readPackage(folder: string): Promise<RealPackage | undefined> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const manifest: Manifest = JSON.parse(text)
  const { name, version, scripts, os, cpu, libc } = manifest
  if (typeof name !== 'string' || typeof version !== 'string') return undefined
  if (os !== undefined || cpu !== undefined || libc !== undefined) return undefined
  if (SCRIPTS.some((script) => scripts?.[script] !== undefined)) return undefined
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  if (files.some((file) => file.name === 'binding.gyp' || file.isSymbolicLink())) return undefined
  const sizes = await Promise.all(
    files
      .filter((file) => file.isFile())
      .map(async (file) => (await stat(join(file.parentPath, file.name))).size)
  )
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  return bytes > MAX_BYTES ? undefined : { folder, manifest, bytes }
}
