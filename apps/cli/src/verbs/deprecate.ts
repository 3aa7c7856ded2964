import { UsageError } from '@registry/node'
import type { Command } from 'commander'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb } from '../verb.ts'

interface DeprecateOptions extends CommonOptions {
  undo?: boolean
}

export function deprecateVerb(): Command {
  const command = verb('deprecate <reference> [message...]', {
    summary: 'Advise against versions of an own package, with a message for those who get them.',
    details: 'Every version that fits: `name` for all, `name@range` for some. They can still be got.',
    example: 'registry deprecate web-kit@0.1 use 0.2 instead'
  }).option('--undo', 'advise against them no longer')
  return does<[string, string[]], DeprecateOptions>(command, async (options, signal, reference, words) => {
    const message = words.join(' ')
    if ((message === '') !== (options.undo === true)) {
      throw new UsageError(
        options.undo ? '--undo takes no message' : 'A message is missing',
        'Say what to use instead, or take it back with --undo.'
      )
    }
    const client = await connectToPeer(options, { signal })
    const receipt = await client.deprecate(reference, options.undo ? null : message, { signal })
    printReceipt(options.undo ? 'No longer deprecated' : 'Deprecated', receipt, options)
  })
}

export function undeprecateVerb(): Command {
  const command = verb('undeprecate <reference>', {
    summary: 'Advise no longer against versions of an own package.',
    example: 'registry undeprecate web-kit@0.1'
  })
  return does<[string], CommonOptions>(command, async (options, signal, reference) => {
    const client = await connectToPeer(options, { signal })
    printReceipt('No longer deprecated', await client.deprecate(reference, null, { signal }), options)
  })
}
