import { NotFoundError } from '@registry/control'
import type { Package } from '@registry/types'
import type { Command } from 'commander'
import { bytes, day, fields, print, printJson } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

export function showVerb(): Command {
  const command = verb('show <reference>', {
    summary: 'Show what is known of a package.',
    details: 'From the catalogue of the peer; nothing is fetched.',
    example: 'registry show web-kit@0.1.0'
  })
  return does<[string], { json?: boolean }>(command, async (options, signal, reference) => {
    const client = await connectToPeer(options, { signal })
    const found = await client.metadata(reference, { signal })
    if (found === undefined) throw new NotFoundError(reference)
    if (options.json) printJson(found)
    else print(...describe(found))
  })
}

function describe(found: Package): string[] {
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
    ['Warning', found.conflicted ? 'its owner signed several contents for this version' : undefined],
    ['Get it', `registry get @${found.owner}/${found.id}`]
  ])
}

function entries(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}
