/**
 * @packageDocumentation
 *
 * The vocabulary of the registry: names, versions, records, queries and errors with their parsers from `unknown`, and
 * the interface of each layer. Nothing here opens, listens or waits.
 */

export type {
  ConnectedPeer,
  DocumentSource,
  HolderAnswers,
  MarketplaceBehaviour,
  NetworkStats,
  SyncProgress,
  SyncReport
} from './behaviour.ts'
export type {
  BlockSource,
  ContentLocator,
  ContentProvider,
  ContentRouter,
  ContentRouterStats,
  FetchOptions,
  FetchProgress,
  ProviderRouting
} from './content-routing.ts'
export type {
  DiscoveredPeer,
  DiscoveryMethod,
  DiscoveryStrategy,
  PeerDiscovery
} from './discovery.ts'
export {
  type ErrorCode,
  type ErrorData,
  errorFromData,
  InvalidPackageNameError,
  InvalidProjectNamesError,
  InvalidReferenceError,
  InvalidValueError,
  InvalidVersionError,
  isRegistryError,
  RegistryError,
  type RegistryErrorOptions
} from './errors.ts'
export type {
  OwnerIdentity,
  Signer
} from './identity.ts'
export type {
  AbortOptions,
  Clock,
  Logger,
  Startable
} from './lifecycle.ts'
export { PROTOCOL_LIMITS } from './limits.ts'
export {
  type ContentId,
  compareVersions,
  domainOf,
  formatPackageReference,
  isOwnerId,
  type OwnerId,
  type PackageName,
  type PackageReference,
  type PeerIdText,
  parseContentId,
  parseDistTag,
  parseDomain,
  parseOwnerId,
  parsePackageName,
  parsePackageReference,
  parseRecordId,
  parseVersion,
  parseVersionRange,
  type RecordId,
  tarballFileName,
  type Version
} from './names.ts'
export { type NpmFields, parseNpmFields } from './npm-fields.ts'
export {
  type Package,
  type PackageDetails,
  type PackageFacts,
  type PackageMetadata,
  type PackageUpdate,
  type PackageUpdateType,
  type Topic,
  toPackage
} from './package.ts'
export {
  parseBytes,
  parseCount,
  parseFlag,
  parseList,
  parseMap,
  parseOneOf,
  parseOptionalText,
  parseText,
  parseTextMap
} from './parse.ts'
export {
  formatProjectNames,
  type ProjectNames,
  parseProjectNames,
  splitProjectNames
} from './project-names.ts'
export type {
  CatalogueComparison,
  CatalogueHoldings,
  ComparisonAnswer,
  DocumentKey,
  ExchangeOptions,
  HoldingsPage,
  KeptDocument,
  PackageProtocol,
  PackageProtocolHandlers,
  PushStatus,
  RemoteSearchHit,
  SymbolChunk,
  TrafficMeter
} from './protocol.ts'
export {
  type Completeness,
  type FacetCount,
  parseQuery,
  parseSearchText,
  Query,
  type QueryOptions,
  type ScoreExplanation,
  SEARCH_SORTS,
  type SearchFacets,
  type SearchPage,
  type SearchResult,
  type SearchSort,
  type TermMatch,
  type TermScore
} from './query.ts'
export {
  ADVISORY_SEVERITIES,
  type AdvisorySeverity,
  ATTESTATION_CLAIMS,
  type Attestation,
  type AttestationClaim,
  type AttestationRecord,
  type Envelope,
  type ManifestReference,
  type OwnerDocument,
  parseAttestation,
  parseEnvelope,
  parseOwnerDocument,
  parseRelease,
  parseStatement,
  RECORD_KINDS,
  type RecordKind,
  type RecordSignature,
  type Release,
  type ReleaseRecord,
  type Statement,
  type StatementFact,
  statementField
} from './records.ts'
export type {
  AttestationInput,
  CatalogueFileOptions,
  CatalogueFileReport,
  CatalogueImportReport,
  DomainReport,
  FetchedPackage,
  GetOptions,
  GetProgress,
  NameDecision,
  P2PRegistry,
  PublishOptions,
  PublishReceipt,
  PublishSource,
  PublishStage,
  Registry,
  RegistryStatus,
  StatementReceipt,
  StoredContent,
  SubscribeOptions
} from './registry.ts'
export type {
  BlobInfo,
  BlobStore,
  BlobUsage,
  Catalogue,
  CatalogueChange,
  CatalogueCounts,
  CatalogueScope,
  CatalogueSearch,
  CatalogueSketch,
  CatalogueSummary,
  IngestOutcome,
  Outbox,
  OutboxEntry,
  PackageState,
  RecordIdPage,
  RegistryStore,
  ReleaseKey,
  SearchFilter,
  SearchHit,
  SnapshotCursor,
  SnapshotPage
} from './store.ts'
