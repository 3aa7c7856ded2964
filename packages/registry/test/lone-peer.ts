import { join } from 'node:path'
import {
  describeContent,
  type ManualClock,
  type MemoryRegistryStore,
  manualClock,
  memoryStore,
  seededOwner
} from '@registry/testing'
import {
  type AbortOptions,
  type BlobInfo,
  type BlobStore,
  type Completeness,
  type ConnectedPeer,
  type ContentId,
  type ContentRouter,
  type ContentRouterStats,
  type DiscoveredPeer,
  type DocumentKey,
  type DocumentSource,
  type FetchOptions,
  type HolderAnswers,
  type KeptDocument,
  type Logger,
  type MarketplaceBehaviour,
  type NetworkStats,
  type OwnerIdentity,
  type P2PRegistry,
  type PeerDiscovery,
  type PeerIdText,
  type Query,
  RegistryError,
  type RegistryStore,
  type SyncReport
} from '@registry/types'
import { onTestFinished } from 'vitest'
import { createRegistry, type RegistryInit } from '../src/index.ts'
import { tempFolder } from './temp-folder.ts'

const PEER = '12D3KooWLone' as PeerIdText
const NEIGHBOUR: ConnectedPeer = {
  peerId: PEER,
  addresses: [],
  direction: 'outbound',
  connectedSinceMs: 0,
  reputation: 50,
  inSync: true,
  comparedAtMs: 0
}

/** Fetches from a map what the store lacks, once `gate` lets it. */
class LoneRouter implements ContentRouter {
  /** What other peers are said to hold. */
  readonly remote: Map<ContentId, Uint8Array> = new Map()
  gate: Promise<void> = Promise.resolve()
  readonly #blobs: BlobStore

