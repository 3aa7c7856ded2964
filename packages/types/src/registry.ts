import type { ConnectedPeer, DocumentSource, NetworkStats } from './behaviour.ts'
import type { FetchProgress } from './content-routing.ts'
import type { DiscoveredPeer } from './discovery.ts'
import type { AbortOptions, Startable } from './lifecycle.ts'
import type { OwnerId, PackageName, RecordId, Version } from './names.ts'
import type { Package, PackageDetails, PackageUpdate, Topic } from './package.ts'
import type { DocumentKey, KeptDocument } from './protocol.ts'
import type { Completeness, Query, QueryOptions, SearchPage, SearchResult } from './query.ts'
import type { AdvisorySeverity, AttestationClaim } from './records.ts'
import type { BlobInfo } from './store.ts'

/** What can be published: a folder or `.tgz` on disk, a tarball in memory, or files given one by one. */
export type PublishSource =
  | { kind: 'path'; path: string }
  | { kind: 'tarball'; bytes: Uint8Array }
  | { kind: 'files'; files: Readonly<Record<string, Uint8Array | string>> }

export type PublishStage = 'packing' | 'checking' | 'storing' | 'announcing'

export interface PublishOptions extends AbortOptions {
  /** Publish under this version rather than the manifest's; only for a folder or files, whose manifest is rewritten. */
  version?: string
  /** What the manifest must say: a package of another name or version is refused. */
  expected?: { name: string; version: string }
  onProgress?: (progress: { stage: PublishStage }) => void
}

/** The publish is durable on this peer and will be announced until others have it. */
export interface PublishReceipt {
  owner: OwnerId
  name: PackageName
  version: Version
  id: RecordId
  cid: string
  integrity: string
}

export type GetProgress = { stage: 'resolved'; package: Package } | ({ stage: 'fetching' } & FetchProgress)

export interface GetOptions extends AbortOptions {
  /** What a lock says of the tarball, `sha512-…`: only that release is meant, even of a version that is conflicted. */
  integrity?: string
  onProgress?: (progress: GetProgress) => void
}

/** A package whose content is stored here and was compared with what its owner signed. */
export interface FetchedPackage {
  package: Package
  /** What the catalogue was complete against when the release was chosen. */
  completeness: Completeness
  /** The tarball, checked against its hash once more as it is read. Each reading after the first counts as one more fetch. */
  content(options?: AbortOptions): AsyncIterable<Uint8Array>
}

export interface SubscribeOptions extends AbortOptions {
  /**
   * Go on right after this update, those missed meanwhile included; `start` for all there ever were; without it, only what
   * comes from now on.
   */
  after?: string
}

/** A statement or an attestation that is durable on this peer and will be announced until others have it. */
export interface StatementReceipt {
  /** The records, in the order of the versions they are about. */
  ids: RecordId[]
  owner: OwnerId
  name: PackageName
  /** What it is about; empty when it is about the package as a whole. */
  versions: Version[]
}

export interface AttestationInput {
  claim: AttestationClaim
  /** @default the range of the reference, else `*` */
  versions?: string
  severity?: AdvisorySeverity
  text: string
  url?: string
}

/** A content that is stored here. */
export interface StoredContent extends BlobInfo {
  /** Its bytes, compared with their hash in this very reading. @throws ERR_CORRUPT_BLOB, ERR_NOT_STORED */
  read(options?: AbortOptions): AsyncIterable<Uint8Array>
}

/** What a name without an owner means to this peer, whatever the catalogue says later. */
export interface NameDecision {
  name: PackageName
  owner: OwnerId
  /** Decided with `pin`, or by the first `get` under this name. */
  by: 'pin' | 'first-use'
}

/** Whose a domain is. */
export interface DomainReport {
  domain: PackageName
  /** The text that its DNS has to have, of the type TXT, so that it is the domain of this peer's owner. */
  record: { name: string; text: string }
  /** Owners that claim it here, the first few. */
  claimants: OwnerId[]
  /** Owners that its DNS names; empty when it names none. */
  named: OwnerId[]
  /** When that was asked, ms since the epoch; null when it could not be asked, and `named` is as known before. */
  askedAtMs: number | null
  /** Whose it is: the only one that claims it and is named. */
  owner?: OwnerId
}

