import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AbortOptions,
  type AttestationInput,
  type BlobInfo,
  type Catalogue,
  type CatalogueFileOptions,
  type CatalogueFileReport,
  type CatalogueImportReport,
  type Clock,
  type Completeness,
  type ConnectedPeer,
  type DiscoveredPeer,
  type DocumentKey,
  type DocumentSource,
  type DomainReport,
  type FetchedPackage,
  formatPackageReference,
  type GetOptions,
  InvalidReferenceError,
  isRegistryError,
  type KeptDocument,
  type Logger,
  type MarketplaceBehaviour,
  type NameDecision,
  type NetworkStats,
  type OwnerId,
  type OwnerIdentity,
  type P2PRegistry,
  type Package,
  type PackageDetails,
  type PackageName,
  type PackageReference,
  type PackageUpdate,
  PROTOCOL_LIMITS,
  type PublishOptions,
  type PublishReceipt,
  type PublishSource,
  parseCount,
  parseDomain,
  parseOwnerId,
  parsePackageName,
  parsePackageReference,
  parseQuery,
  parseVersion,
  type Query,
  type QueryOptions,
  type RegistryStatus,
  type RegistryStore,
  type ReleaseRecord,
  type SearchPage,
  type SearchResult,
  type StatementReceipt,
  type StoredContent,
  type SubscribeOptions,
  type Topic,
  toPackage
} from '@registry/types'
import { exportCatalogueFile } from './catalogue-file/export.ts'
import { importCatalogueFile } from './catalogue-file/import.ts'
import {
  ContentMismatchError,
  IntegrityMismatchError,
  NotRunningError,
  PackageNotFoundError,
  VersionConflictedError
} from './errors.ts'
import type { TextRecords } from './names/dns.ts'
import { Names } from './names/names.ts'
import { type FoundReleases, readPackage, readReleases } from './package-records.ts'
import { PackageTooLargeError } from './packing/errors.ts'
import { fittingReleases, pickRelease } from './pick-release.ts'
import { Publisher } from './publisher.ts'
import { Statements } from './statements.ts'
import { follow, formatCursor, parseCursor } from './updates.ts'

export interface RegistryInit {
  /** For what is no record: tarballs on their way, and the decisions whose package a short name means. */
  dataDir: string
  /** The name of the network, for `status`. */
  network: string
  /** What a DNS said of a domain counts for so long before it is asked again. @default 3600000 */
  domainMaxAgeMs?: number
  /** The DNS has to answer within this time. @default 2000 */
  dnsTimeoutMs?: number
  /** Tarballs published or fetched are at most so large. @default 536870912, the protocol's own limit */
  maxPackageBytes?: number
}

/** The layers of one run of a peer, allocated and not yet started. */
export interface RegistryLayers {
  store: RegistryStore
  behaviour: MarketplaceBehaviour
  /** Whom this peer publishes as. */
  owner: OwnerIdentity
}

export interface RegistryComponents {
  /** Called by each `start`: the layers of a run are not used again after its end. */
  open(): Promise<RegistryLayers>
  /** Tells whose a domain is. */
  dns: TextRecords
  clock: Clock
  logger?: Logger
}

/** What holds where the init says nothing. */
export const REGISTRY_DEFAULTS: Readonly<{
  domainMaxAgeMs: number
  dnsTimeoutMs: number
  maxPackageBytes: number
}> = Object.freeze({
  domainMaxAgeMs: 3_600_000,
  dnsTimeoutMs: 2000,
  maxPackageBytes: PROTOCOL_LIMITS.maxPackageBytes
})

/** What holders of the catalogue are asked for at least, so that there is something to page through. */
const HITS_ASKED_FOR = 50

/** A peer as its users see it, over any store and behaviour. `P2PRegistryBuilder` puts the usual ones together. */
export function createRegistry(init: RegistryInit): (components: RegistryComponents) => P2PRegistry {
  return (components) => new Peer(init, components)
}

