import { type BlobStore, type ContentId, PROTOCOL_LIMITS } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { contentBlocks } from '../content.ts'
import { seededBytes } from '../seeded.ts'
import { type Contract, collect, rejection, type StoreOptions, streamOf } from './contract.ts'

/** An empty blob store. */
export interface BlobStoreSubject extends AsyncDisposable {
  blobs: BlobStore
  /** Flips a bit of a stored block, past the store. */
  damageBlock(cid: string): Promise<void>
}

/** A content of four blocks: a root and three leaves, of which the last is small. */
const LARGE_BYTES = 2 * PROTOCOL_LIMITS.chunkBytes + 5

/** What every `BlobStore` does. */
export function blobStoreContract({ name, create }: Contract<BlobStoreSubject, StoreOptions>): void {
  describe(`blob store contract: ${name}`, () => {
    it('finds a complete content by its integrity, and only while it is here', async () => {
      await using subject = await create({})
      const { blobs } = subject
      const info = await blobs.add(ReadableStream.from([seededBytes('found', 100)]))
      expect(blobs.find(info.integrity)).toEqual(info)
      expect(blobs.find(contentBlocks(seededBytes('other')).integrity)).toBeUndefined()
      await blobs.delete(info.cid)
      expect(blobs.find(info.integrity)).toBeUndefined()
    })

    it('names a content as IPFS does, however it is cut when it comes', async () => {
      await using subject = await create({})
      const { chunkBytes } = PROTOCOL_LIMITS
      // From ipfs-unixfs-importer, CIDv1, raw leaves, chunks of 1 MiB.
      const expected = new Map([
        [1000, 'bafkreihn7pqgos2x3qfibrvipi5h6d4glkzyath37a4oezlyxkgxtvujui'],
        [chunkBytes, 'bafkreiggp5nmx6uta54kvdlhqwehkdcdanngcrcl2yuupowxjpvjesqyxa'],
        [chunkBytes + 1, 'bafybeiervjesnonknxbohfof7pbkgdgtujfynt6c47od3zq3twrarrh3uu'],
        [3 * chunkBytes + 5, 'bafybeig65sld4uf5ehbggfh3uoali4pja6mw3e5pw4qqxskjz6aomgnp6e']
      ])
      for (const [length, cid] of expected) {
        const bytes = seededBytes('big', length)
        for (const pieceBytes of [length, 700_001]) {
          const info = await subject.blobs.add(streamOf(bytes, pieceBytes))
          expect(info).toEqual({ cid, size: length, integrity: contentBlocks(bytes).integrity })
        }
      }
      expect(subject.blobs.usage().blobs).toBe(expected.size)
    })

    it.each([0, 1, 1000, LARGE_BYTES])('gives a content of %i bytes back byte for byte', async (length) => {
      await using subject = await create({})
      const bytes = seededBytes('content', length)
      const info = await subject.blobs.add(streamOf(bytes, 65_536))
      expect(subject.blobs.has(info.cid)).toBe(true)
      expect(subject.blobs.stat(info.cid)).toEqual(info)
      expect(Buffer.compare(await collect(subject.blobs.read(info.cid)), bytes)).toBe(0)
    })

    it('has nothing of a content that was not added', async () => {
      await using subject = await create({})
      const { cid } = contentBlocks(seededBytes('absent'))
      expect(subject.blobs.has(cid)).toBe(false)
      expect(subject.blobs.stat(cid)).toBeUndefined()
      expect(subject.blobs.hasBlock(cid)).toBe(false)
      expect(await subject.blobs.block(cid)).toBeUndefined()
      expect(await rejection(collect(subject.blobs.read(cid)))).toMatchObject({ code: 'ERR_NOT_STORED' })
    })

    it('keeps nothing of a content that is too large, whose source fails, or that is given up', async () => {
      await using subject = await create({})
      const bytes = seededBytes('content', 5000)
      const { cid } = contentBlocks(bytes)
      const tooLarge = subject.blobs.add(streamOf(bytes, 1000), { maxBytes: 4999 })
      expect(await rejection(tooLarge)).toMatchObject({ code: 'ERR_TOO_LARGE' })
      const failure = new Error('the source failed')
      const failing = async function* (): AsyncIterable<Uint8Array> {
        yield* streamOf(bytes, 1000)
        throw failure
      }
      expect(await rejection(subject.blobs.add(failing()))).toBe(failure)
      const controller = new AbortController()
      const endless = async function* (): AsyncIterable<Uint8Array> {
        for (;;) {
          yield new Uint8Array(1)
          controller.abort(failure)
        }
      }
      expect(await rejection(subject.blobs.add(endless(), { signal: controller.signal }))).toBe(failure)
      expect(subject.blobs.has(cid)).toBe(false)
      expect(subject.blobs.usage()).toMatchObject({ blobs: 0, bytes: 0 })
      expect(subject.blobs.list({ limit: 10 })).toEqual([])
    })

    it('passes a content on block by block, whole only once it was completed', async () => {
      await using subject = await create({})
      await using other = await create({})
      const { blocks, ...info } = contentBlocks(seededBytes('content', LARGE_BYTES))
      await subject.blobs.add(streamOf(seededBytes('content', LARGE_BYTES)))
      // The root first, as a peer that fetches it must.
      for (const cid of [...blocks.keys()].reverse()) {
        const block = await subject.blobs.block(cid)
        if (block === undefined) throw new Error('A block is missing')
        expect(other.blobs.hasBlock(cid)).toBe(false)
        await other.blobs.putBlock(info.cid, cid, block)
        expect(other.blobs.hasBlock(cid)).toBe(true)
        expect(other.blobs.has(info.cid)).toBe(false)
      }
      expect(await other.blobs.complete(info.cid, info)).toEqual(info)
      expect(other.blobs.stat(info.cid)).toEqual(info)
      expect(
        Buffer.compare(await collect(other.blobs.read(info.cid)), await collect(subject.blobs.read(info.cid)))
      ).toBe(0)
    })

    it('does not complete a content of which a block is missing, and keeps the others', async () => {
      await using subject = await create({})
      const { blocks, ...info } = contentBlocks(seededBytes('content', LARGE_BYTES))
      const [first, ...rest] = blocks
      if (first === undefined) throw new Error('The content has no blocks')
      for (const [cid, block] of rest) await subject.blobs.putBlock(info.cid, cid, block)
      await rejection(subject.blobs.complete(info.cid, info))
      expect(subject.blobs.has(info.cid)).toBe(false)
      await subject.blobs.putBlock(info.cid, ...first)
      expect(await subject.blobs.complete(info.cid, info)).toEqual(info)
    })

    it('keeps the blocks of a fetch that stopped while other contents come and go', async () => {
      await using subject = await create({})
      const { blocks, ...info } = contentBlocks(seededBytes('content', LARGE_BYTES))
      const [first, ...rest] = blocks
      if (first === undefined) throw new Error('The content has no blocks')
      await subject.blobs.putBlock(info.cid, ...first)
      const other = await subject.blobs.add(streamOf(seededBytes('other')))
      await subject.blobs.delete(other.cid)
      expect(subject.blobs.hasBlock(first[0])).toBe(true)
      for (const [cid, block] of rest) await subject.blobs.putBlock(info.cid, cid, block)
      expect(await subject.blobs.complete(info.cid, info)).toEqual(info)
    })

    it('refuses a block that is another than its CID says', async () => {
      await using subject = await create({})
      const { cid } = contentBlocks(seededBytes('content'))
      const put = subject.blobs.putBlock(cid, cid, seededBytes('something else'))
      expect(await rejection(put)).toMatchObject({ code: 'ERR_HASH_MISMATCH' })
      expect(subject.blobs.hasBlock(cid)).toBe(false)
    })

    it('drops a fetched content that is not what the release says', async () => {
      await using subject = await create({})
      const { integrity } = contentBlocks(seededBytes('another'))
      for (const wrong of [{ integrity }, { size: LARGE_BYTES + 1 }]) {
        const { blocks, ...info } = contentBlocks(seededBytes('content', LARGE_BYTES))
        for (const [cid, block] of blocks) await subject.blobs.putBlock(info.cid, cid, block)
        const completed = subject.blobs.complete(info.cid, { ...info, ...wrong })
        expect(await rejection(completed)).toMatchObject({ code: 'ERR_HASH_MISMATCH' })
        expect(subject.blobs.has(info.cid)).toBe(false)
        expect([...blocks.keys()].filter((cid) => subject.blobs.hasBlock(cid))).toEqual([])
      }
    })

    it.each([1000, LARGE_BYTES])(
      'never serves a damaged content of %i bytes, and can take it again',
      async (length) => {
        await using subject = await create({})
        const { blobs } = subject
        const bytes = seededBytes('content', length)
        const { blocks, cid } = contentBlocks(bytes)
        await blobs.add(streamOf(bytes))
        const changes: unknown[] = []
        blobs.onChange((changed, present) => changes.push([changed, present]))
        const [leaf] = blocks.keys()
        if (leaf === undefined) throw new Error('The content has no blocks')
        await subject.damageBlock(leaf)
        expect(await rejection(collect(blobs.read(cid)))).toMatchObject({ code: 'ERR_CORRUPT_BLOB' })
        expect(blobs.has(cid)).toBe(false)
        expect(await blobs.block(leaf)).toBeUndefined()
        expect(changes).toEqual([[cid, false]])
        await blobs.add(streamOf(bytes))
        expect(Buffer.compare(await collect(blobs.read(cid)), bytes)).toBe(0)
      }
    )

    it('gives no damaged block to a peer', async () => {
      await using subject = await create({})
      const { cid } = await subject.blobs.add(streamOf(seededBytes('content', 1000)))
      await subject.damageBlock(cid)
      expect(await subject.blobs.block(cid)).toBeUndefined()
    })

    it('lists contents page by page, each once', async () => {
      await using subject = await create({})
      const added: ContentId[] = []
      for (let seed = 0; seed < 7; seed++)
        added.push((await subject.blobs.add(streamOf(seededBytes(seed)))).cid)
      const listed: ContentId[] = []
      for (;;) {
        const after = listed.at(-1)
        const page = subject.blobs.list({ limit: 3, ...(after === undefined ? {} : { after }) })
        if (page.length === 0) break
        expect(page.length).toBeLessThanOrEqual(3)
        listed.push(...page.map(({ cid }) => cid))
      }
      expect(listed).toHaveLength(7)
      expect(new Set(listed)).toEqual(new Set(added))
    })

    it('tells of a content that came or went, once', async () => {
      await using subject = await create({})
      const changes: unknown[] = []
      const undo = subject.blobs.onChange((cid, present) => changes.push([cid, present]))
      const { cid } = await subject.blobs.add(streamOf(seededBytes('content')))
      await subject.blobs.add(streamOf(seededBytes('content')))
      await subject.blobs.delete(cid)
      await subject.blobs.delete(cid)
      undo()
      await subject.blobs.add(streamOf(seededBytes('content')))
      expect(changes).toEqual([
        [cid, true],
        [cid, false]
      ])
    })

    it('frees what a deleted content took, and leaves blocks that another one has too', async () => {
      await using subject = await create({})
      const { blobs } = subject
      const shared = seededBytes('shared', PROTOCOL_LIMITS.chunkBytes)
      const [first, second] = ['one', 'two'].map(
        (tail) => new Uint8Array(Buffer.concat([shared, seededBytes(tail)]))
      )
      if (first === undefined || second === undefined) throw new Error('unreachable')
      const one = await blobs.add(streamOf(first))
      const bytesOfOne = blobs.usage().bytes
      const two = await blobs.add(streamOf(second))
      await blobs.delete(two.cid)
      expect(blobs.has(two.cid)).toBe(false)
      expect(blobs.usage()).toMatchObject({ blobs: 1, bytes: bytesOfOne })
      expect(Buffer.compare(await collect(blobs.read(one.cid)), first)).toBe(0)
      await blobs.delete(one.cid)
      expect(blobs.usage()).toMatchObject({ blobs: 0, bytes: 0 })
    })

    it('refuses what is above its quota and never collects a pinned content for it', async () => {
      await using subject = await create({ quotaBytes: 100_000 })
      const { blobs } = subject
      expect(blobs.usage().quotaBytes).toBe(100_000)
      const pinned = await blobs.add(streamOf(seededBytes('pinned', 60_000)))
      blobs.pin(pinned.cid)
      const added = blobs.add(streamOf(seededBytes('more', 60_000)))
      expect(await rejection(added)).toMatchObject({ code: 'ERR_QUOTA_EXCEEDED' })
      const { cid, blocks } = contentBlocks(seededBytes('block', 60_000))
      for (const [blockCid, block] of blocks) {
        expect(await rejection(blobs.putBlock(cid, blockCid, block))).toMatchObject({
          code: 'ERR_QUOTA_EXCEEDED'
        })
      }
      expect(blobs.has(pinned.cid)).toBe(true)
      expect((await collect(blobs.read(pinned.cid))).length).toBe(60_000)
      await blobs.delete(pinned.cid)
      await blobs.add(streamOf(seededBytes('more', 60_000)))
    })

    it('stops reading when the signal aborts', async () => {
      await using subject = await create({})
      const { cid } = await subject.blobs.add(streamOf(seededBytes('content', LARGE_BYTES)))
      const controller = new AbortController()
      const reason = new Error('enough')
      const reading = async (): Promise<void> => {
        for await (const chunk of subject.blobs.read(cid, { signal: controller.signal })) {
          expect(chunk.length).toBeGreaterThan(0)
          controller.abort(reason)
        }
      }
      expect(await rejection(reading())).toBe(reason)
    })
  })
}
