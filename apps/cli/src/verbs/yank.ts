import { UsageError } from '@registry/node'
import { parsePackageReference } from '@registry/types'
import type { Command } from 'commander'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { printReceipt } from '../receipt.ts'
import { does, verb } from '../verb.ts'

export function yankVerb(): Command {
  const command = verb('yank <reference> [reason...]', {
    summary: 'Take versions of an own package back: no range, tag or bare name means them any more.',
    details: 'Who names the exact version, as a lock does, still gets it. It can be taken back with unyank.',
    example: 'registry yank web-kit@0.1.0 breaks on Windows'
  })
  return does<[string, string[]], CommonOptions>(command, async (options, signal, reference, words) => {
    requireVersions(reference)
    const client = await connectToPeer(options, { signal })
    printReceipt('Yanked', await client.yank(reference, words.join(' '), { signal }), options)
  })
}

export function unyankVerb(): Command {
  const command = verb('unyank <reference>', {
    summary: 'Put yanked versions of an own package back.',
    example: 'registry unyank web-kit@0.1.0'
  })
  return does<[string], CommonOptions>(command, async (options, signal, reference) => {
    const client = await connectToPeer(options, { signal })
    printReceipt('No longer yanked', await client.yank(reference, null, { signal }), options)
  })
}

/** A version that was forgotten must not take the whole package back. */
function requireVersions(reference: string): void {
  const { range, tag, name } = parsePackageReference(reference)
  if (range !== undefined || tag !== undefined) return
  throw new UsageError(
    `${reference} names no version`,
    `Write ${name}@<version>, or ${name}@* to take all of them back.`
  )
}
