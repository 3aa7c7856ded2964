import { UsageError } from '@registry/node'
import type { OwnerId, PackageName } from '@registry/types'
import { parsePackageReference } from '@registry/types'
import type { Command } from 'commander'
import { print, printJson, table } from '../output.ts'
import { ownerOf } from '../owner-text.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { readProjectLock, writeProjectLock } from '../project-lock.ts'
import { does, verb } from '../verb.ts'

interface PinOptions extends CommonOptions {
  project?: boolean
}

export function pinVerb(): Command {
  const command = verb('pin <package> [owner]', {
    summary: "Let a name mean one owner's package: @owner/name, or a name and an owner.",
    details:
      'It holds on this peer, whatever it meant before and whoever has the name. With --project it is written into the .npmrc of the project at hand, and into its .yarnrc.yml if there is one: commit it, and it holds wherever the project is installed.',
    example: 'registry pin web-kit bafyreic2fkc4r2uhw6udsoqj5klptv5qtl2m5762nl7aotofupchy74ofm'
  }).option('--project', 'for the project at hand, in place of this peer')
  return does<[string, string | undefined], PinOptions>(command, async (options, signal, text, given) => {
    const { name, owner } = meant(text, given)
    const client = await connectToPeer(options, { signal })
    if (options.project) {
      const lock = await readProjectLock(process.cwd())
      const files = await writeProjectLock(lock, new Map(lock.names).set(name, owner), client.url)
      if (options.json) printJson({ name, owner, folder: lock.folder, files })
      else print(`${name} means @${owner}/${name} in this project: commit ${files.join(' and ')}`)
      return
    }
    await client.pin(name, owner, { signal })
    if (options.json) printJson({ name, owner })
    else print(`${name} means @${owner}/${name}`)
  })
}

export function unpinVerb(): Command {
  const command = verb('unpin <name>', {
    summary: 'Let a name mean again what the catalogue makes of it.',
    example: 'registry unpin web-kit'
  }).option('--project', 'for the project at hand, in place of this peer')
  return does<[string], PinOptions>(command, async (options, signal, text) => {
    const name = nameOf(text)
    const client = await connectToPeer(options, { signal })
    const wasPinned = options.project
      ? await unpinProject(name, client.url)
      : await client.unpin(name, { signal })
    if (options.json) printJson({ name, wasPinned })
    else print(wasPinned ? `${name} is not pinned any more` : `${name} was not pinned`)
  })
}

export function namesVerb(): Command {
  const command = verb('names', {
    summary: 'List what names were decided to mean, by pin or by their first get.',
    details: 'Names that the project at hand has decided on are listed first: they count more there.',
    example: 'registry names'
  })
  return does(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    const decisions = await client.names({ signal })
    const { names } = await readProjectLock(process.cwd())
    const project = [...names].map(([name, owner]) => ({ name, owner, by: 'project' as const }))
    const all = [...project, ...decisions]
    if (options.json) printJson({ names: all })
    else if (all.length === 0) print('No name was decided on.')
    else
      print(
        ...table(
          ['NAME', 'OWNER', 'BY'],
          all.map(({ name, owner, by }) => [name, `@${owner}`, by])
        )
      )
  })
}

async function unpinProject(name: PackageName, address: string): Promise<boolean> {
  const lock = await readProjectLock(process.cwd())
  const names = new Map(lock.names)
  if (!names.delete(name)) return false
  await writeProjectLock(lock, names, address)
  return true
}

/** `@owner/name`, or a name and an owner apart. */
function meant(text: string, given: string | undefined): { name: PackageName; owner: OwnerId } {
  const reference = parsePackageReference(text)
  if (reference.range !== undefined || reference.tag !== undefined) {
    throw new UsageError('A name means a package, not one version of it', 'Leave the version out.')
  }
  if ((reference.owner === undefined) === (given === undefined)) {
    throw new UsageError(
      given === undefined ? 'Whose package is meant is missing' : 'Two owners are named',
      'As @owner/name, or the name and the owner after it: registry search shows both.'
    )
  }
  return { name: reference.name, owner: reference.owner ?? ownerOf(given ?? '') }
}

function nameOf(text: string): PackageName {
  const { name, owner, range, tag } = parsePackageReference(text)
  if (owner !== undefined || range !== undefined || tag !== undefined) {
    throw new UsageError('A name alone is meant here', 'Leave out the owner and the version.')
  }
  return name
}
