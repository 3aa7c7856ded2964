import { createHash } from 'node:crypto'
import type { ConfigRow } from '@registry/config'
import {
  type AbortOptions,
  type AttestationInput,
  type CatalogueFileOptions,
  type CatalogueFileReport,
  type CatalogueImportReport,
  type ConnectedPeer,
  type DiscoveredPeer,
  type DomainReport,
  type FetchedPackage,
  formatPackageReference,
  type GetOptions,
  type GetProgress,
  isRegistryError,
  type NameDecision,
  type OwnerId,
  type Package,
  type PackageDetails,
  type PackageUpdate,
  type PublishReceipt,
  parseMap,
  Query,
  type QueryOptions,
  type Registry,
  type RegistryStatus,
  type SearchPage,
  type SearchResult,
  type StatementReceipt,
  type SubscribeOptions,
  type Topic
} from '@registry/types'
import { parseFetched, parseFileProgress, parseGetProgress, parseReceipt, parseUpdate } from './answers.ts'
import { Connection } from './connection.ts'
import { ContentMismatchError, UnreadableAnswerError } from './errors.ts'
import { FILE_METHODS, type FileMethod, type ListPage, METHODS, type Method } from './methods.ts'

export interface ControlClientInit {
  /** `http://HOST:PORT` of the peer, as in its control file. */
  url: string
  token: string
  /** The largest answer that is read, a package's content aside. @default 67108864 */
  maxAnswerBytes?: number
}

export const CONTROL_CLIENT_DEFAULTS: { readonly maxAnswerBytes: number } = Object.freeze({
  maxAnswerBytes: 64 * 1024 * 1024
})

export interface ControlSubscribeOptions extends SubscribeOptions {
  /** The peer has taken the subscription: nothing from here on is missed. */
  onListening?: () => void
}

/**
 * A running peer as a `Registry`, over its control interface. It publishes tarballs: packing is the caller's. Every call
 * rejects with the error the peer answered with, and with ERR_NO_PEER when none runs there, ERR_CONNECTION_LOST
 * (retryable) when it ended meanwhile, ERR_UNREADABLE_ANSWER when it is no peer of this version. No call has a timeout of
 * its own: pass a signal.
 */
export interface ControlClient extends Omit<Registry, 'publish'> {
  readonly url: string
  /** Resolves when a peer answers and takes the token. */
  ping(options?: AbortOptions): Promise<void>
  /** Sends a tarball and publishes it; resolves when that is durable. @throws as `Registry.publish` */
  publish(tarball: AsyncIterable<Uint8Array>, options?: AbortOptions): Promise<PublishReceipt>
  subscribe(topic: Topic, options?: ControlSubscribeOptions): AsyncIterable<PackageUpdate>
  metadata(reference: string, options?: AbortOptions): Promise<Package | undefined>
  getVersion(name: string, version: string, options?: AbortOptions): Promise<Package | undefined>
  listVersions(name: string, options?: AbortOptions): Promise<Package[]>
  exists(reference: string, options?: AbortOptions): Promise<boolean>
  details(reference: string, options?: AbortOptions): Promise<PackageDetails | undefined>
  tag(name: string, tag: string, version: string | null, options?: AbortOptions): Promise<StatementReceipt>
  deprecate(reference: string, message: string | null, options?: AbortOptions): Promise<StatementReceipt>
  yank(reference: string, reason: string | null, options?: AbortOptions): Promise<StatementReceipt>
  unpublish(reference: string, reason?: string, options?: AbortOptions): Promise<StatementReceipt>
  readme(name: string, content: Uint8Array | null, options?: AbortOptions): Promise<StatementReceipt>
  readmeOf(reference: string, options?: AbortOptions): Promise<Uint8Array | undefined>
  attest(reference: string, attestation: AttestationInput, options?: AbortOptions): Promise<StatementReceipt>
  names(options?: AbortOptions): Promise<NameDecision[]>
  pin(name: string, owner: string, options?: AbortOptions): Promise<void>
  unpin(name: string, options?: AbortOptions): Promise<boolean>
  following(options?: AbortOptions): Promise<OwnerId[]>
  follow(owner: string, options?: AbortOptions): Promise<boolean>
  unfollow(owner: string, options?: AbortOptions): Promise<boolean>
  curate(name: string, owner: string | null, options?: AbortOptions): Promise<StatementReceipt>
  claimDomain(domain: string, claimed: boolean, options?: AbortOptions): Promise<StatementReceipt>
  list(page?: ListPage, options?: AbortOptions): Promise<Package[]>
  status(options?: AbortOptions): Promise<RegistryStatus>
  peers(options?: AbortOptions): Promise<ConnectedPeer[]>
  knownPeers(options?: AbortOptions): Promise<DiscoveredPeer[]>
  connect(address: string, options?: AbortOptions): Promise<ConnectedPeer>
  disconnect(peerId: string, options?: AbortOptions): Promise<boolean>
  addBootstrapNode(address: string, options?: AbortOptions): Promise<void>
  /** As `P2PRegistry.sync`. */
  sync(options?: AbortOptions): Promise<number>
  /** Every setting of the running peer. */
  config(options?: AbortOptions): Promise<ConfigRow[]>
  /** Asks the peer to end; resolves when it no longer serves and its data folder is free. */
  shutdown(options?: AbortOptions): Promise<void>
}

