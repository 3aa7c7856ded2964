import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { withDeadline } from '@registry/timing'
import { type Clock, isRegistryError, parseMap, parseText } from '@registry/types'
import type { DocumentForm } from '../document.ts'
import {
  BodyTooLargeError,
  NothingFoundError,
  UpstreamMismatchError,
  UpstreamUnavailableError
} from '../errors.ts'
import type { FileCache } from './file-cache.ts'

export interface UpstreamInit {
  /** A document younger than this is not asked for again. */
  maxAgeMs: number
  /** The registry has to answer, and to go on answering, within this time. */
  timeoutMs: number
  maxDocumentBytes: number
  maxPackageBytes: number
}

const ABBREVIATED = 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8'

/** A document of another registry, with the addresses of its own. */
export interface UpstreamDocument {
  document: Record<string, unknown>
  /** Made of its text. */
  revision: string
}

/** A tarball of another registry, compared with the hash that its document has for it. */
export interface UpstreamTarball {
  size: number
  integrity: string
  read(): AsyncIterable<Uint8Array>
}

/** Another registry of npm's kind: asked when its word is needed and not known, and remembered for when it is away. */
export class Upstream {
  readonly #init: UpstreamInit
  readonly #url: string
  readonly #cache: FileCache
  readonly #clock: Clock
  #ending = new AbortController()
  /** Documents and tarballs that are on their way: whoever asks meanwhile waits for the same. */
  readonly #running = new Map<string, Promise<unknown>>()

  constructor(init: UpstreamInit, url: URL, cache: FileCache, clock: Clock) {
    this.#init = init
    this.#url = url.href.replace(/\/+$/, '')
    this.#cache = cache
    this.#clock = clock
  }

  /**
   * What the registry says of a package, or what it last said when it cannot be asked.
   *
   * @throws {NothingFoundError} ERR_NOT_FOUND; {UpstreamUnavailableError} ERR_UPSTREAM_UNAVAILABLE
   */
  document(name: string, form: DocumentForm): Promise<UpstreamDocument> {
    return this.#once(`${form} ${this.#url} ${name}`, (key) => this.#getDocument(key, name, form))
  }

  /** Breaks off what is on its way. */
  stop(): void {
    this.#ending.abort()
    this.#ending = new AbortController()
  }

