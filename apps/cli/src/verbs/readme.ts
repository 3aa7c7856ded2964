import { readFile } from 'node:fs/promises'
import { type ControlClient, notFoundError } from '@registry/control'
import { UsageError } from '@registry/node'
import type { Command } from 'commander'
import { NoReadmeError } from '../errors.ts'
import { print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb } from '../verb.ts'

interface ReadmeOptions extends CommonOptions {
  remove?: boolean
}

export function readmeVerb(): Command {
  const command = verb('readme <name> [file]', {
    summary: 'Print the text that presents a package, or let a file present an own one.',
    details: 'A text has at most 1 MiB. It is stored by its hash, and got from whoever holds it.',
    example: 'registry readme web-kit README.md'
  }).option('--remove', 'let no text present it')
  return does<[string, string | undefined], ReadmeOptions>(command, async (options, signal, name, file) => {
    if (file !== undefined && options.remove === true) {
      throw new UsageError(
        '--remove takes no file',
        'Name the file with the text, or take it away with --remove.'
      )
    }
    const client = await connectToPeer(options, { signal })
    if (file === undefined && options.remove !== true) {
      const text = await readmeOf(client, name, signal)
      if (options.json) printJson({ name, text })
      else print(text.replace(/\n$/, ''))
      return
    }
    const content = file === undefined ? null : new Uint8Array(await readFile(file, { signal }))
    const receipt = await client.readme(name, content, { signal })
    printReceipt(content === null ? 'No readme any more:' : 'A readme presents', receipt, options)
  })
}

async function readmeOf(client: ControlClient, name: string, signal: AbortSignal): Promise<string> {
  const text = await client.readmeOf(name, { signal })
  if (text !== undefined) return new TextDecoder().decode(text)
  if ((await client.details(name, { signal })) === undefined)
    throw await notFoundError(client, name, { signal })
  throw new NoReadmeError(name)
}