export function controlClient(init: ControlClientInit): ControlClient {
  return new HttpControlClient(init)
}

class HttpControlClient implements ControlClient {
  readonly url: string
  readonly #connection: Connection

  constructor(init: ControlClientInit) {
    this.url = init.url
    this.#connection = new Connection({ ...CONTROL_CLIENT_DEFAULTS, ...init })
  }

  async ping(options: AbortOptions = {}): Promise<void> {
    const answer = await this.#connection.json('ping', undefined, options)
    if (typeof answer !== 'object' || answer === null || !('registry' in answer))
      throw new UnreadableAnswerError(this.url, 'it is not a peer')
  }

  async publish(tarball: AsyncIterable<Uint8Array>, options: AbortOptions = {}): Promise<PublishReceipt> {
    return this.#read(await this.#connection.json('publish', { bytes: tarball }, options), parseReceipt)
  }

  status(options: AbortOptions = {}): Promise<RegistryStatus> {
    return this.#call(METHODS.status, {}, options)
  }

  async search(query: Query | QueryOptions, options: AbortOptions = {}): Promise<SearchResult[]> {
    return (await this.searchPage(query, options)).results
  }

  searchPage(query: Query | QueryOptions, options: AbortOptions = {}): Promise<SearchPage> {
    return this.#call(METHODS.search, query instanceof Query ? query.toJSON() : query, options)
  }

