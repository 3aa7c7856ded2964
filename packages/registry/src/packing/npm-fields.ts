import { posix } from 'node:path'
import { type NpmFields, parseNpmFields, type Release } from '@registry/types'
import { isTable } from './manifest-format.ts'

/** What the rest of a tarball says to npm beside its `package.json`. */
export interface NpmHints {
  shasum: string
  hasShrinkwrap: boolean
  /** npm builds what has a `binding.gyp` when nothing else is said. */
  hasBindingGyp: boolean
}

/**
 * What npm's clients need of a package beyond its release, read from its `package.json` with npm's own tolerance: what has
 * not its shape says nothing. Undefined when the file is not about this release, which another manifest describes.
 *
 * @throws {InvalidValueError} ERR_INVALID_VALUE, more or longer than a record may say
 */
export function readNpmFields(
  packageJson: Uint8Array,
  { name, version, dependencies }: Pick<Release, 'name' | 'version' | 'dependencies'>,
  { shasum, hasShrinkwrap, hasBindingGyp }: NpmHints
): NpmFields | undefined {
  const document = tableIn(packageJson)
  if (document === undefined || document.name !== name || document.version !== version) return undefined
  const optionalDependencies = textTable(document.optionalDependencies)
  const scripts = textTable(document.scripts) ?? {}
  const isBuilt = hasBindingGyp && document.gypfile !== false
  const runs = isBuilt || ['preinstall', 'install', 'postinstall'].some((script) => script in scripts)
  const bundled = document.bundleDependencies ?? document.bundledDependencies
  return parseNpmFields(
    withoutEmpty({
      shasum,
      optionalDependencies,
      peerDependencies: textTable(document.peerDependencies),
      optionalPeers: optionalPeers(document.peerDependenciesMeta),
      bundled: bundled === true ? Object.keys({ ...dependencies, ...optionalDependencies }) : texts(bundled),
      bin: commands(document.bin, name),
      engines: textTable(document.engines),
      os: texts(document.os),
      cpu: texts(document.cpu),
      libc: texts(document.libc),
      hasInstallScript: runs ? true : undefined,
      hasShrinkwrap: hasShrinkwrap ? true : undefined
    }),
    'package.json'
  )
}

function tableIn(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return isTable(document) ? document : undefined
  } catch {
    return undefined
  }
}

/** The entries that are text. */
function textTable(value: unknown): Record<string, string> | undefined {
  if (!isTable(value)) return undefined
  const table: Record<string, string> = Object.create(null)
  for (const [key, item] of Object.entries(value)) if (typeof item === 'string') table[key] = item
  return table
}

function texts(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined
}

function optionalPeers(meta: unknown): string[] | undefined {
  if (!isTable(meta)) return undefined
  return Object.entries(meta).flatMap(([name, about]) => {
    return isTable(about) && about.optional === true ? [name] : []
  })
}

/** As npm normalises it: neither a command nor its file leads out of the package. */
function commands(bin: unknown, name: string): Record<string, string> | undefined {
  const table = typeof bin === 'string' ? { [posix.basename(name)]: bin } : textTable(bin)
  if (table === undefined) return undefined
  const result: Record<string, string> = Object.create(null)
  for (const [command, file] of Object.entries(table)) {
    const base = posix.basename(posix.join('/', command.replaceAll(/\\|:/g, '/')))
    const target = posix.join('/', file.replaceAll('\\', '/')).slice(1)
    if (base !== '' && target !== '') result[base] = target
  }
  return result
}

function withoutEmpty(fields: Record<string, unknown>): Record<string, unknown> {
  const isSaid = (value: unknown): boolean =>
    value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isSaid(value)))
}
