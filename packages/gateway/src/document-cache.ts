import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Clock } from '@registry/types'

/** One document as it is sent, compressed when it is first asked for in that form. */
export interface CachedDocument {
  readonly bytes: Uint8Array
  /** A name for its text in whatever encoding. */
  readonly etag: string
  readonly gzip: () => Promise<Uint8Array>
  readonly brotli: () => Promise<Uint8Array>
}

export interface DocumentCacheInit {
  maxBytes: number
  /** After this time a document is made anew even if no news of its package came. */
  maxAgeMs: number
}

/** What is made of a package, and which package that is: news of it makes the document stale. */
export interface MadeDocument {
  json: string
  revision: string
  packageName: string
}

interface Entry {
  document: SentDocument
  packageName: string
  madeAtMs: number
}

/** Documents by key, least recently used first out. What is not there is made once for all who ask at that time. */
export class DocumentCache {
  readonly #init: DocumentCacheInit
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  readonly #making = new Map<string, Promise<CachedDocument | undefined>>()
  readonly #keys = new Map<string, Set<string>>()
  #bytes = 0
  /** Counts what was forgotten: a document that was begun before may be of the day before. */
  #generation = 0

  constructor(init: DocumentCacheInit, clock: Clock) {
    this.#init = init
    this.#clock = clock
  }

  /** The document under a key, made when it is not there. What cannot be made is not remembered. */
  async get(key: string, make: () => Promise<MadeDocument | undefined>): Promise<CachedDocument | undefined> {
    const entry = this.#entries.get(key)
    if (entry !== undefined && this.#clock.now() - entry.madeAtMs < this.#init.maxAgeMs) {
      this.#entries.delete(key)
      this.#entries.set(key, entry)
      return entry.document
    }
    const running = this.#making.get(key)
    if (running !== undefined) return running
    const making = this.#make(key, make, entry)
    this.#making.set(key, making)
    try {
      return await making
    } finally {
      if (this.#making.get(key) === making) this.#making.delete(key)
    }
  }

  /** Forgets every document of a package, those being made included. */
  forget(name: string): void {
    this.#generation++
    this.#making.clear()
    for (const key of this.#keys.get(name) ?? []) this.#drop(key)
  }

  clear(): void {
    this.#generation++
    this.#making.clear()
    for (const key of this.#entries.keys()) this.#drop(key)
  }

  async #make(
    key: string,
    make: () => Promise<MadeDocument | undefined>,
    old: Entry | undefined
  ): Promise<CachedDocument | undefined> {
    const generation = this.#generation
    const made = await make()
    if (made === undefined) {
      this.#drop(key)
      return undefined
    }
    const etag = `W/"${made.revision}"`
    // The same text again: what it was compressed to holds.
    const document = old?.document.etag === etag ? old.document : new SentDocument(made.json, etag)
    if (generation === this.#generation) this.#keep(key, document, made.packageName)
    return document
  }

  #keep(key: string, document: SentDocument, packageName: string): void {
    this.#drop(key)
    this.#entries.set(key, { document, packageName, madeAtMs: this.#clock.now() })
    this.#bytes += weightOf(document)
    const keys = this.#keys.get(packageName)
    if (keys === undefined) this.#keys.set(packageName, new Set([key]))
    else keys.add(key)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#init.maxBytes) break
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= weightOf(entry.document)
    const keys = this.#keys.get(entry.packageName)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(entry.packageName)
  }
}

/** With room for its compressed forms, and for what every entry takes. */
function weightOf({ bytes }: CachedDocument): number {
  return bytes.length * 2 + 512
}

const gzipped = promisify(gzip)
const brotlied = promisify(brotliCompress)

/** Better costs several times as long and saves little, for a document that is sent over loopback. */
const BROTLI_QUALITY = 4

class SentDocument implements CachedDocument {
  readonly bytes: Uint8Array
  readonly etag: string
  #gzip: Promise<Uint8Array> | undefined
  #brotli: Promise<Uint8Array> | undefined

  constructor(json: string, etag: string) {
    this.bytes = Buffer.from(json)
    this.etag = etag
  }

  readonly gzip = (): Promise<Uint8Array> => {
    this.#gzip ??= gzipped(this.bytes, { level: 6 })
    return this.#gzip
  }

  readonly brotli = (): Promise<Uint8Array> => {
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: this.bytes.length
    }
    this.#brotli ??= brotlied(this.bytes, { params })
    return this.#brotli
  }
}
