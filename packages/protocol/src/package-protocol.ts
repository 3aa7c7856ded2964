import type { StreamHandler, StreamHandlerOptions } from '@libp2p/interface'
import type {
  BlobInfo,
  CatalogueComparison,
  CatalogueHoldings,
  Clock,
  ComparisonAnswer,
  ContentId,
  DocumentKey,
  ExchangeOptions,
  HoldingsPage,
  KeptDocument,
  Logger,
  OwnerId,
  PackageName,
  PackageProtocol,
  PackageProtocolHandlers,
  PeerIdText,
  PushStatus,
  Query,
  RecordIdPage,
  ReleaseKey,
  RemoteSearchHit,
  SnapshotPage,
  SymbolChunk
} from '@registry/types'
import {
  ANNOUNCE_HOLDINGS,
  BLOCK,
  CONTENT,
  DOCUMENT,
  HOLDINGS,
  type HoldingsParams,
  LOCATE
} from './content.ts'
import { ProtocolError } from './errors.ts'
import { LatencyWindow } from './latency-window.ts'
import { GET_PACKAGE, LOOKUP, LOOKUP_NAME, PUBLISH_PACKAGE, SEARCH_PACKAGES } from './lookup.ts'
import { type Method, type ProtocolShape, protocolId } from './method.ts'
import {
  COMPARE,
  EXCHANGE_RECORDS,
  HOLDS_CATALOGUE,
  RECONCILE,
  RECORD_IDS,
  type RecordExchange,
  type RecordIdsParams,
  SYMBOLS,
  type SymbolRange
} from './reconcile.ts'
import { type ConnectionOpener, RequestClient } from './request-client.ts'
import { type Answer, answer, RequestServer } from './request-server.ts'
import { SNAPSHOT, SNAPSHOT_PAGE, type SnapshotParams } from './snapshot.ts'

/** A peer has one stream a protocol; a second is for the moment in which it replaces a lost one. */
const MAX_STREAMS = 2
const LATENCY_SAMPLES = 1024

export interface PackageProtocolInit {
  /** Peers of other networks are not understood, not even heard. */
  network: string
  /** For a whole exchange, connecting included; also for how long a peer may leave an answer untaken. @default 10000 */
  requestTimeoutMs?: number
  /** Unanswered requests to one peer over one protocol. @default 256 */
  maxPendingRequests?: number
  /** A stream unused for so long is closed. @default 300000 */
  idleTimeoutMs?: number
}

export const PACKAGE_PROTOCOL_DEFAULTS: Readonly<Required<Omit<PackageProtocolInit, 'network'>>> =
  Object.freeze({
    requestTimeoutMs: 10_000,
    maxPendingRequests: 256,
    idleTimeoutMs: 300_000
  })

/** What of libp2p's registrar is used. */
export interface StreamRegistrar {
  handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>
  unhandle(protocol: string): Promise<void>
}

export interface PackageProtocolComponents {
  registrar: StreamRegistrar
  connectionManager: ConnectionOpener
  handlers: PackageProtocolHandlers
  /** Asked before every request is answered; false is a refusal that the asker sees as ERR_PEER_BUSY. */
  admit?: (peerId: PeerIdText, method: string) => boolean
  /** Told of every peer that breaks the protocol, and how; its stream is closed where nothing else helps. */
  onMisbehaviour?: (peerId: PeerIdText, reason: string) => void
  clock: Clock
  logger?: Logger
}

/** The four package protocols over libp2p streams; see `docs/protocol` for the bytes. */
export function packageProtocol(
  init: PackageProtocolInit
): (components: PackageProtocolComponents) => PackageProtocol {
  return (components) => new Libp2pPackageProtocol({ ...PACKAGE_PROTOCOL_DEFAULTS, ...init }, components)
}

interface Endpoint {
  protocol: string
  client: RequestClient
  server: RequestServer
}

