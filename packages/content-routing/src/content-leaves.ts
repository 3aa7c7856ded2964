import { code as DAG_PB, decode } from '@ipld/dag-pb'
import { type ContentId, PROTOCOL_LIMITS, parseContentId } from '@registry/types'
import { CID } from 'multiformats/cid'
import { HashMismatchError } from './errors.ts'

const { chunkBytes, maxPackageBytes } = PROTOCOL_LIMITS

/** A raw block, how many bytes it must have, and how often it stands in the content. */
export interface Leaf {
  cid: ContentId
  bytes: number
  copies: number
}

/**
 * Whether a content of `size` bytes is one raw block or a node that links to its leaves: the size decides.
 *
 * @throws {HashMismatchError} ERR_HASH_MISMATCH, the CID is of the other kind, or the size above any package's
 */
export function isSingleBlock(root: ContentId, size: number): boolean {
  if (size > maxPackageBytes)
    throw new HashMismatchError(root, `${size} bytes are more than a package may have`)
  const single = size <= chunkBytes
  if ((CID.parse(root).code === DAG_PB) === single) {
    throw new HashMismatchError(root, `a content of ${size} bytes has a CID of another kind`)
  }
  return single
}

/**
 * The leaves under the verified root node of a content of `size` bytes: as many as that size needs, each of
 * `chunkBytes` but the last. A leaf that stands there several times is listed once.
 *
 * @throws {HashMismatchError} ERR_HASH_MISMATCH, the node is another
 */
export function leavesOf(root: ContentId, node: Uint8Array, size: number): Leaf[] {
  const links = linksOf(root, node)
  const expected = Math.ceil(size / chunkBytes)
  if (links.length !== expected) {
    throw new HashMismatchError(root, `it has ${links.length} chunks, not the ${expected} of ${size} bytes`)
  }
  const leaves = new Map<ContentId, Leaf>()
  for (const [index, cid] of links.entries()) {
    const bytes = Math.min(chunkBytes, size - index * chunkBytes)
    if (CID.parse(cid).code === DAG_PB) throw new HashMismatchError(root, 'a chunk is not a raw block')
    const same = leaves.get(cid)
    if (same !== undefined && same.bytes !== bytes) throw new HashMismatchError(root, 'a chunk has two sizes')
    leaves.set(cid, { cid, bytes, copies: (same?.copies ?? 0) + 1 })
  }
  return [...leaves.values()]
}

function linksOf(root: ContentId, node: Uint8Array): ContentId[] {
  try {
    return decode(node).Links.map((link) => parseContentId(link.Hash.toString()))
  } catch (error) {
    throw new HashMismatchError(
      root,
      `its root cannot be read: ${error instanceof Error ? error.message : error}`
    )
  }
}
