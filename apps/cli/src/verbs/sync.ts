import { setTimeout } from 'node:timers/promises'
import type { ControlClient } from '@registry/control'
import type { Command } from 'commander'
import { syncText } from '../completeness.ts'
import { plural, print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { showProgress } from '../progress.ts'
import { does, verb } from '../verb.ts'

/** How often a running synchronisation is looked at. */
const WATCH_INTERVAL_MS = 250

interface SyncOptions extends CommonOptions {
  watch?: boolean
}

export function syncVerb(): Command {
  const command = verb('sync', {
    summary: 'Compare catalogues with every connected peer now; afterwards both sides have what either had.',
    details: 'A peer does so by itself from time to time.',
    example: 'registry sync --watch'
  }).option('--watch', 'print how far it is, line by line, until nothing is under way')
  return does<[], SyncOptions>(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    const progress = showProgress('Comparing catalogues')
    try {
      const syncing = client.sync({ signal })
      await watch(client, syncing, signal, (lines, syncings) => {
        if (options.watch !== true) progress.update(lines.join('; '))
        else if (options.json) printJson({ syncing: syncings })
        else print(...lines)
      })
      const received = await syncing
      if (options.json) printJson({ received })
      else print(`Received ${plural(received, 'record')}.`)
    } finally {
      progress.end()
    }
  })
}

/** Tells of each step until the synchronisation is over and no other is under way. */
async function watch(
  client: ControlClient,
  syncing: Promise<unknown>,
  signal: AbortSignal,
  tell: (lines: string[], steps: unknown) => void
): Promise<void> {
  const over = new AbortController()
  const ended = syncing.finally(() => over.abort())
  ended.catch(() => {})
  let last = ''
  while (true) {
    const isOver = over.signal.aborted
    const { syncing: steps } = await client.status({ signal })
    const lines = steps.map(syncText)
    if (lines.length > 0 && lines.join('\n') !== last) tell(lines, steps)
    last = lines.join('\n')
    if (isOver && steps.length === 0) return
    if (isOver) await setTimeout(WATCH_INTERVAL_MS, undefined, { signal })
    else await Promise.race([setTimeout(WATCH_INTERVAL_MS, undefined, { signal }), ended])
  }
}