class Libp2pPackageProtocol implements PackageProtocol {
  readonly #components: PackageProtocolComponents
  readonly #latencies = new LatencyWindow(LATENCY_SAMPLES)
  readonly #lookup: Endpoint
  readonly #reconcile: Endpoint
  readonly #snapshot: Endpoint
  readonly #content: Endpoint
  #running = false

  constructor(init: Required<PackageProtocolInit>, components: PackageProtocolComponents) {
    this.#components = components
    const { handlers } = components
    this.#lookup = this.#endpoint(init, LOOKUP, [
      answer(GET_PACKAGE, (from, key) => handlers.getPackage(from, key)),
      answer(LOOKUP_NAME, (from, { name, owner }) => handlers.lookupName(from, name, owner)),
      answer(SEARCH_PACKAGES, (from, query) => handlers.searchPackages(from, query)),
      answer(PUBLISH_PACKAGE, (from, envelopes) => handlers.publishPackage(from, envelopes))
    ])
    this.#reconcile = this.#endpoint(init, RECONCILE, [
      answer(HOLDS_CATALOGUE, (from) => handlers.holdsCatalogue(from)),
      answer(COMPARE, (from, comparison) => handlers.compare(from, comparison)),
      answer(SYMBOLS, (from, range) => handlers.symbols(from, range)),
      answer(EXCHANGE_RECORDS, (from, exchange) => handlers.exchangeRecords(from, exchange)),
      answer(RECORD_IDS, (from, page) => handlers.recordIds(from, page))
    ])
    this.#snapshot = this.#endpoint(init, SNAPSHOT, [
      answer(SNAPSHOT_PAGE, (from, page) => handlers.snapshot(from, page))
    ])
    this.#content = this.#endpoint(init, CONTENT, [
      answer(BLOCK, (from, cid) => handlers.block(from, cid)),
      answer(HOLDINGS, (from, page) => handlers.holdings(from, page)),
      answer(LOCATE, (from, integrity) => handlers.locate(from, integrity)),
      answer(DOCUMENT, (from, key) => handlers.document(from, key)),
      answer(ANNOUNCE_HOLDINGS, async (from, cids) => {
        await handlers.announceHoldings(from, cids)
        return null
      })
    ])
  }

  #endpoint(
    init: Required<PackageProtocolInit>,
    shape: ProtocolShape,
    answers: Array<[string, Answer]>
  ): Endpoint {
    const { connectionManager, clock, admit = () => true } = this.#components
    const protocol = protocolId(init.network, shape)
    const onMisbehaviour = (peerId: PeerIdText, reason: string): void => this.#misbehaved(peerId, reason)
    return {
      protocol,
      client: new RequestClient(
        { ...init, protocol, shape },
        { connectionManager, clock, onMisbehaviour, onLatency: (ms) => this.#latencies.add(ms) }
      ),
      server: new RequestServer(
        { ...init, shape },
        { answers: new Map(answers), clock, admit, onMisbehaviour }
      )
    }
  }

  #misbehaved(peerId: PeerIdText, reason: string): void {
    this.#components.logger?.warn('registry:protocol', 'a peer broke the protocol', { peerId, reason })
    this.#components.onMisbehaviour?.(peerId, reason)
  }

  get #endpoints(): Endpoint[] {
    return [this.#lookup, this.#reconcile, this.#snapshot, this.#content]
  }

  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      for (const { protocol, client, server } of this.#endpoints) {
        await this.#components.registrar.handle(
          protocol,
          (stream, connection) => server.serve(stream, connection),
          { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS }
        )
        client.start()
      }
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    for (const { protocol, client, server } of this.#endpoints.toReversed()) {
      await this.#components.registrar.unhandle(protocol)
      client.stop()
      await server.stop()
    }
  }

  getPackage(
    peerId: PeerIdText,
    key: ReleaseKey,
    options?: ExchangeOptions
  ): Promise<Uint8Array[] | undefined> {
    return this.#lookup.client.request(peerId, GET_PACKAGE, key, options)
  }

  lookupName(
    peerId: PeerIdText,
    name: PackageName,
    owner: OwnerId | undefined,
    options?: ExchangeOptions
  ): Promise<Uint8Array[]> {
    return this.#demand(this.#lookup, peerId, LOOKUP_NAME, { name, owner }, options)
  }

  searchPackages(peerId: PeerIdText, query: Query, options?: ExchangeOptions): Promise<RemoteSearchHit[]> {
    return this.#demand(this.#lookup, peerId, SEARCH_PACKAGES, query, options)
  }

  publishPackage(
    peerId: PeerIdText,
    envelopes: readonly Uint8Array[],
    options?: ExchangeOptions
  ): Promise<PushStatus[]> {
    return this.#demand(this.#lookup, peerId, PUBLISH_PACKAGE, envelopes, options)
  }

  holdsCatalogue(peerId: PeerIdText, options?: ExchangeOptions): Promise<CatalogueHoldings> {
    return this.#demand(this.#reconcile, peerId, HOLDS_CATALOGUE, null, options)
  }

  async compare(
    peerId: PeerIdText,
    comparison: CatalogueComparison,
    options?: ExchangeOptions
  ): Promise<ComparisonAnswer> {
    const answered = await this.#reconcile.client.request(peerId, COMPARE, comparison, options)
    return answered ?? { status: 'absent' }
  }

  symbols(peerId: PeerIdText, range: SymbolRange, options?: ExchangeOptions): Promise<SymbolChunk> {
    return this.#demand(this.#reconcile, peerId, SYMBOLS, range, options)
  }

  exchangeRecords(
    peerId: PeerIdText,
    exchange: RecordExchange,
    options?: ExchangeOptions
  ): Promise<{ records: Uint8Array[]; given: PushStatus[] }> {
    return this.#demand(this.#reconcile, peerId, EXCHANGE_RECORDS, exchange, options)
  }

  recordIds(peerId: PeerIdText, page: RecordIdsParams, options?: ExchangeOptions): Promise<RecordIdPage> {
    return this.#demand(this.#reconcile, peerId, RECORD_IDS, page, options)
  }

  snapshot(peerId: PeerIdText, page: SnapshotParams, options?: ExchangeOptions): Promise<SnapshotPage> {
    return this.#demand(this.#snapshot, peerId, SNAPSHOT_PAGE, page, options)
  }

  block(peerId: PeerIdText, cid: string, options?: ExchangeOptions): Promise<Uint8Array | undefined> {
    return this.#content.client.request(peerId, BLOCK, cid, options)
  }

  holdings(peerId: PeerIdText, page: HoldingsParams, options?: ExchangeOptions): Promise<HoldingsPage> {
    return this.#demand(this.#content, peerId, HOLDINGS, page, options)
  }

  locate(peerId: PeerIdText, integrity: string, options?: ExchangeOptions): Promise<BlobInfo | undefined> {
    return this.#content.client.request(peerId, LOCATE, integrity, options)
  }

  document(
    peerId: PeerIdText,
    key: DocumentKey,
    options?: ExchangeOptions
  ): Promise<KeptDocument | undefined> {
    return this.#content.client.request(peerId, DOCUMENT, key, options)
  }

  async announceHoldings(
    peerId: PeerIdText,
    cids: readonly ContentId[],
    options?: ExchangeOptions
  ): Promise<void> {
    await this.#demand(this.#content, peerId, ANNOUNCE_HOLDINGS, cids, options)
  }

  requestLatencies(): { p50Ms: number; p95Ms: number; p99Ms: number; count: number } {
    return this.#latencies.percentiles()
  }

  /** As `request`, for a method that always has a result. */
  async #demand<Params, Result>(
    { client }: Endpoint,
    peerId: PeerIdText,
    method: Method<Params, Result>,
    params: Params,
    options?: ExchangeOptions
  ): Promise<Result> {
    const result = await client.request(peerId, method, params, options)
    if (result !== undefined) return result
    const reason = `it has no answer to ${method.name}`
    this.#misbehaved(peerId, reason)
    throw new ProtocolError(peerId, reason)
  }
}