  constructor(blobs: BlobStore) {
    this.#blobs = blobs
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async provide(): Promise<void> {}
  async stopProviding(): Promise<void> {}
  addProvider(): void {}
  removeProvider(): void {}
  async *findProviders(): AsyncGenerator<never> {}
  updateProviderReputation(): void {}

  isLocalProvider(cid: ContentId): boolean {
    return this.#blobs.has(cid)
  }

  bestProvider(): undefined {}

  providerCount(cid: ContentId): number {
    return Number(this.#blobs.has(cid)) + Number(this.remote.has(cid))
  }

  reputation(): number {
    return 50
  }

  cleanupStaleProviders(): number {
    return 0
  }

  async fetch(content: BlobInfo, { onProgress, signal }: FetchOptions = {}): Promise<BlobInfo> {
    await untilAborted(this.gate, signal)
    const { cid, size } = content
    const bytes = this.remote.get(cid)
    if (!this.#blobs.has(cid)) {
      if (bytes === undefined) {
        throw new RegistryError('ERR_NO_PROVIDERS', 'nobody has it', { retryable: true })
      }
      await this.#blobs.add(ReadableStream.from([bytes]))
    }
    onProgress?.({ cid, fetchedBytes: size, totalBytes: size, providers: 1 })
    return content
  }

  async find(integrity: string, { maxBytes }: { maxBytes: number }): Promise<BlobInfo | undefined> {
    const stored = this.#blobs.find(integrity)
    if (stored !== undefined) return stored
    const found = [...this.remote.values()]
      .map((bytes) => ({ ...describeContent(bytes), bytes }))
      .find((content) => content.integrity === integrity && content.size <= maxBytes)
    return found === undefined ? undefined : this.#blobs.add(ReadableStream.from([found.bytes]))
  }

  stats(): ContentRouterStats {
    return {
      providerRecords: 0,
      provided: 0,
      cacheHits: 0,
      cacheMisses: 0,
      dhtQueries: 0,
      dhtQueriesSucceeded: 0
    }
  }
}

/** A behaviour without a network. */
export class LoneBehaviour implements MarketplaceBehaviour {
  readonly peerId: PeerIdText = PEER
  readonly contentRouter: LoneRouter
  readonly calls: string[] = []
  failsToStart = false
  /** What holders of the catalogue would hand over to a peer that has but a part; undefined for one that has it all. */
  elsewhere: readonly Uint8Array[] | undefined
  /** Gives others documents of other registries. */
  documents: DocumentSource | undefined
  /** What the neighbour has of other registries. */
  readonly theirDocuments: Map<string, KeptDocument> = new Map()
  readonly #store: RegistryStore

  constructor(store: RegistryStore) {
    this.#store = store
    this.contentRouter = new LoneRouter(store.blobs)
  }

  async start(): Promise<void> {
    this.calls.push('start')
    if (this.failsToStart) throw new RegistryError('ERR_PORT_IN_USE', 'the port is in use')
  }

  async stop(): Promise<void> {
    this.calls.push('stop')
  }

  get discovery(): PeerDiscovery {
    throw new Error('there is nobody to discover')
  }

  serveDocuments(source: DocumentSource): () => void {
    this.documents = source
    return () => {
      this.documents = undefined
    }
  }

  async documentOf(_peerId: PeerIdText, key: DocumentKey): Promise<KeptDocument | undefined> {
    this.calls.push(`document ${key.name}`)
    return this.theirDocuments.get(JSON.stringify(key))
  }

  addresses(): string[] {
    return [`/memory/lone/p2p/${PEER}`]
  }

  peers(): ConnectedPeer[] {
    return [NEIGHBOUR]
  }

  async knownPeers(): Promise<DiscoveredPeer[]> {
    return []
  }

  async connect(address: string, { signal }: AbortOptions = {}): Promise<ConnectedPeer> {
    this.calls.push(`connect ${address}`)
    await untilAborted(this.contentRouter.gate, signal)
    return NEIGHBOUR
  }

  async disconnect(peerId: PeerIdText): Promise<boolean> {
    this.calls.push(`disconnect ${peerId}`)
    return true
  }

  async addBootstrapNode(address: string): Promise<void> {
    this.calls.push(`bootstrap ${address}`)
  }

  announce(): void {
    this.calls.push('announce')
  }

  async sync(): Promise<SyncReport[]> {
    const report = { peerId: PEER, sent: 0, refused: 0, roundTrips: 2, bytes: 100, durationMs: 1 }
    return [
      { ...report, received: 2 },
      { ...report, received: 3 }
    ]
  }

  completeness(): Completeness {
    const state = this.isPartial() ? 'partial' : 'agreed'
    return { state, comparedAtMs: 0, agreeing: 1, compared: 1, askedHolders: 0 }
  }

  isPartial(): boolean {
    return this.elsewhere !== undefined
  }

  searchHolders(query: Query): Promise<HolderAnswers> {
    return this.#ask(`search ${query.keywords.join(' ')}`)
  }

  lookupHolders(name: string, owner: string | undefined): Promise<HolderAnswers> {
    return this.#ask(`look up ${[owner, name].filter(Boolean).join('/')}`)
  }

  async #ask(call: string): Promise<HolderAnswers> {
    this.calls.push(call)
    const outcomes = await this.#store.catalogue.ingest(this.elsewhere ?? [])
    return { answered: 2, received: outcomes.filter(({ status }) => status === 'accepted').length }
  }

  async settled(): Promise<void> {}

  async stats(): Promise<NetworkStats> {
    const { packages, releases } = this.#store.catalogue.counts()
    return {
      connectedPeers: 1,
      knownPeers: 0,
      cachedPackages: this.#store.blobs.usage().blobs,
      providerRecords: 0,
      gossipTopics: 0,
      packages,
      releases,
      dhtQuerySuccessRate: null,
      cacheHitRate: null,
      gossipDeliveryRate: null,
      requestLatencyMs: null,
      pendingAnnouncements: this.#store.outbox.size,
      lastSyncedAtMs: null,
      completeness: this.completeness(),
      syncing: []
    }
  }
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  await Promise.race([promise, aborted])
}

/** A DNS of a few texts. */
export class LoneDns {
  readonly records: Map<string, string[]> = new Map()
  isDown = false
  questions = 0

  async texts(name: string): Promise<string[]> {
    this.questions += 1
    if (this.isDown) throw new Error('no answer')
    return this.records.get(name) ?? []
  }
}

export interface LonePeer {
  registry: P2PRegistry
  store: MemoryRegistryStore
  behaviour: LoneBehaviour
  dns: LoneDns
  owner: OwnerIdentity
  clock: ManualClock
  dataDir: string
  warnings: string[]
}

/** A started registry over a store in memory, stopped after the test. */
export async function lonePeer(init: Partial<RegistryInit> = {}): Promise<LonePeer> {
  const clock = manualClock()
  const store = memoryStore()({ clock })
  const behaviour = new LoneBehaviour(store)
  const owner = await seededOwner('me')
  const dataDir = init.dataDir ?? join(await tempFolder(), 'data')
  const warnings: string[] = []
  const logger: Logger = { debug() {}, info() {}, warn: (_, message) => warnings.push(message) }
  const dns = new LoneDns()
  const registry = createRegistry({ network: 'test', ...init, dataDir })({
    open: async () => ({ store, behaviour, owner }),
    dns,
    clock,
    logger
  })
  await registry.start()
  onTestFinished(() => registry.stop())
  return { registry, store, behaviour, dns, owner, clock, dataDir, warnings }
}
