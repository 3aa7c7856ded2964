import { randomUUID } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { InvalidValueError } from '@registry/types'
import { BodyTooLargeError } from './errors.ts'

/** Reads a body of JSON; an empty one is an empty map. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bounded(request, 'The body', maxBytes)) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidValueError('body', 'must be JSON')
  }
}

export interface Upload {
  folder: string
  maxBytes: number
  signal: AbortSignal
}

/** Receives a body into a file of its own, lends that to `use`, and removes it whatever becomes of it. */
export async function withUpload<T>(
  request: IncomingMessage,
  { folder, maxBytes, signal }: Upload,
  use: (path: string) => Promise<T>
): Promise<T> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, `${randomUUID()}.tgz`)
  try {
    // Opened here, since a stream that opens it by itself may do so after it was removed.
    const file = await open(path, 'wx', 0o600)
    await pipeline(bounded(request, 'The package', maxBytes), file.createWriteStream(), { signal })
    return await use(path)
  } finally {
    await rm(path, { force: true })
  }
}

/** Passes a body through up to a limit; leaves what comes after it unread, and the connection open for the answer. */
async function* bounded(
  request: IncomingMessage,
  what: string,
  maxBytes: number
): AsyncGenerator<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new BodyTooLargeError(what, maxBytes)
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > maxBytes) throw new BodyTooLargeError(what, maxBytes)
    yield chunk
  }
}
