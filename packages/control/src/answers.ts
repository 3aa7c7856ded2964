import type { ConfigRow } from '@registry/config'
import {
  type ConnectedPeer,
  type DiscoveredPeer,
  type DiscoveryMethod,
  type GetProgress,
  InvalidValueError,
  type Package,
  type PackageMetadata,
  type PackageUpdate,
  type PeerIdText,
  type PublishReceipt,
  parseContentId,
  parseCount,
  parseList,
  parseMap,
  parseOptionalText,
  parseOwnerId,
  parsePackageName,
  parseRecordId,
  parseText,
  parseTextMap,
  parseVersion,
  type RegistryStatus,
  type SearchResult
} from '@registry/types'

// What a peer answers, read back. Fields that a newer peer adds are left out.

const METHODS = [
  'Bootstrap',
  'MDNS',
  'DHT',
  'Manual',
  'Incoming'
] as const satisfies readonly DiscoveryMethod[]
const MAX_LIST = 1_000_000
const MAX_TEXT = 64 * 1024

export function parsePackage(value: unknown, field = 'package'): Package {
  const map = parseMap(value, field)
  const metadata = parseMap(map.metadata, `${field}.metadata`)
  const details: PackageMetadata = {
    keywords: texts(metadata.keywords, `${field}.metadata.keywords`),
    maintainers: texts(metadata.maintainers, `${field}.metadata.maintainers`),
    features: textMap(metadata.features, `${field}.metadata.features`),
    platforms: texts(metadata.platforms, `${field}.metadata.platforms`)
  }
  const runtimeVersion = optional(metadata, 'runtimeVersion', field)
  if (runtimeVersion !== undefined) details.runtimeVersion = runtimeVersion
  const result: Package = {
    id: text(map.id, `${field}.id`),
    owner: parseOwnerId(map.owner, `${field}.owner`),
    name: parsePackageName(map.name),
    version: parseVersion(map.version),
    description: text(map.description, `${field}.description`),
    category: text(map.category, `${field}.category`),
    tags: texts(map.tags, `${field}.tags`),
    dependencies: textMap(map.dependencies, `${field}.dependencies`),
    cid: parseContentId(map.cid, `${field}.cid`),
    integrity: text(map.integrity, `${field}.integrity`),
    size: parseCount(map.size, `${field}.size`),
    createdAtMs: parseCount(map.createdAtMs, `${field}.createdAtMs`),
    updatedAtMs: parseCount(map.updatedAtMs, `${field}.updatedAtMs`),
    downloads: parseCount(map.downloads, `${field}.downloads`),
    conflicted: truth(map.conflicted, `${field}.conflicted`),
    metadata: details
  }
  for (const key of ['author', 'license', 'repository', 'homepage'] as const) {
    const given = optional(map, key, field)
    if (given !== undefined) result[key] = given
  }
  return result
}

export function parsePackages(value: unknown): Package[] {
  return parseList(parseMap(value, 'answer').packages, 'packages', MAX_LIST, parsePackage)
}

export function parseSearchResults(value: unknown): SearchResult[] {
  return parseList(parseMap(value, 'answer').results, 'results', MAX_LIST, (item, field) => {
    const map = parseMap(item, field)
    return {
      package: parsePackage(map.package, `${field}.package`),
      score: quantity(map.score, `${field}.score`),
      peerCount: parseCount(map.peerCount, `${field}.peerCount`)
    }
  })
}

export function parseReceipt(value: unknown): PublishReceipt {
  const map = parseMap(value, 'receipt')
  return {
    owner: parseOwnerId(map.owner, 'receipt.owner'),
    name: parsePackageName(map.name),
    version: parseVersion(map.version),
    id: parseRecordId(map.id, 'receipt.id'),
    cid: parseContentId(map.cid, 'receipt.cid'),
    integrity: text(map.integrity, 'receipt.integrity')
  }
}

export function parseStatus(value: unknown): RegistryStatus {
  const map = parseMap(value, 'status')
  const count = (key: string): number => parseCount(map[key], `status.${key}`)
  const share = (key: string): number | null =>
    map[key] === null ? null : quantity(map[key], `status.${key}`)
  const storage = parseMap(map.storage, 'status.storage')
  return {
    peerId: text(map.peerId, 'status.peerId'),
    addresses: texts(map.addresses, 'status.addresses'),
    network: text(map.network, 'status.network'),
    owner: parseOwnerId(map.owner, 'status.owner'),
    dataDir: text(map.dataDir, 'status.dataDir'),
    uptimeMs: quantity(map.uptimeMs, 'status.uptimeMs'),
    storage: {
      blobs: parseCount(storage.blobs, 'status.storage.blobs'),
      bytes: parseCount(storage.bytes, 'status.storage.bytes'),
      quotaBytes: parseCount(storage.quotaBytes, 'status.storage.quotaBytes')
    },
    connectedPeers: count('connectedPeers'),
    knownPeers: count('knownPeers'),
    cachedPackages: count('cachedPackages'),
    providerRecords: count('providerRecords'),
    gossipTopics: count('gossipTopics'),
    packages: count('packages'),
    releases: count('releases'),
    dhtQuerySuccessRate: share('dhtQuerySuccessRate'),
    cacheHitRate: share('cacheHitRate'),
    gossipDeliveryRate: share('gossipDeliveryRate'),
    requestLatencyMs: map.requestLatencyMs === null ? null : latencies(map.requestLatencyMs),
    pendingAnnouncements: count('pendingAnnouncements'),
    lastSyncedAtMs: map.lastSyncedAtMs === null ? null : count('lastSyncedAtMs')
  }
}