const NO_DOCUMENTS: DocumentSource = async () => undefined

/** One run, from `start` to `stop`. */
interface Run extends RegistryLayers {
  publisher: Publisher
  statements: Statements
  names: Names
  startedAtMs: number
  /** What still runs. */
  calls: Map<AbortController, Promise<unknown>>
  /** Ends the subscriptions. */
  ending: AbortController
}

class Peer implements P2PRegistry {
  readonly #init: Required<RegistryInit>
  readonly #components: RegistryComponents
  #run: Run | undefined
  #documents: DocumentSource = NO_DOCUMENTS
  readonly #namesListeners = new Set<() => void>()
  #lastIds: { peerId: string; owner: OwnerId } | undefined
  /** Starts and stops take turns. */
  #transition: Promise<void> = Promise.resolve()

  constructor(init: RegistryInit, components: RegistryComponents) {
    this.#init = { ...REGISTRY_DEFAULTS, ...init }
    this.#components = components
  }

  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#run !== undefined) return
      const { dataDir, maxPackageBytes } = this.#init
      const layers = await this.#components.open()
      const { store, behaviour, owner } = layers
      const tmpDir = join(dataDir, 'packing')
      await store.start()
      try {
        // Only now is the folder surely no other process's: what a crash left behind can go.
        await rm(tmpDir, { recursive: true, force: true })
        await mkdir(dataDir, { recursive: true, mode: 0o700 })
        const { clock, dns } = this.#components
        const { domainMaxAgeMs: maxAgeMs, dnsTimeoutMs: timeoutMs } = this.#init
        const names = await Names.open(
          { dataDir, maxAgeMs, timeoutMs },
          { catalogue: store.catalogue, dns, clock, owner: owner.id }
        )
        names.onChange(() => this.#tellOfNames())
        behaviour.serveDocuments((from, key) => this.#documents(from, key))
        await behaviour.start()
        this.#run = {
          ...layers,
          publisher: new Publisher({ tmpDir, maxPackageBytes }, { store, owner, clock }),
          statements: new Statements({ store, owner, clock }),
          names,
          startedAtMs: clock.now(),
          calls: new Map(),
          ending: new AbortController()
        }
        this.#lastIds = { peerId: behaviour.peerId, owner: owner.id }
      } catch (error) {
        await store.stop()
        throw error
      }
    })
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      const run = this.#run
      if (run === undefined) return
      this.#run = undefined
      run.ending.abort()
      run.names.stop()
      for (const controller of run.calls.keys()) controller.abort(new NotRunningError())
      await Promise.allSettled(run.calls.values())
      try {
        await run.behaviour.stop()
      } finally {
        await run.store.stop()
      }
    })
  }

  get isRunning(): boolean {
    return this.#run !== undefined
  }

  get peerId(): string {
    return this.#ids().peerId
  }

  get owner(): OwnerId {
    return this.#ids().owner
  }

  async search(query: Query | QueryOptions, options: AbortOptions = {}): Promise<SearchResult[]> {
    return (await this.searchPage(query, options)).results
  }

  searchPage(query: Query | QueryOptions, options: AbortOptions = {}): Promise<SearchPage> {
    return this.#call(options.signal, async ({ store, behaviour }, signal) => {
      const wanted = parseQuery(query)
      // A further page goes on in what the first one has brought here.
      const asksHolders = wanted.after === undefined && behaviour.isPartial()
      const asked = asksHolders ? (await behaviour.searchHolders(pagesOf(wanted), { signal })).answered : 0
      const { hits, ...rest } = store.catalogue.search(wanted)
      const results = hits.map(({ record, ...hit }) => ({
        package: this.#view(record),
        peerCount: behaviour.contentRouter.providerCount(record.release.content),
        ...hit
      }))
      return { results, ...rest, completeness: { ...behaviour.completeness(), askedHolders: asked } }
    })
  }

  publish(source: PublishSource, options: PublishOptions = {}): Promise<PublishReceipt> {
    return this.#call(options.signal, async ({ publisher, behaviour }, signal) => {
      const receipt = await publisher.publish(source, { ...options, signal })
      options.onProgress?.({ stage: 'announcing' })
      behaviour.announce()
      return receipt
    })
  }

  get(reference: string, options: GetOptions = {}): Promise<FetchedPackage | undefined> {
    return this.#call(options.signal, async (run, signal) => {
      const { behaviour, store, names } = run
      const wanted = parsePackageReference(reference)
      const { found, completeness } = await this.#find(run, wanted, signal, readReleases)
      const record = found === undefined ? undefined : choose(found, wanted, options.integrity)
      if (record === undefined) return undefined
      const { owner, name, content: cid, size, integrity } = record.release
      if (size > this.#init.maxPackageBytes) {
        throw new PackageTooLargeError('The tarball', this.#init.maxPackageBytes, 'bytes')
      }
      options.onProgress?.({ stage: 'resolved', package: this.#view(record, found?.latest) })
      await behaviour.contentRouter.fetch(
        { cid, size, integrity },
        { signal, onProgress: (progress) => options.onProgress?.({ stage: 'fetching', ...progress }) }
      )
      this.#countDownload(store, owner, name)
      if (wanted.owner === undefined) await this.#pin(names, wanted.name, owner)
      let isCounted = true
      return {
        package: this.#view(record, found?.latest),
        completeness,
        content: (readOptions) => {
          if (!isCounted) this.#countDownload(store, owner, name)
          isCounted = false
          return this.#read({ cid, size, integrity }, readOptions)
        }
      }
    })
  }

  metadata(reference: string): Promise<Package | undefined> {
    return this.#call(undefined, async (run, signal) => {
      const wanted = parsePackageReference(reference)
      const { found } = await this.#find(run, wanted, signal, readReleases)
      const record = found === undefined ? undefined : choose(found, wanted)
      return record === undefined ? undefined : this.#view(record, found?.latest)
    })
  }

  async getVersion(name: string, version: string): Promise<Package | undefined> {
    const range = parseVersion(version)
    const found = await this.metadata(formatPackageReference({ ...parseName(name), range }))
    // A version that differs in its build metadata alone fits a range, and is another.
    return found?.version === range ? found : undefined
  }

  listVersions(name: string): Promise<Package[]> {
    return this.#call(undefined, async (run, signal) => {
      const { found } = await this.#find(run, parseName(name), signal, readPackage)
      return found === undefined ? [] : found.releases.map(this.#viewer(found, found.latest))
    })
  }

  exists(reference: string): Promise<boolean> {
    return this.#call(undefined, async (run, signal) => {
      const wanted = parsePackageReference(reference)
      const { found } = await this.#find(run, wanted, signal, readReleases)
      return found !== undefined && pickRelease(found, wanted) !== undefined
    })
  }

  details(reference: string): Promise<PackageDetails | undefined> {
    return this.#call(undefined, async (run, signal) => {
      const { catalogue } = run.store
      const wanted = parsePackageReference(reference)
      const { found, completeness } = await this.#find(run, wanted, signal, readPackage)
      if (found === undefined) return undefined
      const { owner, name, releases, unpublished, latest, distTags, readme } = found
      // Where nothing is left to be used, the package is still there to be looked at.
      const isAny = wanted.range === undefined && wanted.tag === undefined
      const record = pickRelease(found, wanted) ?? (isAny ? releases[0] : undefined)
      if (record === undefined) return undefined
      const view = this.#viewer(found, latest)
      return {
        package: view(record),
        versions: releases.map(view),
        unpublished,
        distTags,
        ...(readme === undefined ? {} : { readme }),
        attestations: catalogue.attestations(owner, name),
        completeness
      }
    })
  }

  tag(name: string, tag: string, version: string | null): Promise<StatementReceipt> {
    return this.#state(({ statements }) => statements.tag(parseName(name), tag, version))
  }

  deprecate(reference: string, message: string | null): Promise<StatementReceipt> {
    return this.#state(({ statements }) => statements.deprecate(parsePackageReference(reference), message))
  }

  yank(reference: string, reason: string | null): Promise<StatementReceipt> {
    return this.#state(({ statements }) => statements.yank(parsePackageReference(reference), reason))
  }

  unpublish(reference: string, reason = ''): Promise<StatementReceipt> {
    return this.#state(({ statements }) => {
      return statements.unpublish(parsePackageReference(reference), reference, reason)
    })
  }

  readme(name: string, content: Uint8Array | null): Promise<StatementReceipt> {
    return this.#state(({ statements }, signal) => statements.readme(parseName(name), content, { signal }))
  }

  readmeOf(reference: string, options: AbortOptions = {}): Promise<Uint8Array | undefined> {
    return this.#call(options.signal, async (run, signal) => {
      const { found } = await this.#find(run, parsePackageReference(reference), signal, readPackage)
      if (found?.readme === undefined) return undefined
      await run.behaviour.contentRouter.fetch(found.readme, { signal })
      return Buffer.concat(await Array.fromAsync(this.#read(found.readme, { signal })))
    })
  }

  attest(reference: string, attestation: AttestationInput): Promise<StatementReceipt> {
    return this.#state(async (run, signal) => {
      const wanted = parsePackageReference(reference)
      const { found } = await this.#find(run, wanted, signal, readPackage)
      if (found === undefined) throw new PackageNotFoundError(wanted, [])
      return run.statements.attest(found, wanted, attestation)
    })
  }

  async names(): Promise<NameDecision[]> {
    return this.#running().names.decisions()
  }

  async pin(name: string, owner: string): Promise<void> {
    const decision = { name: parsePackageName(name), owner: parseOwnerId(owner), by: 'pin' as const }
    await this.#running().names.pin(decision)
  }

  async unpin(name: string): Promise<boolean> {
    return this.#running().names.unpin(parsePackageName(name))
  }

  async following(): Promise<OwnerId[]> {
    return this.#running().names.following()
  }

  async follow(owner: string): Promise<boolean> {
    return this.#running().names.follow(parseOwnerId(owner))
  }

  async unfollow(owner: string): Promise<boolean> {
    return this.#running().names.unfollow(parseOwnerId(owner))
  }

  curate(name: string, owner: string | null): Promise<StatementReceipt> {
    return this.#state(({ statements }) => {
      const meant = owner === null ? null : parseOwnerId(owner)
      return statements.say(parsePackageName(name), { field: 'alias', owner: meant })
    })
  }

  claimDomain(domain: string, claimed: boolean): Promise<StatementReceipt> {
    return this.#state(({ statements }) => {
      return statements.say(parseDomain(domain), { field: 'domain', claimed })
    })
  }

  checkDomain(domain: string, options: AbortOptions = {}): Promise<DomainReport> {
    return this.#call(options.signal, ({ names }, signal) => {
      return names.checkDomain(parseDomain(domain), { signal })
    })
  }

  onNamesChange(listener: () => void): () => void {
    this.#namesListeners.add(listener)
    return () => this.#namesListeners.delete(listener)
  }

  findContent(
    integrity: string,
    { maxBytes, signal: given }: AbortOptions & { maxBytes: number }
  ): Promise<StoredContent | undefined> {
    return this.#call(given, async ({ behaviour }, signal) => {
      const found = await behaviour.contentRouter.find(integrity, { maxBytes, signal })
      return found === undefined ? undefined : this.#stored(found)
    })
  }

  keepContent(
    source: AsyncIterable<Uint8Array>,
    { maxBytes, integrity, signal: given }: AbortOptions & { maxBytes: number; integrity?: string }
  ): Promise<StoredContent> {
    return this.#call(given, async ({ store }, signal) => {
      const checked = integrity === undefined ? source : ofIntegrity(source, integrity)
      return this.#stored(await store.blobs.add(checked, { maxBytes, signal }))
    })
  }

  serveDocuments(source: DocumentSource): () => void {
    this.#documents = source
    return () => {
      if (this.#documents === source) this.#documents = NO_DOCUMENTS
    }
  }

  documentOf(
    peerId: string,
    key: DocumentKey,
    { maxBytes, signal: given }: AbortOptions & { maxBytes: number }
  ): Promise<(KeptDocument & { stored: StoredContent }) | undefined> {
    return this.#call(given, async ({ behaviour }, signal) => {
      const peer = behaviour.peers().find((connected) => connected.peerId === peerId)
      const kept = peer && (await behaviour.documentOf(peer.peerId, key, { signal }))
      if (peer === undefined || kept === undefined) return undefined
      const { content } = kept
      if (content.size > maxBytes) throw new PackageTooLargeError('The document', maxBytes, 'bytes')
      behaviour.contentRouter.addProvider(content.cid, peer.peerId)
      return { ...kept, stored: this.#stored(await behaviour.contentRouter.fetch(content, { signal })) }
    })
  }

  exportCatalogue(path: string, options: CatalogueFileOptions = {}): Promise<CatalogueFileReport> {
    return this.#call(options.signal, ({ store }, signal) =>
      exportCatalogueFile(path, store.catalogue, { ...options, signal })
    )
  }

  importCatalogue(path: string, options: CatalogueFileOptions = {}): Promise<CatalogueImportReport> {
    return this.#call(options.signal, ({ store }, signal) =>
      importCatalogueFile(path, store.catalogue, { ...options, signal })
    )
  }

  async list(
    options: { after?: { owner: OwnerId; name: PackageName }; limit?: number } = {}
  ): Promise<Package[]> {
    const limit = parseCount(options.limit ?? 100, 'limit', 1000)
    const { catalogue } = this.#running().store
    const page = options.after === undefined ? { limit } : { after: options.after, limit }
    return catalogue.packages(page).map((record) => this.#view(record))
  }

  subscribe(topic: Topic, options: SubscribeOptions = {}): AsyncIterable<PackageUpdate> {
    // Where it begins is decided now, not when somebody begins to listen.
    const position = this.#run?.store.catalogue.sequence
    return this.#updates(topic, position, options)
  }

  async stats(): Promise<NetworkStats> {
    return this.#running().behaviour.stats()
  }

  async status(): Promise<RegistryStatus> {
    const { behaviour, store, owner, startedAtMs } = this.#running()
    const { network, dataDir } = this.#init
    return {
      ...(await behaviour.stats()),
      peerId: behaviour.peerId,
      addresses: behaviour.addresses(),
      network,
      owner: owner.id,
      dataDir,
      uptimeMs: this.#components.clock.now() - startedAtMs,
      storage: store.blobs.usage()
    }
  }

  async addBootstrapNode(address: string | { peerId: string; address: string }): Promise<void> {
    await this.#running().behaviour.addBootstrapNode(
      typeof address === 'string' ? address : `${address.address}/p2p/${address.peerId}`
    )
  }

  async peers(): Promise<ConnectedPeer[]> {
    return this.#running().behaviour.peers()
  }

  async knownPeers(): Promise<DiscoveredPeer[]> {
    return this.#running().behaviour.knownPeers()
  }

  connect(address: string, options: AbortOptions = {}): Promise<ConnectedPeer> {
    return this.#call(options.signal, ({ behaviour }, signal) => behaviour.connect(address, { signal }))
  }

  async disconnect(peerId: string): Promise<boolean> {
    const { behaviour } = this.#running()
    const peer = behaviour.peers().find((connected) => connected.peerId === peerId)
    return peer === undefined ? false : behaviour.disconnect(peer.peerId)
  }

  sync(options: AbortOptions = {}): Promise<number> {
    return this.#call(options.signal, async ({ behaviour }, signal) => {
      const reports = await behaviour.sync(undefined, { signal })
      return reports.reduce((sum, { received }) => sum + received, 0)
    })
  }

  #tellOfNames(): void {
    for (const listener of [...this.#namesListeners]) listener()
  }

  #running(): Run {
    if (this.#run === undefined) throw new NotRunningError()
    return this.#run
  }

  #ids(): { peerId: string; owner: OwnerId } {
    if (this.#lastIds === undefined) throw new NotRunningError()
    return this.#lastIds
  }

  /** Runs what may take its time so that `stop` can end it, and waits for that. */
  async #call<T>(
    given: AbortSignal | undefined,
    operation: (run: Run, signal: AbortSignal) => Promise<T>
  ): Promise<T> {
    const run = this.#running()
    given?.throwIfAborted()
    // A signal of its own: whatever is left hanging on it goes with the call.
    const controller = new AbortController()
    const abort = (): void => controller.abort(given?.reason)
    given?.addEventListener('abort', abort)
    const call = operation(run, controller.signal)
    run.calls.set(controller, call)
    try {
      return await call
    } finally {
      run.calls.delete(controller)
      given?.removeEventListener('abort', abort)
    }
  }

  #inTurn(operation: () => Promise<void>): Promise<void> {
    const turn = this.#transition.then(operation)
    this.#transition = turn.catch(() => {})
    return turn
  }

  /** A statement or an attestation, and the news of it. */
  #state(work: (run: Run, signal: AbortSignal) => Promise<StatementReceipt>): Promise<StatementReceipt> {
    return this.#call(undefined, async (run, signal) => {
      const receipt = await work(run, signal)
      if (receipt.ids.length > 0) run.behaviour.announce()
      return receipt
    })
  }

  /**
   * What `read` finds of the package that a reference means, and what that is complete against. Where this peer has but a part,
   * it asks others.
   */
  async #find<T>(
    { store, behaviour, names }: Run,
    reference: PackageReference,
    signal: AbortSignal,
    read: (catalogue: Catalogue, owner: OwnerId, name: PackageName, range?: string) => T | undefined
  ): Promise<{ found: T | undefined; completeness: Completeness }> {
    const { name, range } = reference
    const asked = behaviour.isPartial(name)
      ? (await behaviour.lookupHolders(name, reference.owner, { signal })).answered
      : 0
    const meaning = await names.meaningOf(reference, { signal })
    const found =
      meaning === undefined ? undefined : read(store.catalogue, meaning.owner, meaning.name, range)
    return { found, completeness: { ...behaviour.completeness(), askedHolders: asked } }
  }

  /** A package is as new as the release that stands for it: `latest`, or else the record itself. */
  #view(record: ReleaseRecord, latest?: ReleaseRecord): Package {
    return this.#viewer(record.release, latest)(record)
  }

  /** Views of releases of one package. */
  #viewer(
    { owner, name }: { owner: OwnerId; name: PackageName },
    latest?: ReleaseRecord
  ): (record: ReleaseRecord) => Package {
    const downloads = this.#running().store.catalogue.downloads(owner, name)
    return (record) => {
      const { release, firstSeenMs } = latest ?? record
      return toPackage(record, { downloads, updatedAtMs: Math.max(release.claimedAtMs, firstSeenMs) })
    }
  }

  #stored(content: BlobInfo): StoredContent {
    return { ...content, read: (options) => this.#read(content, options) }
  }

  #countDownload({ catalogue }: RegistryStore, owner: OwnerId, name: PackageName): void {
    try {
      catalogue.countDownload(owner, name)
    } catch (error) {
      // A full disk must not keep back what is on it.
      const reason = error instanceof Error ? error.message : String(error)
      this.#components.logger?.warn('registry:registry:downloads', 'a download could not be counted', {
        name,
        reason
      })
    }
  }

  async #pin(names: Names, name: PackageName, owner: OwnerId): Promise<void> {
    try {
      await names.pin({ name, owner, by: 'first-use' })
    } catch (error) {
      // It holds until the end of this run, and the package itself is here.
      const reason = error instanceof Error ? error.message : String(error)
      this.#components.logger?.warn('registry:registry:names', 'a name decision could not be written down', {
        name,
        reason
      })
    }
  }

  /** Where a block turns out to be damaged or gone, it is fetched again, and reading goes on where it stood. */
  async *#read(content: BlobInfo, options: AbortOptions = {}): AsyncGenerator<Uint8Array> {
    const { store, behaviour } = this.#running()
    let given = 0
    for (let attempt = 1; ; attempt += 1) {
      let offset = 0
      try {
        for await (const piece of store.blobs.read(content.cid, options)) {
          const fresh = piece.subarray(Math.max(0, given - offset))
          offset += piece.length
          if (fresh.length === 0) continue
          given += fresh.length
          yield fresh
        }
        return
      } catch (error) {
        const repairable =
          isRegistryError(error, 'ERR_CORRUPT_BLOB') || isRegistryError(error, 'ERR_NOT_STORED')
        if (!repairable || attempt === 2) throw error
        try {
          await behaviour.contentRouter.fetch(content, options)
        } catch {
          options.signal?.throwIfAborted()
          throw error
        }
      }
    }
  }

  async *#updates(
    topic: Topic,
    position: number | undefined,
    { after, signal }: SubscribeOptions
  ): AsyncGenerator<PackageUpdate> {
    if (position === undefined) throw new NotRunningError()
    const { store, ending } = this.#running()
    const start = after === undefined ? position : parseCursor(after, store.catalogue)
    const end = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal])
    for await (const change of follow(store.catalogue, topic, start, end)) {
      const { type, record, seenMs } = change
      yield {
        type,
        packageId: `${record.release.name}@${record.release.version}`,
        package: this.#view(record, store.catalogue.latest(record.release.owner, record.release.name)),
        timestamp: seenMs,
        cursor: formatCursor(change)
      }
    }
  }
}

