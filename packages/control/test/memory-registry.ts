import { readFile } from 'node:fs/promises'
import { describeContent, makeRelease, seededOwnerId } from '@registry/testing'
import {
  type AbortOptions,
  type ConnectedPeer,
  compareVersions,
  type DiscoveredPeer,
  type FetchedPackage,
  formatPackageReference,
  type GetOptions,
  type NetworkStats,
  type OwnerId,
  type P2PRegistry,
  type Package,
  type PackageName,
  type PackageUpdate,
  type PeerIdText,
  type PublishReceipt,
  type PublishSource,
  parsePackageReference,
  parseQuery,
  parseRecordId,
  type Query,
  type QueryOptions,
  RegistryError,
  type RegistryStatus,
  type SearchResult,
  type SubscribeOptions,
  type Topic,
  toPackage
} from '@registry/types'

const STARTED_MS = Date.UTC(2026, 0, 1)
const PEER_ID = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' as PeerIdText

/**
 * A peer alone in memory: what is published can be found, fetched and heard of, until the process ends. A package is
 * the JSON of its manifest instead of a tarball, and a range is one exact version.
 */
export class MemoryRegistry implements P2PRegistry {
  readonly peerId: string = PEER_ID
  readonly owner: OwnerId = seededOwnerId(0)
  /** Addresses that can be reached, and what was told of them. */
  readonly reachable: Set<string> = new Set()
  readonly bootstrapNodes: string[] = []
  #isRunning = true
  readonly #contents = new Map<string, Uint8Array>()
  readonly #updates: PackageUpdate[] = []
  readonly #peers = new Map<string, ConnectedPeer>()
  #changed = Promise.withResolvers<void>()

  get isRunning(): boolean {
    return this.#isRunning
  }

  async start(): Promise<void> {
    this.#isRunning = true
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    this.#wake()
  }

