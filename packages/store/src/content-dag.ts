import { createHash, hash } from 'node:crypto'
import { code as DAG_PB, decode, encode, prepare } from '@ipld/dag-pb'
import { type BlobInfo, type ContentId, PROTOCOL_LIMITS, parseContentId } from '@registry/types'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { code as RAW } from 'multiformats/codecs/raw'
import { create } from 'multiformats/hashes/digest'
import { HashMismatchError } from './errors.ts'

const SHA2_256 = 0x12

/**
 * How a content is cut into blocks: up to `chunkBytes` it is one raw block; above, a balanced UnixFS file of raw leaves
 * of that size, with at most `maxLinks` links a node.
 */
export interface ContentLayout {
  chunkBytes: number
  maxLinks: number
}

/** That of `ipfs add` under the profile `unixfs-v1-2025` (IPIP-499), so that a content has the same CID there. */
export const CONTENT_LAYOUT: Readonly<ContentLayout> = Object.freeze({
  chunkBytes: PROTOCOL_LIMITS.chunkBytes,
  maxLinks: 1024
})

export interface ContentBlock {
  cid: ContentId
  bytes: Uint8Array
}

interface DagLink {
  cid: CID
  /** Bytes of the content below. */
  size: number
  /** Bytes of all blocks below. */
  treeSize: number
}

/**
 * Cuts a stream into the blocks of its content, and hands each to `emit` before the next is made; children come before
 * the nodes that link to them. Holds one chunk and the links of one node a level at a time.
 */
export async function buildContent(
  source: AsyncIterable<Uint8Array>,
  layout: ContentLayout,
  emit: (block: ContentBlock) => Promise<void>
): Promise<BlobInfo> {
  const integrity = createHash('sha512')
  const levels: DagLink[][] = []
  let size = 0

  const append = async (level: number, link: DagLink): Promise<void> => {
    const links = levels[level] ?? []
    levels[level] = links
    links.push(link)
    if (links.length === layout.maxLinks) await close(level)
  }
  const close = async (level: number): Promise<void> => {
    const links = levels[level] ?? []
    levels[level] = []
    const bytes = encodeNode(links)
    const cid = cidOf(DAG_PB, bytes)
    await emit({ cid: contentIdOf(cid), bytes })
    await append(level + 1, {
      cid,
      size: links.reduce((sum, link) => sum + link.size, 0),
      treeSize: links.reduce((sum, link) => sum + link.treeSize, bytes.length)
    })
  }

  for await (const chunk of chunksOf(source, layout.chunkBytes)) {
    integrity.update(chunk)
    size += chunk.length
    const cid = cidOf(RAW, chunk)
    await emit({ cid: contentIdOf(cid), bytes: chunk })
    await append(0, { cid, size: chunk.length, treeSize: chunk.length })
  }
  for (let level = 0; ; level++) {
    const links = levels[level] ?? []
    const [root] = links
    if (root !== undefined && links.length === 1 && level === levels.length - 1) {
      return { cid: contentIdOf(root.cid), size, integrity: `sha512-${integrity.digest('base64')}` }
    }
    if (links.length > 0) await close(level)
  }
}

/**
 * The bytes of a content of `size` bytes, leaf by leaf. `read` gives a block, compared with its CID. The tree must be
 * the one that `buildContent` makes for that size; so no other tree, however deep or wide, can be walked.
 *
 * @throws {HashMismatchError} ERR_HASH_MISMATCH, the tree is another
 */
export async function* walkContent(
  root: ContentId,
  size: number,
  layout: ContentLayout,
  read: (cid: ContentId) => Promise<Uint8Array>
): AsyncGenerator<Uint8Array, void, undefined> {
  async function* walk(cid: ContentId, bytesBelow: number, span: number): AsyncGenerator<Uint8Array> {
    const isLeaf = span === layout.chunkBytes
    if (CID.parse(cid).code !== (isLeaf ? RAW : DAG_PB)) throw misshapen('a block is of another kind')
    const block = await read(cid)
    if (isLeaf) {
      if (block.length !== bytesBelow) throw misshapen('a block is of another size')
      yield block
      return
    }
    const childSpan = span / layout.maxLinks
    const children = childrenOf(block)
    if (children.length !== Math.ceil(bytesBelow / childSpan)) throw misshapen('a node has other links')
    for (const [index, child] of children.entries()) {
      yield* walk(child, Math.min(childSpan, bytesBelow - index * childSpan), childSpan)
    }
  }
  const misshapen = (reason: string): HashMismatchError => new HashMismatchError(root, reason)
  const childrenOf = (node: Uint8Array): ContentId[] => {
    try {
      return decode(node).Links.map((link) => contentIdOf(link.Hash))
    } catch {
      throw misshapen('a node cannot be read')
    }
  }

  let span = layout.chunkBytes
  while (span < size) span *= layout.maxLinks
  yield* walk(root, size, span)
}

/** Whether bytes are those of a block. */
export function isBlock(cid: ContentId, bytes: Uint8Array): boolean {
  return Buffer.compare(CID.parse(cid).multihash.digest, hash('sha256', bytes, 'buffer')) === 0
}

/** A stream in pieces of exactly `chunkBytes`, but for the last; one empty piece when it is empty. */
async function* chunksOf(source: AsyncIterable<Uint8Array>, chunkBytes: number): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let length = 0
  let yielded = false
  for await (const piece of source) {
    let rest = piece
    while (length + rest.length > chunkBytes) {
      parts.push(rest.subarray(0, chunkBytes - length))
      yield Buffer.concat(parts)
      yielded = true
      rest = rest.subarray(chunkBytes - length)
      parts = []
      length = 0
    }
    if (rest.length > 0) parts.push(rest)
    length += rest.length
  }
  if (length > 0 || !yielded) yield Buffer.concat(parts)
}

function encodeNode(links: readonly DagLink[]): Uint8Array {
  const file = new UnixFS({ type: 'file', blockSizes: links.map((link) => BigInt(link.size)) })
  return encode(
    prepare({
      Data: file.marshal(),
      Links: links.map((link) => ({ Name: '', Tsize: link.treeSize, Hash: link.cid }))
    })
  )
}

function cidOf(code: number, bytes: Uint8Array): CID {
  return CID.createV1(code, create(SHA2_256, hash('sha256', bytes, 'buffer')))
}

function contentIdOf(cid: CID): ContentId {
  return parseContentId(cid.toString())
}
