import {
  formatPackageReference,
  isRegistryError,
  type P2PRegistry,
  type PackageDetails,
  type PackageName,
  type ProjectNames,
  type PublishReceipt,
  parseDistTag,
  parseMap,
  parseOptionalText,
  parseText,
  parseVersion,
  type Version
} from '@registry/types'
import semver from 'semver'
import { accountOf, installableVersions, renderDocument } from './document.ts'
import {
  InvalidUploadError,
  NameTakenError,
  NothingFoundError,
  PublishedBeforeError,
  StaleDocumentError,
  UnsupportedError
} from './errors.ts'
import { parseNpmName } from './names.ts'
import type { Upload, UploadedTarball } from './upload.ts'

const MAX_TAGS = 64
const MAX_VERSIONS = 100_000

/** What npm's clients change, as calls of the registry. All of it is signed by the owner of this peer, and about its packages. */
export class Writes {
  readonly #registry: P2PRegistry

  constructor(registry: P2PRegistry) {
    this.#registry = registry
  }

  /** A document with a tarball attached: a new version. */
  async publish(
    npmName: string,
    upload: Upload,
    { names, signal }: { names: ProjectNames; signal: AbortSignal }
  ): Promise<PublishReceipt> {
    const wanted = parsePublication(npmName, upload)
    const own = this.#own(npmName)
    // A project that says whose the name is knows of the others.
    if (!names.has(wanted.name)) await this.#refuseTaken(npmName)
    const before = await this.#registry.details(own)
    const standing = before?.distTags.latest
    // Who publishes under another tag does not want it to become the latest by being the newest.
    const isAside = !wanted.tags.includes('latest') && standing !== undefined
    if (isAside && semver.gt(wanted.version, standing)) await this.#registry.tag(own, 'latest', standing)
    const receipt = await this.#publish(wanted, signal)
    const after = await this.#registry.details(own)
    for (const tag of wanted.tags) {
      // The newest is the latest without being told.
      if (after?.distTags[tag] !== wanted.version) await this.#registry.tag(own, tag, wanted.version)
    }
    return receipt
  }

