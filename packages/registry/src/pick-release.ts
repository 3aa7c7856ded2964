import type { ReleaseRecord } from '@registry/types'
import semver from 'semver'

/**
 * The release that a range means, of all releases of a package, newest version first. As npm: without a range the newest
 * that is no pre-release, else the newest; a pre-release fits a range only that names one of the same version. An exact
 * version is matched to the letter, its build metadata included, before it is taken for a range.
 */
export function pickRelease(releases: readonly ReleaseRecord[], range?: string): ReleaseRecord | undefined {
  if (range === undefined || semver.validRange(range) === '*') {
    return releases.find(({ release }) => semver.prerelease(release.version) === null) ?? releases[0]
  }
  return (
    releases.find(({ release }) => release.version === range) ??
    releases.find(({ release }) => semver.satisfies(release.version, range))
  )
}
