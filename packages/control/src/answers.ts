import type { ConfigRow } from '@registry/config'
import {
  type AttestationRecord,
  type BlobInfo,
  type CatalogueFileReport,
  type CatalogueHoldings,
  type CatalogueImportReport,
  type Completeness,
  type ConnectedPeer,
  type DiscoveredPeer,
  type DiscoveryMethod,
  type DomainReport,
  type FacetCount,
  type FetchedPackage,
  type GetProgress,
  InvalidValueError,
  type NameDecision,
  type OwnerId,
  type Package,
  type PackageDetails,
  type PackageMetadata,
  type PackageUpdate,
  type PackageUpdateType,
  type PeerIdText,
  type PublishReceipt,
  parseAttestation,
  parseContentId,
  parseCount,
  parseDomain,
  parseList,
  parseMap,
  parseNpmFields,
  parseOptionalText,
  parseOwnerId,
  parsePackageName,
  parseRecordId,
  parseText,
  parseTextMap,
  parseVersion,
  type RegistryStatus,
  type ScoreExplanation,
  type SearchFacets,
  type SearchPage,
  type SearchResult,
  type StatementReceipt,
  type SyncProgress,
  type TermMatch,
  type Version
} from '@registry/types'

// What a peer answers, read back. Fields that a newer peer adds are left out.

const METHODS = [
  'Bootstrap',
  'MDNS',
  'DHT',
  'Manual',
  'Incoming'
] as const satisfies readonly DiscoveryMethod[]
const UPDATES = [
  'NewPackage',
  'NewVersion',
  'MetadataUpdate',
  'Deprecated',
  'Yanked',
  'Unpublished',
  'Conflicted',
  'Attested'
] as const satisfies readonly PackageUpdateType[]
const TERM_MATCHES = ['exact', 'stem', 'prefix', 'contains', 'typo'] as const satisfies readonly TermMatch[]
const MAX_LIST = 1_000_000
const MAX_TEXT = 64 * 1024
/** 1 MiB in base64. */
const MAX_README_LENGTH = 4 * Math.ceil(2 ** 20 / 3)

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
    unpackedSize: parseCount(map.unpackedSize, `${field}.unpackedSize`),
    fileCount: parseCount(map.fileCount, `${field}.fileCount`),
    createdAtMs: parseCount(map.createdAtMs, `${field}.createdAtMs`),
    updatedAtMs: parseCount(map.updatedAtMs, `${field}.updatedAtMs`),
    downloads: parseCount(map.downloads, `${field}.downloads`),
    conflicted: truth(map.conflicted, `${field}.conflicted`),
    metadata: details
  }
  for (const key of ['author', 'license', 'repository', 'homepage', 'deprecated', 'yanked'] as const) {
    const given = optional(map, key, field)
    if (given !== undefined) result[key] = given
  }
  if (map.npm !== undefined) result.npm = parseNpmFields(map.npm, `${field}.npm`)
  return result
}

export function parsePackages(value: unknown): Package[] {
  return parseList(parseMap(value, 'answer').packages, 'packages', MAX_LIST, parsePackage)
}

export function parseSearchPage(value: unknown): SearchPage {
  const map = parseMap(value, 'answer')
  const page: SearchPage = {
    results: parseList(map.results, 'results', MAX_LIST, parseSearchResult),
    total: parseCount(map.total, 'total'),
    completeness: parseCompleteness(map.completeness)
  }
  const next = optional(map, 'next', 'answer')
  if (next !== undefined) page.next = next
  if (map.facets !== undefined) page.facets = parseFacets(map.facets)
  return page
}

function parseSearchResult(value: unknown, field: string): SearchResult {
  const map = parseMap(value, field)
  const result: SearchResult = {
    package: parsePackage(map.package, `${field}.package`),
    score: quantity(map.score, `${field}.score`),
    peerCount: parseCount(map.peerCount, `${field}.peerCount`)
  }
  if (map.explanation !== undefined) {
    result.explanation = parseExplanation(map.explanation, `${field}.explanation`)
  }
  return result
}

