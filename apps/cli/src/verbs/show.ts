import { notFoundError } from '@registry/control'
import type { AttestationRecord, Package, PackageDetails } from '@registry/types'
import type { Command } from 'commander'
import { completenessText } from '../completeness.ts'
import { bytes, day, fields, print, printJson, table } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { projectReference } from '../project-lock.ts'
import { does, verb } from '../verb.ts'
import { marksOf } from '../version-marks.ts'

/** More of them are listed by `versions`. */
const MAX_VERSIONS = 10

export function showVerb(): Command {
  const command = verb('show <reference>', {
    summary: 'Show all that is known of a package.',
    details: 'From the catalogue of the peer; no content is fetched.',
    example: 'registry show web-kit@0.1.0'
  })
  return does<[string], { json?: boolean }>(command, async (options, signal, text) => {
    const reference = await projectReference(text)
    const client = await connectToPeer(options, { signal })
    const details = await client.details(reference, { signal })
    if (details === undefined) throw await notFoundError(client, reference, { signal })
    const { package: found, ...rest } = details
    if (options.json) printJson({ ...found, ...rest })
    else print(...describe(details))
  })
}

function describe(details: PackageDetails): string[] {
  const { package: found, versions, unpublished, attestations, completeness } = details
  const listed = versions.slice(0, MAX_VERSIONS)
  const more = versions.length - listed.length
  return [
    ...summary(details),
    '',
    ...table(
      ['VERSION', 'PUBLISHED', 'SIZE', ''],
      listed.map((one) => [
        one.version,
        day(one.createdAtMs),
        bytes(one.size),
        marksOf(one, details.distTags)
      ])
    ),
    ...(more > 0 ? [`and ${more} more: registry versions @${found.owner}/${found.name}`] : []),
    ...(unpublished.length > 0 ? [`Unpublished: ${unpublished.join(', ')}`] : []),
    ...(attestations.length > 0
      ? ['', ...table(['CLAIM', 'VERSIONS', 'BY', 'TEXT'], attestations.map(said))]
      : []),
    '',
    completenessText(completeness)
  ]
}

function summary({ package: found, distTags, readme }: PackageDetails): string[] {
  const { metadata } = found
  return fields([
    ['Package', found.id],
    ['Owner', found.owner],
    ['Description', found.description],
    ['Category', found.category],
    ['Tags', found.tags.join(', ')],
    ['Keywords', metadata.keywords.join(', ')],
    ['License', found.license],
    ['Authors', metadata.maintainers.join(', ')],
    ['Repository', found.repository],
    ['Homepage', found.homepage],
    ['Platforms', metadata.platforms.join(', ')],
    ['Runtime', metadata.runtimeVersion],
    ['Needs', entries(found.dependencies)],
    ['Features', entries(metadata.features)],
    ['Published', day(found.createdAtMs)],
    ['Size', bytes(found.size)],
    ['CID', found.cid],
    ['Integrity', found.integrity],
    ['Downloads', `${found.downloads} through this peer`],
    ['Dist-tags', entries(distTags)],
    ['Readme', readme === undefined ? undefined : `registry readme ${found.name}`],
    ...warnings(found),
    ['Get it', `registry get @${found.owner}/${found.id}`]
  ])
}

function warnings({ conflicted, deprecated, yanked }: Package): Array<[string, string | undefined]> {
  return [
    ['Warning', conflicted ? 'its owner signed several contents for this version' : undefined],
    ['Deprecated', deprecated === '' ? 'yes' : deprecated],
    ['Yanked', yanked === '' ? 'yes' : yanked]
  ]
}

function said({ attestation }: AttestationRecord): string[] {
  const { claim, severity, versions, issuer, text, url } = attestation
  const what = severity === undefined ? claim : `${claim} (${severity})`
  return [what, versions, issuer, url === undefined ? text : `${text} ${url}`]
}

function entries(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
