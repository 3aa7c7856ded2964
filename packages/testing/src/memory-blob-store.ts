import {
  type AbortOptions,
  type BlobInfo,
  type BlobStore,
  type BlobUsage,
  type ContentId,
  PROTOCOL_LIMITS,
  RegistryError
} from '@registry/types'
import { contentBlocks, integrityOf, isBlockOf, linksOf } from './content.ts'

interface StoredContent {
  info: BlobInfo
  blocks: ReadonlySet<string>
}

/** The blob store of `memoryStore`. To make room it collects the unpinned content that was stored first. */
export class MemoryBlobStore implements BlobStore {
  readonly #quotaBytes: number
  readonly #blocks = new Map<string, Uint8Array>()
  readonly #contents = new Map<ContentId, StoredContent>()
  /** Blocks of contents that are being fetched. */
  readonly #partial = new Map<ContentId, Set<string>>()
  readonly #pins = new Set<ContentId>()
  readonly #listeners = new Set<(cid: ContentId, present: boolean) => void>()

  constructor(quotaBytes: number) {
    this.#quotaBytes = quotaBytes
  }

  async add(
    source: AsyncIterable<Uint8Array>,
    { maxBytes = PROTOCOL_LIMITS.maxPackageBytes, signal }: AbortOptions & { maxBytes?: number } = {}
  ): Promise<BlobInfo> {
    const chunks: Uint8Array[] = []
    let size = 0
    signal?.throwIfAborted()
    for await (const chunk of source) {
      signal?.throwIfAborted()
      size += chunk.length
      if (size > maxBytes) {
        throw new RegistryError('ERR_TOO_LARGE', `The content has more than ${maxBytes} bytes`)
      }
      chunks.push(chunk)
    }
    const { blocks, ...info } = contentBlocks(new Uint8Array(Buffer.concat(chunks)))
    const added = [...blocks].filter(([cid]) => !this.#blocks.has(cid))
    this.#makeRoom(
      added.reduce((sum, [, block]) => sum + block.length, 0),
      info.cid
    )
    for (const [cid, block] of blocks) this.#blocks.set(cid, block)
    this.#setContent(info, new Set(blocks.keys()))
    return info
  }

  has(cid: ContentId): boolean {
    return this.#contents.has(cid)
  }

  stat(cid: ContentId): BlobInfo | undefined {
    const content = this.#contents.get(cid)
    return content === undefined ? undefined : { ...content.info }
  }

  find(integrity: string): BlobInfo | undefined {
    const found = [...this.#contents.values()].find(({ info }) => info.integrity === integrity)
    return found === undefined ? undefined : { ...found.info }
  }

  async *read(cid: ContentId, { signal }: AbortOptions = {}): AsyncIterable<Uint8Array> {
    if (!this.#contents.has(cid)) throw notStored(cid)
    const pending: string[] = [cid]
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      signal?.throwIfAborted()
      const block = this.#verifiedBlock(next)
      if (block === undefined) {
        this.#drop(cid)
        throw new RegistryError('ERR_CORRUPT_BLOB', `A block of ${cid} does not match its hash`)
      }
      const links = linksOf(next, block)
      pending.unshift(...links)
      if (links.length === 0) yield block.slice()
    }
  }

  async block(cid: string): Promise<Uint8Array | undefined> {
    return this.#verifiedBlock(cid)?.slice()
  }

  hasBlock(cid: string): boolean {
    return this.#blocks.has(cid)
  }

  async putBlock(root: ContentId, cid: string, bytes: Uint8Array): Promise<void> {
    if (!isBlockOf(cid, bytes))
      throw new RegistryError('ERR_HASH_MISMATCH', `The bytes are not those of ${cid}`)
    if (!this.#blocks.has(cid)) {
      this.#makeRoom(bytes.length, root)
      this.#blocks.set(cid, bytes.slice())
    }
    this.#partial.set(root, (this.#partial.get(root) ?? new Set()).add(cid))
  }

  async complete(cid: ContentId, expected: { size: number; integrity: string }): Promise<BlobInfo> {
    const known = this.#contents.get(cid)
    if (known !== undefined) return { ...known.info }
    const blocks = new Set<string>()
    const leaves: Uint8Array[] = []
    const pending: string[] = [cid]
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const block = this.#verifiedBlock(next)
      if (block === undefined) throw notStored(next)
      blocks.add(next)
      const links = linksOf(next, block)
      pending.unshift(...links)
      if (links.length === 0) leaves.push(block)
    }
    const bytes = Buffer.concat(leaves)
    if (bytes.length !== expected.size || integrityOf(bytes) !== expected.integrity) {
      this.#partial.delete(cid)
      this.#sweep()
      throw new RegistryError(
        'ERR_HASH_MISMATCH',
        `The content ${cid} is not of the expected size or integrity`
      )
    }
    const info = { cid, size: expected.size, integrity: expected.integrity }
    this.#setContent(info, blocks)
    return { ...info }
  }

