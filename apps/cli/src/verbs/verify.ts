import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ControlClient } from '@registry/control'
import {
  type AbortOptions,
  formatPackageReference,
  isOwnerId,
  isRegistryError,
  type OwnerId,
  type Package,
  type PackageReference
} from '@registry/types'
import type { Command } from 'commander'
import { withTempDir } from '../download.ts'
import { NotVerifiedError, readInstallation } from '../installed/installation.ts'
import type { InstalledPackage } from '../installed/installed-package.ts'
import { print, printJson, table } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

/**
 * `signed`: its owner signed this very tarball, and the files are those in it. `unknown`: nobody here has a package of this
 * name, as when it comes from another registry. The rest are faults.
 */
type Outcome = 'signed' | 'unknown' | 'no such release' | 'no hash' | 'another tarball' | 'changed files'

interface Verified extends InstalledPackage {
  outcome: Outcome
  owner?: OwnerId
  /** What is not as in the tarball. */
  files?: string[]
}

interface Place extends Required<AbortOptions> {
  client: ControlClient
  /** Of the project, when its packages are there to be looked at. */
  folder: string | undefined
}

export function verifyVerb(): Command {
  const command = verb('verify [path]', {
    summary: 'Compare what npm, pnpm, yarn or bun has installed with what its owners signed.',
    details:
      'Of a folder, its node_modules: for each package, that its owner signed the tarball that the lock names, and that every file of the tarball lies there unchanged. Of a folder without them, or of a lockfile, the tarballs alone; yarn.lock has their hashes up to yarn 1 only. Fails when one is not so.',
    example: 'registry verify .'
  })
  return does<[string | undefined], CommonOptions>(command, async (options, signal, path = '.') => {
    const client = await connectToPeer(options, { signal })
    const { lockfile, folder, packages } = await readInstallation(resolve(path))
    const results: Verified[] = []
    for (const one of packages) results.push(await verify(one, { client, folder, signal }))
    const faults = results.filter(({ outcome }) => outcome !== 'signed' && outcome !== 'unknown')
    const count = (wanted: Outcome): number => results.filter(({ outcome }) => outcome === wanted).length
    if (options.json) {
      printJson({ lockfile, signed: count('signed'), unknown: count('unknown'), faults, packages: results })
    } else {
      if (faults.length > 0) {
        const rows = faults.map((one) => [
          one.path ?? one.name,
          one.version,
          one.outcome,
          (one.files ?? []).join(', ')
        ])
        print(...table(['PACKAGE', 'VERSION', 'FAULT', 'FILES'], rows))
      }
      print(
        `${count('signed')} signed by their owners, ${count('unknown')} not of this registry, ${faults.length} not as signed`
      )
    }
    if (faults.length > 0) throw new NotVerifiedError(faults.length)
  })
}

async function verify(installed: InstalledPackage, place: Place): Promise<Verified> {
  const { version, integrity } = installed
  const reference = await referenceOf(installed, place.client.url)
  if (reference === undefined) return { ...installed, outcome: 'unknown' }
  const known = await releasesOf(reference, place)
  if (known === undefined && reference.owner === undefined) return { ...installed, outcome: 'unknown' }
  const releases = (known ?? []).filter((release) => release.version === version)
  const [any] = releases
  if (any === undefined) return { ...installed, outcome: 'no such release' }
  if (integrity === undefined && installed.path === undefined) {
    return { ...installed, owner: any.owner, outcome: 'no hash' }
  }
  const hashes = integrity?.split(/\s+/)
  const fitting = releases.filter((release) => hashes?.includes(release.integrity) ?? true)
  const [first = any] = fitting
  if (fitting.length === 0) return { ...installed, owner: any.owner, outcome: 'another tarball' }
  if (place.folder === undefined || installed.path === undefined) {
    return { ...installed, owner: first.owner, outcome: 'signed' }
  }
  const folder = join(place.folder, installed.path)
  let files: string[] = []
  // Without a hash, of several owners' packages of one name any may be the one that is installed.
  for (const release of fitting) {
    files = await changedFiles(release, folder, place)
    if (files.length === 0) return { ...installed, owner: release.owner, outcome: 'signed' }
  }
  return { ...installed, owner: first.owner, outcome: 'changed files', files }
}

/**
 * The package that is meant: that of the owner in the address of its tarball, else what its name means. Undefined when that can
 * be nobody's here: it is no name, or this very peer has it from another registry.
 */
async function referenceOf(
  { name, address }: InstalledPackage,
  peerUrl: string
): Promise<PackageReference | undefined> {
  const { parseNpmName } = await import('@registry/gateway')
  try {
    const named = parseNpmName(name)
    if (named.owner !== undefined || address === undefined) return named
    const [, owner = '', rest] = /\/@([^/]+)\/([^/]+)\/-\/[^/]+$/.exec(address) ?? []
    if (isOwnerId(owner)) return parseNpmName(`@${owner}/${rest}`)
    return address.startsWith(`${peerUrl}/`) ? undefined : named
  } catch (error) {
    if (isRegistryError(error, 'ERR_INVALID_NAME')) return undefined
    throw error
  }
}

/** All releases of a package, or of all that a name may mean; undefined when there is none. */
async function releasesOf(
  reference: PackageReference,
  { client, signal }: Place
): Promise<Package[] | undefined> {
  try {
    return (await client.details(formatPackageReference(reference), { signal }))?.versions
  } catch (error) {
    // Whose it is cannot be told, so nobody has signed it.
    if (isRegistryError(error, 'ERR_DOMAIN_UNPROVEN')) return []
    if (!isRegistryError(error, 'ERR_AMBIGUOUS_NAME')) throw error
    const { candidates } = error.details ?? {}
    const references = Array.isArray(candidates) ? candidates.map(String) : []
    const all = await Promise.all(references.map((one) => client.details(one, { signal })))
    return all.flatMap((details) => details?.versions ?? [])
  }
}

/** Files of a tarball that lie in a folder otherwise, or not at all. What a build has added is not looked at. */
async function changedFiles(
  { owner, name, version, integrity }: Package,
  folder: string,
  { client, signal }: Place
): Promise<string[]> {
  const { unpackTarball } = await import('@registry/registry')
  return withTempDir(async (temp) => {
    const reference = formatPackageReference({ owner, name, range: version })
    const fetched = await client.get(reference, { signal, integrity })
    if (fetched === undefined) return ['all of them: the tarball is gone']
    const signed = join(temp, 'signed')
    await unpackTarball(fetched.content({ signal }), signed, { signal })
    const entries = await readdir(signed, { recursive: true, withFileTypes: true })
    const changed: string[] = []
    for (const entry of entries) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name).slice(signed.length + 1)
      const [expected, actual] = await Promise.all([
        readFile(join(signed, path)),
        readFile(join(folder, path)).catch(() => undefined)
      ])
      if (actual === undefined || !expected.equals(actual)) changed.push(path)
    }
    return changed.sort()
  })
}
