import { createInterface } from 'node:readline/promises'
import { UsageError } from '@registry/node'
import type { Command } from 'commander'
import { note } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb } from '../verb.ts'

interface UnpublishOptions extends CommonOptions {
  reason?: string
  yes?: boolean
}

export function unpublishVerb(): Command {
  const command = verb('unpublish <reference>', {
    summary: 'Take one version of an own package away for good.',
    details:
      'Its number can never be used again, and this cannot be undone: yank is milder. Copies that others have got stay with them.',
    example: 'registry unpublish web-kit@0.1.0 --reason "a secret was in it" --yes'
  })
    .option('--reason <text>', 'why, for everybody to read')
    .option('--yes', 'do not ask')
  return does<[string], UnpublishOptions>(command, async (options, signal, reference) => {
    const client = await connectToPeer(options, { signal })
    if (options.yes !== true && !(await confirmed(reference, signal))) return note('Nothing was changed.')
    printReceipt('Unpublished', await client.unpublish(reference, options.reason, { signal }), options)
  })
}

async function confirmed(reference: string, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new UsageError('Nobody is there to be asked', 'Give --yes; what is unpublished cannot come back.')
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const question = `Unpublish ${reference} for good? Its number can never be used again. (yes/no) `
    return (await terminal.question(question, { signal })).trim().toLowerCase() === 'yes'
  } finally {
    terminal.close()
  }
}
