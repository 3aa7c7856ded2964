import { ADVISORY_SEVERITIES, ATTESTATION_CLAIMS, type AttestationInput } from '@registry/types'
import { type Command, Option } from 'commander'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb } from '../verb.ts'

interface AttestOptions extends CommonOptions, AttestationInput {}

export function attestVerb(): Command {
  const command = verb('attest <reference>', {
    summary: 'Vouch for a package of anybody, or warn of it.',
    details:
      'Signed by the owner of this peer, and shown with the package everywhere. It is about the versions that the reference names, without one about all; a rebuild and a review vouch, an advisory and a block warn.',
    example: 'registry attest web-kit@0.1 --claim advisory --severity high --text "reads what it should not"'
  })
    .addOption(
      new Option('--claim <claim>', 'what you say').choices(ATTESTATION_CLAIMS).makeOptionMandatory()
    )
    .requiredOption('--text <text>', 'why you say so')
    .option('--versions <range>', 'the versions it is about, in place of those of the reference')
    .addOption(new Option('--severity <severity>', 'of an advisory').choices(ADVISORY_SEVERITIES))
    .option('--url <url>', 'where to read more')
  return does<[string], AttestOptions>(command, async (options, signal, reference) => {
    const { claim, text, versions, severity, url } = options
    const attestation: AttestationInput = { claim, text }
    if (versions !== undefined) attestation.versions = versions
    if (severity !== undefined) attestation.severity = severity
    if (url !== undefined) attestation.url = url
    const client = await connectToPeer(options, { signal })
    printReceipt(`Signed the ${claim} of`, await client.attest(reference, attestation, { signal }), options)
  })
}
