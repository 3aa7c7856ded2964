import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { resolveOwner } from '@registry/identity'
import {
  type AbortOptions,
  type BlobInfo,
  type Clock,
  type ConnectedPeer,
  type DiscoveredPeer,
  type FetchedPackage,
  type GetOptions,
  InvalidReferenceError,
  isRegistryError,
  type Logger,
  type MarketplaceBehaviour,
  type NetworkStats,
  type OwnerId,
  type OwnerIdentity,
  type P2PRegistry,
  type Package,
  type PackageName,
  type PackageReference,
  type PackageUpdate,
  PROTOCOL_LIMITS,
  type PublishOptions,
  type PublishReceipt,
  type PublishSource,
  parseCount,
  parsePackageReference,
  parseQuery,
  parseVersion,
  type Query,
  type QueryOptions,
  type RegistryStatus,
  type RegistryStore,
  type ReleaseRecord,
  type SearchResult,
  type SubscribeOptions,
  type Topic,
  toPackage
} from '@registry/types'
import { NotRunningError, VersionConflictedError } from './errors.ts'
import { type NamePins, openNamePins } from './name-pins.ts'
import { PackageTooLargeError } from './packing/errors.ts'
import { pickRelease } from './pick-release.ts'
import { Publisher } from './publisher.ts'
import { follow, formatCursor, parseCursor } from './updates.ts'

export interface RegistryInit {
  /** For what is no record: tarballs on their way, and the decisions whose package a short name means. */
  dataDir: string
  /** The name of the network, for `status`. */
  network: string
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
  clock: Clock
  logger?: Logger
}

/** What holds where the init says nothing. */
export const REGISTRY_DEFAULTS: Readonly<{ maxPackageBytes: number }> = Object.freeze({
  maxPackageBytes: PROTOCOL_LIMITS.maxPackageBytes
})

/** A peer as its users see it, over any store and behaviour. `P2PRegistryBuilder` puts the usual ones together. */
export function createRegistry(init: RegistryInit): (components: RegistryComponents) => P2PRegistry {
  return (components) => new Peer(init, components)
}

/** One run, from `start` to `stop`. */
interface Run extends RegistryLayers {
  publisher: Publisher
  pins: NamePins
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
        const pins = await openNamePins(join(dataDir, 'names.json'))
        await behaviour.start()
        const { clock } = this.#components
        this.#run = {
          ...layers,
          publisher: new Publisher({ tmpDir, maxPackageBytes }, { store, owner, clock }),
          pins,
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
    options.signal?.throwIfAborted()
    const { store, behaviour } = this.#running()
    return store.catalogue.search(parseQuery(query)).map(({ record, score }) => ({
      package: this.#view(record),
      score,
      peerCount: behaviour.contentRouter.providerCount(record.release.content)
    }))
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
    return this.#call(options.signal, async ({ behaviour, store, pins }, signal) => {
      const wanted = parsePackageReference(reference)
      const found = this.#find(wanted)
      if (found === undefined) return undefined
      const { record, latest } = found
      const { owner, name, content: cid, size, integrity } = record.release
      if (size > this.#init.maxPackageBytes) {
        throw new PackageTooLargeError('The tarball', this.#init.maxPackageBytes, 'bytes')
      }
      options.onProgress?.({ stage: 'resolved', package: this.#view(record, latest) })
      await behaviour.contentRouter.fetch(
        { cid, size, integrity },
        { signal, onProgress: (progress) => options.onProgress?.({ stage: 'fetching', ...progress }) }
      )
      this.#countDownload(store, owner, name)
      if (wanted.owner === undefined) await this.#pin(pins, name, owner)
      return {
        package: this.#view(record, latest),
        content: (readOptions) => this.#read({ cid, size, integrity }, readOptions)
      }
    })
  }

  async metadata(reference: string): Promise<Package | undefined> {
    const found = this.#find(parsePackageReference(reference))
    return found === undefined ? undefined : this.#view(found.record, found.latest)
  }

  async getVersion(name: string, version: string): Promise<Package | undefined> {
    const wanted = parseVersion(version)
    const releases = this.#releases(parseName(name))
    const fitting = releases.filter(({ release }) => release.version === wanted)
    const [record] = fitting
    if (record === undefined) return undefined
    return this.#view(refuseConflicted(record, fitting), pickRelease(releases))
  }

  async listVersions(name: string): Promise<Package[]> {
    const releases = this.#releases(parseName(name))
    const latest = pickRelease(releases)
    return releases.map((record) => this.#view(record, latest))
  }

  async exists(reference: string): Promise<boolean> {
    const { range, ...name } = parsePackageReference(reference)
    return pickRelease(this.#releases(name), range) !== undefined
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

  /** All releases of the package that a reference means, newest version first. */
  #releases(reference: PackageReference): ReleaseRecord[] {
    const { store, pins } = this.#running()
    const owner = resolveOwner({
      reference,
      candidates: store.catalogue.ownersOf(reference.name),
      pins: [pins.ownerOf]
    })
    return owner === undefined ? [] : store.catalogue.releases(owner, reference.name)
  }

  #find(
    reference: PackageReference
  ): { record: ReleaseRecord; latest: ReleaseRecord | undefined } | undefined {
    const releases = this.#releases(reference)
    const record = pickRelease(releases, reference.range)
    if (record === undefined) return undefined
    return { record: refuseConflicted(record, releases), latest: pickRelease(releases) }
  }

  /** `latest` stands for the package; without it, the record itself does. */
  #view(record: ReleaseRecord, latest: ReleaseRecord = record): Package {
    const { owner, name } = record.release
    return toPackage(record, {
      downloads: this.#running().store.catalogue.downloads(owner, name),
      updatedAtMs: Math.max(latest.release.claimedAtMs, latest.firstSeenMs)
    })
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

  async #pin(pins: NamePins, name: PackageName, owner: OwnerId): Promise<void> {
    try {
      await pins.pin(name, owner)
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
      const { record, firstOfPackage } = change
      yield {
        type: firstOfPackage ? 'NewPackage' : 'NewVersion',
        packageId: `${record.release.name}@${record.release.version}`,
        package: this.#view(record),
        timestamp: record.firstSeenMs,
        cursor: formatCursor(change)
      }
    }
  }
}

/** Reads a name, with or without its owner, where a version has no place. @throws ERR_INVALID_REFERENCE */
function parseName(text: string): PackageReference {
  const reference = parsePackageReference(text)
  if (reference.range !== undefined) throw new InvalidReferenceError(text, 'a version has no place here')
  return reference
}

function refuseConflicted(record: ReleaseRecord, releases: readonly ReleaseRecord[]): ReleaseRecord {
  if (!record.conflicted) return record
  const { owner, name, version } = record.release
  const same = releases.filter(({ release }) => release.version === version)
  throw new VersionConflictedError(
    owner,
    name,
    version,
    same.map(({ release }) => release.content)
  )
}
