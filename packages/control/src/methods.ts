import type { ConfigRow } from '@registry/config'
import {
  type AbortOptions,
  type ConnectedPeer,
  type DiscoveredPeer,
  InvalidValueError,
  type OwnerId,
  type P2PRegistry,
  type Package,
  type PackageName,
  parseCount,
  parseMap,
  parseOptionalText,
  parseOwnerId,
  parsePackageName,
  parseQuery,
  parseText,
  type QueryOptions,
  type RegistryStatus,
  type SearchResult,
  type Topic
} from '@registry/types'
import {
  parseConfigRows,
  parseConnectedPeer,
  parseConnectedPeers,
  parseKnownPeers,
  parseNumber,
  parsePackage,
  parsePackages,
  parseSearchResults,
  parseStatus,
  parseTruth
} from './answers.ts'

/** Under this path the control interface lies; no npm client asks for it. */
export const CONTROL_PATH = '/-/registry/v1/'

/** The largest body of parameters. */
export const MAX_PARAMS_BYTES: number = 1024 * 1024

export interface MethodContext {
  registry: P2PRegistry
  /** Every setting of the running peer. */
  config: () => readonly ConfigRow[]
}

/** One call with one answer: both sides of it, so that they cannot disagree. */
export interface Method<Params, Answer> {
  readonly path: string
  parseParams(value: unknown): Params
  /** The body of the answer; undefined is ERR_NOT_FOUND. */
  run(context: MethodContext, params: Params, options: AbortOptions): Promise<object | undefined>
  parseAnswer(value: unknown): Answer
}

export interface PackageVersion {
  name: string
  version: string
}

export interface ListPage {
  after?: { owner: OwnerId; name: PackageName }
  limit?: number
}

export interface Methods {
  readonly status: Method<unknown, RegistryStatus>
  readonly search: Method<QueryOptions, SearchResult[]>
  readonly metadata: Method<{ reference: string }, Package>
  readonly version: Method<PackageVersion, Package>
  readonly versions: Method<{ name: string }, Package[]>
  readonly exists: Method<{ reference: string }, boolean>
  readonly list: Method<ListPage, Package[]>
  readonly peers: Method<unknown, ConnectedPeer[]>
  readonly knownPeers: Method<unknown, DiscoveredPeer[]>
  readonly connect: Method<{ address: string }, ConnectedPeer>
  readonly disconnect: Method<{ peerId: string }, boolean>
  readonly addBootstrapNode: Method<{ address: string }, unknown>
  readonly sync: Method<unknown, number>
  readonly config: Method<unknown, ConfigRow[]>
}

export const METHODS: Methods = Object.freeze({
  status: {
    path: 'status',
    parseParams: parseNothing,
    run: ({ registry }) => registry.status(),
    parseAnswer: parseStatus
  },
  search: {
    path: 'search',
    parseParams: (value) => parseQuery(value).toJSON(),
    run: async ({ registry }, query, options) => ({ results: await registry.search(query, options) }),
    parseAnswer: parseSearchResults
  },
  metadata: {
    path: 'metadata',
    parseParams: parseReferenceParam,
    run: ({ registry }, { reference }) => registry.metadata(reference),
    parseAnswer: parsePackage
  },
  version: {
    path: 'version',
    parseParams: (value) => {
      const map = parseMap(value, 'params')
      return { name: parseText(map.name, 'name', 512), version: parseText(map.version, 'version', 256) }
    },
    run: ({ registry }, { name, version }) => registry.getVersion(name, version),
    parseAnswer: parsePackage
  },
  versions: {
    path: 'versions',
    parseParams: (value) => ({ name: parseText(parseMap(value, 'params').name, 'name', 512) }),
    run: async ({ registry }, { name }) => ({ packages: await registry.listVersions(name) }),
    parseAnswer: parsePackages
  },
  exists: {
    path: 'exists',
    parseParams: parseReferenceParam,
    run: async ({ registry }, { reference }) => ({ exists: await registry.exists(reference) }),
    parseAnswer: parseTruth('exists')
  },
  list: {
    path: 'list',
    parseParams: parseListPage,
    run: async ({ registry }, page) => ({ packages: await registry.list(page) }),
    parseAnswer: parsePackages
  },
  peers: {
    path: 'peers',
    parseParams: parseNothing,
    run: async ({ registry }) => ({ peers: await registry.peers() }),
    parseAnswer: parseConnectedPeers
  },
  knownPeers: {
    path: 'known-peers',
    parseParams: parseNothing,
    run: async ({ registry }) => ({ peers: await registry.knownPeers() }),
    parseAnswer: parseKnownPeers
  },
  connect: {
    path: 'connect',
    parseParams: parseAddress,
    run: ({ registry }, { address }, options) => registry.connect(address, options),
    parseAnswer: parseConnectedPeer
  },
  disconnect: {
    path: 'disconnect',
    parseParams: (value) => ({ peerId: parseText(parseMap(value, 'params').peerId, 'peerId', 256) }),
    run: async ({ registry }, { peerId }) => ({ disconnected: await registry.disconnect(peerId) }),
    parseAnswer: parseTruth('disconnected')
  },
  addBootstrapNode: {
    path: 'bootstrap',
    parseParams: parseAddress,
    run: async ({ registry }, { address }) => {
      await registry.addBootstrapNode(address)
      return {}
    },
    parseAnswer: parseNothing
  },
  sync: {
    path: 'sync',
    parseParams: parseNothing,
    run: async ({ registry }, _params, options) => ({ received: await registry.sync(options) }),
    parseAnswer: parseNumber('received')
  },
  config: {
    path: 'config',
    parseParams: parseNothing,
    run: async ({ config }) => ({ settings: config() }),
    parseAnswer: parseConfigRows
  }
} satisfies Methods)

/** Parameters of `get` and `content` too. */
export function parseReferenceParam(value: unknown): { reference: string } {
  return { reference: parseText(parseMap(value, 'params').reference, 'reference', 512) }
}

export interface SubscribeParams {
  topic: Topic
  after?: string
}

export function parseSubscribeParams(value: unknown): SubscribeParams {
  const map = parseMap(value, 'params')
  const params: SubscribeParams = { topic: parseTopic(map.topic) }
  const after = parseOptionalText(map.after, 'after', 256)
  if (after !== undefined) params.after = after
  return params
}

function parseTopic(value: unknown): Topic {
  const map = parseMap(value, 'topic')
  switch (map.kind) {
    case 'all':
      return { kind: 'all' }
    case 'category':
      return { kind: 'category', category: parseText(map.category, 'topic.category', 64) }
    case 'tag':
      return { kind: 'tag', tag: parseText(map.tag, 'topic.tag', 256) }
    case 'owner':
      return { kind: 'owner', owner: parseOwnerId(map.owner, 'topic.owner') }
    case 'package':
      return { kind: 'package', name: parsePackageName(map.name) }
    default:
      throw new InvalidValueError('topic.kind', 'must be all, category, tag, owner or package')
  }
}

function parseNothing(value: unknown): unknown {
  return parseMap(value, 'params')
}

function parseAddress(value: unknown): { address: string } {
  return { address: parseText(parseMap(value, 'params').address, 'address', 1024) }
}

function parseListPage(value: unknown): ListPage {
  const map = parseMap(value, 'params')
  const page: ListPage = {}
  if (map.limit !== undefined) page.limit = parseCount(map.limit, 'limit', 1000)
  if (map.after !== undefined) {
    const after = parseMap(map.after, 'after')
    page.after = { owner: parseOwnerId(after.owner, 'after.owner'), name: parsePackageName(after.name) }
  }
  return page
}
