import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { withDeadline } from '@registry/timing'
import {
  type Clock,
  isRegistryError,
  type KeptDocument,
  type P2PRegistry,
  parseMap,
  parseText,
  type StoredContent
} from '@registry/types'
import type { DocumentForm } from '../document.ts'
import {
  BodyTooLargeError,
  NothingFoundError,
  UpstreamMismatchError,
  UpstreamUnavailableError
} from '../errors.ts'
import { isDeep } from '../json-scanner.ts'
import type { FileCache } from './file-cache.ts'

export interface UpstreamInit {
  /** Peers whose word about a document counts as that of the registry itself, by ID; `*` for all. */
  mirrors: readonly string[]
  /** How long they may take. */
  mirrorTimeoutMs: number
  /** A document younger than this is not asked for again. */
  maxAgeMs: number
  /** The registry has to answer, and to go on answering, within this time. */
  timeoutMs: number
  maxDocumentBytes: number
  maxPackageBytes: number
}

export interface UpstreamComponents {
  cache: FileCache
  registry: P2PRegistry
  clock: Clock
}

/** A registry that has not begun to answer by then is away, */
const ANSWER_TIMEOUT_MS = 10_000
/** and is not asked again for so long, by whomever: an installation asks hundreds of times, and would wait each time. */
const AWAY_MS = 30_000
/** Mirrors that are asked for one document. */
const MAX_MIRRORS_ASKED = 4
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
  readonly #registry: P2PRegistry
  readonly #clock: Clock
  #ending = new AbortController()
  /** It could not be reached of late; when this is over, one call finds out whether it can. */
  #awayUntilMs: number | undefined
  /** Documents and tarballs that are on their way: whoever asks meanwhile waits for the same. */
  readonly #running = new Map<string, Promise<unknown>>()

  constructor(init: UpstreamInit, url: URL, { cache, registry, clock }: UpstreamComponents) {
    this.#init = init
    this.#url = url.href.replace(/\/+$/, '')
    this.#cache = cache
    this.#registry = registry
    this.#clock = clock
  }

  /** The document as it is kept here, for a peer that asks for it. */
  async kept(name: string, form: DocumentForm): Promise<KeptDocument | undefined> {
    const kept = readKept(await this.#cache.read(this.#documentKey(name, form)))
    if (kept === undefined) return undefined
    const { etag, askedAtMs, text } = kept
    const bytes = new TextEncoder().encode(text)
    const content = await this.#registry.keepContent(ReadableStream.from([bytes]), {
      maxBytes: this.#init.maxDocumentBytes,
      signal: this.#ending.signal
    })
    const { cid, size, integrity } = content
    return { content: { cid, size, integrity }, etag, askedAtMs }
  }

  /**
   * What the registry says of a package, or what it last said when it cannot be asked.
   *
   * @throws {NothingFoundError} ERR_NOT_FOUND; {UpstreamUnavailableError} ERR_UPSTREAM_UNAVAILABLE
   */
  document(name: string, form: DocumentForm): Promise<UpstreamDocument> {
    return this.#once(this.#documentKey(name, form), (key) => this.#getDocument(key, name, form))
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

  #documentKey(name: string, form: DocumentForm): string {
    return `${form} ${this.#url} ${name}`
  }

  /** Whoever is asked first is the registry's equal, and nearer. */
  async #getDocument(key: string, name: string, form: DocumentForm): Promise<UpstreamDocument> {
    const kept = readKept(await this.#cache.read(key))
    const nowMs = this.#clock.now()
    const isFresh = ({ askedAtMs }: Kept): boolean => nowMs - askedAtMs < this.#init.maxAgeMs
    if (kept !== undefined && isFresh(kept)) return documentOf(kept.text)
    const mirrored = await this.#askMirrors(name, form, nowMs)
    if (mirrored !== undefined && isFresh(mirrored)) return this.#keep(key, nowMs, mirrored)
    const [known] = [kept, mirrored]
      .filter((one) => one !== undefined)
      .sort((a, b) => b.askedAtMs - a.askedAtMs)
    try {
      const headers = {
        accept: form === 'full' ? 'application/json' : ABBREVIATED,
        ...(known === undefined || known.etag === '' ? {} : { 'if-none-match': known.etag })
      }
      const answer = await this.#ask(
        `${this.#url}/${name.replace('/', '%2f')}`,
        { headers },
        async (response) => {
          if (response.status === 304 && known !== undefined) return known
          const bytes = await collect(response, this.#init.maxDocumentBytes)
          return { etag: response.headers.get('etag') ?? '', text: new TextDecoder().decode(bytes) }
        }
      )
      return await this.#keep(key, nowMs, { ...answer, askedAtMs: nowMs })
    } catch (error) {
      if (!isRegistryError(error, 'ERR_UPSTREAM_UNAVAILABLE')) throw error
      if (known === undefined) throw error
      return known === kept ? documentOf(known.text) : this.#keep(key, nowMs, known)
    }
  }

  async #keep(key: string, nowMs: number, keeping: Kept): Promise<UpstreamDocument> {
    const found = receivedDocument(keeping.text)
    await this.#cache.write(key, nowMs, (file) => file.writeFile(JSON.stringify(keeping)))
    return found
  }

  /** The newest that mirrors have of a document; undefined when none has it, or has it in time. */
  async #askMirrors(name: string, form: DocumentForm, nowMs: number): Promise<Kept | undefined> {
    const { mirrors, mirrorTimeoutMs: timeoutMs, maxDocumentBytes: maxBytes } = this.#init
    if (mirrors.length === 0) return undefined
    const peers = (await this.#registry.peers()).filter(({ peerId, otherNetwork }) => {
      return otherNetwork === undefined && isMirror(mirrors, peerId)
    })
    const key = { registry: this.#url, name, form }
    const ask = async (peerId: string): Promise<Kept> => {
      const init = { timeoutMs, signal: this.#ending.signal }
      return withDeadline(this.#clock, init, async (signal) => {
        const found = await this.#registry.documentOf(peerId, key, { maxBytes, signal })
        if (found === undefined) throw new NothingFoundError()
        const text = Buffer.concat(await Array.fromAsync(found.stored.read({ signal }))).toString('utf8')
        // A clock that goes ahead would make it fresh for ever.
        const kept = { etag: found.etag, askedAtMs: Math.min(found.askedAtMs, nowMs), text }
        receivedDocument(text)
        return kept
      })
    }
    const asking = peers.slice(0, MAX_MIRRORS_ASKED).map(({ peerId }) => ask(peerId))
    const answers = await Promise.allSettled(asking)
    return answers
      .flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
      .sort((a, b) => b.askedAtMs - a.askedAtMs)[0]
  }

  async #getTarball(name: string, file: string): Promise<UpstreamTarball> {
    const { document } = await this.document(name, 'abbreviated')
    const { address, integrity } = distOf(document, name, file, this.#url)
    if (integrity.startsWith('sha512-')) return this.#sharedTarball(`${name}/-/${file}`, address, integrity)
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

  /** As every content of the network: stored by its hash, and got from peers that have it before the registry is asked. */
  async #sharedTarball(what: string, address: string, integrity: string): Promise<UpstreamTarball> {
    const { maxPackageBytes: maxBytes } = this.#init
    const { signal } = this.#ending
    const get = async (): Promise<StoredContent> =>
      (await this.#registry.findContent(integrity, { maxBytes, signal })) ??
      (await this.#download(what, address, integrity))
    const { size, read } = await get()
    return { size, integrity, read: () => readAgain(read, get) }
  }

  #download(what: string, address: string, integrity: string): Promise<StoredContent> {
    const { maxPackageBytes: maxBytes } = this.#init
    const { signal } = this.#ending
    return this.#ask(address, {}, async (response) => {
      try {
        return await this.#registry.keepContent(bounded(response, maxBytes), { maxBytes, integrity, signal })
      } catch (error) {
        if (isRegistryError(error, 'ERR_HASH_MISMATCH')) throw new UpstreamMismatchError(what, integrity)
        throw error
      }
    })
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
          const response = await this.#reach(address, { ...request, signal })
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

  async #reach(address: string, request: RequestInit & { signal: AbortSignal }): Promise<Response> {
    const { signal } = request
    const nowMs = this.#clock.now()
    if (this.#awayUntilMs !== undefined) {
      if (nowMs < this.#awayUntilMs) throw new Error('it did not answer a moment ago')
      this.#awayUntilMs = nowMs + ANSWER_TIMEOUT_MS
    }
    try {
      const limits = { timeoutMs: ANSWER_TIMEOUT_MS, signal }
      const response = await withDeadline(this.#clock, limits, (either) =>
        fetch(address, { ...request, signal: either })
      )
      this.#awayUntilMs = undefined
      return response
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#awayUntilMs = this.#clock.now() + AWAY_MS
      throw error
    }
  }
}

