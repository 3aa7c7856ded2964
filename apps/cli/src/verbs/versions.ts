import { notFoundError } from '@registry/control'
import type { Command } from 'commander'
import { bytes, day, print, printJson, table } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { projectReference } from '../project-lock.ts'
import { does, verb } from '../verb.ts'
import { marksOf } from '../version-marks.ts'

export function versionsVerb(): Command {
  const command = verb('versions <name>', {
    summary: 'List the versions of a package, newest first.',
    example: 'registry versions web-kit'
  })
  return does<[string], { json?: boolean }>(command, async (options, signal, text) => {
    const name = await projectReference(text)
    const client = await connectToPeer(options, { signal })
    const versions = await client.listVersions(name, { signal })
    if (versions.length === 0) throw await notFoundError(client, name, { signal })
    if (options.json) return printJson({ versions })
    const rows = versions.map((one) => [
      one.version,
      day(one.createdAtMs),
      bytes(one.size),
      one.cid,
      marksOf(one)
    ])
    print(...table(['VERSION', 'PUBLISHED', 'SIZE', 'CID', ''], rows))
  })
}
