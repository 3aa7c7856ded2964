import type { PackageReference, ReleaseRecord, Version } from '@registry/types'
import semver from 'semver'

/** What a reference may mean: releases newest version first, and the names that versions have. */
export interface Choice {
  releases: readonly ReleaseRecord[]
  distTags: Readonly<Record<string, Version>>
}

/**
 * The release that a reference means. What was unpublished is gone. What was yanked is found by its exact version alone. As
 * npm: without a range the tag `latest`; for a range that release if it fits, else the newest that fits, one that nobody is
 * advised against before others; a pre-release fits a range only that names one of the same version. An exact version is
 * matched to the letter, its build metadata included, before it is taken for a range.
 */
export function pickRelease(
  { releases, distTags }: Choice,
  { range, tag }: Pick<PackageReference, 'range' | 'tag'>
): ReleaseRecord | undefined {
  const there = releases.filter(({ unpublished }) => !unpublished)
  const usable = there.filter(({ yanked }) => yanked === undefined)
  const tagged = (name: string): ReleaseRecord | undefined =>
    Object.hasOwn(distTags, name)
      ? usable.find(({ release }) => release.version === distTags[name])
      : undefined
  if (tag !== undefined) return tagged(tag)
  const latest = tagged('latest')
  if (range === undefined || semver.validRange(range) === '*') {
    return latest ?? usable.find(({ release }) => semver.prerelease(release.version) === null) ?? usable[0]
  }
  const exact = there.find(({ release }) => release.version === range)
  if (exact !== undefined) return exact
  const candidates = semver.valid(range) === null ? usable : there
  const fitting = candidates.filter(({ release }) => semver.satisfies(release.version, range))
  if (latest !== undefined && fitting.includes(latest)) return latest
  return fitting.find(({ deprecated }) => deprecated === undefined) ?? fitting[0]
}

/**
 * The releases that a statement or an attestation about a reference is about, newest first: all without a range, and
 * pre-releases too, as with `npm deprecate`.
 */
export function fittingReleases(
  { releases, distTags }: Choice,
  { range, tag }: Pick<PackageReference, 'range' | 'tag'>
): ReleaseRecord[] {
  const there = releases.filter(({ unpublished }) => !unpublished)
  if (tag !== undefined) {
    return there.filter(({ release }) => Object.hasOwn(distTags, tag) && release.version === distTags[tag])
  }
  if (range === undefined) return there
  const exact = there.filter(({ release }) => release.version === range)
  if (exact.length > 0) return exact
  return there.filter(({ release }) => semver.satisfies(release.version, range, { includePrerelease: true }))
}
