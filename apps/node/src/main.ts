import { Command } from 'commander'
import { runCommandLine } from './command-line.ts'
import { errorText } from './error-text.ts'
import { EXIT_CODES, exitCodeOf } from './exit-code.ts'
import { addNodeOptions, readNodeOptions } from './node-options.ts'
import { runNode } from './run-node.ts'

const EXAMPLE = `
Example:
  registry-node --listen /ip4/0.0.0.0/tcp/4801 --data-dir /var/lib/p2p-registry --log-level warn
`

/** The command `registry-node`; resolves to its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT_CODES.ok
  const command = addNodeOptions(new Command('registry-node'))
    .description('Run a peer in the foreground until it is stopped by a signal or by `registry stop`.')
    .addHelpText('after', EXAMPLE)
    .action(async (_options, own: Command) => {
      exitCode = await runNode(readNodeOptions(own))
    })
  try {
    await runCommandLine(command, argv)
    return exitCode
  } catch (error) {
    process.stderr.write(errorText(error, argv.includes('--json') ? 'json' : 'text'))
    return exitCodeOf(error)
  }
}
