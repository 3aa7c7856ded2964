import {
  formatPackageReference,
  isOwnerId,
  type OwnerId,
  type PackageName,
  type PackageReference,
  type ProjectNames,
  parsePackageName,
  type Version
} from '@registry/types'

/**
 * Reads a name as npm's clients have it. npm knows one scope only, so the package `@scope/name` of an owner is written
 * `@<ownerId>/scope__name`, as the types of DefinitelyTyped are.
 *
 * @throws {InvalidPackageNameError} ERR_INVALID_NAME
 */
export function parseNpmName(text: string): PackageReference {
  const [, scope = '', rest = ''] = /^@([^/]*)\/(.*)$/.exec(text) ?? []
  if (!isOwnerId(scope)) return { name: parsePackageName(text) }
  const [, inner, name] = /^(.+?)__(.+)$/.exec(rest) ?? []
  return { owner: scope, name: parsePackageName(inner === undefined ? rest : `@${inner}/${name}`) }
}

/** What a name means where these names hold. @throws {InvalidPackageNameError} ERR_INVALID_NAME */
export function referenceIn(names: ProjectNames, npmName: string): PackageReference {
  const reference = parseNpmName(npmName)
  const owner = reference.owner ?? names.get(reference.name)
  return owner === undefined ? reference : { ...reference, owner }
}

/** A name that means this owner's package always and everywhere. */
export function ownedNpmName(owner: OwnerId, name: PackageName): string {
  return `@${owner}/${name.replace(/^@([^/]+)\//, '$1__')}`
}

/** A reference to exactly one version. */
export function exactReference(reference: PackageReference, version: string): string {
  const { name, owner } = reference
  return formatPackageReference(
    owner === undefined ? { name, range: version } : { name, owner, range: version }
  )
}

/**
 * Where the tarball of a version is, whatever name it was asked for by: a lockfile that has this address means this owner's
 * package on every peer.
 */
export function tarballPath(owner: OwnerId, name: PackageName, version: Version): string {
  const npmName = ownedNpmName(owner, name)
  return `${npmName}/-/${unscoped(npmName)}-${version}.tgz`
}

/** The version in the file name of a tarball; undefined when that is not of this package. */
export function versionInFile(npmName: string, file: string): string | undefined {
  const starts = [`${unscoped(npmName)}-`, `${npmName}-`]
  const start = starts.find((one) => file.startsWith(one))
  return start === undefined || !file.endsWith('.tgz') ? undefined : file.slice(start.length, -'.tgz'.length)
}

function unscoped(npmName: string): string {
  return npmName.slice(npmName.indexOf('/') + 1)
}
