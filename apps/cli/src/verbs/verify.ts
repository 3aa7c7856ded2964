import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ControlClient } from '@registry/control'
import { type AbortOptions, formatPackageReference, isRegistryError, type OwnerId } from '@registry/types'
import type { Command } from 'commander'
import { withTempDir } from '../download.ts'
import { type InstalledPackage, NotVerifiedError, readInstallation } from '../installed-packages.ts'
import { print, printJson, table } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

/**
 * `signed`: its owner signed this very tarball, and the files are those in it. `unknown`: no owner here has this version, as
 * when it comes from another registry. The rest are faults.
 */
type Outcome = 'signed' | 'unknown' | 'no hash' | 'another tarball' | 'changed files'

interface Verified extends InstalledPackage {
  outcome: Outcome
  owner?: OwnerId
  /** What is not as in the tarball. */
  files?: string[]
}

export function verifyVerb(): Command {
  const command = verb('verify [path]', {
    summary: 'Compare what npm has installed with what its owners signed.',
    details:
      'Of a folder, its node_modules: for each package, that its owner signed the tarball that the lock names, and that every file of the tarball lies there unchanged. Of a folder without them, or of a package-lock.json, the tarballs alone. Fails when one is not so.',
    example: 'registry verify .'
  })
  return does<[string | undefined], CommonOptions>(command, async (options, signal, path = '.') => {
    const client = await connectToPeer(options, { signal })
    const { lockfile, folder, packages } = await readInstallation(resolve(path))
    const results: Verified[] = []
    for (const one of packages) results.push(await verify(client, one, folder, { signal }))
    const faults = results.filter(({ outcome }) => outcome !== 'signed' && outcome !== 'unknown')
    const count = (wanted: Outcome): number => results.filter(({ outcome }) => outcome === wanted).length
    if (options.json) {
      printJson({ lockfile, signed: count('signed'), unknown: count('unknown'), faults, packages: results })
    } else {
      if (faults.length > 0) {
        const rows = faults.map((one) => [one.path, one.version, one.outcome, (one.files ?? []).join(', ')])
        print(...table(['PACKAGE', 'VERSION', 'FAULT', 'FILES'], rows))
      }
      print(
        `${count('signed')} signed by their owners, ${count('unknown')} not of this registry, ${faults.length} not as signed`
      )
    }
    if (faults.length > 0) throw new NotVerifiedError(faults.length)
  })
}

async function verify(
  client: ControlClient,
  installed: InstalledPackage,
  folder: string | undefined,
  options: Required<AbortOptions>
): Promise<Verified> {
  const { parseNpmName } = await import('@registry/gateway')
  const { version, integrity } = installed
  const found = async (): Promise<Awaited<ReturnType<ControlClient['details']>>> => {
    try {
      return await client.details(formatPackageReference(parseNpmName(installed.name)), options)
    } catch (error) {
      const isNone = ['ERR_INVALID_NAME', 'ERR_AMBIGUOUS_NAME'] as const
      if (isNone.some((code) => isRegistryError(error, code))) return undefined
      throw error
    }
  }
  const releases = (await found())?.versions.filter((release) => release.version === version) ?? []
  const [any] = releases
  if (any === undefined) return { ...installed, outcome: 'unknown' }
  const { owner, name } = any
  if (integrity === undefined) return { ...installed, owner, outcome: 'no hash' }
  if (!releases.some((release) => integrity.split(/\s+/).includes(release.integrity))) {
    return { ...installed, owner, outcome: 'another tarball' }
  }
  if (folder === undefined) return { ...installed, owner, outcome: 'signed' }
  const reference = formatPackageReference({ owner, name, range: version })
  const files = await changedFiles(client, reference, integrity, join(folder, installed.path), options)
  return files.length === 0
    ? { ...installed, owner, outcome: 'signed' }
    : { ...installed, owner, outcome: 'changed files', files }
}

/** Files of a tarball that lie in a folder otherwise, or not at all. What a build has added is not looked at. */
async function changedFiles(
  client: ControlClient,
  reference: string,
  integrity: string,
  folder: string,
  options: Required<AbortOptions>
): Promise<string[]> {
  const { unpackTarball } = await import('@registry/registry')
  return withTempDir(async (temp) => {
    const fetched = await client.get(reference, { ...options, integrity })
    if (fetched === undefined) return ['all of them: the tarball is gone']
    const signed = join(temp, 'signed')
    await unpackTarball(fetched.content(options), signed, options)
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
