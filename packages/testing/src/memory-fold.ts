import {
  type AttestationRecord,
  compareVersions,
  type PackageState,
  type RecordId,
  type Release,
  type ReleaseRecord,
  type StatementFact,
  type Version
} from '@registry/types'

/** What is known of one package: the records themselves, of each field the statement that holds. */
export interface PackageRecords {
  /** One for each envelope: those with one payload are one release. */
  releases: Array<{ id: RecordId; release: Release; firstSeenMs: number; payload: string }>
  /** By field. */
  statements: Map<string, { id: RecordId; seq: number; fact: StatementFact }>
  attestations: AttestationRecord[]
}

/** Newest version first, and total: `1.0.0+1` and `1.0.0+01` have no order in SemVer. */
export function releasesOf({ releases, statements }: PackageRecords): ReleaseRecord[] {
  const smallest = releases.filter(
    ({ id, payload }) => !releases.some((other) => other.payload === payload && other.id < id)
  )
  const sorted = smallest.toSorted((a, b) => {
    const [first, second] = [a.release.version, b.release.version]
    return compareVersions(second, first) || (b.payload > a.payload ? 1 : -1)
  })
  return sorted.map(({ id, release, firstSeenMs }) => {
    const { version } = release
    const record: ReleaseRecord = {
      id,
      release,
      firstSeenMs,
      conflicted: smallest.filter((other) => other.release.version === version).length > 1,
      unpublished: statements.has(`unpublish ${version}`)
    }
    const deprecation = statements.get(`deprecation ${version}`)?.fact
    if (deprecation?.field === 'deprecation' && deprecation.message !== null) {
      record.deprecated = deprecation.message
    }
    const yank = statements.get(`yank ${version}`)?.fact
    if (yank?.field === 'yank' && yank.reason !== null) record.yanked = yank.reason
    return record
  })
}

/** That of the tag `latest`; else the newest that is neither yanked nor a pre-release, as far as there is one. */
export function latestOf(records: PackageRecords): ReleaseRecord | undefined {
  const there = releasesOf(records).filter(({ unpublished }) => !unpublished)
  const tag = records.statements.get('dist-tag latest')?.fact
  const tagged = tag?.field === 'dist-tag' ? tag.version : null
  return (
    there.find(({ release }) => release.version === tagged) ??
    there.find(({ release, yanked }) => yanked === undefined && !isPreRelease(release.version)) ??
    there.find(({ yanked }) => yanked === undefined) ??
    there.find(({ release }) => !isPreRelease(release.version)) ??
    there[0]
  )
}

export function stateOf(records: PackageRecords): PackageState {
  const there = new Set(
    releasesOf(records).flatMap(({ release, unpublished }) => (unpublished ? [] : release.version))
  )
  const distTags: Record<string, Version> = Object.create(null)
  for (const { fact } of records.statements.values()) {
    if (fact.field === 'dist-tag' && fact.version !== null && there.has(fact.version)) {
      distTags[fact.tag] = fact.version
    }
  }
  const latest = latestOf(records)
  if (latest !== undefined) distTags.latest = latest.release.version
  const readme = records.statements.get('readme')?.fact
  return readme?.field === 'readme' && readme.content !== null
    ? { distTags, readme: readme.content }
    : { distTags }
}

function isPreRelease(version: string): boolean {
  return version.split('+', 1)[0]?.includes('-') === true
}