  /** Warnings about these packages, as the registry has them. @throws ERR_UPSTREAM_UNAVAILABLE */
  async advisories(installed: Record<string, string[]>): Promise<Record<string, unknown>> {
    const address = `${this.#url}/-/npm/v1/security/advisories/bulk`
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(installed)
    }
    return this.#ask(address, init, async (response) => {
      const bytes = await collect(response, this.#init.maxDocumentBytes)
      return parseMap(JSON.parse(new TextDecoder().decode(bytes)), 'advisories')
    })
  }

  /** @throws as `document`; {UpstreamMismatchError} ERR_UPSTREAM_MISMATCH, what came has another hash */
  tarball(name: string, file: string): Promise<UpstreamTarball> {
    return this.#once(`tarball ${this.#url} ${name} ${file}`, () => this.#getTarball(name, file))
  }

  async #once<T>(key: string, get: (key: string) => Promise<T>): Promise<T> {
    const running = this.#running.get(key) as Promise<T> | undefined
    if (running !== undefined) return running
    const started = get(key)
    this.#running.set(key, started)
    try {
      return await started
    } finally {
      this.#running.delete(key)
    }
  }

  async #getDocument(key: string, name: string, form: DocumentForm): Promise<UpstreamDocument> {
    const kept = readKept(await this.#cache.read(key))
    const nowMs = this.#clock.now()
    if (kept !== undefined && nowMs - kept.askedAtMs < this.#init.maxAgeMs) return documentOf(kept.text)
    try {
      const headers = {
        accept: form === 'full' ? 'application/json' : ABBREVIATED,
        ...(kept === undefined ? {} : { 'if-none-match': kept.etag })
      }
      const answer = await this.#ask(
        `${this.#url}/${name.replace('/', '%2f')}`,
        { headers },
        async (response) => {
          if (response.status === 304 && kept !== undefined) return kept
          const bytes = await collect(response, this.#init.maxDocumentBytes)
          return { etag: response.headers.get('etag') ?? '', text: new TextDecoder().decode(bytes) }
        }
      )
      const found = documentOf(answer.text)
      const keeping = JSON.stringify({ etag: answer.etag, askedAtMs: nowMs, text: answer.text })
      await this.#cache.write(key, nowMs, (file) => file.writeFile(keeping))
      return found
    } catch (error) {
      if (kept !== undefined && isRegistryError(error, 'ERR_UPSTREAM_UNAVAILABLE'))
        return documentOf(kept.text)
      throw error
    }
  }

  async #getTarball(name: string, file: string): Promise<UpstreamTarball> {
    const { document } = await this.document(name, 'abbreviated')
    const { address, integrity } = distOf(document, name, file, this.#url)
    const key = `content ${integrity}`
    const nowMs = this.#clock.now()
    if ((await this.#cache.find(key, nowMs)) === undefined) {
      await this.#ask(address, {}, (response) =>
        this.#cache.write(key, nowMs, async (target) => {
          const hash = createHash(integrity.slice(0, integrity.indexOf('-')))
          for await (const piece of bounded(response, this.#init.maxPackageBytes)) {
            hash.update(piece)
            await target.write(piece)
          }
          if (`${integrity.slice(0, integrity.indexOf('-'))}-${hash.digest('base64')}` !== integrity) {
            throw new UpstreamMismatchError(`${name}/-/${file}`, integrity)
          }
        })
      )
    }
    const found = await this.#cache.find(key, nowMs)
    if (found === undefined) throw new UpstreamUnavailableError(this.#url, 'its tarball was not kept')
    return { size: found.size, integrity, read: () => this.#verified(key, found.path, integrity) }
  }

  /** Holds the last piece back until all of it was compared: a damaged file is never handed out as a whole. */
  async *#verified(key: string, path: string, integrity: string): AsyncGenerator<Uint8Array> {
    const algorithm = integrity.slice(0, integrity.indexOf('-'))
    const hash = createHash(algorithm)
    let held: Uint8Array | undefined
    for await (const piece of createReadStream(path)) {
      hash.update(piece)
      if (held !== undefined) yield held
      held = piece
    }
    if (`${algorithm}-${hash.digest('base64')}` !== integrity) {
      await this.#cache.remove(key)
      throw new UpstreamMismatchError(path, integrity)
    }
    if (held !== undefined) yield held
  }

  async #ask<T>(
    address: string,
    request: { method?: string; headers?: Record<string, string>; body?: string },
    use: (response: Response) => Promise<T>
  ): Promise<T> {
    try {
      return await withDeadline(
        this.#clock,
        { timeoutMs: this.#init.timeoutMs, signal: this.#ending.signal },
        async (signal) => {
          const response = await fetch(address, { ...request, signal })
          if (response.status === 404) throw new NothingFoundError(`${this.#url} has no such package`)
          if (!response.ok && response.status !== 304) {
            throw new UpstreamUnavailableError(this.#url, `it answered ${response.status}`)
          }
          return await use(response)
        }
      )
    } catch (error) {
      // What the disk refused is no fault of the other registry.
      if (isRegistryError(error) || (error instanceof Error && 'syscall' in error)) throw error
      throw new UpstreamUnavailableError(
        this.#url,
        error instanceof Error ? error.message : String(error),
        error
      )
    }
  }
}

/** A document with the addresses of its tarballs made of this registry's own. */
export function relocated(
  { document }: UpstreamDocument,
  name: string,
  baseUrl: string
): Record<string, unknown> {
  const versions = Object.entries(parseMap(document.versions, 'versions')).map(([version, value]) => {
    const manifest = parseMap(value, `versions.${version}`)
    const dist = parseMap(manifest.dist, `versions.${version}.dist`)
    const tarball = `${baseUrl}/${name}/-/${fileOf(dist.tarball)}`
    return [version, { ...manifest, dist: { ...dist, tarball } }]
  })
  return { ...document, versions: Object.fromEntries(versions) }
}

function documentOf(text: string): UpstreamDocument {
  const revision = createHash('sha256').update(text).digest('hex').slice(0, 32)
  try {
    return { document: parseMap(JSON.parse(text), 'document'), revision }
  } catch (error) {
    throw new UpstreamUnavailableError('The registry', 'it answered with what is no document', error)
  }
}

/** Where a tarball is, and which hash it must have: the strongest that the document has for it. */
function distOf(
  document: Record<string, unknown>,
  name: string,
  file: string,
  url: string
): { address: string; integrity: string } {
  for (const value of Object.values(parseMap(document.versions, 'versions'))) {
    const dist = parseMap(parseMap(value, 'version').dist, 'dist')
    if (fileOf(dist.tarball) !== file) continue
    const address = new URL(parseText(dist.tarball, 'dist.tarball', 2048))
    // A registry must not make this peer ask anybody else, in its own network perhaps.
    if (address.host !== new URL(url).host)
      throw new UpstreamUnavailableError(url, 'its tarball is elsewhere')
    const hashes = typeof dist.integrity === 'string' ? dist.integrity.split(/\s+/) : []
    const shasum =
      typeof dist.shasum === 'string' ? [`sha1-${Buffer.from(dist.shasum, 'hex').toString('base64')}`] : []
    const [integrity] = ['sha512-', 'sha256-', 'sha1-'].flatMap((kind) =>
      [...hashes, ...shasum].filter((hash) => hash.startsWith(kind))
    )
    if (integrity === undefined) throw new UpstreamUnavailableError(url, 'its tarball has no hash')
    return { address: address.href, integrity }
  }
  throw new NothingFoundError(`${name} has no ${file}`)
}

function fileOf(address: unknown): string {
  return typeof address === 'string' ? address.slice(address.lastIndexOf('/') + 1) : ''
}

interface Kept {
  etag: string
  askedAtMs: number
  text: string
}

function readKept(bytes: Uint8Array | undefined): Kept | undefined {
  if (bytes === undefined) return undefined
  try {
    const { etag, askedAtMs, text } = parseMap(JSON.parse(new TextDecoder().decode(bytes)), 'kept')
    if (typeof etag === 'string' && typeof askedAtMs === 'number' && typeof text === 'string') {
      return { etag, askedAtMs, text }
    }
  } catch {
    // What is damaged is asked for again.
  }
  return undefined
}

async function* bounded(response: Response, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const piece of response.body ?? []) {
    size += piece.length
    if (size > maxBytes) throw new BodyTooLargeError('What the registry sent', maxBytes, 'bytes')
    yield piece
  }
}

async function collect(response: Response, maxBytes: number): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(bounded(response, maxBytes)))
}
