import { isDeepStrictEqual } from 'node:util'
import type { Version } from '@registry/types'
import { InvalidManifestError } from './errors.ts'
import { gpackToml, packageToml, packToml } from './ggen-toml.ts'
import { completeManifest, type ManifestFields, type ManifestFormat } from './manifest-format.ts'
import { packageJson } from './package-json.ts'
import { registryToml } from './registry-toml.ts'

/** What makes a folder a package, strongest first: when several stand in one folder, the first of these counts. */
export const MANIFEST_FILES = [
  'registry.toml',
  'package.json',
  'gpack.toml',
  'pack.toml',
  'package.toml'
] as const
export type ManifestFile = (typeof MANIFEST_FILES)[number]

const FORMATS: Readonly<Record<ManifestFile, ManifestFormat>> = {
  'registry.toml': registryToml,
  'package.json': packageJson,
  'gpack.toml': gpackToml,
  'pack.toml': packToml,
  'package.toml': packageToml
}

export function isManifestFile(name: string): name is ManifestFile {
  return MANIFEST_FILES.some((file) => file === name)
}

/**
 * The fields of a release that its manifest decides.
 *
 * @throws {InvalidManifestError} ERR_INVALID_MANIFEST, with every fault; when the name or the version is all that is
 *   wrong, ERR_INVALID_NAME or ERR_INVALID_VERSION in its place
 */
export function parseManifest(file: ManifestFile, bytes: Uint8Array): ManifestFields {
  const format = FORMATS[file]
  return completeManifest(file, format.draft(readDocument(file, decode(file, bytes))))
}

/**
 * The manifest as it is but for its version. Nothing else changes, not a space.
 *
 * @throws {InvalidManifestError} ERR_INVALID_MANIFEST, it cannot be read, or has its version in no plain place
 */
export function withVersion(file: ManifestFile, bytes: Uint8Array, version: Version): Uint8Array {
  const { home, versionPattern, namePattern, assignment } = FORMATS[file]
  const text = decode(file, bytes)
  const wanted = readDocument(file, text)
  const table = home(wanted)
  const hasVersion = table.version !== undefined
  table.version = version
  for (const { index, 0: match, 1: before = '' } of text.matchAll(
    hasVersion ? versionPattern : namePattern
  )) {
    const [replaced, replacement] = hasVersion
      ? [match, before + JSON.stringify(version)]
      : ['', assignment(JSON.stringify(version))]
    const candidate = text.slice(0, index) + replacement + text.slice(index + replaced.length)
    // A place may only look like the version, as one in a comment or of a dependency: reading it again tells.
    if (isDeepStrictEqual(tryRead(file, candidate), wanted)) return new TextEncoder().encode(candidate)
  }
  throw new InvalidManifestError(file, [
    { path: 'version', reason: 'stands where it cannot be changed by itself' }
  ])
}

function tryRead(file: ManifestFile, text: string): unknown {
  try {
    return readDocument(file, text)
  } catch {
    return undefined
  }
}

function readDocument(file: ManifestFile, text: string): Record<string, unknown> {
  let document: unknown
  try {
    document = FORMATS[file].parse(text)
  } catch (cause) {
    const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n')
    throw new InvalidManifestError(file, [{ path: '', reason: `${reason}${place(cause)}` }], cause)
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new InvalidManifestError(file, [{ path: '', reason: 'holds no table' }])
  }
  return { ...document }
}

/** The TOML parser knows the line; JSON's says it in its message. */
function place(cause: unknown): string {
  if (!(cause instanceof Error) || !('line' in cause) || !('column' in cause)) return ''
  return ` (line ${cause.line}, column ${cause.column})`
}

function decode(file: ManifestFile, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new InvalidManifestError(file, [{ path: '', reason: 'is not UTF-8' }], cause)
  }
}
