import { once } from 'node:events'
import type { Call } from './call.ts'

/** Bytes that never change. */
export interface Content {
  size: number
  /** Hash of all of it, which names it. */
  integrity: string
}

/** Answers whoever asks for the head alone or has the content already. False when it is the content that is wanted. */
export function sendHead({ request, response }: Call, content: Content): boolean {
  const headers = headersOf(content)
  if (request.headers['if-none-match'] === headers.etag) response.writeHead(304, headers).end()
  else if (request.method === 'HEAD') {
    response.writeHead(200, { ...headers, 'content-length': content.size }).end()
  } else return false
  return true
}

/** Sends a content, or the part of it that is asked for. What cannot be read rejects before anything is sent. */
export async function sendContent(
  { request, response, signal, readerTimeoutMs }: Call,
  content: Content,
  read: () => Promise<AsyncIterable<Uint8Array>>
): Promise<void> {
  const { size } = content
  const range = parseRange(request.headers.range, size)
  if (range === 'none') {
    response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
    return
  }
  const pieces = (await read())[Symbol.asyncIterator]()
  try {
    // Before the head, so that a content which cannot be read has a status of its own.
    let next = await pieces.next()
    let offset = 0
    const [from, to] = range ?? [0, size - 1]
    response.writeHead(range === undefined ? 200 : 206, {
      ...headersOf(content),
      'content-length': to - from + 1,
      ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${to}/${size}` })
    })
    response.setTimeout(readerTimeoutMs, () => response.destroy())
    // One piece at a time: however slowly it is read, no more than that is kept in memory.
    for (; next.done !== true && !response.destroyed; next = await pieces.next()) {
      const piece = next.value.subarray(Math.max(0, from - offset), to + 1 - offset)
      offset += next.value.length
      if (offset > to) {
        response.end(piece)
        return
      }
      if (piece.length > 0 && !response.write(piece)) await once(response, 'drain', { signal })
    }
    if (offset > to) response.end()
    // Less came than there should be.
    else response.destroy()
  } finally {
    await pieces.return?.()
  }
}

function headersOf({ integrity }: Content): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
    etag: `"${integrity}"`
  }
}

/** One range of bytes, both ends included. A form that is not understood is as none, as HTTP has it. */
function parseRange(
  header: string | undefined,
  size: number
): [from: number, to: number] | 'none' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  const [from, to] =
    first === ''
      ? [Math.max(0, size - Number(last)), size - 1]
      : [Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1)]
  return from > to || from >= size ? 'none' : [from, to]
}
