import { errorText, exitCodeOf, runCommandLine } from '@registry/node'
import { createProgram } from './program.ts'

/**
 * The command `registry`: runs what `argv` (without the names of Node and of the program) says, prints what comes of it,
 * and resolves to the exit code.
 */
export async function main(argv: readonly string[]): Promise<number> {
  process.exitCode = undefined
  try {
    await runCommandLine(createProgram(), argv)
    return Number(process.exitCode ?? 0)
  } catch (error) {
    process.stderr.write(errorText(error, argv.includes('--json') ? 'json' : 'text'))
    return exitCodeOf(error)
  }
}
