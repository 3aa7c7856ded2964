import type { IncomingMessage } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { InvalidValueError } from '@registry/types'
import { JsonScanner } from './json-scanner.ts'

/**
 * Reads a body of JSON, which may be compressed by gzip; an empty one is an empty map. Its size and depth are bounded before
 * it is parsed.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE; {BodyTooLargeError} ERR_TOO_LARGE
 */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const scanner = new JsonScanner({ maxTextBytes: maxBytes })
  for await (const chunk of bodyOf(request)) scanner.scan(chunk)
  return parseJson(scanner.end())
}

/** The body as it was before it was compressed, if it was. Leaves the connection open for the answer. */
export async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  const body = request.iterator({ destroyOnReturn: false })
  if (encoding === 'identity') yield* body
  else if (encoding === 'gzip') yield* gunzipped(body)
  else throw new InvalidValueError('content-encoding', 'must be gzip or none')
}

async function* gunzipped(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // Its end, be it an error, is that of what is read here.
  const gunzip = pipeline(Readable.from(body, { objectMode: false }), createGunzip(), () => {})
  try {
    yield* gunzip
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))) throw error
    throw new InvalidValueError('body', 'is not gzip, or damaged')
  }
}

export function parseJson(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidValueError('body', 'must be JSON')
  }
}
