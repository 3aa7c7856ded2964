import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseCount, parseMap, parseText } from '@registry/types'
import { ControlFileError, NoPeerError } from './errors.ts'

/** How programs of the same user find and may use the peer that runs with a data folder. */
export interface ControlFile {
  /** `http://HOST:PORT` */
  url: string
  token: string
  pid: number
  peerId: string
  startedAtMs: number
}

const MAX_BYTES = 16 * 1024

/** 32 random bytes in base64url. */
export function createControlToken(): string {
  return randomBytes(32).toString('base64url')
}

export function controlFilePath(dataDir: string): string {
  return join(dataDir, 'control.json')
}

/** Writes the file as a whole or not at all, readable by its user only. */
export async function writeControlFile(dataDir: string, content: ControlFile): Promise<void> {
  const path = controlFilePath(dataDir)
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(content)}\n`)
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
}

/**
 * @throws {NoPeerError} ERR_NO_PEER, there is none. One that is there may be left over from a peer that was killed
 * @throws {ControlFileError} ERR_CONTROL_FILE
 */
export async function readControlFile(dataDir: string): Promise<ControlFile> {
  const path = controlFilePath(dataDir)
  try {
    const file = await open(path, 'r')
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0)
      return parseControlFile(JSON.parse(buffer.toString('utf8', 0, bytesRead)))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      throw new NoPeerError({ dataDir }, error)
    throw new ControlFileError(path, error)
  }
}

/** Removes the file unless another peer has replaced it. */
export async function removeControlFile(dataDir: string, token: string): Promise<void> {
  const current = await readControlFile(dataDir).catch(() => undefined)
  if (current?.token === token) await rm(controlFilePath(dataDir), { force: true })
}

function parseControlFile(value: unknown): ControlFile {
  const map = parseMap(value, 'control file')
  return {
    url: parseText(map.url, 'url', 256),
    token: parseText(map.token, 'token', 256),
    pid: parseCount(map.pid, 'pid'),
    peerId: parseText(map.peerId, 'peerId', 256),
    startedAtMs: parseCount(map.startedAtMs, 'startedAtMs')
  }
}