/** What became of a catalogue file. */
export interface CatalogueFileReport {
  path: string
  records: number
  bytes: number
}

export interface CatalogueImportReport extends CatalogueFileReport {
  accepted: number
  known: number
  superseded: number
  refused: number
}

export interface CatalogueFileOptions extends AbortOptions {
  onProgress?: (progress: { records: number; total: number }) => void
}

/**
 * The registry as its users see it, whatever is beneath. A package is named as `name`, `name@range`,
 * `@owner/name@version`; asking for one that does not exist is `undefined`, not an error. Every call rejects with
 * ERR_NOT_RUNNING before `start` and after `stop`, and with ERR_AMBIGUOUS_NAME (which lists the candidates) when a
 * name without an owner has several.
 */
export interface Registry {
  /** Best first. As `searchPage`, the results alone. */
  search(query: Query | QueryOptions, options?: AbortOptions): Promise<SearchResult[]>
  /**
   * One page of what fits, from the local catalogue; a peer that does not hold all of it asks holders too, within a hard
   * deadline. @throws ERR_INVALID_CURSOR
   */
  searchPage(query: Query | QueryOptions, options?: AbortOptions): Promise<SearchPage>
  /**
   * Packs, checks, signs and stores; resolves when that is durable, before it is announced. Nothing has changed when it
   * rejects: ERR_NO_MANIFEST, ERR_INVALID_MANIFEST, ERR_INVALID_NAME, ERR_INVALID_VERSION, ERR_VERSION_EXISTS,
   * ERR_UNSAFE_PATH, ERR_UNSAFE_ENTRY, ERR_TOO_LARGE, ERR_UNEXPECTED_PACKAGE, ERR_STORAGE.
   */
  publish(source: PublishSource, options?: PublishOptions): Promise<PublishReceipt>
  /**
   * The newest fitting release with its verified content. @throws ERR_NO_PROVIDERS (retryable), ERR_VERSION_CONFLICTED,
   * ERR_INTEGRITY_MISMATCH none that fits has the integrity asked for
   */
  get(reference: string, options?: GetOptions): Promise<FetchedPackage | undefined>
  /** As `get`, without the content; local. */
  metadata(reference: string): Promise<Package | undefined>
  /** As `metadata`, of exactly this version. */
  getVersion(name: string, version: string): Promise<Package | undefined>
  /** Every release of a package, newest version first; empty when there is none. */
  listVersions(name: string): Promise<Package[]>
  exists(reference: string): Promise<boolean>
  /** All that is known of a package; undefined when there is none. */
  details(reference: string): Promise<PackageDetails | undefined>
  /** Lets a tag name a version, or with null no version. @throws ERR_NOT_OWNER, ERR_NOT_FOUND no such package or version */
  tag(name: string, tag: string, version: string | null): Promise<StatementReceipt>
  /** Advises against every version that fits the reference, or with null no longer. @throws as `tag` */
  deprecate(reference: string, message: string | null): Promise<StatementReceipt>
  /** Takes every version that fits the reference out of resolution, or with null puts them back. @throws as `tag` */
  yank(reference: string, reason: string | null): Promise<StatementReceipt>
  /** Takes one version away for good and burns its number. @throws as `tag`; ERR_INVALID_REFERENCE no exact version */
  unpublish(reference: string, reason?: string): Promise<StatementReceipt>
  /** Lets a text present the package, or with null none. @throws as `tag`, ERR_TOO_LARGE more than 1 MiB */
  readme(name: string, content: Uint8Array | null): Promise<StatementReceipt>
  /** The text that presents a package, got from whoever holds it; undefined when none does. @throws ERR_NO_PROVIDERS (retryable) */
  readmeOf(reference: string, options?: AbortOptions): Promise<Uint8Array | undefined>
  /** Vouches for or warns of a package of anybody. @throws ERR_NOT_FOUND, ERR_AMBIGUOUS_NAME */
  attest(reference: string, attestation: AttestationInput): Promise<StatementReceipt>
  /** Writes the catalogue into one file that carries itself (CARv1). @throws ERR_STORAGE */
  exportCatalogue(path: string, options?: CatalogueFileOptions): Promise<CatalogueFileReport>
  /** Takes in what a catalogue file has, each record verified. @throws ERR_INVALID_CATALOGUE_FILE, ERR_STORAGE */
  importCatalogue(path: string, options?: CatalogueFileOptions): Promise<CatalogueImportReport>
  /** What names without an owner were decided to mean, by name. */
  names(): Promise<NameDecision[]>
  /** Lets a name mean this owner's package from now on, whatever it meant before. Durable when it resolves. @throws ERR_STORAGE */
  pin(name: string, owner: string): Promise<void>
  /** Lets a name mean again what the catalogue makes of it. False when nothing was decided. @throws ERR_STORAGE */
  unpin(name: string): Promise<boolean>
  /** Owners whose names and warnings count here, in the order in which they were followed. */
  following(): Promise<OwnerId[]>
  /** False when the owner was followed already. @throws ERR_STORAGE */
  follow(owner: string): Promise<boolean>
  /** False when the owner was not followed. @throws ERR_STORAGE */
  unfollow(owner: string): Promise<boolean>
  /** Tells those who follow this peer's owner whose package a name means, or with null nothing more of it. */
  curate(name: string, owner: string | null): Promise<StatementReceipt>
  /** Claims a domain for this peer's owner, or no longer. @throws ERR_INVALID_VALUE */
  claimDomain(domain: string, claimed: boolean): Promise<StatementReceipt>
  /** Whose a domain is, its DNS asked now. @throws ERR_INVALID_VALUE */
  checkDomain(domain: string, options?: AbortOptions): Promise<DomainReport>
  /** Every package as its newest release; `after` is the last one of the page before. */
  list(options?: { after?: { owner: OwnerId; name: PackageName }; limit?: number }): Promise<Package[]>
  /** Updates as they become true in this peer's catalogue, in order, until the signal aborts or the registry stops. */
  subscribe(topic: Topic, options?: SubscribeOptions): AsyncIterable<PackageUpdate>
}