  list({ after, limit }: { after?: ContentId; limit: number }): BlobInfo[] {
    return [...this.#contents.values()]
      .map(({ info }) => ({ ...info }))
      .filter(({ cid }) => after === undefined || cid > after)
      .sort((a, b) => (a.cid < b.cid ? -1 : 1))
      .slice(0, limit)
  }

  onChange(listener: (cid: ContentId, present: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  pin(cid: ContentId): void {
    this.#pins.add(cid)
  }

  unpin(cid: ContentId): void {
    this.#pins.delete(cid)
  }

  async delete(cid: ContentId): Promise<void> {
    this.#pins.delete(cid)
    this.#drop(cid)
  }

  usage(): BlobUsage {
    return { blobs: this.#contents.size, bytes: this.#usedBytes(), quotaBytes: this.#quotaBytes }
  }

  /** Flips a bit of a stored block, as a failing disk would. */
  damageBlock(cid: string): void {
    const damaged = this.#blocks.get(cid)?.slice()
    if (damaged?.[0] === undefined) throw notStored(cid)
    damaged[0] ^= 1
    this.#blocks.set(cid, damaged)
  }

  #verifiedBlock(cid: string): Uint8Array | undefined {
    const block = this.#blocks.get(cid)
    if (block === undefined || isBlockOf(cid, block)) return block
    this.#blocks.delete(cid)
    for (const [content, { blocks }] of this.#contents) if (blocks.has(cid)) this.#drop(content)
    return undefined
  }

  #setContent(info: BlobInfo, blocks: ReadonlySet<string>): void {
    this.#partial.delete(info.cid)
    if (this.#contents.has(info.cid)) return
    this.#contents.set(info.cid, { info, blocks })
    this.#tell(info.cid, true)
  }

  #drop(cid: ContentId): void {
    this.#partial.delete(cid)
    if (this.#contents.delete(cid)) this.#tell(cid, false)
    this.#sweep()
  }

  #tell(cid: ContentId, present: boolean): void {
    for (const listener of [...this.#listeners]) listener(cid, present)
  }

  /** Forgets the blocks that belong to no content any more. */
  #sweep(): void {
    const used = new Set([...this.#contents.values()].flatMap(({ blocks }) => [...blocks]))
    for (const cids of this.#partial.values()) for (const cid of cids) used.add(cid)
    for (const cid of [...this.#blocks.keys()]) if (!used.has(cid)) this.#blocks.delete(cid)
  }

  #makeRoom(bytes: number, keep: ContentId): void {
    for (const cid of [...this.#contents.keys()]) {
      if (this.#usedBytes() + bytes <= this.#quotaBytes) return
      if (cid !== keep && !this.#pins.has(cid)) this.#drop(cid)
    }
    if (this.#usedBytes() + bytes > this.#quotaBytes) {
      throw new RegistryError('ERR_QUOTA_EXCEEDED', `${bytes} more bytes are above the quota`, {
        hint: 'Unpin or delete contents, or raise the quota.',
        details: { quotaBytes: this.#quotaBytes }
      })
    }
  }

  #usedBytes(): number {
    return this.#blocks.values().reduce((sum, block) => sum + block.length, 0)
  }
}

function notStored(cid: string): RegistryError<'ERR_NOT_STORED'> {
  return new RegistryError('ERR_NOT_STORED', `${cid} is not stored here`)
}
