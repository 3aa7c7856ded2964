import type { Command } from 'commander'
import { fields, print, printJson } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

export function ownerVerb(): Command {
  const command = verb('owner', {
    summary: 'Show as whom the peer publishes.',
    details:
      'The key is owner.key in the data folder: whoever has it can publish in this name, so keep a copy safe.',
    example: 'registry owner'
  })
  return does(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    const { owner } = await client.status({ signal })
    if (options.json) return printJson({ owner, scope: `@${owner}` })
    print(
      ...fields([
        ['Owner', owner],
        ['Packages', `@${owner}/<name>`]
      ])
    )
  })
}
