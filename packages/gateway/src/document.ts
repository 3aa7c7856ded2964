import { createHash } from 'node:crypto'
import type { NpmFields, OwnerId, Package, PackageDetails, Version } from '@registry/types'
import semver from 'semver'
import { tarballPath } from './names.ts'

/** What clients install by, and what people look at besides. */
export type DocumentForm = 'abbreviated' | 'full'

const ABBREVIATED = 'application/vnd.npm.install-v1+json'

/** The form that a client asks for. */
export function documentForm(accept: string | undefined): DocumentForm {
  return accept?.includes(ABBREVIATED) ? 'abbreviated' : 'full'
}

export function documentType(form: DocumentForm): string {
  return form === 'full' ? 'application/json' : ABBREVIATED
}

export interface DocumentInput {
  /** As the client has it; every version goes by it. */
  name: string
  details: PackageDetails
  /** The address of this registry, without a slash at its end. */
  baseUrl: string
}

/** A document of a package as text, and a name for exactly this text. */
export interface RenderedDocument {
  json: string
  /** As in `_rev`; what a caller who changes it has to hand back. */
  revision: string
}

/**
 * The versions that a client may choose from: those that npm's clients can install, and neither taken back by their owner
 * nor signed for two contents.
 */
export function installableVersions({ versions }: PackageDetails): Package[] {
  return versions.filter(
    ({ npm, yanked, conflicted }) => npm !== undefined && yanked === undefined && !conflicted
  )
}

/** The document of a package, as npm's registry has it; undefined when nobody could install anything of it. */
export function renderDocument(form: DocumentForm, input: DocumentInput): RenderedDocument | undefined {
  const packages = installableVersions(input.details)
  const standing = standingPackage(input.details, packages)
  if (standing === undefined) return undefined
  const versions = Object.fromEntries(
    packages.map((one) => [one.version, versionDocument(form, one, input.name, input.baseUrl)])
  )
  const modified = isoTime(Math.max(...packages.map(({ createdAtMs }) => createdAtMs)))
  const common = { name: input.name, 'dist-tags': distTags(input.details, packages, standing) }
  if (form === 'abbreviated') return revised({ ...common, modified, versions }, packages.length)
  const oldestFirst = packages.toReversed()
  const created = isoTime(Math.min(...packages.map(({ createdAtMs }) => createdAtMs)))
  const times = oldestFirst.map((one) => [one.version, isoTime(one.createdAtMs)])
  return revised(
    {
      _id: input.name,
      ...common,
      versions,
      time: { created, modified, ...Object.fromEntries(times) },
      maintainers: [accountOf(standing.owner)],
      ...about(standing)
    },
    packages.length
  )
}

/** Puts the revision first, made of all the rest. */
function revised(document: object, count: number): RenderedDocument {
  const json = JSON.stringify(document)
  const revision = `${count}-${createHash('sha256').update(json).digest('hex').slice(0, 32)}`
  return { json: `{"_rev":"${revision}",${json.slice(1)}`, revision }
}

/** What one version says: all that installing needs, and in full form what a person would like to read. */
export function versionDocument(
  form: DocumentForm,
  one: Package,
  name: string,
  baseUrl: string
): Record<string, unknown> {
  const { version, integrity, fileCount, unpackedSize, deprecated } = one
  const { shasum, optionalPeers, bundled, hasShrinkwrap, ...npm }: Partial<NpmFields> = one.npm ?? {}
  const document: Record<string, unknown> = {
    name,
    version,
    ...(form === 'full' ? { _id: `${name}@${version}`, ...about(one), _npmUser: accountOf(one.owner) } : {}),
    ...(Object.keys(one.dependencies).length === 0 ? {} : { dependencies: one.dependencies }),
    ...npm,
    dist: {
      shasum,
      tarball: `${baseUrl}/${tarballPath(one.owner, one.name, version)}`,
      fileCount,
      unpackedSize,
      integrity
    }
  }
  if (optionalPeers !== undefined) {
    document.peerDependenciesMeta = Object.fromEntries(
      optionalPeers.map((peer) => [peer, { optional: true }])
    )
  }
  if (bundled !== undefined) document.bundleDependencies = bundled
  if (hasShrinkwrap === true) document._hasShrinkwrap = true
  if (deprecated !== undefined) document.deprecated = deprecated
  return document
}

/** An owner as npm knows a user. It has no address: the domain is one that nobody can ever have (RFC 2606). */
export function accountOf(owner: OwnerId): { name: string; email: string } {
  return { name: owner, email: `${owner}@owner.invalid` }
}

/** Of `Name <email> (url)`, any part of which may be missing. */
export function personOf(text: string): { name?: string; email?: string; url?: string } {
  const [, name = '', email = '', url = ''] = /^([^<(]*)(?:<([^>]*)>)?\s*(?:\(([^)]*)\))?/.exec(text) ?? []
  return {
    ...(name.trim() === '' ? {} : { name: name.trim() }),
    ...(email === '' ? {} : { email }),
    ...(url === '' ? {} : { url })
  }
}

function about(one: Package): Record<string, unknown> {
  const { description, author, license, homepage, repository, metadata } = one
  return {
    ...(description === '' ? {} : { description }),
    ...(metadata.keywords.length === 0 ? {} : { keywords: metadata.keywords }),
    ...(license === undefined ? {} : { license }),
    ...(author === undefined ? {} : { author: personOf(author) }),
    ...(homepage === undefined ? {} : { homepage }),
    ...(repository === undefined ? {} : { repository: { type: 'git', url: repository } })
  }
}

/** The version that stands for a package: `latest`, if it can be installed, else what would be in its place. */
function standingPackage(details: PackageDetails, packages: readonly Package[]): Package | undefined {
  return (
    packages.find(({ version }) => version === details.distTags.latest) ??
    packages.find(({ version }) => semver.prerelease(version) === null) ??
    packages[0]
  )
}

function distTags(
  { distTags }: PackageDetails,
  packages: readonly Package[],
  standing: Package
): Record<string, Version> {
  const there = new Set(packages.map(({ version }) => version))
  const tags = Object.entries(distTags).filter(([, version]) => there.has(version))
  return { latest: standing.version, ...Object.fromEntries(tags) }
}

function isoTime(timeMs: number): string {
  // The latest time that a date can have; a publisher may claim a later one.
  return new Date(Math.min(timeMs, 8.64e15)).toISOString()
}
