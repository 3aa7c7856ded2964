import {
  isRegistryError,
  parseList,
  parsePackageName,
  parseText,
  parseTextMap,
  parseVersion,
  type Release
} from '@registry/types'
import { InvalidManifestError, type ManifestFault } from './errors.ts'

/** The fields of a release that its manifest decides. */
export type ManifestFields = Pick<
  Release,
  | 'name'
  | 'version'
  | 'description'
  | 'category'
  | 'tags'
  | 'keywords'
  | 'license'
  | 'authors'
  | 'repository'
  | 'homepage'
  | 'dependencies'
  | 'platforms'
  | 'features'
  | 'runtimeVersion'
>

/** A value as it stands in a manifest, and where. */
export interface Found {
  value: unknown
  path: string
}

/** Where a manifest keeps each field, in the shape that all formats share, and what is wrong with it beside them. */
export interface ManifestDraft {
  fields: Partial<Record<keyof ManifestFields, Found>>
  faults: ManifestFault[]
}

/** One kind of manifest. */
export interface ManifestFormat {
  parse(text: string): unknown
  draft(document: Record<string, unknown>): ManifestDraft
  /** The table in which its name and version stand. */
  home(document: Record<string, unknown>): Record<string, unknown>
  /** Finds each assignment of a version; its first group is what stands before the value. */
  versionPattern: RegExp
  /** Finds each place where the name is assigned. */
  namePattern: RegExp
  /** What to put before the name to assign a version, given as a quoted text. */
  assignment(quoted: string): string
}

/** A record has 64 KiB, of which the hashes, keys and signatures take some 600 bytes. */
const MAX_FIELDS_BYTES = 62 * 1024

/** @throws {InvalidManifestError} and others, as `parseManifest` says */
export function completeManifest(file: string, draft: ManifestDraft): ManifestFields {
  const faults = [...draft.faults]
  const errors: unknown[] = []

  function read<T>(field: keyof ManifestFields, parse: (value: unknown, path: string) => T): T | undefined {
    const found = draft.fields[field]
    if (found === undefined || isAbsent(found.value)) return undefined
    try {
      return parse(found.value, found.path)
    } catch (error) {
      if (!isRegistryError(error)) throw error
      errors.push(error)
      const { field: place = found.path, reason = 'is not a SemVer version' } = error.details
      faults.push({ path: String(place), reason: String(reason) })
      return undefined
    }
  }
  const text = (field: keyof ManifestFields, maxLength: number): string | undefined =>
    read(field, (value, path) => parseText(value, path, maxLength).trim())
  const texts = (field: keyof ManifestFields): string[] =>
    read(field, (value, path) => {
      const items = parseList(value, path, 64, (item, at) => parseText(item, at, 256).trim())
      return [...new Set(items)].filter((item) => item !== '')
    }) ?? []

  const name = read('name', parsePackageName)
  const version = read('version', parseVersion)
  const fields = {
    description: text('description', 16 * 1024) ?? '',
    category: text('category', 64) ?? 'uncategorized',
    tags: texts('tags'),
    keywords: texts('keywords'),
    authors: texts('authors'),
    dependencies: read('dependencies', (value, path) => parseTextMap(value, path, 1024, 256, 1024)) ?? {},
    platforms: texts('platforms'),
    features: read('features', (value, path) => parseTextMap(value, path, 256, 256, 1024)) ?? {}
  }
  const optional = {
    license: text('license', 256),
    repository: text('repository', 1024),
    homepage: text('homepage', 1024),
    runtimeVersion: text('runtimeVersion', 256)
  }
  for (const field of ['name', 'version'] as const) {
    const found = draft.fields[field]
    if (found === undefined || isAbsent(found.value))
      faults.push({ path: found?.path ?? field, reason: 'is missing' })
  }
  faults.push(...sizeFaults({ ...fields, ...optional }))
  if (name === undefined || version === undefined || faults.length > 0) {
    if (
      faults.length === 1 &&
      (isRegistryError(errors[0], 'ERR_INVALID_NAME') || isRegistryError(errors[0], 'ERR_INVALID_VERSION'))
    ) {
      throw errors[0]
    }
    throw new InvalidManifestError(file, distinct(faults))
  }
  const result: ManifestFields = { name, version, ...fields }
  if (optional.license !== undefined) result.license = optional.license
  if (optional.repository !== undefined) result.repository = optional.repository
  if (optional.homepage !== undefined) result.homepage = optional.homepage
  if (optional.runtimeVersion !== undefined) result.runtimeVersion = optional.runtimeVersion
  return result
}

/** @throws {InvalidManifestError} ERR_INVALID_MANIFEST, it does not fit into a record */
export function checkRecordSize(file: string, fields: object): void {
  const faults = sizeFaults(fields)
  if (faults.length > 0) throw new InvalidManifestError(file, faults)
}

function sizeFaults(fields: object): ManifestFault[] {
  const bytes = Buffer.byteLength(JSON.stringify(fields))
  if (bytes <= MAX_FIELDS_BYTES) return []
  return [
    { path: '', reason: `has ${bytes} bytes of fields, more than ${MAX_FIELDS_BYTES} fit into a record` }
  ]
}

/** What manifests write to say nothing. */
export function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '')
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

/** A map from text without prototype, so that no key is special. */
export function tableOf(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const table: Record<string, unknown> = Object.create(null)
  for (const [key, value] of entries) table[key] = value
  return table
}

/** A person as npm writes one in a line; what is not a person is returned as it is, to be refused by its place. */
export function personText(person: unknown): unknown {
  if (!isTable(person) || typeof person.name !== 'string') return person
  const email = typeof person.email === 'string' ? ` <${person.email}>` : ''
  const url = typeof person.url === 'string' ? ` (${person.url})` : ''
  return `${person.name}${email}${url}`
}

function distinct(faults: readonly ManifestFault[]): ManifestFault[] {
  return [...new Map(faults.map((fault) => [`${fault.path} ${fault.reason}`, fault])).values()]
}
