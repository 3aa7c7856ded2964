import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { parsePackageName, parseVersion } from '@registry/types'
import type { Command } from 'commander'
import { FileExistsError } from '../errors.ts'
import { print, printJson } from '../output.ts'
import type { CommonOptions } from '../peer.ts'
import { collect, does, verb } from '../verb.ts'

const MANIFEST = 'registry.toml'

interface InitOptions extends CommonOptions {
  name?: string
  version: string
  description: string
  category?: string
  tag: string[]
  license?: string
}

export function initVerb(): Command {
  const command = verb('init [folder]', {
    summary: 'Write a manifest, registry.toml, into a folder.',
    details:
      'The folder is made if it is not there. A manifest that is there is never written over. Needs no peer.',
    example: 'registry init web-kit --category web --tag css'
  })
    .option('--name <name>', 'name of the package; by default that of the folder')
    .option('--version <version>', 'its version', '0.1.0')
    .option('--description <text>', 'what it is, in a line', '')
    .option('--category <name>', 'where it belongs')
    .option('--tag <tag>', 'what it is found by (repeatable)', collect, [])
    .option('--license <expression>', 'SPDX expression')
  return does<[string | undefined], InitOptions>(command, async (options, _signal, folder = '.') => {
    const home = resolve(folder)
    const name = parsePackageName(options.name ?? nameOf(basename(home)))
    const version = parseVersion(options.version)
    const path = join(home, MANIFEST)
    await mkdir(home, { recursive: true })
    try {
      await writeFile(path, manifest(name, version, options), { flag: 'wx' })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      throw new FileExistsError(path, 'Edit it, or remove it first.')
    }
    if (options.json) printJson({ path, name, version })
    else print(`Wrote ${path}`, `Next: registry validate ${folder}`)
  })
}

function nameOf(folder: string): string {
  return folder
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[._-]+|-+$/g, '')
}

function manifest(name: string, version: string, options: InitOptions): string {
  // A JSON text is a TOML string, and a list of them a TOML list.
  const line = (key: string, value: string | string[] | undefined, example: string | string[]): string =>
    value === undefined || value.length === 0
      ? `# ${key} = ${JSON.stringify(example)}`
      : `${key} = ${JSON.stringify(value)}`
  return [
    '[package]',
    line('name', name, ''),
    line('version', version, ''),
    line('description', options.description, 'What it is, in a line.'),
    line('category', options.category, 'web'),
    line('tags', options.tag, ['css']),
    line('license', options.license, 'MIT'),
    '',
    '# Packages it needs, each with a range of versions.',
    '[dependencies]',
    ''
  ].join('\n')
}