export interface RegistryStatus extends NetworkStats {
  peerId: string
  addresses: string[]
  network: string
  owner: OwnerId
  dataDir: string
  uptimeMs: number
  storage: { blobs: number; bytes: number; quotaBytes: number }
}

/** A `Registry` that is a running peer of a network. */
export interface P2PRegistry extends Registry, Startable {
  readonly isRunning: boolean
  readonly peerId: string
  readonly owner: OwnerId
  /**
   * A content that no record tells of, by its `sha512-…`: stored here, or got from a connected peer and verified. Undefined
   * when nobody has it.
   */
  findContent(
    integrity: string,
    options: AbortOptions & { maxBytes: number }
  ): Promise<StoredContent | undefined>
  /**
   * Stores a content that no record tells of, for itself and for peers that ask for it by its hash. It makes room when space
   * is short. Nothing stays when it rejects. @throws ERR_HASH_MISMATCH another integrity than is given; ERR_TOO_LARGE,
   * ERR_QUOTA_EXCEEDED, ERR_STORAGE
   */
  keepContent(
    source: AsyncIterable<Uint8Array>,
    options: AbortOptions & { maxBytes: number; integrity?: string }
  ): Promise<StoredContent>
  /** As `MarketplaceBehaviour.serveDocuments`; holds over a restart. */
  serveDocuments(source: DocumentSource): () => void
  /** A document of another registry as a connected peer has it, its content got from whoever has that. @throws as `PackageProtocol`, ERR_NO_PROVIDERS */
  documentOf(
    peerId: string,
    key: DocumentKey,
    options: AbortOptions & { maxBytes: number }
  ): Promise<(KeptDocument & { stored: StoredContent }) | undefined>
  /** Calls back when what names mean was changed here, by `pin`, `unpin`, `follow` or `unfollow`. Returns its undoing. */
  onNamesChange(listener: () => void): () => void
  stats(): Promise<NetworkStats>
  status(): Promise<RegistryStatus>
  addBootstrapNode(address: string | { peerId: string; address: string }): Promise<void>
  peers(): Promise<ConnectedPeer[]>
  knownPeers(): Promise<DiscoveredPeer[]>
  connect(address: string, options?: AbortOptions): Promise<ConnectedPeer>
  disconnect(peerId: string): Promise<boolean>
  /** Compares the catalogue with every connected peer now and takes what is missing; resolves to how many records came. */
  sync(options?: AbortOptions): Promise<number>
}
