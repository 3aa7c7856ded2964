/**
 * @packageDocumentation
 *
 * `P2PRegistry`: publish, search, get, subscribe and all else a user does, as one object put together by
 * `P2PRegistryBuilder`; and what it takes to make a package of a folder: manifests, deterministic packing, and the checks
 * that a tarball passes before it is published or unpacked.
 */

export { defaultDataDir, type P2PConfig, type P2PConfigOverrides } from '@registry/config'
export { systemClock } from '@registry/timing'
export {
  type AttestationInput,
  type CatalogueFileReport,
  type CatalogueImportReport,
  type Completeness,
  type ConnectedPeer,
  type DomainReport,
  type FetchedPackage,
  type GetOptions,
  type GetProgress,
  isRegistryError,
  type NameDecision,
  type NetworkStats,
  type OwnerId,
  type P2PRegistry,
  type Package,
  type PackageDetails,
  type PackageName,
  type PackageUpdate,
  type PublishOptions,
  type PublishReceipt,
  type PublishSource,
  parseOwnerId,
  parsePackageName,
  parseSearchText,
  Query,
  type QueryOptions,
  type Registry,
  RegistryError,
  type RegistryStatus,
  type SearchPage,
  type SearchResult,
  type StatementReceipt,
  type SubscribeOptions,
  type Topic
} from '@registry/types'
export { type BehaviourFactory, P2PRegistryBuilder, type StoreFactory } from './builder.ts'
export { exportCatalogueFile } from './catalogue-file/export.ts'
export { importCatalogueFile } from './catalogue-file/import.ts'
export { type CatalogueFileVerification, verifyCatalogueFile } from './catalogue-file/verify.ts'
export { defaultConfig, type PeerConfig, SECURITY_DEFAULTS } from './default-config.ts'
export {
  type CatalogueFileFault,
  ContentMismatchError,
  CorruptNamesError,
  DomainUnprovenError,
  IntegrityMismatchError,
  InvalidCatalogueFileError,
  InvalidCursorError,
  NotOwnerError,
  NotRunningError,
  PackageNotFoundError,
  UnexpectedPackageError,
  VersionConflictedError,
  VersionExistsError
} from './errors.ts'
export { dnsTextRecords, type TextRecords } from './names/dns.ts'
export {
  CorruptTarballError,
  InvalidManifestError,
  type ManifestFault,
  NoManifestError,
  PackageTooLargeError,
  SourceChangedError,
  SourceUnreadableError,
  TargetNotEmptyError,
  UnsafeEntryError,
  UnsafePathError,
  UnwritableError
} from './packing/errors.ts'
export { PACKING_LIMITS, type PackingLimits } from './packing/limits.ts'
export { MANIFEST_FILES, type ManifestFile } from './packing/manifest.ts'
export { type PackedPackage, type PackOptions, packPackage } from './packing/pack.ts'
export {
  inspectTarball,
  type ReleaseFields,
  type TarballOptions,
  type TarballSource,
  type TarballSummary
} from './packing/tarball.ts'
export { unpackTarball } from './packing/unpack.ts'
export { type PackageWarning, type ValidatedPackage, validatePackage } from './packing/validate.ts'
export {
  createRegistry,
  REGISTRY_DEFAULTS,
  type RegistryComponents,
  type RegistryInit,
  type RegistryLayers
} from './registry.ts'
export { RETRY_DEFAULTS, type RetryOptions, retry } from './retry.ts'
export { MAX_README_BYTES } from './statements.ts'
