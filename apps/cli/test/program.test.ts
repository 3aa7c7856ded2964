import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommandLine } from '@registry/node'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { createProgram } from '../src/index.ts'

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')

function verbs(command: Command, path: readonly string[] = []): Array<{ name: string; command: Command }> {
  return command.commands.flatMap((one) => {
    const own = [...path, one.name()]
    return one.commands.length > 0 ? verbs(one, own) : [{ name: own.join(' '), command: one }]
  })
}

function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({
    writeOut: (text) => {
      help += text
    }
  })
  command.outputHelp()
  return help
}

/** The verb that a line of arguments would run. */
async function verbOf(line: string): Promise<string | undefined> {
  const program = createProgram().exitOverride()
  let ran: string | undefined
  for (const { name, command } of verbs(program)) {
    command.exitOverride().action(() => {
      ran = name
    })
  }
  const argv = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  await program.parseAsync(argv, { from: 'user' })
  return ran
}

const all = verbs(createProgram())

describe('every verb', () => {
  it('is there', () => {
    expect(all.map(({ name }) => name)).toEqual([
      ...[
        'start',
        'stop',
        'status',
        'init',
        'validate',
        'publish',
        'search',
        'get',
        'show',
        'versions',
        'list'
      ],
      ...['subscribe', 'peers list', 'peers info', 'peers connect', 'peers disconnect', 'bootstrap', 'sync'],
      ...['owner', 'config', 'doctor']
    ])
  })

  it.each(all)(
    '$name speaks JSON, takes a data folder, and shows an example of itself',
    ({ name, command }) => {
      const options = command.options.map(({ long }) => long)
      expect(options).toEqual(expect.arrayContaining(['--json', '--data-dir']))
      expect(helpOf(command)).toMatch(new RegExp(`\nExample:\n  registry ${name}`))
      for (const { description } of command.options) expect(description).not.toBe('')
    }
  )

  it.each(all)('$name shows an example that it takes', async ({ name, command }) => {
    const example = /\nExample:\n {2}registry (.+)\n/.exec(helpOf(command))?.[1] ?? ''
    expect(await verbOf(example)).toBe(name)
  })

  it.each(all)('$name is in the README', ({ name }) => {
    expect(readme).toMatch(new RegExp(`^registry ${name}( |$)`, 'm'))
  })
})

describe('a command that makes no sense', () => {
  it.each([
    ['', 'See registry --help.'],
    ['frob', 'See registry --help.'],
    ['get', 'See registry get --help.'],
    ['peers info', 'See registry peers info --help.'],
    ['list --limit none', 'See registry list --help.']
  ])('is sent to the help of what it began with: "%s"', async (line, hint) => {
    const running = runCommandLine(createProgram(), line.split(' ').filter(Boolean))
    await expect(running).rejects.toMatchObject({ code: 'ERR_USAGE', hint })
  })
})

describe('the README', () => {
  it('shows commands that the command line takes', async () => {
    const commands = [...readme.matchAll(/^registry (.+)$/gm)].map(([, line = '']) => line)
    expect(commands.length).toBeGreaterThan(20)
    for (const line of commands) expect(await verbOf(line), line).toBeDefined()
  })
})
