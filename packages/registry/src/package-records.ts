import {
  type BlobInfo,
  type Catalogue,
  type OwnerId,
  type PackageName,
  parseVersion,
  type ReleaseRecord,
  type Version
} from '@registry/types'
import semver from 'semver'
import type { Choice } from './pick-release.ts'

/** What this peer has of one package. */
export interface FoundPackage extends Choice {
  owner: OwnerId
  name: PackageName
  /** Newest version first, those unpublished left out; never empty. */
  releases: readonly ReleaseRecord[]
  /** Versions that were there, newest first. */
  unpublished: Version[]
  /** The release that stands for it. */
  latest?: ReleaseRecord
  readme?: BlobInfo
}

/** Undefined when nothing of it is published. */
export function readPackage(
  catalogue: Catalogue,
  owner: OwnerId,
  name: PackageName
): FoundPackage | undefined {
  const all = catalogue.releases(owner, name)
  const releases = all.filter(({ unpublished }) => !unpublished)
  if (releases.length === 0) return undefined
  const gone = all.filter(({ unpublished }) => unpublished)
  const unpublished = [...new Set(gone.map(({ release }) => release.version))]
  const latest = catalogue.latest(owner, name)
  const found = { owner, name, releases, unpublished, ...catalogue.state(owner, name) }
  return latest === undefined ? found : { ...found, latest }
}

/** What is needed to choose one release. */
export interface FoundReleases extends Choice {
  /** The release that stands for the package. */
  latest?: ReleaseRecord
}

/**
 * As `readPackage`, but of the exact version that a range names, if it names one that is there, no other is read: a package may
 * have thousands. Tags are left out then.
 */
export function readReleases(
  catalogue: Catalogue,
  owner: OwnerId,
  name: PackageName,
  range?: string
): FoundReleases | undefined {
  if (range === undefined || semver.valid(range) !== range) return readPackage(catalogue, owner, name)
  const releases = catalogue.releases(owner, name, parseVersion(range))
  if (!releases.some(({ unpublished }) => !unpublished)) return readPackage(catalogue, owner, name)
  const latest = catalogue.latest(owner, name)
  return latest === undefined ? { releases, distTags: {} } : { releases, distTags: {}, latest }
}