export function parseConnectedPeer(value: unknown, field = 'peer'): ConnectedPeer {
  const map = parseMap(value, field)
  const peer: ConnectedPeer = {
    peerId: parsePeerId(map.peerId, `${field}.peerId`),
    addresses: texts(map.addresses, `${field}.addresses`),
    direction: oneOf(['inbound', 'outbound'], map.direction, `${field}.direction`),
    connectedSinceMs: parseCount(map.connectedSinceMs, `${field}.connectedSinceMs`),
    reputation: quantity(map.reputation, `${field}.reputation`),
    inSync: truth(map.inSync, `${field}.inSync`)
  }
  const agent = optional(map, 'agent', field)
  if (agent !== undefined) peer.agent = agent
  return peer
}

export function parseConnectedPeers(value: unknown): ConnectedPeer[] {
  return parseList(parseMap(value, 'answer').peers, 'peers', MAX_LIST, parseConnectedPeer)
}

export function parseKnownPeers(value: unknown): DiscoveredPeer[] {
  return parseList(parseMap(value, 'answer').peers, 'peers', MAX_LIST, (item, field) => {
    const map = parseMap(item, field)
    return {
      peerId: parsePeerId(map.peerId, `${field}.peerId`),
      addresses: texts(map.addresses, `${field}.addresses`),
      method: oneOf(METHODS, map.method, `${field}.method`),
      lastSeenMs: parseCount(map.lastSeenMs, `${field}.lastSeenMs`)
    }
  })
}

export function parseConfigRows(value: unknown): ConfigRow[] {
  return parseList(parseMap(value, 'answer').settings, 'settings', MAX_LIST, (item, field) => {
    const map = parseMap(item, field)
    const origin = parseMap(map.origin, `${field}.origin`)
    const kind = oneOf(['default', 'file', 'environment', 'flag'], origin.kind, `${field}.origin.kind`)
    const row: ConfigRow = {
      path: text(map.path, `${field}.path`),
      value: map.value,
      origin: kind === 'default' ? { kind } : { kind, where: text(origin.where, `${field}.origin.where`) },
      description: text(map.description, `${field}.description`),
      env: texts(map.env, `${field}.env`)
    }
    const unit = optional(map, 'unit', field)
    if (unit !== undefined) row.unit = unit
    return row
  })
}

export function parseGetProgress(value: unknown): GetProgress {
  const map = parseMap(value, 'progress')
  if (map.stage === 'resolved') return { stage: 'resolved', package: parsePackage(map.package) }
  return {
    stage: oneOf(['fetching'], map.stage, 'progress.stage'),
    cid: parseContentId(map.cid, 'progress.cid'),
    fetchedBytes: parseCount(map.fetchedBytes, 'progress.fetchedBytes'),
    totalBytes: parseCount(map.totalBytes, 'progress.totalBytes'),
    providers: parseCount(map.providers, 'progress.providers')
  }
}

export function parseUpdate(value: unknown): PackageUpdate {
  const map = parseMap(value, 'update')
  return {
    type: oneOf(['NewPackage', 'NewVersion'], map.type, 'update.type'),
    packageId: text(map.packageId, 'update.packageId'),
    package: parsePackage(map.package, 'update.package'),
    timestamp: parseCount(map.timestamp, 'update.timestamp'),
    cursor: text(map.cursor, 'update.cursor')
  }
}

export function parseTruth(key: string): (value: unknown) => boolean {
  return (value) => truth(parseMap(value, 'answer')[key], key)
}

export function parseNumber(key: string): (value: unknown) => number {
  return (value) => parseCount(parseMap(value, 'answer')[key], key)
}

function parsePeerId(value: unknown, field: string): PeerIdText {
  return parseText(value, field, 256) as PeerIdText
}

function latencies(value: unknown): { p50: number; p95: number; p99: number } {
  const map = parseMap(value, 'status.requestLatencyMs')
  const at = (key: string): number => quantity(map[key], `status.requestLatencyMs.${key}`)
  return { p50: at('p50'), p95: at('p95'), p99: at('p99') }
}

function text(value: unknown, field: string): string {
  return parseText(value, field, MAX_TEXT)
}

function optional(map: Record<string, unknown>, key: string, field: string): string | undefined {
  return parseOptionalText(map[key], `${field}.${key}`, MAX_TEXT)
}

function texts(value: unknown, field: string): string[] {
  return parseList(value, field, MAX_LIST, text)
}

function textMap(value: unknown, field: string): Record<string, string> {
  return parseTextMap(value, field, MAX_LIST, MAX_TEXT, MAX_TEXT)
}

function truth(value: unknown, field: string): boolean {
  if (typeof value !== 'boolean') throw new InvalidValueError(field, 'must be true or false')
  return value
}

function quantity(value: unknown, field: string): number {
  if (typeof value !== 'number') throw new InvalidValueError(field, 'must be a number')
  return value
}

function oneOf<const Value extends string>(values: readonly Value[], value: unknown, field: string): Value {
  const found = values.find((one) => one === value)
  if (found === undefined) throw new InvalidValueError(field, `must be one of ${values.join(', ')}`)
  return found
}
