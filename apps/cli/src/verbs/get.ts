import { join, resolve } from 'node:path'
import { type ControlClient, notFoundError } from '@registry/control'
import { UsageError } from '@registry/node'
import { type FetchedPackage, tarballFileName } from '@registry/types'
import type { Command } from 'commander'
import { completenessText } from '../completeness.ts'
import { savePackage, withTempDir } from '../download.ts'
import { bytes, note, plain, plural, print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { showProgress } from '../progress.ts'
import { projectReference } from '../project-lock.ts'
import { does, verb } from '../verb.ts'

interface GetVerbOptions extends CommonOptions {
  out?: string
  extract?: string
  force?: boolean
  integrity?: string
}

export function getVerb(): Command {
  const command = verb('get <reference>', {
    summary: 'Get a package: name, name@range or @owner/name@version.',
    details:
      'The tarball comes from whoever has it, and is compared with what its owner signed. It is written as <name>-<version>.tgz into the current folder, complete or not at all.',
    example: 'registry get web-kit@^0.1 --extract web-kit'
  })
    .option('--out <file>', 'write the tarball there')
    .option('--extract <folder>', 'unpack it into a new or empty folder in place of writing the tarball')
    .option('--force', 'replace another file that has the name')
    .option('--integrity <sha512>', 'only this very content, even of a version that is conflicted or yanked')
  return does<[string], GetVerbOptions>(command, async (options, signal, reference) => {
    if (options.out !== undefined && options.extract !== undefined) {
      throw new UsageError('--out and --extract exclude each other', 'Give one of them.')
    }
    const client = await connectToPeer(options, { signal })
    const fetched = await fetchPackage(client, await projectReference(reference), options.integrity, signal)
    const path = await write(fetched, options, signal)
    const { package: got, completeness } = fetched
    const { owner, name, version, cid, integrity, deprecated, yanked } = got
    if (options.json) {
      return printJson({ owner, name, version, cid, integrity, path, deprecated, yanked, completeness })
    }
    print(`${name}@${version}  ${path}`)
    if (deprecated !== undefined) note(`Warning: it is deprecated. ${plain(deprecated)}`.trimEnd())
    if (yanked !== undefined) note(`Warning: it is yanked. ${plain(yanked)}`.trimEnd())
    note(completenessText(completeness))
  })
}

async function fetchPackage(
  client: ControlClient,
  reference: string,
  integrity: string | undefined,
  signal: AbortSignal
): Promise<FetchedPackage> {
  const progress = showProgress(`Getting ${reference}`)
  try {
    const fetched = await client.get(reference, {
      ...(integrity === undefined ? {} : { integrity }),
      signal,
      onProgress: (step) => {
        if (step.stage !== 'fetching') return
        const { fetchedBytes, totalBytes, providers } = step
        progress.update(`${bytes(fetchedBytes)} of ${bytes(totalBytes)} from ${plural(providers, 'peer')}`)
      }
    })
    if (fetched === undefined) throw await notFoundError(client, reference, { signal })
    return fetched
  } finally {
    progress.end()
  }
}

async function write(
  fetched: FetchedPackage,
  { out, extract, force = false }: GetVerbOptions,
  signal: AbortSignal
): Promise<string> {
  const file = tarballFileName(fetched.package.name, fetched.package.version)
  if (extract === undefined) {
    const path = resolve(out ?? file)
    await savePackage(fetched, path, { force, signal })
    return path
  }
  const folder = resolve(extract)
  const { unpackTarball } = await import('@registry/registry')
  await withTempDir(async (temp) => {
    const tarball = join(temp, file)
    await savePackage(fetched, tarball, { force, signal })
    await unpackTarball(tarball, folder, { signal })
  })
  return folder
}
