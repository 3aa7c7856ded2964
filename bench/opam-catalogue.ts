import { corpusPath, readCorpusReleases, seededOwnerId } from '@registry/testing'
import { compareVersions, parsePackageName, parseVersion, type Version } from '@registry/types'
import type { PackageDocument } from './package-documents.ts'
import { seededRandom } from './random.ts'

const OWNERS = 512
const YEAR_MS = 365 * 24 * 60 * 60 * 1000
const NEWEST_MS = Date.UTC(2026, 7, 22)

/**
 * The packages of the real opam catalogue, and how many releases it has. How old a package is, the catalogue does not say;
 * so the times are made up, as are providers, which follow the real dependents.
 *
 * @throws where the catalogue is absent
 */
export async function opamPackages(): Promise<{ packages: PackageDocument[]; releases: number }> {
  const path = corpusPath('opam')
  if (path === undefined) {
    throw new Error('The opam catalogue is absent. Hint: set REGISTRY_CORPUS_DIR to where opam.jsonl.gz is.')
  }
  const releases = await readCorpusReleases(path)
  const newest = new Map<string, (typeof releases)[number]>()
  for (const release of releases) {
    const { name = '' } = release
    const best = newest.get(name)
    if (best === undefined || isNewer(versionOf(release), versionOf(best))) newest.set(name, release)
  }
  const dependents = new Map<string, number>()
  for (const { dependencies } of newest.values()) {
    for (const name of Object.keys(dependencies ?? {})) dependents.set(name, (dependents.get(name) ?? 0) + 1)
  }
  const random = seededRandom(1)
  const packages = [...newest].map(([name, release], at): PackageDocument => {
    const own = dependents.get(name) ?? 0
    return {
      package: at + 1,
      owner: seededOwnerId(at % OWNERS),
      name: parsePackageName(name),
      description: release.description ?? '',
      category: 'uncategorized',
      tags: [...(release.tags ?? [])],
      keywords: [],
      ...(release.license === undefined ? {} : { license: release.license }),
      updatedAtMs: NEWEST_MS - Math.floor(random() * 5 * YEAR_MS),
      dependents: own,
      providers: 1 + Math.floor(random() * (own + 1)),
      trust: 0
    }
  })
  return { packages, releases: releases.length }
}

function versionOf({ version = '' }: { version?: string }): Version {
  return parseVersion(version)
}

/** What is no pre-release goes before what is one. */
function isNewer(one: Version, other: Version): boolean {
  const [early, otherEarly] = [one, other].map((version) => version.split('+', 1)[0]?.includes('-'))
  return early === otherEarly ? compareVersions(one, other) > 0 : otherEarly === true
}
