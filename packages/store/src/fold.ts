import { compareVersions, type RecordId, type Version } from '@registry/types'

/**
 * How records become the catalogue: pure functions from what is there and what comes to what changes. Folding the same
 * records in any order, with any repetition, ends in the same state.
 */

/** A release as the fold sees it. */
export interface FoldedRelease {
  /** Names what was signed, whoever of the owner's keys signed it: two payloads for one version are a conflict. */
  payload: string
  version: Version
  /** The smallest ID of the envelopes around this payload. */
  record: RecordId
}

/** What decides the order of releases. */
export type ReleasePlace = Pick<FoldedRelease, 'version' | 'payload'>

/** What of a package's state one more release depends on. */
export interface PackageState<Stored extends FoldedRelease> {
  /** The releases there are of the same version; more than one when its owner equivocated. */
  sameVersion: readonly Stored[]
  /** The release that stands for the package. */
  latest: Stored | undefined
}

export type ReleaseChange<Stored extends FoldedRelease> =
  /** The same release in another envelope: nothing new but perhaps the record that stands for it. */
  | { status: 'repeated'; release: Stored; record: RecordId }
  | { status: 'added'; conflicted: boolean; latest: boolean }

export function foldRelease<Stored extends FoldedRelease>(
  state: PackageState<Stored>,
  incoming: FoldedRelease
): ReleaseChange<Stored> {
  const release = state.sameVersion.find(({ payload }) => payload === incoming.payload)
  if (release !== undefined) {
    return { status: 'repeated', release, record: foldRecord(release.record, incoming.record) }
  }
  return {
    status: 'added',
    conflicted: state.sameVersion.length > 0,
    latest: state.latest === undefined || standsBefore(incoming, state.latest)
  }
}

/** Which of two envelopes with the same payload stands for it. */
export function foldRecord(current: RecordId | undefined, incoming: RecordId): RecordId {
  return current === undefined || incoming < current ? incoming : current
}

/** Whether `a` stands for a package rather than `b`: a release before a pre-release, then the newer. */
function standsBefore(a: ReleasePlace, b: ReleasePlace): boolean {
  const stability = Number(isPrerelease(b.version)) - Number(isPrerelease(a.version))
  return (stability || compareReleases(a, b)) > 0
}

/** Oldest first; total, and no matter which envelope stands for a release. */
export function compareReleases(a: ReleasePlace, b: ReleasePlace): number {
  return (
    compareVersions(a.version, b.version) || Number(a.payload > b.payload) - Number(a.payload < b.payload)
  )
}

/** The names that a package depends on with its latest release and did not before, and the reverse. */
export function foldDependencies(
  before: readonly string[],
  after: readonly string[]
): { added: string[]; dropped: string[] } {
  const old = new Set(before)
  const fresh = new Set(after)
  return { added: [...fresh.difference(old)], dropped: [...old.difference(fresh)] }
}

function isPrerelease(version: Version): boolean {
  const build = version.indexOf('+')
  return (build === -1 ? version : version.slice(0, build)).includes('-')
}
