import type { StreamHandler, StreamHandlerOptions } from '@libp2p/interface'
import type {
  AbortOptions,
  CatalogueSummary,
  Clock,
  ContentId,
  HoldingsPage,
  Logger,
  PackageProtocol,
  PackageProtocolHandlers,
  PeerIdText,
  PushStatus,
  Query,
  RecordId,
  RecordIdPage,
  ReleaseKey,
  RemoteSearchHit
} from '@registry/types'
import { ANNOUNCE_HOLDINGS, BLOCK, CONTENT, HOLDINGS, type HoldingsParams } from './content.ts'
import { ProtocolError } from './errors.ts'
import { LatencyWindow } from './latency-window.ts'
import { GET_PACKAGE, LOOKUP, PUBLISH_PACKAGE, SEARCH_PACKAGES } from './lookup.ts'
import { type Method, type ProtocolShape, protocolId } from './method.ts'
import { type ConnectionOpener, RequestClient } from './request-client.ts'
import { type Answer, answer, RequestServer } from './request-server.ts'
import { CATALOGUE_SUMMARY, RECORD_IDS, RECORDS, type RecordIdsParams, SYNC } from './sync.ts'

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

/** The three package protocols over libp2p streams; see `docs/protocol` for the bytes. */
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
  readonly #sync: Endpoint
  readonly #content: Endpoint
  #running = false

  constructor(init: Required<PackageProtocolInit>, components: PackageProtocolComponents) {
    this.#components = components
    const { handlers } = components
    this.#lookup = this.#endpoint(init, LOOKUP, [
      answer(GET_PACKAGE, (from, key) => handlers.getPackage(from, key)),
      answer(SEARCH_PACKAGES, (from, query) => handlers.searchPackages(from, query)),
      answer(PUBLISH_PACKAGE, (from, envelopes) => handlers.publishPackage(from, envelopes))
    ])
    this.#sync = this.#endpoint(init, SYNC, [
      answer(CATALOGUE_SUMMARY, (from) => handlers.catalogueSummary(from)),
      answer(RECORD_IDS, (from, page) => handlers.recordIds(from, page)),
      answer(RECORDS, (from, ids) => handlers.records(from, ids))
    ])
    this.#content = this.#endpoint(init, CONTENT, [
      answer(BLOCK, (from, cid) => handlers.block(from, cid)),
      answer(HOLDINGS, (from, page) => handlers.holdings(from, page)),
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
    return [this.#lookup, this.#sync, this.#content]
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

  getPackage(peerId: PeerIdText, key: ReleaseKey, options?: AbortOptions): Promise<Uint8Array[] | undefined> {
    return this.#lookup.client.request(peerId, GET_PACKAGE, key, options)
  }

  searchPackages(peerId: PeerIdText, query: Query, options?: AbortOptions): Promise<RemoteSearchHit[]> {
    return this.#demand(this.#lookup, peerId, SEARCH_PACKAGES, query, options)
  }

  publishPackage(
    peerId: PeerIdText,
    envelopes: readonly Uint8Array[],
    options?: AbortOptions
  ): Promise<PushStatus[]> {
    return this.#demand(this.#lookup, peerId, PUBLISH_PACKAGE, envelopes, options)
  }

  catalogueSummary(peerId: PeerIdText, options?: AbortOptions): Promise<CatalogueSummary> {
    return this.#demand(this.#sync, peerId, CATALOGUE_SUMMARY, null, options)
  }

  recordIds(peerId: PeerIdText, page: RecordIdsParams, options?: AbortOptions): Promise<RecordIdPage> {
    return this.#demand(this.#sync, peerId, RECORD_IDS, page, options)
  }

  records(peerId: PeerIdText, ids: readonly RecordId[], options?: AbortOptions): Promise<Uint8Array[]> {
    return this.#demand(this.#sync, peerId, RECORDS, ids, options)
  }

  block(peerId: PeerIdText, cid: string, options?: AbortOptions): Promise<Uint8Array | undefined> {
    return this.#content.client.request(peerId, BLOCK, cid, options)
  }

  holdings(peerId: PeerIdText, page: HoldingsParams, options?: AbortOptions): Promise<HoldingsPage> {
    return this.#demand(this.#content, peerId, HOLDINGS, page, options)
  }

  async announceHoldings(
    peerId: PeerIdText,
    cids: readonly ContentId[],
    options?: AbortOptions
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
    options?: AbortOptions
  ): Promise<Result> {
    const result = await client.request(peerId, method, params, options)
    if (result !== undefined) return result
    const reason = `it has no answer to ${method.name}`
    this.#misbehaved(peerId, reason)
    throw new ProtocolError(peerId, reason)
  }
}