/** Passes a content on, and fails at its end when it is another than is expected: then it is no whole content. */
async function* ofIntegrity(
  source: AsyncIterable<Uint8Array>,
  integrity: string
): AsyncGenerator<Uint8Array> {
  const sha512 = createHash('sha512')
  for await (const piece of source) {
    sha512.update(piece)
    yield piece
  }
  const found = `sha512-${sha512.digest('base64')}`
  if (found !== integrity) throw new ContentMismatchError(integrity, found)
}

function pagesOf(query: Query): Query {
  return query.with({ limit: Math.max(query.limit, HITS_ASKED_FOR), facets: false, explain: false })
}

/** Reads a name, with or without its owner, where a version has no place. @throws ERR_INVALID_REFERENCE */
function parseName(text: string): PackageReference {
  const reference = parsePackageReference(text)
  if (reference.range !== undefined || reference.tag !== undefined) {
    throw new InvalidReferenceError(text, 'a version has no place here')
  }
  return reference
}

/**
 * The release that is meant: with `integrity` the one of that content, whatever else holds of its version.
 *
 * @throws {VersionConflictedError} ERR_VERSION_CONFLICTED; {IntegrityMismatchError} ERR_INTEGRITY_MISMATCH
 */
function choose(
  found: FoundReleases,
  reference: PackageReference,
  integrity?: string
): ReleaseRecord | undefined {
  if (integrity !== undefined) {
    const fitting = fittingReleases(found, reference)
    const pinned = fitting.find(({ release }) => release.integrity === integrity)
    if (pinned !== undefined || fitting.length === 0) return pinned
    throw new IntegrityMismatchError(
      reference,
      integrity,
      fitting.map(({ release }) => release.integrity)
    )
  }
  const record = pickRelease(found, reference)
  if (record?.conflicted !== true) return record
  const { owner, name, version } = record.release
  const same = found.releases.filter(({ release }) => release.version === version)
  throw new VersionConflictedError(
    owner,
    name,
    version,
    same.map(({ release }) => release.content)
  )
}
