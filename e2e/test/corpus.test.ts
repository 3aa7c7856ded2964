import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unpackTarball } from '@registry/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testNetwork, untilReleases } from '../src/network.ts'

const packs = join(
  process.env.REGISTRY_CORPUS_DIR ?? join(import.meta.dirname, '../../../shared/corpus'),
  'ggen/packs'
)

/** Every file below a folder with its bytes, by path. */
async function filesOf(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length + 1), await readFile(path))
  }
  return files
}

const folders = await readdir(packs).catch(() => undefined)

describe.skipIf(folders === undefined)(
  'the packs of the ggen marketplace (skipped where the corpus is absent)',
  () => {
    let scratch: string

    beforeAll(async () => {
      scratch = await mkdtemp(join(tmpdir(), 'registry-corpus-'))
    })
    afterAll(() => rm(scratch, { recursive: true, force: true }))

    it('are published on one peer, found on another and fetched there identical to their source', {
      timeout: 180_000
    }, async () => {
      await using network = await testNetwork(2)
      const [publisher, reader] = network.peers
      if (publisher === undefined || reader === undefined) throw new Error('two peers were started')
      const receipts = new Map<string, { name: string; version: string }>()
      for (const pack of folders ?? []) {
        receipts.set(pack, await publisher.publish({ kind: 'path', path: join(packs, pack) }))
      }
      expect(receipts.size).toBe(143)
      await untilReleases(reader, receipts.size)

      for (const [pack, { name, version }] of receipts) {
        const found = await reader.search({ keywords: [name], limit: 5 })
        expect(
          found.map((result) => result.package.name),
          name
        ).toContain(name)
        const fetched = await reader.get(`${name}@${version}`)
        if (fetched === undefined) throw new Error(`${name} was not found`)
        const target = join(scratch, pack)
        await unpackTarball(fetched.content(), target)
        expect(await filesOf(target), pack).toEqual(await filesOf(join(packs, pack)))
      }
    })
  }
)
