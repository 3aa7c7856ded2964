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
  // Before the head, so that a content which cannot be read has a status of its own.
  const first = await pieces.next()
  const [from, to] = range ?? [0, size - 1]
  response.writeHead(range === undefined ? 200 : 206, {
    ...headersOf(content),
    'content-length': to - from + 1,
    ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${to}/${size}` })
  })
  if (first.value?.length === size) {
    response.end(first.value.subarray(from, to + 1))
    await pieces.return?.()
    return
  }
  response.setTimeout(readerTimeoutMs, () => response.destroy())
  // One piece at a time: however slowly it is read, no more than that is kept in memory.
  for await (const piece of part(withFirst(first, pieces), from, to)) {
    if (response.destroyed) return
    if (!response.write(piece)) await once(response, 'drain', { signal })
  }
  response.end()
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

async function* part(
  pieces: AsyncIterable<Uint8Array>,
  from: number,
  to: number
): AsyncGenerator<Uint8Array> {
  let offset = 0
  for await (const piece of pieces) {
    const start = Math.max(0, from - offset)
    const end = Math.min(piece.length, to + 1 - offset)
    offset += piece.length
    if (start < end) yield piece.subarray(start, end)
    if (offset > to) return
  }
}

async function* withFirst(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}