function parseExplanation(value: unknown, field: string): ScoreExplanation {
  const map = parseMap(value, field)
  const quality = parseMap(map.quality, `${field}.quality`)
  const at = (key: string): number => quantity(quality[key], `${field}.quality.${key}`)
  return {
    terms: parseList(map.terms, `${field}.terms`, MAX_LIST, (item, place) => {
      const term = parseMap(item, place)
      return {
        word: text(term.word, `${place}.word`),
        term: text(term.term, `${place}.term`),
        field: oneOf(['name', 'text'], term.field, `${place}.field`),
        how: oneOf(TERM_MATCHES, term.how, `${place}.how`),
        idf: quantity(term.idf, `${place}.idf`),
        impact: quantity(term.impact, `${place}.impact`),
        weight: quantity(term.weight, `${place}.weight`)
      }
    }),
    bonuses: parseList(map.bonuses, `${field}.bonuses`, MAX_LIST, (item, place) => {
      const bonus = parseMap(item, place)
      return { reason: text(bonus.reason, `${place}.reason`), score: quantity(bonus.score, `${place}.score`) }
    }),
    quality: {
      dependents: at('dependents'),
      providers: at('providers'),
      recency: at('recency'),
      trust: at('trust'),
      factor: at('factor')
    }
  }
}

function parseFacets(value: unknown): SearchFacets {
  const map = parseMap(value, 'facets')
  const counts = (key: string): FacetCount[] =>
    parseList(map[key], `facets.${key}`, MAX_LIST, (item, place) => {
      const count = parseMap(item, place)
      return { value: text(count.value, `${place}.value`), count: parseCount(count.count, `${place}.count`) }
    })
  return {
    category: counts('category'),
    tag: counts('tag'),
    license: counts('license'),
    owner: counts('owner'),
    keyword: counts('keyword')
  }
}

export function parseCompleteness(value: unknown): Completeness {
  const map = parseMap(value, 'completeness')
  const count = (key: string): number => parseCount(map[key], `completeness.${key}`)
  return {
    state: oneOf(['agreed', 'behind', 'alone', 'partial'], map.state, 'completeness.state'),
    comparedAtMs: map.comparedAtMs === null ? null : count('comparedAtMs'),
    agreeing: count('agreeing'),
    compared: count('compared'),
    askedHolders: count('askedHolders')
  }
}

export function parseDetails(value: unknown): PackageDetails {
  const map = parseMap(value, 'details')
  const tags = Object.entries(textMap(map.distTags, 'details.distTags'))
  const details: PackageDetails = {
    package: parsePackage(map.package, 'details.package'),
    versions: parseList(map.versions, 'details.versions', MAX_LIST, parsePackage),
    unpublished: parseList(map.unpublished, 'details.unpublished', MAX_LIST, parseVersion),
    distTags: Object.fromEntries(tags.map(([tag, version]) => [tag, parseVersion(version)])),
    attestations: parseList(map.attestations, 'details.attestations', MAX_LIST, parseAttestationRecord),
    completeness: parseCompleteness(map.completeness)
  }
  if (map.readme !== undefined) details.readme = parseBlobInfo(map.readme, 'details.readme')
  return details
}

function parseAttestationRecord(value: unknown, field: string): AttestationRecord {
  const map = parseMap(value, field)
  return {
    id: parseRecordId(map.id, `${field}.id`),
    attestation: parseAttestation(map.attestation),
    firstSeenMs: parseCount(map.firstSeenMs, `${field}.firstSeenMs`)
  }
}

export function parseStatementReceipt(value: unknown): StatementReceipt {
  const map = parseMap(value, 'receipt')
  return {
    ids: parseList(map.ids, 'receipt.ids', MAX_LIST, parseRecordId),
    owner: parseOwnerId(map.owner, 'receipt.owner'),
    name: parsePackageName(map.name),
    versions: parseList(map.versions, 'receipt.versions', MAX_LIST, (item): Version => parseVersion(item))
  }
}

export function parseFileReport(value: unknown): CatalogueFileReport {
  const map = parseMap(value, 'report')
  return {
    path: text(map.path, 'report.path'),
    records: parseCount(map.records, 'report.records'),
    bytes: parseCount(map.bytes, 'report.bytes')
  }
}

export function parseImportReport(value: unknown): CatalogueImportReport {
  const map = parseMap(value, 'report')
  const count = (key: string): number => parseCount(map[key], `report.${key}`)
  return {
    ...parseFileReport(map),
    accepted: count('accepted'),
    known: count('known'),
    superseded: count('superseded'),
    refused: count('refused')
  }
}

