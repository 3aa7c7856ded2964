import { describeContent, seededBytes } from '@registry/testing'
import {
  type OwnerId,
  type PackageName,
  parsePackageName,
  parseVersion,
  type StatementFact,
  type Version
} from '@registry/types'
import { attested, ownerWithTwoKeys, signedBy, stated } from './signed-records.ts'

export const NAMES: readonly PackageName[] = ['json', 'library'].map((name) => parsePackageName(name))
export const VERSIONS: readonly Version[] = ['1.0.0', '1.0.0+1', '1.1.0-rc.1', '2.0.0', '9.0.0'].map(
  (version) => parseVersion(version)
)
const [FIRST, , PRERELEASE] = VERSIONS
const README = describeContent(seededBytes('readme'))

/** Facts that meet the versions there are, one that is never released, and each other. */
export const FACTS: readonly StatementFact[] = [
  ...VERSIONS.flatMap((version): StatementFact[] => [
    { field: 'dist-tag', tag: 'latest', version },
    { field: 'yank', version, reason: 'Broken' },
    { field: 'yank', version, reason: null },
    { field: 'unpublish', version, reason: '' }
  ]),
  ...[FIRST, PRERELEASE].flatMap((version): StatementFact[] =>
    version === undefined
      ? []
      : [
          { field: 'dist-tag', tag: 'next', version },
          { field: 'deprecation', version, message: 'Old' },
          { field: 'deprecation', version, message: null }
        ]
  ),
  { field: 'dist-tag', tag: 'latest', version: null },
  { field: 'readme', content: README },
  { field: 'readme', content: null }
]

export interface RecordPool {
  owners: OwnerId[]
  inceptions: Uint8Array[]
  /** All others. */
  records: Uint8Array[]
}

/**
 * Records of every kind by three owners about two names, among them conflicting releases, statements that supersede each
 * other by `seq` and by ID, and the same release and statement in two envelopes.
 */
export async function recordPool(): Promise<RecordPool> {
  const team = await ownerWithTwoKeys('team')
  const pool: RecordPool = { owners: [team.owner], inceptions: [...team.inceptions], records: [] }
  const released = VERSIONS.slice(0, 4)
  const releases = NAMES.flatMap((name, index) =>
    released.flatMap((version, number) => [
      { name, version, dependencies: number % 2 === 0 ? { library: '*' } : { json: '*', [name]: '*' } },
      { name, version, description: `Another ${name}`, tags: number > 1 ? ['a'] : [] },
      ...(index + number === 2 ? [{ name, version, description: 'A third', category: 'tools' }] : [])
    ])
  )
  for (const seed of ['a', 'b']) {
    const { owner, inception, releases: signed } = await signedBy(seed, ...releases)
    pool.owners.push(owner)
    pool.inceptions.push(inception)
    pool.records.push(...signed)
    for (const [index, name] of NAMES.entries()) {
      for (const [at, fact] of FACTS.entries()) {
        pool.records.push(await stated(seed, fact, { name, seq: 1 + ((at + index) % 3) }))
      }
    }
    for (const [index, about] of pool.owners.entries()) {
      const input = { owner: about, name: NAMES[index % 2] ?? 'json' }
      pool.records.push(await attested(seed, input), await attested(seed, { ...input, text: 'Once more' }))
    }
  }
  for (const release of releases.slice(0, 5)) pool.records.push(...(await team.release(release)))
  for (const fact of FACTS.slice(0, 9)) pool.records.push(...(await team.statement(fact, { name: 'json' })))
  return pool
}
