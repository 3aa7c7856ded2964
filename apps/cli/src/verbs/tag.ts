import { notFoundError } from '@registry/control'
import type { Command } from 'commander'
import { print, printJson, table } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb, verbGroup } from '../verb.ts'

export function tagVerb(): Command {
  return verbGroup(
    'tag',
    'Name versions of an own package, as npm dist-tag does.',
    [removeVerb(), listVerb()],
    setVerb()
  )
}

function setVerb(): Command {
  const command = verb('set <name> <tag> <version>', {
    summary: 'Let a tag of an own package name a version.',
    details:
      'The word "set" may be left out. `name@tag` means that version from then on, and `latest` what a bare name means.',
    example: 'registry tag set web-kit beta 0.2.0'
  })
  return does<[string, string, string], CommonOptions>(
    command,
    async (options, signal, name, tag, version) => {
      const client = await connectToPeer(options, { signal })
      printReceipt(`${tag} is`, await client.tag(name, tag, version, { signal }), options)
    }
  )
}

function removeVerb(): Command {
  const command = verb('rm <name> <tag>', {
    summary: 'Take a tag of an own package away.',
    details: 'Without the tag `latest` a bare name means the newest version again.',
    example: 'registry tag rm web-kit beta'
  })
  return does<[string, string], CommonOptions>(command, async (options, signal, name, tag) => {
    const client = await connectToPeer(options, { signal })
    printReceipt(`No ${tag} any more:`, await client.tag(name, tag, null, { signal }), options)
  })
}

function listVerb(): Command {
  const command = verb('list <name>', {
    summary: 'List the tags of a package.',
    example: 'registry tag list web-kit'
  }).alias('ls')
  return does<[string], CommonOptions>(command, async (options, signal, name) => {
    const client = await connectToPeer(options, { signal })
    const details = await client.details(name, { signal })
    if (details === undefined) throw await notFoundError(client, name, { signal })
    const { distTags } = details
    if (options.json) return printJson({ distTags })
    print(...table(['TAG', 'VERSION'], Object.entries(distTags).sort()))
  })
}
