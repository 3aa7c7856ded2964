import type { OwnerId, PackageName, Version } from './names.ts'
import type { NpmFields } from './npm-fields.ts'
import type { Completeness } from './query.ts'
import type { AttestationRecord, ReleaseRecord } from './records.ts'
import type { BlobInfo } from './store.ts'

/** A package at one version, as people see it: the signed release, and what this peer knows beside it. */
export interface Package {
  /** `name@version`. */
  id: string
  owner: OwnerId
  name: PackageName
  version: Version
  description: string
  category: string
  tags: readonly string[]
  /** The first of the authors. */
  author?: string
  license?: string
  repository?: string
  homepage?: string
  dependencies: Readonly<Record<string, string>>
  /** CID of the tarball. */
  cid: string
  /** sha512 of the tarball, as npm writes it. */
  integrity: string
  /** Bytes of the tarball. */
  size: number
  /** Bytes of all files in it. */
  unpackedSize: number
  fileCount: number
  /** For npm's clients; absent when they cannot install it. */
  npm?: NpmFields
  /** The later of what the publisher claims and when this peer first saw the release, ms since the epoch. */
  createdAtMs: number
  /** As `createdAtMs`, of the newest release of this package. */
  updatedAtMs: number
  /** Fetches through this peer. */
  downloads: number
  /** More than one release is signed for this version: its owner equivocated. */
  conflicted: boolean
  /** Why its owner advises against this version. */
  deprecated?: string
  /** Why its owner took this version back, perhaps an empty text; no range resolves to it. */
  yanked?: string
  metadata: PackageMetadata
}

export interface PackageMetadata {
  keywords: readonly string[]
  maintainers: readonly string[]
  features: Readonly<Record<string, string>>
  platforms: readonly string[]
  runtimeVersion?: string
}

export interface PackageFacts {
  downloads: number
  updatedAtMs: number
}

/** The view of a stored release that the API, the CLI and the events share. */
export function toPackage(record: ReleaseRecord, facts: PackageFacts): Package {
  const { release } = record
  const result: Package = {
    id: `${release.name}@${release.version}`,
    owner: release.owner,
    name: release.name,
    version: release.version,
    description: release.description,
    category: release.category,
    tags: release.tags,
    dependencies: release.dependencies,
    cid: release.content,
    integrity: release.integrity,
    size: release.size,
    unpackedSize: release.unpackedSize,
    fileCount: release.fileCount,
    createdAtMs: Math.max(release.claimedAtMs, record.firstSeenMs),
    updatedAtMs: facts.updatedAtMs,
    downloads: facts.downloads,
    conflicted: record.conflicted,
    metadata: {
      keywords: release.keywords,
      maintainers: release.authors,
      features: release.features,
      platforms: release.platforms
    }
  }
  if (record.deprecated !== undefined) result.deprecated = record.deprecated
  if (record.yanked !== undefined) result.yanked = record.yanked
  const author = release.authors[0]
  if (author !== undefined) result.author = author
  if (release.license !== undefined) result.license = release.license
  if (release.repository !== undefined) result.repository = release.repository
  if (release.homepage !== undefined) result.homepage = release.homepage
  if (release.npm !== undefined) result.npm = release.npm
  if (release.runtimeVersion !== undefined) result.metadata.runtimeVersion = release.runtimeVersion
  return result
}

/** What a subscription listens to. */
export type Topic =
  | { kind: 'all' }
  | { kind: 'category'; category: string }
  | { kind: 'tag'; tag: string }
  | { kind: 'owner'; owner: OwnerId }
  | { kind: 'package'; name: PackageName }

/**
 * `MetadataUpdate`: a dist-tag, the readme, or a deprecation or yank taken back. `Conflicted`: a second release of this
 * version was signed. `Attested`: somebody vouches for or warns of the package.
 */
export type PackageUpdateType =
  | 'NewPackage'
  | 'NewVersion'
  | 'MetadataUpdate'
  | 'Deprecated'
  | 'Yanked'
  | 'Unpublished'
  | 'Conflicted'
  | 'Attested'

/** One thing that became true in this peer's catalogue. */
export interface PackageUpdate {
  type: PackageUpdateType
  /** `name@version`. */
  packageId: string
  /** The version it is about, else the one that stands for the package. */
  package: Package
  /** When this peer learnt of it, ms since the epoch. */
  timestamp: number
  /** Hand it to `subscribe` to go on right after this update; valid on this peer only. */
  cursor: string
}

/** All that is known of one package. */
export interface PackageDetails {
  /** The release that was asked for. */
  package: Package
  /** Newest first, those unpublished left out. */
  versions: Package[]
  /** Numbers that were unpublished and are never used again. */
  unpublished: Version[]
  /** Name to version; `latest` is always there. */
  distTags: Readonly<Record<string, Version>>
  /** The text that presents it; `readmeOf` gets it. */
  readme?: BlobInfo
  attestations: AttestationRecord[]
  completeness: Completeness
}
