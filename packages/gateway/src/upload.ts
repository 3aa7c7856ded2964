import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { InvalidValueError, type PublishSource } from '@registry/types'
import { BodyTooLargeError, InvalidUploadError } from './errors.ts'
import { bodyOf, parseJson } from './json-body.ts'
import { JsonScanner } from './json-scanner.ts'

export interface UploadInit {
  /** Where a larger tarball lies until it is published or refused. */
  folder: string
  /** Of the tarball. */
  maxBytes: number
  /** Of all that is not the tarball. */
  maxDocumentBytes: number
}

/** The document of a publish, and the tarball that was attached to it. */
export interface Upload {
  /** The document; where the tarball was stands an empty text. */
  document: unknown
  /** Absent when there was none. */
  tarball?: UploadedTarball
}

export interface UploadedTarball {
  /** The key of the attachment. */
  file: string
  source: PublishSource
  size: number
  /** `sha512-` and base64. */
  integrity: string
  /** sha1, hexadecimal. */
  shasum: string
}

/** Up to so many bytes are kept in memory: a file would take longer to make and remove than to fill. */
const IN_MEMORY_BYTES = 1024 ** 2

/**
 * Receives `{ …, _attachments: { "x.tgz": { data: base64 } } }`, lends it to `use`, and removes what was stored for it
 * whatever becomes of it. The tarball is decoded as it comes in and is in memory as a whole only when it is small.
 *
 * @throws ERR_TOO_LARGE, ERR_INVALID_VALUE, ERR_INVALID_UPLOAD
 */
export async function withUpload<T>(
  request: IncomingMessage,
  init: UploadInit,
  use: (upload: Upload) => Promise<T>
): Promise<T> {
  // base64 takes four bytes for three.
  const maxBodyBytes = init.maxDocumentBytes + Math.ceil(init.maxBytes / 3) * 4
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
    throw new BodyTooLargeError('The package', init.maxBytes, 'bytes')
  }
  const tarball = new IncomingTarball(init)
  const scanner = new JsonScanner({
    maxTextBytes: init.maxDocumentBytes,
    isAttachment: ([attachments, file = '', data]) => {
      return attachments === '_attachments' && file.endsWith('.tgz') && data === 'data' && tarball.begin(file)
    },
    onAttachment: (piece) => tarball.decode(piece)
  })
  try {
    for await (const chunk of bodyOf(request)) {
      scanner.scan(chunk)
      await tarball.flush()
    }
    const document = parseJson(scanner.end())
    const finished = await tarball.finish()
    return await use(finished === undefined ? { document } : { document, tarball: finished })
  } finally {
    await tarball.discard()
  }
}

/** A tarball on its way in: decoded, hashed, counted, and written to a file once it is no longer small. */
class IncomingTarball {
  readonly #init: UploadInit
  readonly #sha512 = createHash('sha512')
  readonly #sha1 = createHash('sha1')
  #name: string | undefined
  #size = 0
  /** Less than four characters of base64 that wait for the rest of their group. */
  #rest = ''
  #isPadded = false
  #pieces: Uint8Array[] = []
  #file: { handle: FileHandle; path: string } | undefined

  constructor(init: UploadInit) {
    this.#init = init
  }

  begin(name: string): true {
    if (this.#name !== undefined) throw new InvalidUploadError('More than one tarball is attached')
    this.#name = name
    return true
  }

  decode(piece: Uint8Array): void {
    const text = this.#rest + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1')
    const whole = text.length - (text.length % 4)
    this.#rest = text.slice(whole)
    if (whole === 0) return
    if (this.#isPadded) throw notBase64()
    const groups = whole === text.length ? text : text.slice(0, whole)
    const padding = groups.endsWith('==') ? 2 : Number(groups.endsWith('='))
    const bytes = Buffer.from(groups, 'base64')
    // What is no base64 is passed over by the decoder, and missing then.
    if (bytes.length !== (groups.length / 4) * 3 - padding) throw notBase64()
    this.#isPadded = padding > 0
    this.#size += bytes.length
    if (this.#size > this.#init.maxBytes) {
      throw new BodyTooLargeError('The package', this.#init.maxBytes, 'bytes')
    }
    this.#sha512.update(bytes)
    this.#sha1.update(bytes)
    this.#pieces.push(bytes)
  }

  async flush(): Promise<void> {
    if (this.#pieces.length === 0 || (this.#file === undefined && this.#size <= IN_MEMORY_BYTES)) return
    this.#file ??= await this.#open()
    const pieces = this.#pieces
    this.#pieces = []
    await this.#file.handle.writev(pieces)
  }

  async finish(): Promise<UploadedTarball | undefined> {
    if (this.#rest !== '') throw notBase64()
    if (this.#name === undefined) return undefined
    const source: PublishSource =
      this.#file === undefined
        ? { kind: 'tarball', bytes: Buffer.concat(this.#pieces) }
        : { kind: 'path', path: this.#file.path }
    await this.#file?.handle.close()
    return {
      file: this.#name,
      source,
      size: this.#size,
      integrity: `sha512-${this.#sha512.digest('base64')}`,
      shasum: this.#sha1.digest('hex')
    }
  }

  async discard(): Promise<void> {
    if (this.#file === undefined) return
    await this.#file.handle.close().catch(() => {})
    await rm(this.#file.path, { force: true })
  }

  async #open(): Promise<{ handle: FileHandle; path: string }> {
    await mkdir(this.#init.folder, { recursive: true, mode: 0o700 })
    const path = join(this.#init.folder, `${randomUUID()}.tgz`)
    return { handle: await open(path, 'wx', 0o600), path }
  }
}

function notBase64(): InvalidValueError {
  return new InvalidValueError('_attachments', 'must have its data in base64')
}
