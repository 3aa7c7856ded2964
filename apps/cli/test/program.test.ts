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
      ...['subscribe', 'tag set', 'tag rm', 'tag list', 'deprecate', 'undeprecate', 'yank', 'unyank'],
      ...['unpublish', 'readme', 'attest', 'pin', 'unpin', 'names', 'follow', 'unfollow', 'following'],
      ...['curate', 'domain claim', 'domain release', 'domain check'],
      ...['catalogue export', 'catalogue import', 'catalogue verify'],
      ...['peers list', 'peers info', 'peers connect', 'peers disconnect', 'bootstrap', 'sync'],
      ...['owner', 'login', 'verify', 'config', 'doctor']
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

describe('a tag', () => {
  it('is set without the word for it', async () => {
    expect(await verbOf('tag web-kit beta 0.2.0')).toBe('tag set')
    expect(await verbOf('tag ls web-kit')).toBe('tag list')
  })
})

describe('a command that makes no sense', () => {
  it.each([
    ['', 'See registry --help.'],
    ['frob', 'See registry --help.'],
    ['get', 'See registry get --help.'],
    ['peers info', 'See registry peers info --help.'],
    ['list --limit none', 'See registry list --help.'],
    ['tag', 'See registry tag set --help.'],
    ['attest kit --text good', 'See registry attest --help.'],
    ['attest kit --text good --claim gossip', 'See registry attest --help.'],
    ['search --sort best', 'See registry search --help.']
  ])('is sent to the help of what it began with: "%s"', async (line, hint) => {
    const running = runCommandLine(createProgram(), line.split(' ').filter(Boolean))
    await expect(running).rejects.toMatchObject({ code: 'ERR_USAGE', hint })
  })
})

describe('what can be told before a peer is asked', () => {
  it.each([
    ['deprecate kit', 'A message is missing'],
    ['deprecate kit old --undo', '--undo takes no message'],
    ['yank kit', 'kit names no version'],
    ['readme kit a.md --remove', '--remove takes no file'],
    ['subscribe --owner zzz', '"zzz" is no owner'],
    ['subscribe --after x --from start', '--after and --from exclude each other'],
    ['search owner:zzz', '"zzz" is no owner'],
    ['search --owner zzz', '"zzz" is no owner'],
    ['search category:web category:tools', 'This cannot be searched for'],
    ['search category:web --category tools', 'category: and --category say different things']
  ])('%s is told as misuse', async (line, message) => {
    const running = runCommandLine(createProgram(), [...line.split(' '), '--data-dir', '/nowhere'])
    await expect(running).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: expect.stringContaining(message),
      hint: expect.stringMatching(/\w/)
    })
  })
})

describe('the README', () => {
  it('shows commands that the command line takes', async () => {
    const commands = [...readme.matchAll(/^registry (.+)$/gm)].map(([, line = '']) => line)
    expect(commands.length).toBeGreaterThan(20)
    for (const line of commands) expect(await verbOf(line), line).toBeDefined()
  })
})
