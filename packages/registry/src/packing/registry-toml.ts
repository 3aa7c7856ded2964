import { isRegistryError, parsePackageReference } from '@registry/types'
import semver from 'semver'
import type { ManifestFault } from './errors.ts'
import { type Found, isTable, type ManifestFormat } from './manifest-format.ts'
import { toml } from './toml.ts'

const TABLES = ['package', 'dependencies', 'features']
const KEYS = [
  'name',
  'version',
  'description',
  'category',
  'tags',
  'keywords',
  'license',
  'authors',
  'repository',
  'homepage',
  'platforms',
  'runtime'
]

/** Our own manifest, for packages of any kind. Strict: a key that it does not know is a fault, so that none is misspelt. */
export const registryToml: ManifestFormat = {
  ...toml,
  home: (document) => (isTable(document.package) ? document.package : {}),
  draft(document) {
    const table = this.home(document)
    const at = (key: string): Found => ({ value: table[key], path: `package.${key}` })
    const faults: ManifestFault[] = [
      ...unknownKeys(document, TABLES, ''),
      ...unknownKeys(table, KEYS, 'package.'),
      ...dependencyFaults(document.dependencies)
    ]
    return {
      faults,
      fields: {
        name: at('name'),
        version: at('version'),
        description: at('description'),
        category: at('category'),
        tags: at('tags'),
        keywords: at('keywords'),
        license: at('license'),
        authors: at('authors'),
        repository: at('repository'),
        homepage: at('homepage'),
        platforms: at('platforms'),
        runtimeVersion: at('runtime'),
        dependencies: { value: document.dependencies, path: 'dependencies' },
        features: { value: document.features, path: 'features' }
      }
    }
  }
}

function unknownKeys(
  table: Record<string, unknown>,
  known: readonly string[],
  prefix: string
): ManifestFault[] {
  return Object.keys(table)
    .filter((key) => !known.includes(key))
    .map((key) => ({ path: `${prefix}${key}`, reason: `is not known; known are ${known.join(', ')}` }))
}

function dependencyFaults(dependencies: unknown): ManifestFault[] {
  if (!isTable(dependencies)) return []
  const faults: ManifestFault[] = []
  for (const [name, range] of Object.entries(dependencies)) {
    const path = `dependencies.${name}`
    try {
      const reference = parsePackageReference(name)
      if (reference.range !== undefined || reference.tag !== undefined) {
        faults.push({ path, reason: 'must have its range as its value' })
      }
    } catch (error) {
      if (!isRegistryError(error)) throw error
      faults.push({ path, reason: `names no package: ${error.details.reason}` })
    }
    if (typeof range === 'string' && semver.validRange(range) === null) {
      faults.push({ path, reason: `${JSON.stringify(range)} is neither a version nor a range` })
    }
  }
  return faults
}