  async get(
    reference: string,
    { signal, onProgress, integrity }: GetOptions = {}
  ): Promise<FetchedPackage | undefined> {
    const options = signal === undefined ? {} : { signal }
    const json = integrity === undefined ? { reference } : { reference, integrity }
    let found: Omit<FetchedPackage, 'content'> | undefined
    try {
      for await (const line of this.#connection.lines('get', { json }, options)) {
        const step = this.#read(line, parseGetLine)
        if ('progress' in step) onProgress?.(step.progress)
        else found = step
      }
    } catch (error) {
      if (isRegistryError(error, 'ERR_NOT_FOUND')) return undefined
      throw error
    }
    if (found === undefined) throw new UnreadableAnswerError(this.url, 'it ended without a package')
    const result = found
    return { ...result, content: (reading = options) => this.#content(result.package, reading) }
  }

  metadata(reference: string, options: AbortOptions = {}): Promise<Package | undefined> {
    return orUndefined(this.#call(METHODS.metadata, { reference }, options))
  }

  getVersion(name: string, version: string, options: AbortOptions = {}): Promise<Package | undefined> {
    return orUndefined(this.#call(METHODS.version, { name, version }, options))
  }

  listVersions(name: string, options: AbortOptions = {}): Promise<Package[]> {
    return this.#call(METHODS.versions, { name }, options)
  }

  exists(reference: string, options: AbortOptions = {}): Promise<boolean> {
    return this.#call(METHODS.exists, { reference }, options)
  }

  details(reference: string, options: AbortOptions = {}): Promise<PackageDetails | undefined> {
    return orUndefined(this.#call(METHODS.details, { reference }, options))
  }

  tag(
    name: string,
    tag: string,
    version: string | null,
    options: AbortOptions = {}
  ): Promise<StatementReceipt> {
    return this.#call(METHODS.tag, { name, tag, version }, options)
  }

  deprecate(
    reference: string,
    message: string | null,
    options: AbortOptions = {}
  ): Promise<StatementReceipt> {
    return this.#call(METHODS.deprecate, { reference, message }, options)
  }

  yank(reference: string, reason: string | null, options: AbortOptions = {}): Promise<StatementReceipt> {
    return this.#call(METHODS.yank, { reference, reason }, options)
  }

  unpublish(reference: string, reason = '', options: AbortOptions = {}): Promise<StatementReceipt> {
    return this.#call(METHODS.unpublish, { reference, reason }, options)
  }

  readme(name: string, content: Uint8Array | null, options: AbortOptions = {}): Promise<StatementReceipt> {
    const base64 = content === null ? null : Buffer.from(content).toString('base64')
    return this.#call(METHODS.readme, { name, content: base64 }, options)
  }

  readmeOf(reference: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    return orUndefined(this.#call(METHODS.readmeOf, { reference }, options))
  }

  attest(
    reference: string,
    attestation: AttestationInput,
    options: AbortOptions = {}
  ): Promise<StatementReceipt> {
    return this.#call(METHODS.attest, { reference, attestation }, options)
  }

  exportCatalogue(path: string, options: CatalogueFileOptions = {}): Promise<CatalogueFileReport> {
    return this.#callInLines(FILE_METHODS.exportCatalogue, path, options)
  }

  importCatalogue(path: string, options: CatalogueFileOptions = {}): Promise<CatalogueImportReport> {
    return this.#callInLines(FILE_METHODS.importCatalogue, path, options)
  }

  names(options: AbortOptions = {}): Promise<NameDecision[]> {
    return this.#call(METHODS.names, {}, options)
  }

  async pin(name: string, owner: string, options: AbortOptions = {}): Promise<void> {
    await this.#call(METHODS.pin, { name, owner }, options)
  }

  unpin(name: string, options: AbortOptions = {}): Promise<boolean> {
    return this.#call(METHODS.unpin, { name }, options)
  }

  following(options: AbortOptions = {}): Promise<OwnerId[]> {
    return this.#call(METHODS.following, {}, options)
  }

  follow(owner: string, options: AbortOptions = {}): Promise<boolean> {
    return this.#call(METHODS.follow, { owner }, options)
  }

  unfollow(owner: string, options: AbortOptions = {}): Promise<boolean> {
    return this.#call(METHODS.unfollow, { owner }, options)
  }

  curate(name: string, owner: string | null, options: AbortOptions = {}): Promise<StatementReceipt> {
    return this.#call(METHODS.curate, { name, owner }, options)
  }

  claimDomain(domain: string, claimed: boolean, options: AbortOptions = {}): Promise<StatementReceipt> {
    return this.#call(METHODS.claimDomain, { domain, claimed }, options)
  }

  checkDomain(domain: string, options: AbortOptions = {}): Promise<DomainReport> {
    return this.#call(METHODS.checkDomain, { domain }, options)
  }

  list(page: ListPage = {}, options: AbortOptions = {}): Promise<Package[]> {
    return this.#call(METHODS.list, page, options)
  }

  async *subscribe(
    topic: Topic,
    { after, onListening, signal }: ControlSubscribeOptions = {}
  ): AsyncGenerator<PackageUpdate> {
    const options = {
      ...(signal === undefined ? {} : { signal }),
      ...(onListening === undefined ? {} : { onOpen: onListening })
    }
    const json = after === undefined ? { topic } : { topic, after }
    for await (const line of this.#connection.lines('subscribe', { json }, options)) {
      yield this.#read(line, (value) => parseUpdate(parseMap(value, 'line').update))
    }
  }

  peers(options: AbortOptions = {}): Promise<ConnectedPeer[]> {
    return this.#call(METHODS.peers, {}, options)
  }

  knownPeers(options: AbortOptions = {}): Promise<DiscoveredPeer[]> {
    return this.#call(METHODS.knownPeers, {}, options)
  }

  connect(address: string, options: AbortOptions = {}): Promise<ConnectedPeer> {
    return this.#call(METHODS.connect, { address }, options)
  }

  disconnect(peerId: string, options: AbortOptions = {}): Promise<boolean> {
    return this.#call(METHODS.disconnect, { peerId }, options)
  }

  async addBootstrapNode(address: string, options: AbortOptions = {}): Promise<void> {
    await this.#call(METHODS.addBootstrapNode, { address }, options)
  }

  sync(options: AbortOptions = {}): Promise<number> {
    return this.#call(METHODS.sync, {}, options)
  }

  config(options: AbortOptions = {}): Promise<ConfigRow[]> {
    return this.#call(METHODS.config, {}, options)
  }

  shutdown(options: AbortOptions = {}): Promise<void> {
    return this.#connection.untilEnd('shutdown', options)
  }

  /** Hashes along: the last chunk is followed by an error when the whole is not what the owner signed. */
  async *#content(fetched: Package, options: AbortOptions): AsyncGenerator<Uint8Array> {
    const { owner, name, version, integrity } = fetched
    const reference = formatPackageReference({ owner, name, range: version })
    const hash = createHash('sha512')
    for await (const chunk of this.#connection.bytes(
      'content',
      { json: { reference, integrity } },
      options
    )) {
      hash.update(chunk)
      yield chunk
    }
    const actual = `sha512-${hash.digest('base64')}`
    if (actual !== integrity) throw new ContentMismatchError(reference, integrity, actual)
  }

  async #call<Params, Answer>(
    method: Method<Params, Answer>,
    params: Params,
    options: AbortOptions
  ): Promise<Answer> {
    const answer = await this.#connection.json(method.path, { json: params }, options)
    return this.#read(answer, (value) => method.parseAnswer(value))
  }

  async #callInLines<Report extends CatalogueFileReport>(
    method: FileMethod<Report>,
    path: string,
    { signal, onProgress }: CatalogueFileOptions
  ): Promise<Report> {
    const options = signal === undefined ? {} : { signal }
    let report: Report | undefined
    for await (const line of this.#connection.lines(method.path, { json: { path } }, options)) {
      const step = this.#read(line, (value) => {
        const map = parseMap(value, 'line')
        return map.progress === undefined
          ? { report: method.parseReport(map.report) }
          : { progress: parseFileProgress(map.progress) }
      })
      if ('progress' in step) onProgress?.(step.progress)
      else report = step.report
    }
    if (report === undefined) throw new UnreadableAnswerError(this.url, 'it ended without a report')
    return report
  }

  /** A field that is not of its type means another version of this interface, not a mistake of the caller. */
  #read<T>(value: unknown, parse: (value: unknown) => T): T {
    try {
      return parse(value)
    } catch (error) {
      if (!isRegistryError(error)) throw error
      throw new UnreadableAnswerError(this.url, error.message, error)
    }
  }
}

function parseGetLine(value: unknown): { progress: GetProgress } | Omit<FetchedPackage, 'content'> {
  const map = parseMap(value, 'line')
  return map.progress === undefined ? parseFetched(map) : { progress: parseGetProgress(map.progress) }
}

async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isRegistryError(error, 'ERR_NOT_FOUND')) return undefined
    throw error
  }
}