/** Whether a peer's word about another registry counts. */
export function isMirror(mirrors: readonly string[], peerId: string): boolean {
  return mirrors.includes('*') || mirrors.includes(peerId)
}

/** Reads a content that is got anew when it turns out to be damaged or gone before any of it was handed out. */
async function* readAgain(
  read: StoredContent['read'],
  get: () => Promise<StoredContent>
): AsyncGenerator<Uint8Array> {
  let isBegun = false
  try {
    for await (const piece of read()) {
      isBegun = true
      yield piece
    }
  } catch (error) {
    const isGone = isRegistryError(error, 'ERR_CORRUPT_BLOB') || isRegistryError(error, 'ERR_NOT_STORED')
    if (isBegun || !isGone) throw error
    yield* (await get()).read()
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

/**
 * All that is looked into later has its form here; versions that have not are left out.
 *
 * @throws {NothingFoundError} ERR_NOT_FOUND, it has no versions, as that of a package that was unpublished;
 * {UpstreamUnavailableError} ERR_UPSTREAM_UNAVAILABLE
 */
function documentOf(text: string): UpstreamDocument {
  const revision = createHash('sha256').update(text).digest('hex').slice(0, 32)
  let document: Record<string, unknown>
  let versions: Array<[string, unknown]>
  try {
    document = parseMap(JSON.parse(text), 'document')
    parseMap(document['dist-tags'] ?? {}, 'dist-tags')
    versions = Object.entries(parseMap(document.versions ?? {}, 'versions')).filter(isVersion)
  } catch (error) {
    throw new UpstreamUnavailableError('The registry', 'it answered with what is no document', error)
  }
  if (versions.length === 0) throw new NothingFoundError('The package has no versions there')
  return { document: { 'dist-tags': {}, ...document, versions: Object.fromEntries(versions) }, revision }
}

/** As `documentOf`, of what has just come: what is kept was looked through then. */
function receivedDocument(text: string): UpstreamDocument {
  if (isDeep(text))
    throw new UpstreamUnavailableError('The registry', 'what it answered is nested too deeply')
  return documentOf(text)
}

function isVersion([version, value]: [string, unknown]): boolean {
  try {
    return typeof parseMap(parseMap(value, version).dist, `${version}.dist`).tarball === 'string'
  } catch {
    return false
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
