import type { BlobInfo, Catalogue, OwnerId, PackageName, ReleaseRecord } from '@registry/types'
import type { Choice } from './pick-release.ts'

/** What this peer has of one package. */
export interface FoundPackage extends Choice {
  owner: OwnerId
  name: PackageName
  /** Newest version first, those unpublished left out; never empty. */
  releases: readonly ReleaseRecord[]
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
  const releases = catalogue.releases(owner, name).filter(({ unpublished }) => !unpublished)
  if (releases.length === 0) return undefined
  const latest = catalogue.latest(owner, name)
  const found = { owner, name, releases, ...catalogue.state(owner, name) }
  return latest === undefined ? found : { ...found, latest }
}
