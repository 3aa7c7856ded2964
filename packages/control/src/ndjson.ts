import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

/** The content type of an answer in lines. */
export const LINES = 'application/x-ndjson'

export const ANSWER_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff'
})

/** An answer that comes in parts, one JSON text a line. */
export class LineWriter {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  /** Sends the head. From here on an error can only be a line. */
  open(): void {
    if (this.#response.headersSent) return
    this.#response.setHeaders(new Headers({ ...ANSWER_HEADERS, 'content-type': LINES }))
    this.#response.flushHeaders()
  }

  /** Writes, or leaves out when the reader is behind: for lines of which only the last matters. */
  offer(value: object): void {
    this.open()
    if (!this.#response.writableNeedDrain) this.#response.write(`${JSON.stringify(value)}\n`)
  }

  /** Resolves when the reader can take more. */
  async write(value: object, signal: AbortSignal): Promise<void> {
    this.open()
    if (!this.#response.write(`${JSON.stringify(value)}\n`)) await once(this.#response, 'drain', { signal })
  }
}

/** The lines of a stream, each parsed as JSON; one that is longer than `maxLineBytes` is an error. */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  maxLineBytes: number
): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let pending = ''
  for await (const chunk of stream) {
    const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n')
    pending = lines.pop() ?? ''
    if (pending.length > maxLineBytes) throw new RangeError(`a line has more than ${maxLineBytes} bytes`)
    for (const line of lines) if (line !== '') yield JSON.parse(line)
  }
}
