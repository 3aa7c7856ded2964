import { hash } from 'node:crypto'
import { decode as decodeNode, encode as encodeNode } from '@ipld/dag-pb'
import { type BlobInfo, PROTOCOL_LIMITS, parseContentId } from '@registry/types'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'

const RAW = 0x55
const DAG_PB = 0x70
const SHA2_256 = 0x12

/** A content cut into the blocks it is stored and sent as. */
export interface ContentBlocks extends BlobInfo {
  /** By CID; the root is among them. */
  blocks: Map<string, Uint8Array>
}

/**
 * The blocks of a content: one raw block up to 1 MiB, above that raw leaves of 1 MiB under one dag-pb node. One node is
 * enough: the largest package has 512 leaves.
 */
export function contentBlocks(bytes: Uint8Array): ContentBlocks {
  const blocks = new Map<string, Uint8Array>()
  const put = (code: number, block: Uint8Array): CID => {
    const cid = CID.createV1(code, create(SHA2_256, hash('sha256', block, 'buffer')))
    blocks.set(cid.toString(), block)
    return cid
  }
  const root = bytes.length <= PROTOCOL_LIMITS.chunkBytes ? put(RAW, bytes) : putFile(bytes, put)
  return { cid: parseContentId(root.toString()), size: bytes.length, integrity: integrityOf(bytes), blocks }
}

function putFile(bytes: Uint8Array, put: (code: number, block: Uint8Array) => CID): CID {
  const file = new UnixFS({ type: 'file' })
  const links: Array<{ Name: string; Tsize: number; Hash: CID }> = []
  for (let at = 0; at < bytes.length; at += PROTOCOL_LIMITS.chunkBytes) {
    const leaf = bytes.slice(at, at + PROTOCOL_LIMITS.chunkBytes)
    file.addBlockSize(BigInt(leaf.length))
    links.push({ Name: '', Tsize: leaf.length, Hash: put(RAW, leaf) })
  }
  return put(DAG_PB, encodeNode({ Data: file.marshal(), Links: links }))
}

/** What a release says of a content: its CID, size and integrity. */
export function describeContent(bytes: Uint8Array): BlobInfo {
  const { cid, size, integrity } = contentBlocks(bytes)
  return { cid, size, integrity }
}

/** Subresource integrity: `sha512-` and base64. */
export function integrityOf(bytes: Uint8Array): string {
  return `sha512-${hash('sha512', bytes, 'base64')}`
}

/** The blocks that a block links to, in order; a raw block has none. */
export function linksOf(cid: string, block: Uint8Array): string[] {
  return CID.parse(cid).code === DAG_PB ? decodeNode(block).Links.map((link) => link.Hash.toString()) : []
}

/** Whether `cid` is the sha2-256 of the bytes. */
export function isBlockOf(cid: string, block: Uint8Array): boolean {
  return Buffer.compare(CID.parse(cid).multihash.digest, hash('sha256', block, 'buffer')) === 0
}
