import { itemsUntilAborted, withDeadline } from '@registry/timing'
import {
  type BlobInfo,
  type BlobStore,
  type BlockSource,
  type Clock,
  type ContentId,
  type FetchProgress,
  isRegistryError,
  type Logger,
  type PeerIdText,
  PROTOCOL_LIMITS
} from '@registry/types'
import { isSingleBlock, type Leaf, leavesOf } from './content-leaves.ts'
import { FetchTimeoutError, HashMismatchError, NoProvidersError } from './errors.ts'
import { type ExchangeOutcome, smoothLatency } from './reputation.ts'

const PART = 'registry:content-routing:transfer'
/** A source that failed this often in a row is given up for this content. */
const MAX_FAILURES = 3
/** A source that lacked this many blocks in a row is taken to lack the rest. */
const MAX_LACKING = 8
const FIRST_REST_MS = 500
/** Until one block came, a source is expected to take this long. */
const ASSUMED_LATENCY_MS = 100
/** A block is late when it takes this many times as long as usual. */
const LATE_FACTOR = 3
/** Providers to look for when those found first have all failed. */
const WIDE_LOOKUP = 20

export interface TransferInit {
  /** Providers asked at once. */
  maxProviders: number
  /** Blocks on their way from one provider. */
  windowBlocks: number
  blockTimeoutMs: number
  /** A block that takes longer, and longer than is usual for its provider, is asked of a second one. */
  hedgeAfterMs: number
  /** Gives up when nothing came for this long. */
  stallTimeoutMs: number
}

export interface TransferComponents {
  blobs: Pick<BlobStore, 'hasBlock' | 'block' | 'putBlock'>
  blocks: BlockSource
  clock: Clock
  logger: Logger | undefined
  findProviders: (limit: number, signal: AbortSignal) => AsyncIterable<{ peerId: PeerIdText }>
  /** Orders peers, the one to ask first before others. */
  compare: (a: PeerIdText, b: PeerIdText) => number
  onExchange: (peerId: PeerIdText, outcome: ExchangeOutcome) => void
  /** It does not have the content that it was said to have, or does not hand out the true one. */
  onNoProvider: (peerId: PeerIdText) => void
  onProgress: (progress: FetchProgress) => void
}

interface Source {
  peerId: PeerIdText
  /** `idle` was not asked yet, or has rested; `resting` may be asked again later; `given up` not in this transfer. */
  state: 'idle' | 'active' | 'resting' | 'given up'
  restsUntilMs: number
  inFlight: number
  latencyMs: number | undefined
  /** Blocks it said it does not have, and how many of them in a row. */
  lacks: Set<ContentId>
  lacksInRow: number
  /** In a row. */
  failures: number
  /** Blocks in a row that came from another source before. */
  lateBlocks: number
  delivered: boolean
}

interface Block {
  cid: ContentId
  /** Undefined for the node above the leaves, whose size is not known before. */
  leaf: Leaf | undefined
  asked: Map<Source, AbortController>
  late: boolean
}

/**
 * Gets the blocks of one content into the blob store, from several providers at once: at most `windowBlocks` from each,
 * so that memory is bounded; a block is asked for where it is expected first, and of a second provider when it is late.
 * Every block is compared with its hash as it is stored. A provider of false bytes is not asked again; one that fails
 * rests and its blocks go to others. Blocks that are in the store are not asked for.
 */
export class Transfer {
  readonly #content: BlobInfo
  readonly #init: TransferInit
  readonly #components: TransferComponents
  readonly #sources = new Map<PeerIdText, Source>()
  /** What is still to come, the root or its leaves. */
  readonly #missing = new Map<ContentId, Block>()
  /** Aborted when the transfer has ended, one way or the other. */
  readonly #ending = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  #fetchedBytes = 0
  #lookups = 0
  #lookingUp = false
  #cancelStall = (): void => {}
  #cancelRest = (): void => {}

  constructor(content: BlobInfo, init: TransferInit, components: TransferComponents) {
    this.#content = content
    this.#init = init
    this.#components = components
  }

