import type { DomainReport } from '@registry/types'
import type { Command } from 'commander'
import { fields, print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb, verbGroup } from '../verb.ts'

export function domainVerb(): Command {
  return verbGroup('domain', 'Have packages under a domain, as @example.org/kit.', [
    claimVerb(),
    releaseVerb(),
    checkVerb()
  ])
}

function claimVerb(): Command {
  const command = verb('claim <domain>', {
    summary: 'Claim a domain for the owner of this peer.',
    details:
      'It is yours once its DNS names you too, with the record that is shown: from then on @<domain>/<name> means your package everywhere.',
    example: 'registry domain claim example.org'
  })
  return does<[string], CommonOptions>(command, async (options, signal, domain) => {
    const client = await connectToPeer(options, { signal })
    const receipt = await client.claimDomain(domain, true, { signal })
    const report = await client.checkDomain(domain, { signal })
    if (options.json) return printJson({ ...receipt, report })
    printReceipt('Claimed', receipt, options)
    if (report.owner !== receipt.owner) {
      print(`Now set this record in its DNS: ${report.record.name} TXT "${report.record.text}"`)
    }
  })
}

function releaseVerb(): Command {
  const command = verb('release <domain>', {
    summary: 'Claim a domain no longer.',
    example: 'registry domain release example.org'
  })
  return does<[string], CommonOptions>(command, async (options, signal, domain) => {
    const client = await connectToPeer(options, { signal })
    printReceipt('No longer claimed:', await client.claimDomain(domain, false, { signal }), options)
  })
}

function checkVerb(): Command {
  const command = verb('check <domain>', {
    summary: 'Show whose a domain is, its DNS asked now.',
    example: 'registry domain check example.org'
  })
  return does<[string], CommonOptions>(command, async (options, signal, domain) => {
    const client = await connectToPeer(options, { signal })
    const report = await client.checkDomain(domain, { signal })
    if (options.json) return printJson(report)
    print(...fields([...rowsOf(report)]))
  })
}

function rowsOf({ owner, claimants, named, askedAtMs, record }: DomainReport): Array<[string, string]> {
  const list = (owners: readonly string[]): string =>
    owners.length === 0 ? 'nobody' : owners.map((one) => `@${one}`).join(', ')
  return [
    ['Owner', owner === undefined ? 'nobody' : `@${owner}`],
    ['Claimed by', list(claimants)],
    [askedAtMs === null ? 'DNS (no answer)' : 'DNS', list(named)],
    ['Record', `${record.name} TXT "${record.text}" would make it yours`]
  ]
}
