import { UsageError } from '@registry/node'
import type { Command } from 'commander'
import { ownerOf } from '../owner-text.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb } from '../verb.ts'

interface CurateOptions extends CommonOptions {
  remove?: boolean
}

export function curateVerb(): Command {
  const command = verb('curate <name> [owner]', {
    summary: 'Tell those who follow you whose package a name means.',
    details: 'It counts where you are followed, and where nothing else was decided of the name.',
    example: 'registry curate web-kit bafyreic2fkc4r2uhw6udsoqj5klptv5qtl2m5762nl7aotofupchy74ofm'
  }).option('--remove', 'say nothing of it any more')
  return does<[string, string | undefined], CurateOptions>(command, async (options, signal, name, given) => {
    if ((given === undefined) !== (options.remove === true)) {
      throw new UsageError(
        options.remove ? '--remove takes no owner' : 'Whose package is meant is missing',
        'Name an owner, or take it back with --remove.'
      )
    }
    const client = await connectToPeer(options, { signal })
    const owner = given === undefined ? null : ownerOf(given)
    const receipt = await client.curate(name, owner, { signal })
    printReceipt(
      owner === null ? 'Nothing said any more of' : `@${owner} is the owner meant by`,
      receipt,
      options
    )
  })
}