  /**
   * Resolves when every block is in the store.
   *
   * @throws ERR_NO_PROVIDERS, ERR_FETCH_TIMEOUT, ERR_HASH_MISMATCH, and what the store throws
   */
  async run(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const onAbort = (): void => this.#end(signal.reason)
    // It may end before it is waited for.
    this.#ended.promise.catch(() => {})
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      this.#restartStall()
      await this.#begin()
      this.#tellProgress()
      this.#pump()
      await this.#ended.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#end()
    }
  }

  async #begin(): Promise<void> {
    const { cid, size } = this.#content
    const { blobs } = this.#components
    if (isSingleBlock(cid, size)) {
      this.#wantLeaf({ cid, bytes: size, copies: 1 })
      return
    }
    const root = blobs.hasBlock(cid) ? await blobs.block(cid) : undefined
    if (root === undefined) this.#missing.set(cid, { cid, leaf: undefined, asked: new Map(), late: false })
    else this.#wantLeaves(root)
  }

  #wantLeaves(root: Uint8Array): void {
    const { cid, size } = this.#content
    for (const leaf of leavesOf(cid, root, size)) this.#wantLeaf(leaf)
  }

  #wantLeaf(leaf: Leaf): void {
    if (this.#components.blobs.hasBlock(leaf.cid)) this.#fetchedBytes += leaf.bytes * leaf.copies
    else this.#missing.set(leaf.cid, { cid: leaf.cid, leaf, asked: new Map(), late: false })
  }

  /** Gives out all work that can be given out now; called whenever anything has changed. */
  #pump(): void {
    if (this.#ending.signal.aborted) return
    if (this.#missing.size === 0) {
      this.#end()
      return
    }
    const work = [...this.#missing.values()]
      .filter(needsSource)
      .sort((a, b) => Number(b.late) - Number(a.late))
    this.#dismissEmpty()
    this.#activate(work)
    for (const block of work) {
      if (!this.#hasRoom()) break
      const source = this.#sourceFor(block)
      if (source !== undefined) void this.#ask(source, block)
    }
    this.#findSources(work.some((block) => block.late && needsSource(block)))
  }

  /** Gives up sources that have nothing of what is still to come. */
  #dismissEmpty(): void {
    for (const source of this.#sources.values()) {
      const { state, lacks, lacksInRow, delivered, peerId } = source
      if (state === 'given up' || lacks.size === 0) continue
      if (lacksInRow < MAX_LACKING && !this.#missing.keys().every((cid) => lacks.has(cid))) continue
      if (!delivered) this.#components.onNoProvider(peerId)
      this.#dismiss(source, 'given up')
    }
  }

  #hasRoom(): boolean {
    return this.#sources.values().some((source) => this.#isFree(source))
  }

  #isFree({ state, inFlight }: Source): boolean {
    return state === 'active' && inFlight < this.#init.windowBlocks
  }

  /** One source for each missing block, and one more for each that is late, up to the bound, the best first. */
  #activate(work: readonly Block[]): void {
    const { clock, compare } = this.#components
    const late = work.reduce((count, block) => count + Number(block.late), 0)
    const wanted = Math.min(this.#init.maxProviders, this.#missing.size + late)
    const active = [...this.#sources.values()].filter(({ state }) => state === 'active').length
    const ready = [...this.#sources.values()]
      .filter(
        ({ state, restsUntilMs }) => state === 'idle' || (state === 'resting' && restsUntilMs <= clock.now())
      )
      .sort((a, b) => a.failures - b.failures || compare(a.peerId, b.peerId))
    for (const source of ready.slice(0, Math.max(0, wanted - active))) source.state = 'active'
  }

  /** Of the active sources that have room, and were not asked for it, the one from which it is expected first. */
  #sourceFor(block: Block): Source | undefined {
    const expectedMs = ({ inFlight, latencyMs }: Source): number =>
      (inFlight + 1) * (latencyMs ?? ASSUMED_LATENCY_MS)
    return [...this.#sources.values()]
      .filter((source) => this.#isFree(source) && !block.asked.has(source) && !source.lacks.has(block.cid))
      .sort((a, b) => expectedMs(a) - expectedMs(b) || this.#components.compare(a.peerId, b.peerId))
      .at(0)
  }

  /** Looks for more providers when they are needed, and fails when nobody is left to wait for. */
  #findSources(late: boolean): void {
    const { clock } = this.#components
    const sources = [...this.#sources.values()]
    const active = sources.some(({ state }) => state === 'active')
    if ((!active || late) && !this.#lookingUp && this.#lookups < 2) void this.#lookUp()
    const resting = sources.filter(({ state }) => state === 'resting')
    this.#cancelRest()
    if (resting.length > 0) {
      const next = resting.map(({ restsUntilMs }) => restsUntilMs).reduce((a, b) => Math.min(a, b))
      // One that has rested and is not needed stays where it is.
      if (next > clock.now()) this.#cancelRest = clock.schedule(() => this.#pump(), next - clock.now())
    } else if (!active && !this.#lookingUp) {
      this.#end(new NoProvidersError(this.#content.cid, sources.length))
    }
  }

  /** First as many providers as are asked at once; when all of them have failed, as many as can be found. */
  async #lookUp(): Promise<void> {
    const { findProviders, logger } = this.#components
    const limit = this.#lookups === 0 ? this.#init.maxProviders : WIDE_LOOKUP
    let found = 0
    this.#lookingUp = true
    this.#lookups += 1
    try {
      const { signal } = this.#ending
      for await (const { peerId } of itemsUntilAborted(findProviders(limit, signal), signal)) {
        found += 1
        if (this.#sources.has(peerId)) continue
        this.#sources.set(peerId, {
          peerId,
          state: 'idle',
          restsUntilMs: 0,
          inFlight: 0,
          latencyMs: undefined,
          lacks: new Set(),
          lacksInRow: 0,
          failures: 0,
          lateBlocks: 0,
          delivered: false
        })
        this.#pump()
      }
    } catch (error) {
      if (!this.#ending.signal.aborted) logger?.debug(PART, 'a look-up failed', { error: String(error) })
    }
    this.#lookingUp = false
    // Fewer than asked for are all there are.
    if (found < limit) this.#lookups = 2
    this.#pump()
  }

  async #ask(source: Source, block: Block): Promise<void> {
    const { blocks, clock } = this.#components
    const { blockTimeoutMs, hedgeAfterMs } = this.#init
    const dropped = new AbortController()
    const askedMs = clock.now()
    block.asked.set(source, dropped)
    source.inFlight += 1
    const usualMs = source.latencyMs ?? 0
    const cancelHedge = clock.schedule(
      () => {
        block.late = true
        this.#pump()
      },
      Math.max(LATE_FACTOR * usualMs, hedgeAfterMs)
    )
    try {
      const signal = AbortSignal.any([this.#ending.signal, dropped.signal])
      const bytes = await withDeadline(clock, { timeoutMs: blockTimeoutMs, signal }, (deadline) =>
        blocks.block(source.peerId, block.cid, { signal: deadline })
      )
      cancelHedge()
      await this.#receive(source, block, bytes, clock.now() - askedMs)
    } catch (error) {
      if (dropped.signal.aborted) this.#cameFromAnother(source, clock.now() - askedMs)
      else if (!this.#ending.signal.aborted) this.#failed(source, error)
    } finally {
      cancelHedge()
      block.asked.delete(source)
      if (block.asked.size === 0) block.late = false
      source.inFlight -= 1
      this.#pump()
    }
  }

  async #receive(
    source: Source,
    block: Block,
    bytes: Uint8Array | undefined,
    latencyMs: number
  ): Promise<void> {
    const { onExchange, onNoProvider } = this.#components
    if (bytes === undefined) {
      source.lacks.add(block.cid)
      source.lacksInRow += 1
      return
    }
    const genuine = await this.#store(block, bytes)
    if (this.#ending.signal.aborted) return
    if (!genuine) {
      onExchange(source.peerId, { success: false })
      onNoProvider(source.peerId)
      this.#dismiss(source, 'given up')
      return
    }
    onExchange(source.peerId, { success: true, latencyMs })
    source.latencyMs = smoothLatency(source.latencyMs, latencyMs)
    source.failures = 0
    source.lacksInRow = 0
    source.lateBlocks = 0
    source.delivered = true
    if (!this.#missing.delete(block.cid)) return
    for (const [other, controller] of block.asked) if (other !== source) controller.abort()
    this.#restartStall()
    try {
      this.#take(block, bytes)
    } catch (error) {
      this.#end(error)
      return
    }
    this.#tellProgress()
  }

  /** False when the bytes are not those of the block. */
  async #store({ cid }: Block, bytes: Uint8Array): Promise<boolean> {
    if (bytes.length > PROTOCOL_LIMITS.maxBlockBytes) return false
    try {
      await this.#components.blobs.putBlock(this.#content.cid, cid, bytes)
      return true
    } catch (error) {
      if (!isRegistryError(error, 'ERR_HASH_MISMATCH')) this.#end(error)
      return false
    }
  }

  #take({ leaf }: Block, bytes: Uint8Array): void {
    if (leaf === undefined) {
      this.#wantLeaves(bytes)
    } else if (bytes.length === leaf.bytes) {
      this.#fetchedBytes += leaf.bytes * leaf.copies
    } else {
      const reason = `a chunk has ${bytes.length} bytes, not ${leaf.bytes}`
      throw new HashMismatchError(this.#content.cid, reason)
    }
  }

  /** A source that is merely slow is not blamed, until it was too slow several times in a row. */
  #cameFromAnother(source: Source, waitedMs: number): void {
    if (source.state !== 'active') return
    source.latencyMs = smoothLatency(source.latencyMs, waitedMs)
    source.lateBlocks += 1
    if (source.lateBlocks >= this.#init.windowBlocks) this.#failed(source)
  }

  #failed(source: Source, error?: unknown): void {
    // Requests that were under way together fail together, and count once.
    if (source.state !== 'active') return
    const { clock, logger, onExchange } = this.#components
    logger?.debug(PART, 'a provider failed', { peerId: source.peerId, error: String(error) })
    const busy = isRegistryError(error, 'ERR_PEER_BUSY') || isRegistryError(error, 'ERR_TOO_MANY_REQUESTS')
    if (!busy) onExchange(source.peerId, { success: false })
    source.failures += 1
    source.lateBlocks = 0
    source.restsUntilMs = clock.now() + FIRST_REST_MS * 2 ** Math.min(source.failures - 1, 6)
    this.#dismiss(source, source.failures < MAX_FAILURES || busy ? 'resting' : 'given up')
  }

  /** Its blocks are free for others. */
  #dismiss(source: Source, state: 'resting' | 'given up'): void {
    source.state = state
    for (const { asked } of this.#missing.values()) asked.get(source)?.abort()
  }

  #restartStall(): void {
    const { stallTimeoutMs } = this.#init
    this.#cancelStall()
    this.#cancelStall = this.#components.clock.schedule(() => {
      this.#end(new FetchTimeoutError(this.#content.cid, stallTimeoutMs))
    }, stallTimeoutMs)
  }

  #tellProgress(): void {
    const { cid, size } = this.#content
    const providers = [...this.#sources.values()].filter(({ delivered }) => delivered).length
    this.#components.onProgress({ cid, fetchedBytes: this.#fetchedBytes, totalBytes: size, providers })
  }

  #end(error?: unknown): void {
    if (this.#ending.signal.aborted) return
    this.#ending.abort()
    this.#cancelStall()
    this.#cancelRest()
    if (error === undefined) this.#ended.resolve()
    else this.#ended.reject(error)
  }
}

function needsSource({ asked, late }: Block): boolean {
  return asked.size === 0 || (late && asked.size === 1)
}
