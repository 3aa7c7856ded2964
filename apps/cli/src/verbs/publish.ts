import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { ControlClient } from '@registry/control'
import { UsageError } from '@registry/node'
import type { PublishReceipt } from '@registry/types'
import type { Command } from 'commander'
import { withTempDir } from '../download.ts'
import { forEachNamed } from '../each.ts'
import { bytes, print, printJson } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { showProgress } from '../progress.ts'
import { does, verb } from '../verb.ts'

interface PublishVerbOptions extends CommonOptions {
  version?: string
}

export function publishVerb(): Command {
  const command = verb('publish <path...>', {
    summary: 'Publish folders or .tgz files, each a package.',
    details:
      'A folder needs a manifest: registry.toml, package.json, pack.toml, package.toml or gpack.toml. When it returns, the package is durable on this peer, which announces it until others have it. When one of several paths fails, the others are published all the same; the exit code is that of the first failure.',
    example: 'registry publish web-kit --version 0.2.0'
  }).option('--version <version>', "publish a folder under this version in place of the manifest's")
  return does<[string[]], PublishVerbOptions>(command, async (options, signal, paths) => {
    if (options.version !== undefined && paths.length > 1) {
      throw new UsageError('A version can be given for one path only', 'Publish one at a time.')
    }
    const client = await connectToPeer(options, { signal })
    await forEachNamed(paths, options, signal, async (path) => {
      report(await publishOne(client, path, options.version, signal), options)
    })
  })
}

function report(receipt: PublishReceipt, { json }: CommonOptions): void {
  const { owner, name, version, id, cid, integrity } = receipt
  if (json) printJson({ owner, name, version, id, cid, integrity })
  else print(`+ ${name}@${version}  ${cid}`)
}

async function publishOne(
  client: ControlClient,
  path: string,
  version: string | undefined,
  signal: AbortSignal
): Promise<PublishReceipt> {
  const { inspectTarball, packPackage } = await import('@registry/registry')
  const progress = showProgress(`Publishing ${path}`)
  try {
    if (await isFile(path)) {
      if (version !== undefined) {
        throw new UsageError(`${path} is published as it is`, 'A version can be given for a folder only.')
      }
      progress.update('checking')
      // The peer checks it too; here it has the name that the user knows it by.
      await inspectTarball(path, { signal })
      return await upload(client, path, progress.update, signal)
    }
    return await withTempDir(async (tmpDir) => {
      progress.update('packing')
      const packing = version === undefined ? { tmpDir, signal } : { tmpDir, signal, version }
      const packed = await packPackage(path, packing)
      return upload(client, packed.path, progress.update, signal)
    })
  } finally {
    progress.end()
  }
}

async function upload(
  client: ControlClient,
  path: string,
  update: (text: string) => void,
  signal: AbortSignal
): Promise<PublishReceipt> {
  async function* counted(): AsyncGenerator<Uint8Array> {
    let sent = 0
    for await (const chunk of createReadStream(path, { signal })) {
      sent += chunk.length
      update(`${bytes(sent)} sent`)
      yield chunk
    }
  }
  return client.publish(counted(), { signal })
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    // Packing says what is wrong with it.
    return false
  }
}