export function parseFileProgress(value: unknown): { records: number; total: number } {
  const map = parseMap(value, 'progress')
  return {
    records: parseCount(map.records, 'progress.records'),
    total: parseCount(map.total, 'progress.total')
  }
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
    lastSyncedAtMs: map.lastSyncedAtMs === null ? null : count('lastSyncedAtMs'),
    completeness: parseCompleteness(map.completeness),
    syncing: parseList(map.syncing, 'status.syncing', MAX_LIST, parseSyncProgress)
  }
}

function parseSyncProgress(value: unknown, field: string): SyncProgress {
  const map = parseMap(value, field)
  return {
    peerId: parsePeerId(map.peerId, `${field}.peerId`),
    stage: oneOf(['comparing', 'snapshot', 'reconciling', 'listing'], map.stage, `${field}.stage`),
    received: parseCount(map.received, `${field}.received`),
    expected: map.expected === null ? null : parseCount(map.expected, `${field}.expected`)
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
    inSync: truth(map.inSync, `${field}.inSync`),
    comparedAtMs: map.comparedAtMs === null ? null : parseCount(map.comparedAtMs, `${field}.comparedAtMs`)
  }
  const agent = optional(map, 'agent', field)
  if (agent !== undefined) peer.agent = agent
  if (map.holds !== undefined) peer.holds = parseHoldings(map.holds, `${field}.holds`)
  if (map.otherNetwork === true) peer.otherNetwork = true
  return peer
}

function parseHoldings(value: unknown, field: string): CatalogueHoldings {
  const map = parseMap(value, field)
  const mode = oneOf(['full', 'light', 'shards'], map.mode, `${field}.mode`)
  if (mode !== 'shards') return { mode }
  return {
    mode,
    bits: parseCount(map.bits, `${field}.bits`),
    shards: parseList(map.shards, `${field}.shards`, MAX_LIST, (item, place) => parseCount(item, place))
  }
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

export function parseNameDecisions(value: unknown): NameDecision[] {
  return parseList(parseMap(value, 'answer').names, 'names', MAX_LIST, (item, field) => {
    const map = parseMap(item, field)
    return {
      name: parsePackageName(map.name),
      owner: parseOwnerId(map.owner, `${field}.owner`),
      by: oneOf(['pin', 'first-use'], map.by, `${field}.by`)
    }
  })
}

export function parseOwners(value: unknown): OwnerId[] {
  return parseList(parseMap(value, 'answer').owners, 'owners', MAX_LIST, parseOwnerId)
}

export function parseDomainReport(value: unknown): DomainReport {
  const map = parseMap(value, 'answer')
  const record = parseMap(map.record, 'record')
  const report: DomainReport = {
    domain: parseDomain(map.domain),
    record: { name: text(record.name, 'record.name'), text: text(record.text, 'record.text') },
    claimants: parseList(map.claimants, 'claimants', MAX_LIST, parseOwnerId),
    named: parseList(map.named, 'named', MAX_LIST, parseOwnerId),
    askedAtMs: map.askedAtMs === null ? null : parseCount(map.askedAtMs, 'askedAtMs')
  }
  if (map.owner !== undefined) report.owner = parseOwnerId(map.owner)
  return report
}

/** The last line of a `get`. */
export function parseFetched(value: unknown): Omit<FetchedPackage, 'content'> {
  const map = parseMap(value, 'line')
  return { package: parsePackage(map.package), completeness: parseCompleteness(map.completeness) }
}

export function parseUpdate(value: unknown): PackageUpdate {
  const map = parseMap(value, 'update')
  return {
    type: oneOf(UPDATES, map.type, 'update.type'),
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

function parseBlobInfo(value: unknown, field: string): BlobInfo {
  const map = parseMap(value, field)
  return {
    cid: parseContentId(map.cid, `${field}.cid`),
    size: parseCount(map.size, `${field}.size`),
    integrity: text(map.integrity, `${field}.integrity`)
  }
}

/** A readme, which is sent in base64. */
export function parseReadme(value: unknown): Uint8Array {
  const content = parseText(parseMap(value, 'readme').content, 'readme.content', MAX_README_LENGTH)
  return new Uint8Array(Buffer.from(content, 'base64'))
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
