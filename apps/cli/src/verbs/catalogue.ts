import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type CatalogueImportReport, isRegistryError, parseCount, parseMap } from '@registry/types'
import type { Command } from 'commander'
import { FileExistsError } from '../errors.ts'
import { bytes, fields, note, plural, print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { type Progress, showProgress } from '../progress.ts'
import { does, verb, verbGroup } from '../verb.ts'

interface ExportOptions extends CommonOptions {
  force?: boolean
}

export function catalogueVerb(): Command {
  return verbGroup('catalogue', 'Carry the catalogue in a file, as on a USB stick.', [
    exportVerb(),
    importVerb(),
    verifyVerb()
  ])
}

function exportVerb(): Command {
  const command = verb('export <file>', {
    summary: "Write the peer's catalogue into one file.",
    details:
      'A CARv1 file with every record: owners, releases, statements and attestations; no contents of packages. Equal catalogues give equal files.',
    example: 'registry catalogue export catalogue.car'
  }).option('--force', 'replace a file that has the name')
  return does<[string], ExportOptions>(command, async (options, signal, file) => {
    const path = resolve(file)
    if (options.force !== true && (await exists(path))) {
      throw new FileExistsError(path, 'Choose another name, or replace it with --force.')
    }
    const client = await connectToPeer(options, { signal })
    const report = await withProgress('Exporting the catalogue', (onProgress) =>
      client.exportCatalogue(path, { signal, onProgress })
    )
    if (options.json) printJson(report)
    else print(`Wrote ${plural(report.records, 'record')}, ${bytes(report.bytes)}, to ${path}.`)
  })
}

function importVerb(): Command {
  const command = verb('import <file>', {
    summary: 'Take in what a catalogue file has; each record is verified.',
    details:
      'Of a file that is damaged or cut off, what is whole is taken, and the rest is told of as an error.',
    example: 'registry catalogue import catalogue.car'
  })
  return does<[string], CommonOptions>(command, async (options, signal, file) => {
    const path = resolve(file)
    const client = await connectToPeer(options, { signal })
    try {
      const report = await withProgress('Importing a catalogue', (onProgress) =>
        client.importCatalogue(path, { signal, onProgress })
      )
      if (options.json) printJson(report)
      else print(importText(report))
    } catch (error) {
      if (!options.json && isRegistryError(error, 'ERR_INVALID_CATALOGUE_FILE')) {
        const taken = reportIn(error.details)
        if (taken !== undefined) note(importText(taken))
      }
      throw error
    }
  })
}

function verifyVerb(): Command {
  const command = verb('verify <file>', {
    summary: 'Check a catalogue file by itself.',
    details:
      'Hashes, signatures with the owners in the file, order and completeness. Needs no peer, and changes nothing.',
    example: 'registry catalogue verify catalogue.car'
  })
  return does<[string], CommonOptions>(command, async (options, signal, file) => {
    const { verifyCatalogueFile } = await import('@registry/registry')
    const found = await withProgress('Checking a catalogue', (onProgress) =>
      verifyCatalogueFile(resolve(file), { signal, onProgress })
    )
    if (options.json) return printJson({ valid: true, ...found })
    const { kinds, fingerprint } = found
    print(
      ...fields([
        ['File', found.path],
        ['Size', bytes(found.bytes)],
        ['Records', String(found.records)],
        ['Owners', String(kinds.owner)],
        ['Releases', String(kinds.release)],
        ['Statements', String(kinds.statement)],
        ['Attestations', String(kinds.attestation)],
        ['Fingerprint', fingerprint]
      ]),
      'It is whole, and every signature holds.'
    )
  })
}

async function withProgress<T>(
  what: string,
  run: (onProgress: (step: { records: number; total: number }) => void) => Promise<T>
): Promise<T> {
  const progress: Progress = showProgress(what)
  try {
    return await run(({ records, total }) => progress.update(`${records} of ${total} records`))
  } finally {
    progress.end()
  }
}

type Taken = Pick<CatalogueImportReport, 'accepted' | 'known' | 'superseded' | 'refused'>

function importText({ accepted, known, superseded, refused }: Taken): string {
  const parts = [`${accepted} new`, `${known} known before`]
  if (superseded > 0) parts.push(`${superseded} superseded`)
  if (refused > 0) parts.push(`${refused} refused`)
  return `Records: ${parts.join(', ')}.`
}

function reportIn({ report }: Record<string, unknown>): Taken | undefined {
  if (report === undefined) return undefined
  const map = parseMap(report, 'report')
  const count = (key: keyof Taken): number => parseCount(map[key], key)
  return {
    accepted: count('accepted'),
    known: count('known'),
    superseded: count('superseded'),
    refused: count('refused')
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
