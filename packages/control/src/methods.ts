import { isAbsolute } from 'node:path'
import type { ConfigRow } from '@registry/config'
import {
  type AbortOptions,
  ADVISORY_SEVERITIES,
  ATTESTATION_CLAIMS,
  type AttestationInput,
  type CatalogueFileOptions,
  type CatalogueFileReport,
  type CatalogueImportReport,
  type ConnectedPeer,
  type DiscoveredPeer,
  type DomainReport,
  InvalidValueError,
  type NameDecision,
  type OwnerId,
  type P2PRegistry,
  type Package,
  type PackageDetails,
  type PackageName,
  parseCount,
  parseFlag,
  parseMap,
  parseOneOf,
  parseOptionalText,
  parseOwnerId,
  parsePackageName,
  parseQuery,
  parseText,
  type QueryOptions,
  type RegistryStatus,
  type SearchPage,
  type StatementReceipt,
  type Topic
} from '@registry/types'
import {
  parseConfigRows,
  parseConnectedPeer,
  parseConnectedPeers,
  parseDetails,
  parseDomainReport,
  parseFileReport,
  parseImportReport,
  parseKnownPeers,
  parseNameDecisions,
  parseNumber,
  parseOwners,
  parsePackage,
  parsePackages,
  parseReadme,
  parseSearchPage,
  parseStatementReceipt,
  parseStatus,
  parseTruth
} from './answers.ts'

/** Under this path the control interface lies; no npm client asks for it. */
export const CONTROL_PATH = '/-/registry/v1/'

/** The largest body of parameters: room for a readme of 1 MiB in base64. */
export const MAX_PARAMS_BYTES: number = 2 * 1024 * 1024

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

export interface TagParams {
  name: string
  tag: string
  version: string | null
}

export interface ReadmeParams {
  name: string
  /** In base64. */
  content: string | null
}

export interface ListPage {
  after?: { owner: OwnerId; name: PackageName }
  limit?: number
}

