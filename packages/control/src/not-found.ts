import {
  type AbortOptions,
  formatPackageReference,
  type PackageReference,
  parsePackageReference,
  type QueryOptions,
  type SearchResult,
  type Version
} from '@registry/types'
import { NotFoundError } from './errors.ts'

/** What is asked of a registry to find out: any `Registry`, or a client of one. */
export interface NearMissSource {
  listVersions(name: string, options?: AbortOptions): Promise<Array<{ version: Version; yanked?: string }>>
  search(query: QueryOptions, options?: AbortOptions): Promise<SearchResult[]>
}

const MAX_VERSIONS = 20
const MAX_SUGGESTIONS = 3

/** The error for a reference that was not found: with the versions there are, else with packages of a name like it. */
export async function notFoundError(
  registry: NearMissSource,
  text: string,
  options: AbortOptions = {}
): Promise<NotFoundError> {
  const reference = parsePackageReference(text)
  const { name, owner }: PackageReference = reference
  const named = formatPackageReference(owner === undefined ? { name } : { name, owner })
  const texts = (await registry.listVersions(named, options)).map(({ version, yanked }) =>
    yanked === undefined ? version : `${version} (yanked)`
  )
  // A conflicted version has two releases.
  const versions = [...new Set(texts)]
  if (versions.length > 0) {
    const more = versions.length > MAX_VERSIONS ? [`and ${versions.length - MAX_VERSIONS} more`] : []
    return new NotFoundError(text, { versions: [...versions.slice(0, MAX_VERSIONS), ...more] })
  }
  const near = await registry.search({ keywords: [name], limit: MAX_SUGGESTIONS, explain: true }, options)
  // A word that stands in a description alone was not the name that somebody had in mind.
  const suggestions = near
    .filter(({ explanation }) => explanation?.terms.every(({ field }) => field === 'name') === true)
    .map((result) => result.package.name)
  return new NotFoundError(text, { suggestions: [...new Set(suggestions)] })
}
