import { hash } from 'node:crypto'
import * as buffer from '@ipld/car/buffer-writer'
import { decode, encode } from '@ipld/dag-cbor'
import { Fingerprint } from '@registry/store'
import { InvalidValueError, parseBytes, parseCount, parseMap } from '@registry/types'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'

const DAG_CBOR = 0x71
const SHA2_256 = 0x12
const TYPE = 'p2p-registry/catalogue/1'

/** What a catalogue file says of itself: the only root of the CAR, and its first block. */
export interface CatalogueRoot {
  /** Of all blocks that follow. */
  records: number
  /** Of the set of their IDs, as a catalogue computes it; 32 bytes. */
  fingerprint: Uint8Array
}

export interface Block {
  cid: CID
  bytes: Uint8Array
}

export function blockOf(bytes: Uint8Array): Block {
  return { cid: CID.createV1(DAG_CBOR, createDigest(SHA2_256, hash('sha256', bytes, 'buffer'))), bytes }
}

/** Whether these are the bytes that a CID of a record names. */
export function isIntact({ cid, bytes }: Block): boolean {
  const { version, code, multihash } = cid
  const isOfRecord = version === 1 && code === DAG_CBOR && multihash.code === SHA2_256
  return isOfRecord && Buffer.compare(multihash.digest, hash('sha256', bytes, 'buffer')) === 0
}

/** The beginning of a file: the header of a CARv1 and the root block. */
export function encodeHead(root: CatalogueRoot): Uint8Array {
  const block = blockOf(encode({ type: TYPE, ...root }))
  const roots = [block.cid]
  const size = buffer.headerLength({ roots }) + buffer.blockLength(block)
  return buffer.createWriter(new ArrayBuffer(size), { roots }).write(block).close()
}

/** Blocks as they stand in a file, one after another. */
export function encodeBlocks(blocks: readonly Block[]): Uint8Array {
  const size = blocks.reduce((sum, block) => sum + buffer.blockLength(block), 0)
  const writer = buffer.createWriter(new ArrayBuffer(size), { headerSize: 0 })
  for (const block of blocks) writer.write(block)
  return writer.bytes
}

/** @throws {InvalidValueError} ERR_INVALID_VALUE, and what dag-cbor throws */
export function parseRoot(bytes: Uint8Array): CatalogueRoot {
  const map = parseMap(decode(bytes), 'root')
  if (map.type !== TYPE) throw new InvalidValueError('root.type', `must be ${TYPE}`)
  return {
    records: parseCount(map.records, 'root.records'),
    fingerprint: parseBytes(map.fingerprint, 'root.fingerprint', 32, 32)
  }
}

/** Counts records and takes the fingerprint of the set of them. */
export class RecordSum {
  readonly #fingerprint = new Fingerprint()
  #records = 0

  get records(): number {
    return this.#records
  }

  add({ cid }: Block): void {
    this.#fingerprint.add(cid.multihash.digest)
    this.#records++
  }

  root(): CatalogueRoot {
    return { records: this.#records, fingerprint: this.#fingerprint.bytes() }
  }
}
