import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type AbortOptions, errorFromData } from '@registry/types'
import { ConnectionLostError, NoPeerError, UnreadableAnswerError } from './errors.ts'
import { CONTROL_PATH } from './methods.ts'
import { readLines } from './ndjson.ts'

export interface ConnectionInit {
  /** `http://HOST:PORT` of the peer. */
  url: string
  token: string
  /** The largest answer that is not a package. */
  maxAnswerBytes: number
}

/** A request is one of these: JSON, or the bytes of a package. */
export type RequestBody = { json: unknown } | { bytes: AsyncIterable<Uint8Array> }

/** One HTTP exchange at a time with a peer, and what can go wrong in it as typed errors. */
export class Connection {
  readonly url: string
  readonly #init: ConnectionInit

  constructor(init: ConnectionInit) {
    this.url = init.url
    this.#init = init
  }

  /** The JSON of an answer. @throws what the peer answered with; ERR_NO_PEER, ERR_CONNECTION_LOST, ERR_UNREADABLE_ANSWER */
  async json(path: string, body: RequestBody | undefined, options: AbortOptions): Promise<unknown> {
    const { request, response } = await this.#exchange(path, body, options)
    try {
      return await this.#readJson(response, options)
    } finally {
      // A package that was refused half-way needs not be sent to its end.
      request.destroy()
    }
  }

  /** The lines of an answer as they come, after `onOpen` at its head. A line `{ error }` ends it with that error. */
  async *lines(
    path: string,
    body: RequestBody,
    { onOpen, ...options }: AbortOptions & { onOpen?: () => void }
  ): AsyncGenerator<unknown> {
    const { request, response } = await this.#exchange(path, body, options)
    onOpen?.()
    try {
      for await (const line of readLines(response, this.#init.maxAnswerBytes)) {
        if (typeof line === 'object' && line !== null && 'error' in line) throw errorFromData(line.error)
        yield line
      }
    } catch (error) {
      throw this.#translate(error, options)
    } finally {
      request.destroy()
    }
  }

  /** The bytes of an answer as they come. */
  async *bytes(path: string, body: RequestBody, options: AbortOptions): AsyncGenerator<Uint8Array> {
    const { request, response } = await this.#exchange(path, body, options)
    try {
      for await (const chunk of response) yield chunk
    } catch (error) {
      throw this.#translate(error, options)
    } finally {
      request.destroy()
    }
  }

  /** Resolves when the peer ends the connection, in whatever way, after it has accepted the call. */
  async untilEnd(path: string, options: AbortOptions): Promise<void> {
    const { request, response } = await this.#exchange(path, { json: {} }, options)
    response.resume()
    await new Promise((resolve) => response.once('close', resolve).once('error', resolve))
    request.destroy()
    options.signal?.throwIfAborted()
  }

  /** Resolves with the head of a successful answer; any other status is thrown as what the peer answered with. */
  async #exchange(
    path: string,
    body: RequestBody | undefined,
    options: AbortOptions
  ): Promise<{ request: ClientRequest; response: IncomingMessage }> {
    options.signal?.throwIfAborted()
    const request = this.#open(path, body, options)
    try {
      const response = await answerTo(request, body, options)
      if (response.statusCode === 200) return { request, response }
      const data = await this.#readJson(response, options)
      throw errorFromData(data)
    } catch (error) {
      request.destroy()
      throw this.#translate(error, options)
    }
  }

  #open(path: string, body: RequestBody | undefined, { signal }: AbortOptions): ClientRequest {
    const isJson = body === undefined || 'json' in body
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.#init.token}`,
      'content-type': isJson ? 'application/json' : 'application/gzip'
    }
    return httpRequest(new URL(`${CONTROL_PATH}${path}`, this.url), {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      // One connection a call: none is left over that a peer may close under the next one.
      agent: false,
      ...(signal === undefined ? {} : { signal })
    })
  }

  async #readJson(response: IncomingMessage, options: AbortOptions): Promise<unknown> {
    const chunks: Uint8Array[] = []
    let size = 0
    try {
      for await (const chunk of response) {
        size += chunk.length
        if (size > this.#init.maxAnswerBytes)
          throw new UnreadableAnswerError(this.url, `it has more than ${this.#init.maxAnswerBytes} bytes`)
        chunks.push(chunk)
      }
      return JSON.parse(Buffer.concat(chunks).toString('utf8'))
    } catch (error) {
      throw this.#translate(error, options)
    }
  }

  #translate(error: unknown, { signal }: AbortOptions): unknown {
    if (signal?.aborted) return signal.reason
    if (error instanceof SyntaxError || error instanceof RangeError)
      return new UnreadableAnswerError(this.url, error.message, error)
    const { code, syscall } = systemFault(error)
    if (syscall === 'connect') return new NoPeerError({ url: this.url }, error)
    if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE')
      return new ConnectionLostError(this.url, error)
    if (code.startsWith('HPE_')) return new UnreadableAnswerError(this.url, 'it is not HTTP', error)
    return error
  }
}

function systemFault(error: unknown): { code: string; syscall: string } {
  if (!(error instanceof Error)) return { code: '', syscall: '' }
  return {
    code: 'code' in error && typeof error.code === 'string' ? error.code : '',
    syscall: 'syscall' in error && typeof error.syscall === 'string' ? error.syscall : ''
  }
}

/** Sends the body; resolves with the head of the answer, which may come before the body is sent. */
function answerTo(
  request: ClientRequest,
  body: RequestBody | undefined,
  { signal }: AbortOptions
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    // Kept after the answer: a connection that breaks off is told by the answer's own stream.
    request.on('error', reject)
    if (body === undefined) request.end()
    else if ('json' in body) request.end(JSON.stringify(body.json))
    else pipeline(Readable.from(body.bytes, { objectMode: false }), request, { signal }).catch(reject)
  })
}
