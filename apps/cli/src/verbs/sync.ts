import type { Command } from 'commander'
import { plural, print, printJson } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { showProgress } from '../progress.ts'
import { does, verb } from '../verb.ts'

export function syncVerb(): Command {
  const command = verb('sync', {
    summary: 'Compare catalogues with every connected peer now, and take what is missing.',
    details: 'A peer does so by itself from time to time.',
    example: 'registry sync'
  })
  return does(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    const progress = showProgress('Comparing catalogues')
    try {
      const received = await client.sync({ signal })
      if (options.json) printJson({ received })
      else print(`Received ${plural(received, 'record')}.`)
    } finally {
      progress.end()
    }
  })
}
