import type { Command } from 'commander'
import { print, printJson } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

export function stopVerb(): Command {
  const command = verb('stop', {
    summary: 'Stop the peer.',
    details: 'Returns when it has stopped and its data folder is free.',
    example: 'registry stop'
  })
  return does(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    await client.shutdown({ signal })
    if (options.json) printJson({ stopped: true })
    else print('Stopped.')
  })
}
