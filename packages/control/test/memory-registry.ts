import { readFile, writeFile } from 'node:fs/promises'
import { describeContent, makeAttestation, makeRelease, seededOwnerId } from '@registry/testing'
import {
  type AbortOptions,
  type AttestationInput,
  type AttestationRecord,
  type CatalogueFileOptions,
  type CatalogueFileReport,
  type CatalogueImportReport,
  type Completeness,
  type ConnectedPeer,
  compareVersions,
  type DiscoveredPeer,
  type DomainReport,
  type FetchedPackage,
  formatPackageReference,
  type GetOptions,
  type NameDecision,
  type NetworkStats,
  type OwnerId,
  type P2PRegistry,
  type Package,
  type PackageDetails,
  type PackageName,
  type PackageUpdate,
  type PeerIdText,
  type PublishReceipt,
  type PublishSource,
  parseDomain,
  parseOwnerId,
  parsePackageName,
  parsePackageReference,
  parseQuery,
  parseRecordId,
  parseVersion,
  type Query,
  type QueryOptions,
  RegistryError,
  type RegistryStatus,
  type SearchPage,
  type SearchResult,
  type StatementReceipt,
  type SubscribeOptions,
  type Topic,
  toPackage,
  type Version
} from '@registry/types'

const STARTED_MS = Date.UTC(2026, 0, 1)
const PEER_ID = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' as PeerIdText

