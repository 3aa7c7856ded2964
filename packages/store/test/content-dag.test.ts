import { seededBytes } from '@registry/testing'
import { PROTOCOL_LIMITS, parseContentId } from '@registry/types'
import fc from 'fast-check'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import type { CID } from 'multiformats/cid'
import { describe, expect, it } from 'vitest'
import { buildContent, CONTENT_LAYOUT, type ContentLayout, isBlock, walkContent } from '../src/content-dag.ts'
import { pieces, readAll } from './folder-store.ts'

interface Built {
  cid: string
  size: number
  blocks: Map<string, Uint8Array>
}

async function built(bytes: Uint8Array, layout: ContentLayout, pieceBytes = 300_000): Promise<Built> {
  const blocks = new Map<string, Uint8Array>()
  const cut = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes)
  )
  const { cid, size } = await buildContent(pieces(...cut), layout, async (block) => {
    blocks.set(block.cid, block.bytes)
  })
  return { cid, size, blocks }
}

/** What the IPFS project's own importer makes of it. */
async function imported(
  bytes: Uint8Array,
  layout?: ContentLayout
): Promise<{ cid: string; blocks: string[] }> {
  const blocks: string[] = []
  const blockstore = {
    put: async (cid: CID): Promise<CID> => {
      blocks.push(cid.toString())
      return cid
    }
  }
  const options =
    layout === undefined
      ? { profile: 'unixfs-v1-2025' as const }
      : {
          rawLeaves: true,
          chunker: fixedSize({ chunkSize: layout.chunkBytes }),
          layout: balanced({ maxChildrenPerNode: layout.maxLinks })
        }
  for await (const { cid } of importer([{ content: bytes }], blockstore, {
    ...options,
    wrapWithDirectory: false
  })) {
    return { cid: cid.toString(), blocks }
  }
  return expect.fail('nothing was imported')
}

async function walked(
  root: string,
  size: number,
  layout: ContentLayout,
  blocks: Built['blocks']
): Promise<Uint8Array> {
  return readAll(
    walkContent(
      parseContentId(root),
      size,
      layout,
      async (cid) => blocks.get(cid) ?? expect.fail(`no ${cid}`)
    )
  )
}

const { chunkBytes } = PROTOCOL_LIMITS

describe('a content has the CID that IPFS gives it under the profile unixfs-v1-2025', () => {
  it.each([0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 2 * chunkBytes, 5 * chunkBytes + 123])(
    'with %i bytes',
    async (length) => {
      const bytes = seededBytes('content', length)
      const { cid, size, blocks } = await built(bytes, CONTENT_LAYOUT)
      const expected = await imported(bytes)
      expect(cid).toBe(expected.cid)
      expect(size).toBe(length)
      expect([...blocks.keys()].sort()).toEqual([...new Set(expected.blocks)].sort())
      expect(Buffer.compare(await walked(cid, length, CONTENT_LAYOUT, blocks), bytes)).toBe(0)
    }
  )

  it.each([1023, 1024, 1025, 2048, 2049, 5000])('with %i leaves', async (leaves) => {
    const layout = { chunkBytes: 16, maxLinks: 1024 }
    const bytes = seededBytes('leaves', leaves * 16)
    const { cid, blocks } = await built(bytes, layout)
    expect(cid).toBe((await imported(bytes, layout)).cid)
    expect(Buffer.compare(await walked(cid, bytes.length, layout, blocks), bytes)).toBe(0)
  })

  it('with a tree of any depth', { timeout: 30_000 }, async () => {
    const layout = { chunkBytes: 4, maxLinks: 3 }
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 500 }),
        fc.integer({ min: 1, max: 40 }),
        async (length, cut) => {
          const bytes = seededBytes('deep', length)
          const { cid, blocks } = await built(bytes, layout, cut)
          expect(cid).toBe((await imported(bytes, layout)).cid)
          expect(Buffer.compare(await walked(cid, length, layout, blocks), bytes)).toBe(0)
        }
      ),
      { numRuns: 60, seed: 1 }
    )
  })

  it('as it was recorded once', async () => {
    expect((await built(new Uint8Array(0), CONTENT_LAYOUT)).cid).toBe(
      'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
    )
  })
})

it('makes blocks that hash to their CIDs and fit the protocol', async () => {
  const { blocks } = await built(seededBytes('content', 3 * chunkBytes + 7), CONTENT_LAYOUT)
  for (const [cid, bytes] of blocks) {
    expect(isBlock(parseContentId(cid), bytes)).toBe(true)
    expect(bytes.length).toBeLessThanOrEqual(PROTOCOL_LIMITS.maxBlockBytes)
  }
})

it('reads a tree only if it is the one for that size, whatever the size is said to be', async () => {
  const layout = { chunkBytes: 4, maxLinks: 3 }
  const { cid, blocks } = await built(seededBytes('tree', 30), layout)
  await expect(walked(cid, 30, layout, blocks)).resolves.toHaveLength(30)
  for (const size of [0, 1, 4, 12, 13, 29, 31, 36, 37, 1000, 2 ** 40]) {
    await expect(walked(cid, size, layout, blocks)).rejects.toMatchObject({ code: 'ERR_HASH_MISMATCH' })
  }
})

it('reads no tree that is wider or deeper than its size allows', async () => {
  const layout = { chunkBytes: 4, maxLinks: 3 }
  const wide = await built(seededBytes('wide', 36), { chunkBytes: 4, maxLinks: 9 })
  await expect(walked(wide.cid, 36, layout, wide.blocks)).rejects.toMatchObject({ code: 'ERR_HASH_MISMATCH' })
  const deep = await built(seededBytes('deep', 8), { chunkBytes: 1, maxLinks: 2 })
  await expect(walked(deep.cid, 8, layout, deep.blocks)).rejects.toMatchObject({ code: 'ERR_HASH_MISMATCH' })
})
