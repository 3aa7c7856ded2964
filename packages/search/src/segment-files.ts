import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync
} from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { parseCount, parseList, parseMap } from '@registry/types'
import { HEADER_BYTES, Segment } from './segment.ts'

const MANIFEST = 'manifest'
const FORMAT = 1
const MAX_MANIFEST_BYTES = 1024 * 1024
const MAX_SEGMENTS = 1024
const MAX_SEGMENT_BYTES = 2 ** 32
/** What is read and checked at a time: so much takes about a millisecond. */
const CHUNK_BYTES = 4 * 1024 * 1024
// Windows gives no handle of a folder, and needs none to keep what is in it.
const CAN_SYNC_FOLDERS = process.platform !== 'win32'

export interface StoredSegment {
  id: number
  bytes: number
  crc: number
}

/** What of an index is on disk: written in one piece, so that it is either the one before or this one. */
export interface Manifest {
  watermark: number
  /** Oldest first. */
  segments: StoredSegment[]
}

/** @returns undefined where there is none, or it is damaged */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  let text: string
  try {
    const file = await open(join(folder, MANIFEST), 'r')
    try {
      if ((await file.stat()).size > MAX_MANIFEST_BYTES) return undefined
      text = await readFile(file, 'utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const [body = '', crc] = text.split('\n')
    if (Number(crc) !== crc32(body)) return undefined
    const map = parseMap(JSON.parse(body), 'manifest')
    parseCount(map.format, 'manifest.format', FORMAT)
    return {
      watermark: parseCount(map.watermark, 'manifest.watermark'),
      segments: parseList(map.segments, 'manifest.segments', MAX_SEGMENTS, (item, field) => {
        const entry = parseMap(item, field)
        return {
          id: parseCount(entry.id, `${field}.id`),
          bytes: parseCount(entry.bytes, `${field}.bytes`, MAX_SEGMENT_BYTES),
          crc: parseCount(entry.crc, `${field}.crc`, 0xffffffff)
        }
      })
    }
  } catch {
    return undefined
  }
}

/** @returns undefined where the file is missing, or is not what was written */
export async function readSegment(
  folder: string,
  stored: StoredSegment,
  signal: AbortSignal | undefined
): Promise<SharedArrayBuffer | undefined> {
  if (stored.bytes < HEADER_BYTES) return undefined
  try {
    const file = await open(join(folder, fileOf(stored.id)), 'r')
    try {
      if ((await file.stat()).size !== stored.bytes) return undefined
      const buffer = new SharedArrayBuffer(stored.bytes)
      let crc = 0
      for (let start = 0; start < stored.bytes; ) {
        signal?.throwIfAborted()
        const chunk = new Uint8Array(buffer, start, Math.min(CHUNK_BYTES, stored.bytes - start))
        const { bytesRead } = await file.read(chunk, 0, chunk.length, start)
        if (bytesRead === 0) return undefined
        crc = crc32(chunk.subarray(0, bytesRead), crc)
        start += bytesRead
      }
      if (crc !== stored.crc) return undefined
      new Segment(buffer)
      return buffer
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error) || error instanceof RangeError) return undefined
    throw error
  }
}

/** Writes a segment and brings it to disk. It is found from the next manifest on. */
export function writeSegment(folder: string, id: number, buffer: SharedArrayBuffer): StoredSegment {
  const bytes = new Uint8Array(buffer)
  writeDurably(join(folder, fileOf(id)), bytes)
  return { id, bytes: bytes.length, crc: crc32(bytes) }
}

/** Replaces the manifest, on disk when it returns, and deletes the segments that are no longer in it. */
export function writeManifest(folder: string, manifest: Manifest): void {
  const body = JSON.stringify({ format: FORMAT, ...manifest })
  const path = join(folder, MANIFEST)
  writeDurably(`${path}.new`, Buffer.from(`${body}\n${crc32(body)}`))
  renameSync(`${path}.new`, path)
  syncFolder(folder)
  removeStrays(folder, manifest)
}

/** Deletes the segments that no manifest lists, as a crash leaves them. */
export function removeStrays(folder: string, manifest: Manifest | undefined): void {
  const listed = new Set(manifest?.segments.map(({ id }) => fileOf(id)))
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.segment') && !listed.has(name)) rmSync(join(folder, name), { force: true })
  }
}

export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true })
}

function fileOf(id: number): string {
  return `${id}.segment`
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w')
  try {
    for (let start = 0; start < bytes.length; ) start += writeSync(file, bytes, start, bytes.length - start)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function syncFolder(path: string): void {
  if (!CAN_SYNC_FOLDERS) return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