export const COMPLETE: Completeness = {
  state: 'behind',
  comparedAtMs: STARTED_MS,
  agreeing: 1,
  compared: 2,
  askedHolders: 0
}

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
  /** What was stated, as it was said. */
  readonly stated: unknown[] = []
  #isRunning = true
  readonly #contents = new Map<string, Uint8Array>()
  readonly #updates: PackageUpdate[] = []
  readonly #attestations: AttestationRecord[] = []
  readonly #distTags: Record<string, Version> = {}
  readonly #names = new Map<string, NameDecision>()
  readonly #followed = new Set<OwnerId>()
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
    const record = { id, release, firstSeenMs: STARTED_MS, conflicted: false, unpublished: false }
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
    return (await this.searchPage(query)).results
  }

  async searchPage(query: Query | QueryOptions): Promise<SearchPage> {
    this.#check()
    const { keywords, category, tags, limit, after = '0', facets, explain } = parseQuery(query)
    const fitting = this.#packages()
      .filter((one) => keywords.every((word) => `${one.name} ${one.description}`.includes(word.slice(0, 3))))
      .filter((one) => category === undefined || one.category === category)
      .filter((one) => tags.every((tag) => one.tags.includes(tag)))
    const end = Number(after) + limit
    const results = fitting.slice(Number(after), end).map((found): SearchResult => {
      const result = { package: found, score: 1.5, peerCount: 1 }
      if (!explain) return result
      const term = { word: keywords[0] ?? '', term: found.name, idf: 2, impact: 0.5, weight: 1 }
      const quality = { dependents: 0, providers: 0.5, recency: 1, trust: 0.5, factor: 1.25 }
      const bonuses = [{ reason: 'the name begins with it', score: 0.5 }]
      return {
        ...result,
        explanation: { terms: [{ ...term, field: 'name', how: 'typo' }], bonuses, quality }
      }
    })
    const page: SearchPage = { results, total: fitting.length, completeness: COMPLETE }
    if (end < fitting.length) page.next = String(end)
    const none = { category: [], tag: [], license: [], owner: [], keyword: [] }
    if (facets) page.facets = { ...none, category: [{ value: 'web', count: fitting.length }] }
    return page
  }

  async get(
    reference: string,
    { onProgress, signal, integrity }: GetOptions = {}
  ): Promise<FetchedPackage | undefined> {
    const found = await this.metadata(reference)
    if (found === undefined) return undefined
    if (integrity !== undefined && integrity !== found.integrity) {
      throw new RegistryError('ERR_INTEGRITY_MISMATCH', 'It is another content')
    }
    signal?.throwIfAborted()
    onProgress?.({ stage: 'resolved', package: found })
    if (found.name === 'gone') {
      throw new RegistryError('ERR_NO_PROVIDERS', 'Nobody has it', { retryable: true, hint: 'Try later.' })
    }
    const { cid, size: totalBytes } = found
    onProgress?.({ stage: 'fetching', cid: cid as never, fetchedBytes: totalBytes, totalBytes, providers: 1 })
    return { package: found, completeness: COMPLETE, content: () => this.#content(cid) }
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

  async details(reference: string): Promise<PackageDetails | undefined> {
    const found = await this.metadata(reference)
    if (found === undefined) return undefined
    return {
      package: found,
      versions: await this.listVersions(found.name),
      unpublished: [parseVersion('0.0.1')],
      distTags: { ...this.#distTags, latest: found.version },
      readme: describeContent(new Uint8Array()),
      attestations: this.#attestations,
      completeness: COMPLETE
    }
  }

  async tag(name: string, tag: string, version: string | null): Promise<StatementReceipt> {
    if (version === null) delete this.#distTags[tag]
    else this.#distTags[tag] = parseVersion(version)
    return this.#state(name, { tag, version })
  }

  async deprecate(reference: string, message: string | null): Promise<StatementReceipt> {
    return this.#state(reference, { message })
  }

  async yank(reference: string, reason: string | null): Promise<StatementReceipt> {
    return this.#state(reference, { reason })
  }

  async unpublish(reference: string, reason?: string): Promise<StatementReceipt> {
    return this.#state(reference, { unpublished: reason })
  }

  async readme(name: string, content: Uint8Array | null): Promise<StatementReceipt> {
    return this.#state(name, { content })
  }

  async readmeOf(reference: string): Promise<Uint8Array | undefined> {
    const [about] = await this.listVersions(reference)
    return about === undefined ? undefined : new TextEncoder().encode(`# ${about.name}\n`)
  }

  async attest(reference: string, input: AttestationInput): Promise<StatementReceipt> {
    const attestation = makeAttestation({ versions: '*', ...input })
    this.#attestations.push({ id: parseRecordId(this.owner), attestation, firstSeenMs: STARTED_MS })
    return this.#state(reference, input)
  }

  async names(): Promise<NameDecision[]> {
    return [...this.#names.values()]
  }

  async pin(name: string, owner: string): Promise<void> {
    const decision = { name: parsePackageName(name), owner: parseOwnerId(owner), by: 'pin' as const }
    this.#names.set(decision.name, decision)
  }

  async unpin(name: string): Promise<boolean> {
    return this.#names.delete(name)
  }

  async following(): Promise<OwnerId[]> {
    return [...this.#followed]
  }

  async follow(owner: string): Promise<boolean> {
    const isNew = !this.#followed.has(parseOwnerId(owner))
    this.#followed.add(parseOwnerId(owner))
    return isNew
  }

  async unfollow(owner: string): Promise<boolean> {
    return this.#followed.delete(parseOwnerId(owner))
  }

  async curate(name: string, owner: string | null): Promise<StatementReceipt> {
    return this.#state(name, { alias: owner })
  }

  async claimDomain(domain: string, claimed: boolean): Promise<StatementReceipt> {
    this.stated.push({ domain, claimed })
    return { ids: [], owner: this.owner, name: parseDomain(domain), versions: [] }
  }

  async checkDomain(domain: string): Promise<DomainReport> {
    const record = { name: `_p2p-registry.${domain}`, text: `owner=${this.owner}` }
    const owners = [this.owner]
    return {
      domain: parseDomain(domain),
      record,
      claimants: owners,
      named: owners,
      askedAtMs: null,
      owner: this.owner
    }
  }

  async findContent(): Promise<undefined> {}

  async keepContent(): Promise<never> {
    throw new RegistryError('ERR_STORAGE', 'Nothing is kept here')
  }

  serveDocuments(): () => void {
    return () => {}
  }

  async documentOf(): Promise<undefined> {}

  onNamesChange(): () => void {
    return () => {}
  }

  async exportCatalogue(
    path: string,
    { onProgress }: CatalogueFileOptions = {}
  ): Promise<CatalogueFileReport> {
    this.#check()
    const bytes = JSON.stringify(this.#packages())
    onProgress?.({ records: 1, total: this.#updates.length })
    await writeFile(path, bytes)
    return { path, records: this.#updates.length, bytes: bytes.length }
  }

  async importCatalogue(
    path: string,
    { onProgress }: CatalogueFileOptions = {}
  ): Promise<CatalogueImportReport> {
    this.#check()
    const bytes = await readFile(path, 'utf8')
    const records: unknown = JSON.parse(bytes)
    if (!Array.isArray(records)) throw new RegistryError('ERR_INVALID_CATALOGUE_FILE', 'It is none')
    onProgress?.({ records: records.length, total: records.length })
    const report = { path, records: records.length, bytes: bytes.length, accepted: records.length }
    return { ...report, known: 0, superseded: 0, refused: 0 }
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
      lastSyncedAtMs: null,
      completeness: COMPLETE,
      syncing: [{ peerId: PEER_ID, stage: 'snapshot', received: 5, expected: null }]
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
      inSync: false,
      comparedAtMs: STARTED_MS,
      holds: { mode: 'shards', bits: 2, shards: [0, 3] },
      otherNetwork: true
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

  async #state(reference: string, what: object): Promise<StatementReceipt> {
    this.#check()
    const found = await this.metadata(reference)
    if (found === undefined) throw new RegistryError('ERR_NOT_OWNER', 'It is not yours', { hint: 'Attest.' })
    this.stated.push({ reference, ...what })
    const { owner, version } = found
    return { ids: [parseRecordId(owner)], owner, name: parsePackageName(found.name), versions: [version] }
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