  async #publish({ name, version, tarball }: Publication, signal: AbortSignal): Promise<PublishReceipt> {
    try {
      return await this.#registry.publish(tarball.source, { expected: { name, version }, signal })
    } catch (error) {
      throw isRegistryError(error, 'ERR_VERSION_EXISTS') ? new PublishedBeforeError(version, error) : error
    }
  }

  /**
   * A document without a tarball: what it changes of the one there is. Only deprecations, and with `isRevision` versions that
   * are left out and tags, can be changed.
   */
  async change(npmName: string, value: unknown, baseUrl: string, isRevision: boolean): Promise<void> {
    const document = parseMap(value, 'document')
    const own = this.#own(npmName)
    const details = await this.#ownDetails(npmName)
    this.#refuseOtherChanges(document, details)
    if (document.versions === undefined) return
    const revision = parseOptionalText(document._rev, '_rev', 256)
    const current = renderDocument('full', { name: npmName, details, baseUrl })?.revision
    if (isRevision && revision !== undefined && revision !== current) throw new StaleDocumentError(npmName)
    const versions = parseVersions(document.versions)
    await this.#deprecate(own, details, versions)
    if (!isRevision) return
    for (const { version } of installableVersions(details)) {
      if (!versions.has(version)) await this.#registry.unpublish(`${own}@${version}`)
    }
    await this.#retag(own, parseTags(document['dist-tags']))
  }

  /** @throws ERR_STALE_DOCUMENT */
  async unpublishAll(npmName: string, revision: string, baseUrl: string): Promise<void> {
    const own = this.#own(npmName)
    const details = await this.#ownDetails(npmName)
    const current = renderDocument('full', { name: npmName, details, baseUrl })?.revision
    if (current !== undefined && revision !== current) throw new StaleDocumentError(npmName)
    for (const version of new Set(details.versions.map((one) => one.version))) {
      await this.#registry.unpublish(`${own}@${version}`)
    }
  }

  /** The tarball goes with its version: what is asked here is that it be gone. */
  async removeTarball(npmName: string, version: Version): Promise<void> {
    const own = this.#own(npmName)
    const details = await this.#registry.details(own)
    if (details?.versions.some((one) => one.version === version)) {
      await this.#registry.unpublish(`${own}@${version}`)
    }
  }

  async tag(npmName: string, tag: string, value: unknown): Promise<void> {
    const version = parseVersion(value)
    await this.#ownDetails(npmName)
    await this.#registry.tag(this.#own(npmName), parseDistTag(tag), version)
  }

  async untag(npmName: string, tag: string): Promise<void> {
    if (tag === 'latest') {
      throw new UnsupportedError(
        'The tag "latest" is always there',
        'Let it name another version in its place.'
      )
    }
    await this.#ownDetails(npmName)
    await this.#registry.tag(this.#own(npmName), parseDistTag(tag), null)
  }

  /** The package of this name that this peer may speak for, as the registry takes it. @throws ERR_NAME_TAKEN */
  #own(npmName: string): string {
    const { name, owner = this.#registry.owner } = parseNpmName(npmName)
    if (owner !== this.#registry.owner) throw new NameTakenError(name, `@${owner}`)
    return formatPackageReference({ owner, name })
  }

  async #ownDetails(npmName: string): Promise<PackageDetails> {
    const details = await this.#registry.details(this.#own(npmName))
    if (details !== undefined) return details
    await this.#refuseTaken(npmName)
    throw new NothingFoundError(`You have not published ${npmName}`)
  }

  /** @throws {NameTakenError} ERR_NAME_TAKEN, the name means another owner's package, and this one has none of that name */
  async #refuseTaken(npmName: string): Promise<void> {
    if ((await this.#registry.details(this.#own(npmName))) !== undefined) return
    const { name } = parseNpmName(npmName)
    const owners = await this.#ownersOf(name)
    if (owners !== undefined) throw new NameTakenError(name, owners)
  }

  /** Whose it is, in words. */
  async #ownersOf(name: PackageName): Promise<string | undefined> {
    try {
      const owner = (await this.#registry.details(name))?.package.owner
      return owner === undefined ? undefined : `@${owner}`
    } catch (error) {
      if (isRegistryError(error, 'ERR_AMBIGUOUS_NAME')) return 'several owners'
      // Whoever has it, it is not his.
      if (isRegistryError(error, 'ERR_DOMAIN_UNPROVEN')) return undefined
      throw error
    }
  }

  #refuseOtherChanges(document: Record<string, unknown>, details: PackageDetails): void {
    if (document.users !== undefined && Object.keys(parseMap(document.users, 'users')).length > 0) {
      throw new UnsupportedError('Stars are not kept here', 'Vouch for a package: registry attest')
    }
    const { name } = accountOf(details.package.owner)
    if (document.maintainers === undefined) return
    const isSame =
      Array.isArray(document.maintainers) &&
      document.maintainers.length === 1 &&
      parseMap(document.maintainers[0], 'maintainers').name === name
    if (!isSame) {
      throw new UnsupportedError(
        'A package has the owner whose key signed it',
        'An owner with several keys is made before the first publish.'
      )
    }
  }

  async #deprecate(
    own: string,
    details: PackageDetails,
    versions: ReadonlyMap<Version, string | null>
  ): Promise<void> {
    const changed = new Map<Version, string | null>()
    for (const { version, deprecated = null } of details.versions) {
      const message = versions.get(version)
      if (message !== undefined && message !== deprecated) changed.set(version, message)
    }
    const [message = null] = changed.values()
    const isOne = [...changed.values()].every((each) => each === message)
    const all = new Set(details.versions.map(({ version }) => version))
    // In one transaction, as most who deprecate mean every version.
    if (isOne && changed.size === all.size && changed.size > 1) {
      await this.#registry.deprecate(own, message)
      return
    }
    for (const [version, each] of changed) await this.#registry.deprecate(`${own}@${version}`, each)
  }

  async #retag(own: string, wanted: ReadonlyMap<string, Version>): Promise<void> {
    const details = await this.#registry.details(own)
    if (details === undefined) return
    const there = new Set(details.versions.map(({ version }) => version))
    for (const [tag, version] of wanted) {
      if (there.has(version) && details.distTags[tag] !== version) await this.#registry.tag(own, tag, version)
    }
  }
}

