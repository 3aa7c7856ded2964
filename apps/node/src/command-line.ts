import { type Command, CommanderError } from 'commander'
import { UsageError } from './errors.ts'

/**
 * Parses what was written and runs the command it names. Resolves too when only help or a version was asked for.
 *
 * @throws {UsageError} ERR_USAGE, it cannot be read; and whatever the command throws
 */
export async function runCommandLine(program: Command, argv: readonly string[]): Promise<void> {
  let written = ''
  let failed = program
  for (const command of withSubcommands(program)) {
    command
      .exitOverride()
      .allowExcessArguments(false)
      // Its own words on errors are ours to tell, as text or as JSON.
      .configureOutput({
        writeErr: (text) => {
          written = text
          failed = command
        }
      })
  }
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return
    if (error.code === 'commander.help') process.stderr.write(`${written}\n`)
    throw usageError(error, fullName(failed))
  }
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)]
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`
}

function usageError({ code, message }: CommanderError, name: string): UsageError {
  const help = `See ${name} --help.`
  if (code === 'commander.help') return new UsageError('A verb is missing', help)
  const [what = '', suggestion = ''] = message.replace(/^error: /, '').split('\n')
  const sentence = what.charAt(0).toUpperCase() + what.slice(1)
  const meant = /Did you mean (?:one of )?(.+)\?/.exec(suggestion)?.[1]
  return new UsageError(sentence, meant === undefined ? help : `Did you mean ${meant}? ${help}`)
}
