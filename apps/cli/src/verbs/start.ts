import { join } from 'node:path'
import { addNodeOptions, readNodeOptions, runNode } from '@registry/node'
import { Command } from 'commander'
import { startDaemon } from '../daemon.ts'
import { interruptible } from '../interrupt.ts'
import { fields, print, printJson } from '../output.ts'
import { dataDirOf } from '../peer.ts'

export function startVerb(): Command {
  return addNodeOptions(new Command('start'))
    .summary('Start a peer.')
    .description('Start a peer, in the foreground until Ctrl-C or `registry stop`, or in the background.')
    .option('--daemon', 'run in the background; returns once the peer serves')
    .addHelpText('after', '\nExample:\n  registry start --daemon --listen /ip4/0.0.0.0/tcp/4801')
    .action(async (given: { daemon?: boolean }, command: Command) => {
      const options = readNodeOptions(command)
      if (given.daemon !== true) {
        process.exitCode = await runNode(options)
        return
      }
      const logFile = options.logFile ?? join(dataDirOf(options), 'peer.log')
      const args = process.argv.slice(2).filter((argument) => argument !== '--daemon')
      const daemon = await interruptible((signal) => startDaemon({ args, logFile, signal }))
      if (options.json) return printJson(daemon)
      const { peerId, addresses, http, pid } = daemon
      print(
        ...fields([
          ['Peer', peerId],
          ...addresses.map((address, index): [string, string] => [index === 0 ? 'Addresses' : '', address]),
          ['Local API', http],
          ['Process', String(pid)],
          ['Log', logFile]
        ]),
        'Stop it with: registry stop'
      )
    })
}
