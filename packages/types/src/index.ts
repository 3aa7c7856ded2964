/**
 * @packageDocumentation
 *
 * The vocabulary of the registry: names, versions, records, queries and errors with their parsers from `unknown`, and
 * the interface of each layer. Nothing here opens, listens or waits.
 */

export type {
  ConnectedPeer,
  MarketplaceBehaviour,
  NetworkStats,
  SyncReport
} from './behaviour.ts'
export type {
  BlockSource,
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
  formatPackageReference,
  isOwnerId,
  type OwnerId,
  type PackageName,
  type PackageReference,
  type PeerIdText,
  parseContentId,
  parseOwnerId,
  parsePackageName,
  parsePackageReference,
  parseRecordId,
  parseVersion,
  type RecordId,
  tarballFileName,
  type Version
} from './names.ts'
export {
  type Package,
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
  parseList,
  parseMap,
  parseOptionalText,
  parseText,
  parseTextMap
} from './parse.ts'
export type {
  HoldingsPage,
  PackageProtocol,
  PackageProtocolHandlers,
  PushStatus,
  RemoteSearchHit
} from './protocol.ts'
export {
  parseQuery,
  Query,
  type QueryOptions,
  type SearchResult
} from './query.ts'
export {
  type Envelope,
  type ManifestReference,
  type OwnerDocument,
  parseEnvelope,
  parseOwnerDocument,
  parseRelease,
  RECORD_KINDS,
  type RecordKind,
  type RecordSignature,
  type Release,
  type ReleaseRecord
} from './records.ts'
export type {
  FetchedPackage,
  GetOptions,
  GetProgress,
  P2PRegistry,
  PublishOptions,
  PublishReceipt,
  PublishSource,
  PublishStage,
  Registry,
  RegistryStatus,
  SubscribeOptions
} from './registry.ts'
export type {
  BlobInfo,
  BlobStore,
  BlobUsage,
  Catalogue,
  CatalogueChange,
  CatalogueCounts,
  CatalogueSummary,
  IngestOutcome,
  Outbox,
  OutboxEntry,
  RecordIdPage,
  RegistryStore,
  ReleaseKey,
  SearchHit
} from './store.ts'
