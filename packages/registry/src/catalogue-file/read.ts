import { createReadStream } from 'node:fs'
import { asyncIterableReader, type BytesReader, readBlockHead, readHeader } from '@ipld/car/decoder'
import { PROTOCOL_LIMITS } from '@registry/types'
import type { CID } from 'multiformats/cid'
import { reasonOf } from '../packing/errors.ts'
import { type Block, type CatalogueRoot, isIntact, parseRoot } from './format.ts'

/** What stands in a catalogue file. */
type Content =
  | { kind: 'root'; root: CatalogueRoot }
  /** A block whose bytes are those that its CID names; nothing else of it was checked. */
  | { kind: 'record'; block: Block }
  /** What is there is not what was written. */
  | { kind: 'fault'; reason: string }

/** One part of a catalogue file, from byte `offset` of it up to `end`. */
export type CatalogueFilePart = Content & { offset: number; end: number }

/** A record, and a block that is no record, have room; whatever claims to be larger is refused before it is read. */
const MAX_BLOCK_BYTES = PROTOCOL_LIMITS.maxRecordBytes + 1024

/**
 * The parts of a catalogue file in their order, read as they are asked for. What was damaged is left out and told of; a
 * damaged length ends the reading, as does the end of a file that was cut off.
 */
export async function* readCatalogueFile(
  path: string,
  signal: AbortSignal | undefined
): AsyncGenerator<CatalogueFilePart> {
  const stream = createReadStream(path, signal === undefined ? {} : { signal })
  const reader = bounded(asyncIterableReader(stream))
  let offset = 0
  try {
    const { roots } = await readHeader(reader, 1)
    offset = reader.pos
    for (let index = 0; (await reader.upTo(1)).length > 0; index++) {
      const { cid, blockLength } = await readBlockHead(reader)
      // A copy: the reader hands out a view of its buffer.
      const block = { cid, bytes: (await reader.exactly(blockLength, true)).slice() }
      yield { offset, end: reader.pos, ...partOf(block, index === 0 ? roots : undefined) }
      offset = reader.pos
    }
  } catch (error) {
    signal?.throwIfAborted()
    yield { kind: 'fault', offset, end: reader.pos, reason: lowerFirst(reasonOf(error)) }
  } finally {
    stream.destroy()
  }
}

/** `roots` are those of the header, for the first block. */
function partOf(block: Block, roots: readonly CID[] | undefined): Content {
  if (!isIntact(block)) return { kind: 'fault', reason: 'a block is not what its hash says' }
  if (roots === undefined) return { kind: 'record', block }
  try {
    if (roots.length === 1 && roots[0]?.equals(block.cid))
      return { kind: 'root', root: parseRoot(block.bytes) }
    return { kind: 'fault', reason: 'its first block is not its only root' }
  } catch (error) {
    return { kind: 'fault', reason: reasonOf(error) }
  }
}

/** The same reader, which neither gathers more than a block may have nor goes backwards. */
function bounded(reader: BytesReader): BytesReader {
  return {
    upTo: (length) => reader.upTo(length),
    async exactly(length, seek) {
      if (!(length >= 0 && length <= MAX_BLOCK_BYTES)) throw new RangeError('a length makes no sense')
      return reader.exactly(length, seek)
    },
    seek: (length) => reader.seek(length),
    get pos() {
      return reader.pos
    }
  }
}

/** A sentence of a library as a part of one of ours; an acronym stays one. */
function lowerFirst(text: string): string {
  return text.replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase())
}
