import {
  compareVersions,
  type PackageUpdateType,
  type RecordId,
  type StatementFact,
  type Version
} from '@registry/types'

/**
 * How records become the catalogue: pure functions from what is there and what comes to what holds. Folding the same
 * records in any order, with any repetition, ends in the same state.
 */

/** What decides the order of the releases of a package. */
export interface ReleasePlace {
  version: Version
  /** sha2-256 of what was signed, in hexadecimal digits: two of them for one version are a conflict. */
  payload: string
}

/** What decides which of two statements of one field holds. */
export interface StatementPlace {
  id: RecordId
  seq: number
}

/** The facts that hold of a package, by their field. */
export type Facts = ReadonlyMap<string, StatementFact>

export const NO_FACTS: Facts = new Map()

/** What its owner says of a version now. */
export interface VersionMarks {
  deprecated?: string
  yanked?: string
  unpublished: boolean
}

/** Whether `a` holds rather than `b`. */
export function supersedes(a: StatementPlace, b: StatementPlace): boolean {
  return a.seq > b.seq || (a.seq === b.seq && a.id > b.id)
}

/** Which of two envelopes with the same payload stands for it. */
export function smallerId(a: RecordId, b: RecordId): RecordId {
  return a < b ? a : b
}

export function marksOf(version: Version, facts: Facts): VersionMarks {
  const marks: VersionMarks = { unpublished: facts.has(`unpublish ${version}`) }
  const deprecation = facts.get(`deprecation ${version}`)
  if (deprecation?.field === 'deprecation' && deprecation.message !== null) {
    marks.deprecated = deprecation.message
  }
  const yank = facts.get(`yank ${version}`)
  if (yank?.field === 'yank' && yank.reason !== null) marks.yanked = yank.reason
  return marks
}

/** Oldest first; total, and no matter which envelope stands for a release. */
export function compareReleases(a: ReleasePlace, b: ReleasePlace): number {
  return (
    compareVersions(a.version, b.version) || Number(a.payload > b.payload) - Number(a.payload < b.payload)
  )
}

/** What is stated of the versions of a package as far as it decides which release stands for it. */
export interface StandingFacts {
  /** Of the tag `latest`. */
  latest: Version | null
  yanked: ReadonlySet<Version>
  unpublished: ReadonlySet<Version>
}

const NO_VERSION: ReadonlySet<Version> = new Set()

export const NOTHING_STATED: StandingFacts = Object.freeze({
  latest: null,
  yanked: NO_VERSION,
  unpublished: NO_VERSION
})

/**
 * The release that stands for a package: of those not unpublished that of the tag `latest`, else the newest that is
 * neither yanked nor a pre-release, else the newest that is not yanked, else the newest that is no pre-release, else the
 * newest.
 */
export function standingRelease<Release extends ReleasePlace>(
  releases: Iterable<Release>,
  facts: StandingFacts
): Release | undefined {
  let best: { release: Release; rank: number } | undefined
  for (const release of releases) {
    const { version } = release
    if (facts.unpublished.has(version)) continue
    const rank =
      4 * Number(version === facts.latest) +
      2 * Number(!facts.yanked.has(version)) +
      Number(!isPrerelease(version))
    const order = best === undefined ? 1 : rank - best.rank || compareReleases(release, best.release)
    if (order > 0) best = { release, rank }
  }
  return best?.release
}

/** Tags other than `latest` with their versions, of those that are there. */
export function foldTags(there: ReadonlySet<Version>, facts: Facts): Record<string, Version> {
  const tags: Record<string, Version> = Object.create(null)
  for (const fact of facts.values()) {
    if (fact.field !== 'dist-tag' || fact.version === null) continue
    if (fact.tag !== 'latest' && there.has(fact.version)) tags[fact.tag] = fact.version
  }
  return tags
}

/** Whether a fact may change which release stands for its package. */
export function isAboutStanding(fact: StatementFact): boolean {
  switch (fact.field) {
    case 'yank':
    case 'unpublish':
      return true
    case 'dist-tag':
      return fact.tag === 'latest'
    default:
      return false
  }
}

/** Whether a fact says something, and does not only take back what was said before. */
export function isSaying(fact: StatementFact): boolean {
  switch (fact.field) {
    case 'dist-tag':
      return fact.version !== null
    case 'deprecation':
      return fact.message !== null
    case 'yank':
      return fact.reason !== null
    case 'unpublish':
      return true
    case 'readme':
      return fact.content !== null
    case 'alias':
      return fact.owner !== null
    case 'domain':
      return fact.claimed
  }
}

/** What a statement of it is told as. */
export function updateTypeOf(fact: StatementFact): PackageUpdateType {
  switch (fact.field) {
    case 'unpublish':
      return 'Unpublished'
    case 'deprecation':
      return isSaying(fact) ? 'Deprecated' : 'MetadataUpdate'
    case 'yank':
      return isSaying(fact) ? 'Yanked' : 'MetadataUpdate'
    default:
      return 'MetadataUpdate'
  }
}

/** By how much the dependents of each name change when a package depends on other names than before. */
export function foldDependencies(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>
): Array<readonly [name: string, difference: 1 | -1]> {
  const old = new Set(Object.keys(before))
  const fresh = new Set(Object.keys(after))
  const added = [...fresh.difference(old)].map((name) => [name, 1] as const)
  return [...added, ...[...old.difference(fresh)].map((name) => [name, -1] as const)]
}

/** A count by its three leading binary digits, so that a package is not indexed again with each new dependent. */
export function roundedCount(count: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(count)) - 2)
  return Math.floor(count / step) * step
}

function isPrerelease(version: Version): boolean {
  const build = version.indexOf('+')
  return (build === -1 ? version : version.slice(0, build)).includes('-')
}
