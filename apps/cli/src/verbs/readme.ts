import { readFile } from 'node:fs/promises'
import { UsageError } from '@registry/node'
import type { Command } from 'commander'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb } from '../verb.ts'

interface ReadmeOptions extends CommonOptions {
  remove?: boolean
}

export function readmeVerb(): Command {
  const command = verb('readme <name> [file]', {
    summary: 'Let a text present an own package, whatever its versions say.',
    details: 'At most 1 MiB. It is stored by its hash, and `show` names it.',
    example: 'registry readme web-kit README.md'
  }).option('--remove', 'let no text present it')
  return does<[string, string | undefined], ReadmeOptions>(command, async (options, signal, name, file) => {
    if ((file === undefined) !== (options.remove === true)) {
      throw new UsageError(
        options.remove ? '--remove takes no file' : 'A file is missing',
        'Name the file with the text, or take it away with --remove.'
      )
    }
    const client = await connectToPeer(options, { signal })
    const content = file === undefined ? null : new Uint8Array(await readFile(file, { signal }))
    const receipt = await client.readme(name, content, { signal })
    printReceipt(content === null ? 'No readme any more:' : 'A readme presents', receipt, options)
  })
}
