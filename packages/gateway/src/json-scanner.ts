import { InvalidValueError } from '@registry/types'
import { BodyTooLargeError } from './errors.ts'

export interface JsonScannerInit {
  /** Bytes of everything but the attachment. */
  maxTextBytes: number
  /** Whether the texts at this path are left out of the text and handed on as they come. */
  isAttachment?: (path: readonly string[]) => boolean
  /** The bytes of one such text, in pieces, as they stand in its quotes. */
  onAttachment?: (piece: Uint8Array) => void
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const SLASH = 0x2f
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])
const BRACE = 0x7b
const COMMA = 0x2c
const COLON = 0x3a
/** Deeper than any document of a package, and no effort to parse. */
const MAX_DEPTH = 128
const MAX_PATH = 3
const MAX_KEY_BYTES = 512

/** A map or list that is open, and the key in it that is being read. */
interface Level {
  isMap: boolean
  key: string
}

/**
 * Reads JSON as it comes in, without building anything of it: bounds its depth and its size, and takes one long text out of
 * it, so that a tarball in base64 is never in memory as a whole. It finds strings and brackets; whether the rest is JSON is
 * for the parser to say.
 */
export class JsonScanner {
  readonly #init: JsonScannerInit
  readonly #text: Uint8Array[] = []
  #textBytes = 0
  readonly #levels: Level[] = []
  #depth = 0
  #state: 'between' | 'key' | 'string' | 'attachment' = 'between'
  #isEscaped = false
  /** In a map, before a colon: the next text is a key. */
  #expectsKey = false
  #key: number[] = []

  constructor(init: JsonScannerInit) {
    this.#init = init
  }

  /** @throws {BodyTooLargeError} ERR_TOO_LARGE; {InvalidValueError} ERR_INVALID_VALUE, an attachment with an escape in it */
  scan(chunk: Uint8Array): void {
    let textFrom = 0
    let at = 0
    while (at < chunk.length) {
      if (this.#state === 'attachment') {
        const end = this.#scanAttachment(chunk, at)
        at = end
        textFrom = end
      } else if (this.#state === 'between') {
        at = this.#scanBetween(chunk, at)
        if (this.#isAttachmentAhead) {
          this.#isAttachmentAhead = false
          this.#keep(chunk.subarray(textFrom, at))
          this.#state = 'attachment'
          textFrom = at
        }
      } else {
        at = this.#scanString(chunk, at)
      }
    }
    if (this.#state !== 'attachment') this.#keep(chunk.subarray(textFrom))
  }

  /** The text without what was handed on. */
  end(): string {
    return Buffer.concat(this.#text).toString('utf8')
  }

  #isAttachmentAhead = false

  #scanBetween(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (byte === QUOTE) {
        if (this.#expectsKey) {
          this.#state = 'key'
          this.#key = []
        } else if (this.#isAtAttachment()) {
          this.#isAttachmentAhead = true
        } else {
          this.#state = 'string'
        }
        return at + 1
      }
      if (OPEN.has(byte)) this.#open(byte === BRACE)
      else if (CLOSE.has(byte)) this.#close()
      else if (byte === COMMA) this.#expectsKey = this.#levels.at(-1)?.isMap === true && this.#isShallow()
      else if (byte === COLON) this.#expectsKey = false
    }
    return chunk.length
  }

  #scanString(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (this.#isEscaped) this.#isEscaped = false
      else if (byte === BACKSLASH) this.#isEscaped = true
      else if (byte === QUOTE) {
        if (this.#state === 'key') this.#endKey()
        this.#state = 'between'
        return at + 1
      }
      if (this.#state === 'key' && this.#key.length < MAX_KEY_BYTES) this.#key.push(byte)
    }
    return chunk.length
  }

  /** Goes to the quote that ends it, which belongs to the text again. */
  #scanAttachment(chunk: Uint8Array, from: number): number {
    let start = from
    // JSON may write a slash, which base64 has, with a backslash before it.
    if (this.#isEscaped) {
      if (chunk[start] !== SLASH)
        throw new InvalidValueError('_attachments', 'has an escape where base64 should be')
      this.#isEscaped = false
    }
    for (;;) {
      const quote = chunk.indexOf(QUOTE, start)
      const end = quote === -1 ? chunk.length : quote
      const backslash = chunk.subarray(start, end).indexOf(BACKSLASH)
      const stop = backslash === -1 ? end : start + backslash
      if (stop > start) this.#init.onAttachment?.(chunk.subarray(start, stop))
      if (backslash === -1) {
        if (quote !== -1) this.#state = 'string'
        return end
      }
      start = stop + 1
      if (start === chunk.length) {
        this.#isEscaped = true
        return start
      }
      if (chunk[start] !== SLASH)
        throw new InvalidValueError('_attachments', 'has an escape where base64 should be')
    }
  }

  #open(isMap: boolean): void {
    this.#depth++
    if (this.#depth > MAX_DEPTH) throw new BodyTooLargeError('The depth of the document', MAX_DEPTH, 'levels')
    if (this.#depth <= MAX_PATH) this.#levels.push({ isMap, key: '' })
    this.#expectsKey = isMap && this.#isShallow()
  }

  #close(): void {
    this.#depth--
    if (this.#depth < this.#levels.length) this.#levels.pop()
    this.#expectsKey = false
  }

  #isShallow(): boolean {
    return this.#depth === this.#levels.length
  }

  #endKey(): void {
    const level = this.#levels.at(-1)
    this.#expectsKey = false
    if (level === undefined) return
    // A key may be written with escapes, and means the same.
    try {
      level.key = JSON.parse(`"${Buffer.from(this.#key).toString('utf8')}"`)
    } catch {
      level.key = ''
    }
  }

  #isAtAttachment(): boolean {
    if (!this.#isShallow()) return false
    return this.#init.isAttachment?.(this.#levels.map(({ key }) => key)) === true
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#textBytes += piece.length
    if (this.#textBytes > this.#init.maxTextBytes) {
      throw new BodyTooLargeError('The document', this.#init.maxTextBytes, 'bytes')
    }
    // A copy, since a piece must not keep the whole chunk that it came in.
    this.#text.push(Uint8Array.from(piece))
  }
}

/** Whether JSON goes deeper than any document of a package; what is no JSON may do either. */
export function isDeep(text: string): boolean {
  let depth = 0
  let isString = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isString) {
      if (code === BACKSLASH) at++
      else if (code === QUOTE) isString = false
    } else if (code === QUOTE) isString = true
    else if (OPEN.has(code) && ++depth > MAX_DEPTH) return true
    else if (CLOSE.has(code)) depth--
  }
  return false
}
