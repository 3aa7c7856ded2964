import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { itemsUntilAborted } from '@registry/timing'
import {
  type AbortOptions,
  type BlobInfo,
  type BlobStore,
  type BlobUsage,
  type Clock,
  type ContentId,
  isRegistryError,
  type Logger,
  PROTOCOL_LIMITS,
  parseContentId
} from '@registry/types'
import type { BlockFiles } from './block-files.ts'
import { buildContent, CONTENT_LAYOUT, isBlock, walkContent } from './content-dag.ts'
import { bytesOf, type Database, type Durability, integerOf, type Row, textOf } from './database.ts'
import {
  CorruptBlobError,
  HashMismatchError,
  NotStoredError,
  QuotaExceededError,
  TooLargeError
} from './errors.ts'
import { Listeners } from './listeners.ts'

const PART = 'registry:store:blobs'

/** A block up to this size is a row; above, SQLite reads slower than a file (https://sqlite.org/intern-v-extern-blob.html). */
const MAX_INLINE_BYTES = 64 * 1024

/** Use is written down no finer than this, so that reading does not mean writing. */
const USE_GRANULARITY_MS = 60_000

const NO_HOLDER = new Uint8Array(0)

/** Files removed before others get a turn. */
const REMOVALS_PER_TURN = 16

export interface StoredBlobsInit {
  quotaBytes: number
  partialMaxIdleMs: number
}

export interface StoredBlobsComponents {
  db: Database
  files: BlockFiles
  clock: Clock
  logger?: Logger
}

interface StagedBlock {
  cid: ContentId
  size: number
  /** Null when it is in a file. */
  inline: Uint8Array | null
}

/**
 * Contents as blocks in SQLite and in files. A block is kept as long as a content refers to it; blocks that contents
 * share are stored once. A file is written before the row that refers to it and removed after; what a crash leaves in
 * between belongs to no row and is swept away.
 */
export class StoredBlobs implements BlobStore {
  readonly #init: StoredBlobsInit
  readonly #db: Database
  readonly #files: BlockFiles
  readonly #clock: Clock
  readonly #logger: Logger | undefined
  readonly #listeners: Listeners<[cid: ContentId, present: boolean]>
  /** How many writes are under way that need the file of a block which no row refers to yet. */
  readonly #held = new Map<ContentId, number>()
  #usedBytes = 0
  /** Of blocks being written. */
  #reservedBytes = 0

  constructor(init: StoredBlobsInit, components: StoredBlobsComponents) {
    this.#init = init
    this.#db = components.db
    this.#files = components.files
    this.#clock = components.clock
    this.#logger = components.logger
    this.#listeners = new Listeners(PART, components.logger)
  }

  /** Reads what is kept in memory. */
  load(): void {
    const row = this.#db.get('SELECT coalesce(sum(size), 0) AS bytes FROM blocks')
    this.#usedBytes = row === undefined ? 0 : integerOf(row, 'bytes')
  }

  /** Removes files that no row refers to. Never rejects. */
  async sweep(): Promise<void> {
    try {
      for await (const name of this.#files.names()) {
        if (isContentId(name)) this.#removeUnneeded(name)
      }
    } catch (error) {
      this.#logger?.warn(PART, 'files that belong to nothing could not be removed', { error: String(error) })
    }
  }

