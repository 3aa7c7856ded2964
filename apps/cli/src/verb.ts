import { Command, InvalidArgumentError } from 'commander'
import { interruptible } from './interrupt.ts'
import type { CommonOptions } from './peer.ts'

export interface VerbText {
  summary: string
  /** What `--help` adds below the summary. */
  details?: string
  /** Shown by `--help`, and run by a test. */
  example: string
}

/** A verb of the command line, with the options that all have. */
export function verb(usage: string, { summary, details, example }: VerbText): Command {
  const command = new Command(usage.split(' ')[0])
    .summary(summary)
    .description(details === undefined ? summary : `${summary} ${details}`)
    .option('--data-dir <folder>', "the peer's data folder (REGISTRY_DATA_DIR)")
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  ${example}`)
  for (const argument of usage.split(' ').slice(1)) command.argument(argument)
  return command
}

/** Several verbs under one word; `usual` is meant where none of them is named. */
export function verbGroup(
  name: string,
  summary: string,
  verbs: readonly Command[],
  usual?: Command
): Command {
  const group = new Command(name).summary(summary).description(summary)
  if (usual !== undefined) group.addCommand(usual, { isDefault: true })
  for (const one of verbs) group.addCommand(one)
  return group
}

/** What a verb does, with its arguments and options as commander has read them, and a signal that Ctrl-C aborts. */
export type Action<Arguments extends unknown[], Options extends CommonOptions> = (
  options: Options,
  signal: AbortSignal,
  ...args: Arguments
) => Promise<void>

/** Makes a verb do something. Its arguments come first, as commander hands them over; an optional one may be undefined. */
export function does<Arguments extends unknown[], Options extends CommonOptions>(
  command: Command,
  action: Action<Arguments, Options>
): Command {
  return command.action((...given) => {
    const args = given.slice(0, command.registeredArguments.length) as Arguments
    return interruptible((signal) => action(command.opts<Options>(), signal, ...args))
  })
}

/** Reads a whole number within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (!/^\d+$/.test(text) || number < min || number > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    }
    return number
  }
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}