interface Publication {
  name: PackageName
  version: Version
  tags: string[]
  tarball: UploadedTarball
}

/** What a document says of the tarball in it must be so. @throws ERR_INVALID_UPLOAD, ERR_INVALID_VALUE, ERR_INVALID_VERSION */
function parsePublication(npmName: string, { document, tarball }: Upload): Publication {
  if (tarball === undefined) throw new InvalidUploadError('No tarball is attached')
  const map = parseMap(document, 'document')
  const { name } = parseNpmName(npmName)
  for (const key of ['_id', 'name'] as const) {
    if (map[key] !== undefined && map[key] !== npmName) {
      throw new InvalidUploadError(
        `The document is of ${quoted(map[key])}, and was sent for ${quoted(npmName)}`
      )
    }
  }
  if (map.access === 'restricted') {
    throw new UnsupportedError(
      'Whatever is published here, everybody of the network can read',
      'Publish with --access public, or in a network of your own.'
    )
  }
  const [entry, ...others] = Object.entries(parseMap(map.versions, 'versions'))
  if (entry === undefined || others.length > 0) {
    throw new InvalidUploadError('Exactly one version must be published at a time')
  }
  const version = parseVersion(entry[0])
  const manifest = parseMap(entry[1], 'version')
  if (manifest.name !== npmName || manifest.version !== version) {
    throw new InvalidUploadError(
      `The manifest is of ${quoted(manifest.name)} ${quoted(manifest.version)}, and was sent for ${npmName}@${version}`
    )
  }
  checkTarball(tarball, manifest.dist, map)
  const tags = [...parseTags(map['dist-tags'])]
  if (tags.some(([, tagged]) => tagged !== version)) {
    throw new InvalidUploadError('A tag names another version than the one that is published')
  }
  return { name, version, tags: tags.length === 0 ? ['latest'] : tags.map(([tag]) => tag), tarball }
}

function checkTarball(tarball: UploadedTarball, distValue: unknown, document: Record<string, unknown>): void {
  const dist = distValue === undefined ? {} : parseMap(distValue, 'dist')
  const attachment = parseMap(parseMap(document._attachments, '_attachments')[tarball.file], '_attachments')
  if (attachment.length !== undefined && attachment.length !== tarball.size) {
    throw new InvalidUploadError(
      `The tarball has ${tarball.size} bytes, and was said to have ${quoted(attachment.length)}`
    )
  }
  if (dist.shasum !== undefined && dist.shasum !== tarball.shasum) {
    throw new InvalidUploadError(`The sha1 of the tarball is ${tarball.shasum}, not ${quoted(dist.shasum)}`)
  }
  if (dist.integrity === undefined) return
  const hashes = parseText(dist.integrity, 'dist.integrity', 1024).split(/\s+/)
  const strong = hashes.filter((hash) => hash.startsWith('sha512-'))
  if (strong.length > 0 && !strong.includes(tarball.integrity)) {
    throw new InvalidUploadError(`The tarball has ${tarball.integrity}, not ${quoted(strong[0])}`)
  }
}

function parseTags(value: unknown): Map<string, Version> {
  const entries = Object.entries(value === undefined ? {} : parseMap(value, 'dist-tags'))
  if (entries.length > MAX_TAGS) throw new InvalidUploadError(`There are more than ${MAX_TAGS} tags`)
  return new Map(entries.map(([tag, version]) => [parseDistTag(tag), parseVersion(version)]))
}

/** Each version with the text that advises against it, null for none. */
function parseVersions(value: unknown): Map<Version, string | null> {
  const entries = Object.entries(parseMap(value, 'versions'))
  if (entries.length > MAX_VERSIONS)
    throw new InvalidUploadError(`There are more than ${MAX_VERSIONS} versions`)
  return new Map(
    entries.map(([version, manifest]) => {
      const { deprecated } = parseMap(manifest, `versions.${version}`)
      const text = typeof deprecated === 'string' && deprecated !== '' ? deprecated : null
      return [parseVersion(version), text]
    })
  )
}

function quoted(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 200) ?? 'nothing'
}
