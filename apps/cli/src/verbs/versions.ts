import { NotFoundError } from '@registry/control'
import type { Command } from 'commander'
import { bytes, day, print, printJson, table } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

export function versionsVerb(): Command {
  const command = verb('versions <name>', {
    summary: 'List the versions of a package, newest first.',
    example: 'registry versions web-kit'
  })
  return does<[string], { json?: boolean }>(command, async (options, signal, name) => {
    const client = await connectToPeer(options, { signal })
    const versions = await client.listVersions(name, { signal })
    if (versions.length === 0) throw new NotFoundError(name)
    if (options.json) return printJson({ versions })
    const rows = versions.map(({ version, createdAtMs, size, conflicted, cid }) => [
      conflicted ? `${version} (conflicted)` : version,
      day(createdAtMs),
      bytes(size),
      cid
    ])
    print(...table(['VERSION', 'PUBLISHED', 'SIZE', 'CID'], rows))
  })
}