export interface Methods {
  readonly status: Method<unknown, RegistryStatus>
  readonly search: Method<QueryOptions, SearchPage>
  readonly metadata: Method<{ reference: string }, Package>
  readonly version: Method<PackageVersion, Package>
  readonly versions: Method<{ name: string }, Package[]>
  readonly exists: Method<{ reference: string }, boolean>
  readonly details: Method<{ reference: string }, PackageDetails>
  readonly tag: Method<TagParams, StatementReceipt>
  readonly deprecate: Method<{ reference: string; message: string | null }, StatementReceipt>
  readonly yank: Method<{ reference: string; reason: string | null }, StatementReceipt>
  readonly unpublish: Method<{ reference: string; reason: string }, StatementReceipt>
  readonly readme: Method<ReadmeParams, StatementReceipt>
  readonly readmeOf: Method<{ reference: string }, Uint8Array>
  readonly attest: Method<{ reference: string; attestation: AttestationInput }, StatementReceipt>
  readonly names: Method<unknown, NameDecision[]>
  readonly pin: Method<{ name: string; owner: string }, unknown>
  readonly unpin: Method<{ name: string }, boolean>
  readonly following: Method<unknown, OwnerId[]>
  readonly follow: Method<{ owner: string }, boolean>
  readonly unfollow: Method<{ owner: string }, boolean>
  readonly curate: Method<{ name: string; owner: string | null }, StatementReceipt>
  readonly claimDomain: Method<{ domain: string; claimed: boolean }, StatementReceipt>
  readonly checkDomain: Method<{ domain: string }, DomainReport>
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
    run: ({ registry }, query, options) => registry.searchPage(query, options),
    parseAnswer: parseSearchPage
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
  details: {
    path: 'details',
    parseParams: parseReferenceParam,
    run: ({ registry }, { reference }) => registry.details(reference),
    parseAnswer: parseDetails
  },
  tag: {
    path: 'tag',
    parseParams: (value) => {
      const map = parseMap(value, 'params')
      return {
        name: parseText(map.name, 'name', 512),
        tag: parseText(map.tag, 'tag', 256),
        version: parseTextOrNull(map.version, 'version', 256)
      }
    },
    run: ({ registry }, { name, tag, version }) => registry.tag(name, tag, version),
    parseAnswer: parseStatementReceipt
  },
  deprecate: {
    path: 'deprecate',
    parseParams: (value) => ({
      ...parseReferenceParam(value),
      message: parseTextOrNull(parseMap(value, 'params').message, 'message', 1024)
    }),
    run: ({ registry }, { reference, message }) => registry.deprecate(reference, message),
    parseAnswer: parseStatementReceipt
  },
  yank: {
    path: 'yank',
    parseParams: (value) => ({
      ...parseReferenceParam(value),
      reason: parseTextOrNull(parseMap(value, 'params').reason, 'reason', 1024)
    }),
    run: ({ registry }, { reference, reason }) => registry.yank(reference, reason),
    parseAnswer: parseStatementReceipt
  },
  unpublish: {
    path: 'unpublish',
    parseParams: (value) => ({
      ...parseReferenceParam(value),
      reason: parseOptionalText(parseMap(value, 'params').reason, 'reason', 1024) ?? ''
    }),
    run: ({ registry }, { reference, reason }) => registry.unpublish(reference, reason),
    parseAnswer: parseStatementReceipt
  },
  readme: {
    path: 'readme',
    parseParams: (value) => {
      const map = parseMap(value, 'params')
      const content = parseTextOrNull(map.content, 'content', MAX_PARAMS_BYTES)
      if (content !== null && !/^[A-Za-z0-9+/]*={0,2}$/.test(content)) {
        throw new InvalidValueError('content', 'must be base64')
      }
      return { name: parseText(map.name, 'name', 512), content }
    },
    run: ({ registry }, { name, content }) =>
      registry.readme(name, content === null ? null : new Uint8Array(Buffer.from(content, 'base64'))),
    parseAnswer: parseStatementReceipt
  },
  readmeOf: {
    path: 'readme-of',
    parseParams: parseReferenceParam,
    run: async ({ registry }, { reference }, options) => {
      const text = await registry.readmeOf(reference, options)
      return text === undefined ? undefined : { content: Buffer.from(text).toString('base64') }
    },
    parseAnswer: parseReadme
  },
  attest: {
    path: 'attest',
    parseParams: (value) => ({
      ...parseReferenceParam(value),
      attestation: parseAttestationInput(parseMap(value, 'params').attestation)
    }),
    run: ({ registry }, { reference, attestation }) => registry.attest(reference, attestation),
    parseAnswer: parseStatementReceipt
  },
  names: {
    path: 'names',
    parseParams: parseNothing,
    run: async ({ registry }) => ({ names: await registry.names() }),
    parseAnswer: parseNameDecisions
  },
  pin: {
    path: 'pin',
    parseParams: (value) => ({ ...parseTextParam('name')(value), ...parseTextParam('owner')(value) }),
    run: async ({ registry }, { name, owner }) => {
      await registry.pin(name, owner)
      return {}
    },
    parseAnswer: parseNothing
  },
  unpin: {
    path: 'unpin',
    parseParams: parseTextParam('name'),
    run: async ({ registry }, { name }) => ({ changed: await registry.unpin(name) }),
    parseAnswer: parseTruth('changed')
  },
  following: {
    path: 'following',
    parseParams: parseNothing,
    run: async ({ registry }) => ({ owners: await registry.following() }),
    parseAnswer: parseOwners
  },
  follow: {
    path: 'follow',
    parseParams: parseTextParam('owner'),
    run: async ({ registry }, { owner }) => ({ changed: await registry.follow(owner) }),
    parseAnswer: parseTruth('changed')
  },
  unfollow: {
    path: 'unfollow',
    parseParams: parseTextParam('owner'),
    run: async ({ registry }, { owner }) => ({ changed: await registry.unfollow(owner) }),
    parseAnswer: parseTruth('changed')
  },
  curate: {
    path: 'curate',
    parseParams: (value) => ({
      ...parseTextParam('name')(value),
      owner: parseTextOrNull(parseMap(value, 'params').owner, 'owner', 512)
    }),
    run: ({ registry }, { name, owner }) => registry.curate(name, owner),
    parseAnswer: parseStatementReceipt
  },
  claimDomain: {
    path: 'claim-domain',
    parseParams: (value) => ({
      ...parseTextParam('domain')(value),
      claimed: parseFlag(parseMap(value, 'params').claimed, 'claimed')
    }),
    run: ({ registry }, { domain, claimed }) => registry.claimDomain(domain, claimed),
    parseAnswer: parseStatementReceipt
  },
  checkDomain: {
    path: 'check-domain',
    parseParams: parseTextParam('domain'),
    run: ({ registry }, { domain }, options) => registry.checkDomain(domain, options),
    parseAnswer: parseDomainReport
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

/** One call that tells how far it is, in lines, before its report. */
export interface FileMethod<Report extends CatalogueFileReport> {
  readonly path: string
  run(context: MethodContext, path: string, options: CatalogueFileOptions): Promise<Report>
  parseReport(value: unknown): Report
}

export const FILE_METHODS: {
  readonly exportCatalogue: FileMethod<CatalogueFileReport>
  readonly importCatalogue: FileMethod<CatalogueImportReport>
} = Object.freeze({
  exportCatalogue: {
    path: 'catalogue-export',
    run: ({ registry }, path, options) => registry.exportCatalogue(path, options),
    parseReport: parseFileReport
  },
  importCatalogue: {
    path: 'catalogue-import',
    run: ({ registry }, path, options) => registry.importCatalogue(path, options),
    parseReport: parseImportReport
  }
})

/** A peer has a working folder that its caller does not know. */
export function parsePathParam(value: unknown): { path: string } {
  const path = parseText(parseMap(value, 'params').path, 'path', 4096)
  if (!isAbsolute(path) || path.includes('\0'))
    throw new InvalidValueError('path', 'must be an absolute path')
  return { path }
}

export interface GetParams {
  reference: string
  integrity?: string
}

/** Parameters of `get` and `content`. */
export function parseGetParams(value: unknown): GetParams {
  const integrity = parseOptionalText(parseMap(value, 'params').integrity, 'integrity', 256)
  const params = parseReferenceParam(value)
  return integrity === undefined ? params : { ...params, integrity }
}

function parseTextParam<Key extends string>(key: Key): (value: unknown) => { [K in Key]: string } {
  return (value) => ({ [key]: parseText(parseMap(value, 'params')[key], key, 512) }) as { [K in Key]: string }
}

function parseReferenceParam(value: unknown): { reference: string } {
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

function parseAttestationInput(value: unknown): AttestationInput {
  const map = parseMap(value, 'attestation')
  const input: AttestationInput = {
    claim: parseOneOf(map.claim, 'attestation.claim', ATTESTATION_CLAIMS),
    text: parseText(map.text, 'attestation.text', 64 * 1024)
  }
  const versions = parseOptionalText(map.versions, 'attestation.versions', 256)
  const url = parseOptionalText(map.url, 'attestation.url', 1024)
  if (versions !== undefined) input.versions = versions
  if (url !== undefined) input.url = url
  if (map.severity !== undefined) {
    input.severity = parseOneOf(map.severity, 'attestation.severity', ADVISORY_SEVERITIES)
  }
  return input
}

function parseTextOrNull(value: unknown, field: string, maxLength: number): string | null {
  return value === null ? null : parseText(value, field, maxLength)
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
