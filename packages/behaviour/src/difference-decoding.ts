import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Decoder, decoder } from '@registry/reconciliation'
import {
  type Catalogue,
  type CatalogueScope,
  type CatalogueSketch,
  isRegistryError,
  type PackageProtocol,
  type SymbolChunk
} from '@registry/types'
import { unpackShortIds } from './short-id.ts'
import type { SyncLedger } from './sync-ledger.ts'

export interface DifferenceDecodingComponents {
  catalogue: Pick<Catalogue, 'sketch' | 'summary'>
  protocol: Pick<PackageProtocol, 'symbols'>
}

export type DecodedDifference =
  | {
      status: 'decoded'
      /** Short IDs. */
      onlyRemote: Uint8Array[]
      onlyLocal: Uint8Array[]
    }
  /** So many symbols seem to be needed, and there are fewer; or those that came contradict each other. */
  | { status: 'undecoded'; needed: number; contradictory: boolean }
  /** The peer's catalogue did not stand still for long enough. */
  | { status: 'moved' }

/** Symbols of one answer: as many as can be peeled without keeping the event loop from others for long. */
export const SYMBOLS_PER_REQUEST = 4096
/** The least to go on with: so many, and so many times those that came. */
const MIN_SYMBOLS = 64
const MIN_GROWTH = 1.25
/** How often to begin anew because the peer's catalogue has moved. */
const MAX_MOVES = 3

/**
 * The differences of a peer's set and ours, from its first coded symbols and as many more as that takes. Symbols of a set as it was at different moments do not go together: those are asked for again.
 *
 * @throws {SyncLimitError} ERR_SYNC_LIMIT, its symbols are malformed, or not those of the set that its fingerprint names. Else as `PackageProtocol`
 */
export async function decodeDifference(
  { catalogue, protocol }: DifferenceDecodingComponents,
  ledger: SyncLedger,
  { scope, first }: { scope: CatalogueScope; first: SymbolChunk }
): Promise<DecodedDifference> {
  const fetch = async (from: number, to: number): Promise<SymbolChunk[]> => {
    const requests: Array<Promise<SymbolChunk>> = []
    for (let at = from; at < to; at += SYMBOLS_PER_REQUEST) {
      const count = Math.min(SYMBOLS_PER_REQUEST, to - at)
      requests.push(
        ledger.ask((options) => protocol.symbols(ledger.peerId, { scope, from: at, count }, options))
      )
    }
    return contiguous(await Promise.all(requests), from, catalogue.sketch(scope).capacity)
  }

  let chunks = contiguous([first], 0, catalogue.sketch(scope).capacity)
  for (let moves = 0; ; ) {
    const sketch = catalogue.sketch(scope)
    // In the same moment as the symbols are read.
    const { fingerprint } = catalogue.summary(scope)
    const decoded = await peel(chunks, sketch, ledger)
    const symbols = endOf(chunks)
    if (decoded.done) {
      const onlyRemote = unpackShortIds(decoded.onlyRemote)
      const onlyLocal = unpackShortIds(decoded.onlyLocal)
      const equal = chunks.every((chunk) => Buffer.compare(chunk.fingerprint, fingerprint) === 0)
      // Its fingerprint is not that of its symbols.
      if (!equal && onlyRemote.length + onlyLocal.length === 0) throw ledger.limitReached('symbols')
      return { status: 'decoded', onlyRemote, onlyLocal }
    }
    const undecoded = { status: 'undecoded', needed: decoded.needed, contradictory: decoded.failed } as const
    if (decoded.failed || Math.max(symbols + 1, decoded.needed) > sketch.capacity) return undecoded
    const least = Math.max(decoded.needed, Math.ceil(symbols * MIN_GROWTH), MIN_SYMBOLS)
    const target = Math.min(sketch.capacity, least)
    let further = await fetch(symbols, target)
    if (isOfOneSet([...chunks, ...further])) {
      chunks.push(...further)
    } else {
      do {
        if (moves++ === MAX_MOVES) return { status: 'moved' }
        further = await fetch(0, target)
      } while (!isOfOneSet(further))
      chunks = further
    }
    if (further.length === 0) return undecoded
  }
}

async function peel(
  chunks: readonly SymbolChunk[],
  sketch: CatalogueSketch,
  ledger: SyncLedger
): Promise<Decoder> {
  const decoding = decoder()
  try {
    // All at once, before anything can change here.
    const local = chunks.map(({ from, count }) => sketch.symbols(from, count))
    for (const [index, { symbols }] of chunks.entries()) {
      const ours = local[index]
      if (index > 0) await nextTurn()
      if (ours !== undefined) decoding.add(ours, symbols)
    }
  } catch (error) {
    if (isRegistryError(error, 'ERR_INVALID_SYMBOLS') || isRegistryError(error, 'ERR_SET_CHANGED')) {
      throw ledger.limitReached('symbols')
    }
    throw error
  }
  ledger.signal.throwIfAborted()
  return decoding
}

/** Those up to the first gap, which a peer leaves that gives fewer than were asked for, and none beyond what there is here. */
function contiguous(chunks: readonly SymbolChunk[], from: number, capacity: number): SymbolChunk[] {
  const kept: SymbolChunk[] = []
  let next = from
  for (const chunk of chunks) {
    if (chunk.count === 0 || chunk.from !== next || next + chunk.count > capacity) break
    kept.push(chunk)
    next += chunk.count
  }
  return kept
}

function endOf(chunks: readonly SymbolChunk[]): number {
  const last = chunks.at(-1)
  return last === undefined ? 0 : last.from + last.count
}

function isOfOneSet(chunks: readonly SymbolChunk[]): boolean {
  const [first] = chunks
  return chunks.every(
    ({ fingerprint }) => first === undefined || Buffer.compare(fingerprint, first.fingerprint) === 0
  )
}