  async publish(source: PublishSource, { signal }: AbortOptions = {}): Promise<PublishReceipt> {
    this.#check()
    if (source.kind !== 'path') throw new TypeError('only paths are published here')
    const bytes = new Uint8Array(await readFile(source.path, { signal }))
    const manifest = JSON.parse(new TextDecoder().decode(bytes))
    const content = describeContent(bytes)
    const release = makeRelease({
      ...manifest,
      content: content.cid,
      size: content.size,
      integrity: content.integrity
    })
    if (this.#packages().some((one) => one.name === release.name && one.version === release.version)) {
      throw new RegistryError(
        'ERR_VERSION_EXISTS',
        `${release.name}@${release.version} is published already`,
        {
          hint: 'Raise the version.'
        }
      )
    }
    const id = parseRecordId(release.owner)
    const record = { id, release, firstSeenMs: STARTED_MS, conflicted: false }
    const published = toPackage(record, { downloads: 0, updatedAtMs: STARTED_MS })
    const isNew = !this.#packages().some((one) => one.name === release.name)
    this.#contents.set(published.cid, bytes)
    this.#updates.push({
      type: isNew ? 'NewPackage' : 'NewVersion',
      packageId: published.id,
      package: published,
      timestamp: STARTED_MS,
      cursor: String(this.#updates.length + 1)
    })
    this.#wake()
    const { owner, name, version, cid, integrity } = published
    return { owner, name, version, id, cid, integrity }
  }

  async search(query: Query | QueryOptions): Promise<SearchResult[]> {
    this.#check()
    const { keywords, category, tags, limit } = parseQuery(query)
    return this.#packages()
      .filter((one) => keywords.every((word) => `${one.name} ${one.description}`.includes(word)))
      .filter((one) => category === undefined || one.category === category)
      .filter((one) => tags.every((tag) => one.tags.includes(tag)))
      .slice(0, limit)
      .map((found) => ({ package: found, score: 1.5, peerCount: 1 }))
  }

  async get(reference: string, { onProgress, signal }: GetOptions = {}): Promise<FetchedPackage | undefined> {
    const found = await this.metadata(reference)
    if (found === undefined) return undefined
    signal?.throwIfAborted()
    onProgress?.({ stage: 'resolved', package: found })
    if (found.name === 'gone') {
      throw new RegistryError('ERR_NO_PROVIDERS', 'Nobody has it', { retryable: true, hint: 'Try later.' })
    }
    const { cid, size: totalBytes } = found
    onProgress?.({ stage: 'fetching', cid: cid as never, fetchedBytes: totalBytes, totalBytes, providers: 1 })
    return { package: found, content: () => this.#content(cid) }
  }

  async metadata(reference: string): Promise<Package | undefined> {
    this.#check()
    const { name, range } = parsePackageReference(reference)
    return (await this.listVersions(name)).find((one) => range === undefined || one.version === range)
  }

  getVersion(name: string, version: string): Promise<Package | undefined> {
    const reference = parsePackageReference(name)
    return this.metadata(formatPackageReference({ ...reference, range: version }))
  }

  async listVersions(name: string): Promise<Package[]> {
    this.#check()
    return this.#packages()
      .filter((one) => one.name === name)
      .sort((a, b) => compareVersions(b.version, a.version))
  }

  async exists(reference: string): Promise<boolean> {
    return (await this.metadata(reference)) !== undefined
  }

  async list({
    after,
    limit = 100
  }: {
    after?: { owner: OwnerId; name: PackageName }
    limit?: number
  } = {}): Promise<Package[]> {
    this.#check()
    return this.#packages()
      .filter((one) => after === undefined || one.name > after.name)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, limit)
  }

  async *subscribe(topic: Topic, { after, signal }: SubscribeOptions = {}): AsyncGenerator<PackageUpdate> {
    this.#check()
    let next = after === undefined ? this.#updates.length : Number(after)
    const aborted = Promise.withResolvers<never>()
    aborted.promise.catch(() => {})
    signal?.addEventListener('abort', () => aborted.reject(signal.reason), { once: true })
    while (this.isRunning) {
      const update = this.#updates[next]
      if (update === undefined) {
        await Promise.race([this.#changed.promise, aborted.promise])
        continue
      }
      next++
      if (fits(topic, update.package)) yield update
    }
  }

  async stats(): Promise<NetworkStats> {
    return {
      connectedPeers: this.#peers.size,
      knownPeers: this.#peers.size,
      cachedPackages: this.#contents.size,
      providerRecords: 0,
      gossipTopics: 1,
      packages: new Set(this.#packages().map((one) => one.name)).size,
      releases: this.#updates.length,
      dhtQuerySuccessRate: null,
      cacheHitRate: 0.5,
      gossipDeliveryRate: null,
      requestLatencyMs: { p50: 0.4, p95: 1, p99: 2 },
      pendingAnnouncements: 0,
      lastSyncedAtMs: null
    }
  }

  async status(): Promise<RegistryStatus> {
    this.#check()
    const bytes = [...this.#contents.values()].reduce((sum, content) => sum + content.length, 0)
    return {
      ...(await this.stats()),
      peerId: PEER_ID,
      addresses: [`/memory/1/p2p/${PEER_ID}`],
      network: 'test',
      owner: this.owner,
      dataDir: '/nowhere',
      uptimeMs: 12.5,
      storage: { blobs: this.#contents.size, bytes, quotaBytes: 1000 }
    }
  }

  async addBootstrapNode(address: string | { address: string }): Promise<void> {
    this.bootstrapNodes.push(typeof address === 'string' ? address : address.address)
  }

  async peers(): Promise<ConnectedPeer[]> {
    return [...this.#peers.values()]
  }

  async knownPeers(): Promise<DiscoveredPeer[]> {
    return [...this.#peers.values()].map(({ peerId, addresses }) => ({
      peerId,
      addresses,
      method: 'Manual',
      lastSeenMs: STARTED_MS
    }))
  }

  /** An address that is not in `reachable` does not answer until the signal aborts. */
  async connect(address: string, { signal }: AbortOptions = {}): Promise<ConnectedPeer> {
    if (!this.reachable.has(address)) {
      await new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          this.reachable.add(address)
          this.#wake()
          reject(signal.reason)
        })
      })
    }
    const peer: ConnectedPeer = {
      peerId: address.slice(address.lastIndexOf('/') + 1) as PeerIdText,
      addresses: [address],
      direction: 'outbound',
      connectedSinceMs: STARTED_MS,
      reputation: 50,
      agent: 'test',
      inSync: false
    }
    this.#peers.set(peer.peerId, peer)
    return peer
  }

  async disconnect(peerId: string): Promise<boolean> {
    return this.#peers.delete(peerId)
  }

  async sync(): Promise<number> {
    return 3
  }

  /** Resolves at the next publish, the next aborted `connect`, or the stop. */
  changed(): Promise<void> {
    return this.#changed.promise
  }

  /** Flips a bit, as a failing disk would. */
  damage(cid: string): void {
    const bytes = this.#contents.get(cid)
    if (bytes !== undefined) bytes[0] = (bytes[0] ?? 0) ^ 1
  }

  async *#content(cid: string): AsyncGenerator<Uint8Array> {
    const bytes = this.#contents.get(cid) ?? new Uint8Array()
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
  }

  #packages(): Package[] {
    return this.#updates.map((update) => update.package)
  }

  #check(): void {
    if (!this.isRunning) throw new RegistryError('ERR_NOT_RUNNING', 'The peer does not run')
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

function fits(topic: Topic, update: Package): boolean {
  switch (topic.kind) {
    case 'all':
      return true
    case 'category':
      return update.category === topic.category
    case 'tag':
      return update.tags.includes(topic.tag)
    case 'owner':
      return update.owner === topic.owner
    case 'package':
      return update.name === topic.name
  }
}