  async add(
    source: AsyncIterable<Uint8Array>,
    options: AbortOptions & { maxBytes?: number } = {}
  ): Promise<BlobInfo> {
    const maxBytes = options.maxBytes ?? PROTOCOL_LIMITS.maxPackageBytes
    const staged = new Map<ContentId, StagedBlock>()
    let reserved = 0
    try {
      const pieces = bounded(
        options.signal === undefined ? source : itemsUntilAborted(source, options.signal),
        maxBytes
      )
      const info = await buildContent(pieces, CONTENT_LAYOUT, async ({ cid, bytes }) => {
        if (staged.has(cid)) return
        if (!this.hasBlock(cid)) {
          await this.#reserve(bytes.length)
          reserved += bytes.length
        }
        staged.set(cid, await this.#stage(cid, bytes, 'power'))
      })
      const wasComplete = this.has(info.cid)
      const freed = this.#change('power', (change) => {
        for (const block of staged.values()) this.#putRow(change, block)
        this.#putContent(change, info, [...staged.keys()])
      })
      await this.#removeFiles(freed)
      if (!wasComplete) this.#listeners.call(info.cid, true)
      return info
    } finally {
      this.#reservedBytes -= reserved
      for (const cid of staged.keys()) this.#release(cid)
    }
  }

  has(cid: ContentId): boolean {
    return this.stat(cid) !== undefined
  }

  stat(cid: ContentId): BlobInfo | undefined {
    const row = this.#db.get('SELECT cid, size, integrity FROM contents WHERE cid = ? AND complete = 1', cid)
    return row === undefined ? undefined : blobInfo(row)
  }

  find(integrity: string): BlobInfo | undefined {
    const row = this.#db.get(
      'SELECT cid, size, integrity FROM contents WHERE integrity = ? AND complete = 1',
      integrity
    )
    return row === undefined ? undefined : blobInfo(row)
  }

  async *read(cid: ContentId, options: AbortOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const info = this.stat(cid)
    if (info === undefined) throw new NotStoredError(cid)
    this.#use(cid)
    for await (const leaf of walkContent(cid, info.size, CONTENT_LAYOUT, (block) => this.#read(cid, block))) {
      options.signal?.throwIfAborted()
      yield leaf
    }
  }

  async block(cid: string): Promise<Uint8Array | undefined> {
    if (!isContentId(cid)) return undefined
    const bytes = await this.#verified(cid)
    return bytes === 'damaged' ? undefined : bytes
  }

  hasBlock(cid: string): boolean {
    return this.#db.get('SELECT 1 FROM blocks WHERE cid = ?', cid) !== undefined
  }

  async putBlock(root: ContentId, cid: string, bytes: Uint8Array): Promise<void> {
    const block = parseContentId(cid)
    if (bytes.length > PROTOCOL_LIMITS.maxBlockBytes) {
      throw new TooLargeError('block', PROTOCOL_LIMITS.maxBlockBytes)
    }
    if (!isBlock(block, bytes)) throw new HashMismatchError(cid, 'they hash to something else')
    if (this.has(root)) return
    if (this.hasBlock(block)) {
      this.#change('process', () => this.#putPartial(root, block))
      return
    }
    await this.#reserve(bytes.length, root)
    try {
      const staged = await this.#stage(block, bytes, 'process')
      try {
        this.#change('process', (change) => {
          this.#putRow(change, staged)
          this.#putPartial(root, block)
        })
      } finally {
        this.#release(block)
      }
    } finally {
      this.#reservedBytes -= bytes.length
    }
  }

  async complete(cid: ContentId, expected: { size: number; integrity: string }): Promise<BlobInfo> {
    const known = this.stat(cid)
    if (known !== undefined) {
      if (known.size === expected.size && known.integrity === expected.integrity) return known
      // What is here was checked before; it is the expectation that is wrong.
      throw new HashMismatchError(cid, 'it is stored here with another size or integrity')
    }
    const blocks = new Set<ContentId>()
    const sha512 = createHash('sha512')
    const readBlock = (block: ContentId): Promise<Uint8Array> => {
      blocks.add(block)
      return this.#read(cid, block)
    }
    try {
      for await (const leaf of walkContent(cid, expected.size, CONTENT_LAYOUT, readBlock)) sha512.update(leaf)
      const integrity = `sha512-${sha512.digest('base64')}`
      if (integrity !== expected.integrity) throw new HashMismatchError(cid, `its integrity is ${integrity}`)
    } catch (error) {
      if (isRegistryError(error, 'ERR_HASH_MISMATCH')) await this.#removeFiles(this.#forget(cid))
      throw error
    }
    const info: BlobInfo = { cid, size: expected.size, integrity: expected.integrity }
    const freed = this.#change('process', (change) => this.#putContent(change, info, [...blocks]))
    await this.#removeFiles(freed)
    this.#listeners.call(cid, true)
    return info
  }

  list(options: { after?: ContentId; limit: number }): BlobInfo[] {
    return this.#db
      .all(
        'SELECT cid, size, integrity FROM contents WHERE complete = 1 AND cid > ? ORDER BY cid LIMIT ?',
        options.after ?? '',
        options.limit
      )
      .map(blobInfo)
  }

  onChange(listener: (cid: ContentId, present: boolean) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** `holder`: the digest in the ID of the release that was published with it. It lets go of that pin alone. */
  pin(cid: ContentId, holder: Uint8Array = NO_HOLDER): void {
    this.#db.run('INSERT OR IGNORE INTO pins (cid, holder) VALUES (?, ?)', cid, holder)
  }

  unpin(cid: ContentId): void {
    this.#db.run('DELETE FROM pins WHERE cid = ?', cid)
  }

  async delete(cid: ContentId): Promise<void> {
    this.unpin(cid)
    await this.#removeFiles(this.#forget(cid))
  }

  usage(): BlobUsage {
    const row = this.#db.get('SELECT count(*) AS blobs FROM contents WHERE complete = 1')
    const blobs = row === undefined ? 0 : integerOf(row, 'blobs')
    return { blobs, bytes: this.#usedBytes, quotaBytes: this.#init.quotaBytes }
  }

  /** Makes room for bytes about to be written, at the cost of what is needed least, `except` aside. */
  async #reserve(bytes: number, except?: ContentId): Promise<void> {
    const freed: ContentId[] = []
    try {
      while (this.#usedBytes + this.#reservedBytes + bytes > this.#init.quotaBytes) {
        const victim = this.#leastNeeded(except)
        if (victim === undefined) throw new QuotaExceededError(bytes, this.#init.quotaBytes)
        freed.push(...this.#forget(victim))
      }
      this.#reservedBytes += bytes
    } finally {
      await this.#removeFiles(freed)
    }
  }

  /** Of the contents that are not pinned: one whose fetch was given up, else the one used longest ago. */
  #leastNeeded(except: ContentId | undefined): ContentId | undefined {
    const row = this.#db.get(
      `SELECT cid FROM contents
       WHERE (complete = 1 OR used_ms <= ?) AND cid <> ? AND cid NOT IN (SELECT cid FROM pins)
       ORDER BY complete, used_ms, cid LIMIT 1`,
      this.#clock.now() - this.#init.partialMaxIdleMs,
      except ?? ''
    )
    return row === undefined ? undefined : parseContentId(textOf(row, 'cid'))
  }

  /** Writes the file of a block, if it is to have one, which is kept until `#release`. */
  async #stage(cid: ContentId, bytes: Uint8Array, durability: Durability): Promise<StagedBlock> {
    this.#held.set(cid, (this.#held.get(cid) ?? 0) + 1)
    if (bytes.length <= MAX_INLINE_BYTES) return { cid, size: bytes.length, inline: bytes }
    try {
      await this.#files.write(cid, bytes, durability)
    } catch (error) {
      this.#release(cid)
      throw error
    }
    return { cid, size: bytes.length, inline: null }
  }

  #release(cid: ContentId): void {
    const holders = (this.#held.get(cid) ?? 1) - 1
    if (holders > 0) this.#held.set(cid, holders)
    else {
      this.#held.delete(cid)
      this.#removeUnneeded(cid)
    }
  }

  /** One transaction; returns the blocks whose files are no longer needed. */
  #change(durability: Durability, work: (change: Change) => void): ContentId[] {
    const change: Change = { bytes: 0, freed: [] }
    this.#db.transaction(durability, () => work(change))
    this.#usedBytes += change.bytes
    return change.freed
  }

  #putRow(change: Change, { cid, size, inline }: StagedBlock): void {
    if (!this.hasBlock(cid)) change.bytes += size
    this.#db.run('INSERT OR REPLACE INTO blocks (cid, size, bytes) VALUES (?, ?, ?)', cid, size, inline)
  }

  /** Declares a content complete, made of exactly these blocks. */
  #putContent(change: Change, { cid, size, integrity }: BlobInfo, blocks: readonly ContentId[]): void {
    const before = this.#blocksOf(cid)
    this.#db.run('DELETE FROM content_blocks WHERE content = ?', cid)
    for (const block of blocks) this.#link(cid, block)
    this.#db.run(
      'INSERT OR REPLACE INTO contents (cid, complete, size, integrity, used_ms) VALUES (?, 1, ?, ?, ?)',
      cid,
      size,
      integrity,
      this.#clock.now()
    )
    this.#dropUnlinked(change, before)
  }

  #putPartial(root: ContentId, block: ContentId): void {
    this.#db.run(
      `INSERT INTO contents (cid, complete, size, integrity, used_ms) VALUES (?, 0, 0, '', ?)
       ON CONFLICT (cid) DO UPDATE SET used_ms = excluded.used_ms`,
      root,
      this.#clock.now()
    )
    this.#link(root, block)
  }

  #link(content: ContentId, block: ContentId): void {
    this.#db.run('INSERT OR IGNORE INTO content_blocks (content, block) VALUES (?, ?)', content, block)
  }

  /** Takes a content out, whatever state it is in; returns the blocks whose files are no longer needed. */
  #forget(cid: ContentId): ContentId[] {
    const wasComplete = this.has(cid)
    const freed = this.#change('process', (change) => {
      const blocks = this.#blocksOf(cid)
      this.#db.run('DELETE FROM content_blocks WHERE content = ?', cid)
      this.#db.run('DELETE FROM contents WHERE cid = ?', cid)
      this.#dropUnlinked(change, blocks)
    })
    if (wasComplete) this.#listeners.call(cid, false)
    return freed
  }

  #blocksOf(cid: ContentId): ContentId[] {
    return this.#db
      .all('SELECT block FROM content_blocks WHERE content = ?', cid)
      .map((row) => parseContentId(textOf(row, 'block')))
  }

  #dropUnlinked(change: Change, blocks: readonly ContentId[]): void {
    for (const cid of blocks) {
      const row = this.#db.get(
        `SELECT size FROM blocks WHERE cid = ?1 AND NOT EXISTS (SELECT 1 FROM content_blocks WHERE block = ?1)`,
        cid
      )
      if (row === undefined) continue
      this.#db.run('DELETE FROM blocks WHERE cid = ?', cid)
      change.bytes -= integerOf(row, 'size')
      change.freed.push(cid)
    }
  }

  /** A block of a content. @throws ERR_NOT_STORED, ERR_CORRUPT_BLOB */
  async #read(content: ContentId, cid: ContentId): Promise<Uint8Array> {
    const bytes = await this.#verified(cid)
    if (bytes === undefined) throw new NotStoredError(content)
    if (bytes === 'damaged') throw new CorruptBlobError(content, cid)
    return bytes
  }

  /** A block compared with its hash; it is dropped when found damaged. */
  async #verified(cid: ContentId): Promise<Uint8Array | 'damaged' | undefined> {
    const row = this.#db.get('SELECT size, bytes FROM blocks WHERE cid = ?', cid)
    if (row === undefined) return undefined
    const bytes =
      row.bytes === null ? await this.#files.read(cid, integerOf(row, 'size')) : bytesOf(row, 'bytes')
    if (bytes !== undefined && isBlock(cid, bytes)) return bytes
    // It may have been deleted while its file was read.
    if (!this.hasBlock(cid)) return undefined
    this.#dropDamaged(cid, integerOf(row, 'size'))
    return 'damaged'
  }

  /** The contents it belonged to are partial from now on: what is left of them need not be fetched again. */
  #dropDamaged(cid: ContentId, size: number): void {
    this.#logger?.warn(PART, 'a block is damaged and was dropped', { cid })
    const contents = this.#db
      .all(
        `SELECT cid FROM contents WHERE complete = 1
         AND cid IN (SELECT content FROM content_blocks WHERE block = ?)`,
        cid
      )
      .map((row) => parseContentId(textOf(row, 'cid')))
    this.#change('process', (change) => {
      for (const content of contents) {
        this.#db.run("UPDATE contents SET complete = 0, size = 0, integrity = '' WHERE cid = ?", content)
      }
      this.#db.run('DELETE FROM content_blocks WHERE block = ?', cid)
      this.#db.run('DELETE FROM blocks WHERE cid = ?', cid)
      change.bytes -= size
    })
    this.#removeUnneeded(cid)
    for (const content of contents) this.#listeners.call(content, false)
  }

  async #removeFiles(blocks: readonly ContentId[]): Promise<void> {
    for (const [index, cid] of blocks.entries()) {
      if (index % REMOVALS_PER_TURN === REMOVALS_PER_TURN - 1) await setImmediate()
      this.#removeUnneeded(cid)
    }
  }

  /** Removes the file of a block unless a row refers to it or is about to; one that stays behind is swept up later. */
  #removeUnneeded(cid: ContentId): void {
    if (this.#held.has(cid) || !this.#db.isOpen) return
    if (this.#db.get('SELECT 1 FROM blocks WHERE cid = ? AND bytes IS NULL', cid) !== undefined) return
    try {
      this.#files.removeNow(cid)
    } catch (error) {
      this.#logger?.warn(PART, 'a file could not be removed', { cid, error: String(error) })
    }
  }

  #use(cid: ContentId): void {
    const now = this.#clock.now()
    const row = this.#db.get('SELECT used_ms FROM contents WHERE cid = ?', cid)
    if (row === undefined || now - integerOf(row, 'used_ms') < USE_GRANULARITY_MS) return
    try {
      this.#db.run('UPDATE contents SET used_ms = ? WHERE cid = ?', now, cid)
    } catch (error) {
      // A full disk must not keep back what is on it.
      this.#logger?.warn(PART, 'that a content was used could not be written down', {
        cid,
        error: String(error)
      })
    }
  }
}

/** What a transaction does to the files and the usage, once it is committed. */
interface Change {
  bytes: number
  freed: ContentId[]
}

function blobInfo(row: Row): BlobInfo {
  return {
    cid: parseContentId(textOf(row, 'cid')),
    size: integerOf(row, 'size'),
    integrity: textOf(row, 'integrity')
  }
}

function isContentId(text: string): text is ContentId {
  try {
    parseContentId(text)
    return true
  } catch {
    return false
  }
}

async function* bounded(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number
): AsyncGenerator<Uint8Array, void, undefined> {
  let total = 0
  for await (const piece of source) {
    total += piece.length
    if (total > maxBytes) throw new TooLargeError('content', maxBytes)
    yield piece
  }
}
