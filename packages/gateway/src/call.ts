import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ProjectNames, RegistryError } from '@registry/types'
import type { CachedDocument } from './document-cache.ts'
import { MethodRefusedError } from './errors.ts'
import { httpStatusOf, tarballStatusOf } from './http-status.ts'

/** One request that has passed the guard. */
export interface Call {
  request: IncomingMessage
  response: ServerResponse
  query: URLSearchParams
  /** Of the project that asks. */
  names: ProjectNames
  /** The address under which the caller knows this registry, without a slash at its end. */
  baseUrl: string
  /** Aborts when the caller goes away. */
  signal: AbortSignal
  /** Who has taken nothing of a tarball for so long is disconnected. */
  readerTimeoutMs: number
}

/** What every answer has: nobody may take it for another kind of thing than it is. */
const COMMON_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'x-content-type-options': 'nosniff'
})

/** Below this many bytes compressing saves nothing. */
const MIN_COMPRESSED_BYTES = 1024

/** Runs what is there for the method of the request; HEAD is GET without a body. */
export async function byMethod(
  { request: { method = '' } }: Call,
  answers: Readonly<Record<string, () => Promise<void> | void>>
): Promise<void> {
  const name = method === 'HEAD' ? 'GET' : method
  if (!Object.hasOwn(answers, name)) throw new MethodRefusedError(method, Object.keys(answers))
  await answers[name]?.()
}

export function sendJson(
  { request, response }: Pick<Call, 'request' | 'response'>,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {}
): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, {
    ...COMMON_HEADERS,
    'content-type': 'application/json',
    'content-length': body.length,
    'cache-control': 'no-store',
    ...headers
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** As npm's clients show it: the sentence and the hint are one text. */
export function sendError(call: Pick<Call, 'request' | 'response'>, error: RegistryError): void {
  const headers: Record<string, string> = {}
  const isTarball = call.request.method === 'GET' && call.request.url?.endsWith('.tgz') === true
  const status = isTarball ? tarballStatusOf(error) : httpStatusOf(error)
  if (error instanceof MethodRefusedError) headers.allow = error.allowed.join(', ')
  if (status === 503) headers['retry-after'] = '5'
  const text = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`
  sendJson(call, status, { error: text, code: error.code }, headers)
}

export function sendHtml({ request, response }: Call, status: number, html: string, csp: string): void {
  const body = Buffer.from(html)
  response.writeHead(status, {
    ...COMMON_HEADERS,
    'content-type': 'text/html; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    'content-security-policy': csp,
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY'
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Sends a document, or that the caller has it already, in the encoding that it prefers. */
export async function sendDocument(
  { request, response }: Call,
  contentType: string,
  document: CachedDocument
): Promise<void> {
  const headers = {
    ...COMMON_HEADERS,
    etag: document.etag,
    // It may change at any time, and asking again costs little.
    'cache-control': 'no-cache',
    vary: 'accept, accept-encoding'
  }
  if (hasEtag(request.headers['if-none-match'], document.etag)) {
    response.writeHead(304, headers).end()
    return
  }
  const encoding = preferredEncoding(request.headers['accept-encoding'], document.bytes.length)
  const body = encoding === undefined ? document.bytes : await document[encoding]()
  response.writeHead(200, {
    ...headers,
    'content-type': contentType,
    'content-length': body.length,
    ...(encoding === undefined ? {} : { 'content-encoding': encoding === 'brotli' ? 'br' : encoding })
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function preferredEncoding(
  accepted: string | string[] | undefined,
  size: number
): 'brotli' | 'gzip' | undefined {
  if (typeof accepted !== 'string' || size < MIN_COMPRESSED_BYTES) return undefined
  const taken = accepted.split(',').flatMap((item) => {
    const [, name = '', quality = '1'] = /^\s*([\w*-]+)\s*(?:;\s*q=([\d.]+))?/.exec(item) ?? []
    return Number(quality) > 0 ? [name] : []
  })
  // Compressing is once for all, and decompressing gzip is what every client does fastest.
  if (taken.includes('gzip')) return 'gzip'
  return taken.includes('br') ? 'brotli' : undefined
}

function hasEtag(given: string | undefined, etag: string): boolean {
  return (
    given
      ?.split(',')
      .some((one) => one.trim() === etag || one.trim() === '*' || `W/${one.trim()}` === etag) ?? false
  )
}
