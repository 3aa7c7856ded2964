import type { Command } from 'commander'
import { forEachNamed } from '../each.ts'
import { BootstrapTimeoutError } from '../errors.ts'
import { print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { showProgress } from '../progress.ts'
import { does, verb, wholeNumber } from '../verb.ts'

interface BootstrapOptions extends CommonOptions {
  timeout: number
}

export function bootstrapVerb(): Command {
  const command = verb('bootstrap <multiaddr...>', {
    summary: 'Add peers to begin with, and connect to them.',
    details:
      'Each ends in /p2p/ID. They are tried again until the peer stops; put them into the configuration to keep them longer.',
    example: 'registry bootstrap /ip4/192.0.2.7/tcp/4801/p2p/12D3KooW… --timeout 10'
  }).option('--timeout <seconds>', 'how long to wait for each connection', wholeNumber(1, 3600), 30)
  return does<[string[]], BootstrapOptions>(command, async (options, signal, addresses) => {
    const client = await connectToPeer(options, { signal })
    for (const address of addresses) await client.addBootstrapNode(address, { signal })
    await forEachNamed(addresses, options, signal, async (address) => {
      const progress = showProgress(`Connecting to ${address}`)
      const timeout = AbortSignal.timeout(options.timeout * 1000)
      try {
        const { peerId } = await client.connect(address, { signal: AbortSignal.any([signal, timeout]) })
        if (options.json) printJson({ address, peerId, connected: true })
        else print(`Connected to ${peerId}.`)
      } catch (error) {
        throw error === timeout.reason ? new BootstrapTimeoutError(address, options.timeout * 1000) : error
      } finally {
        progress.end()
      }
    })
  })
}
