import type { ManifestFault } from './errors.ts'
import { type Found, isAbsent, isTable, type ManifestFormat, personText, tableOf } from './manifest-format.ts'

/**
 * npm's manifest. What npm has no field for may stand in a table `registry`: `category`, `tags`, `platforms`, `features`
 * and `runtime`; without it the tags are npm's keywords, the platforms its `os` and the runtime its `engines.node`.
 */
export const packageJson: ManifestFormat = {
  parse: (text) => JSON.parse(text),
  home: (document) => document,
  versionPattern: /("version"\s*:\s*)"[^"\n]*"/g,
  namePattern: /"name"\s*:/g,
  assignment: (quoted) => `"version": ${quoted}, `,
  draft(document) {
    const at = (key: string): Found => ({ value: document[key], path: key })
    const ours = isTable(document.registry) ? document.registry : {}
    const extra = (key: string, otherwise: Found): Found =>
      isAbsent(ours[key]) ? otherwise : { value: ours[key], path: `registry.${key}` }
    const faults: ManifestFault[] = []
    if (document.private === true)
      faults.push({ path: 'private', reason: 'says that it must not be published' })
    const keywords: Found = { value: keywordList(document.keywords), path: 'keywords' }
    return {
      faults,
      fields: {
        name: at('name'),
        version: at('version'),
        description: at('description'),
        category: extra('category', { value: undefined, path: 'registry.category' }),
        tags: extra('tags', keywords),
        keywords,
        license: { value: licenseText(document), path: 'license' },
        authors: { value: authorList(document), path: 'author' },
        repository: {
          value: isTable(document.repository) ? document.repository.url : document.repository,
          path: 'repository'
        },
        homepage: at('homepage'),
        dependencies: { value: requiredDependencies(document), path: 'dependencies' },
        platforms: extra('platforms', { value: document.os, path: 'os' }),
        features: extra('features', { value: undefined, path: 'registry.features' }),
        runtimeVersion: extra('runtime', { value: nodeRange(document.engines), path: 'engines.node' })
      }
    }
  }
}

/** npm bounds no list. Of people and keywords a release names as many as it has room for. */
const MAX_LISTED = 64

/** npm reads a text as a list, too. */
function keywordList(keywords: unknown): unknown {
  const list: unknown = typeof keywords === 'string' ? keywords.split(/[\s,]+/) : keywords
  return Array.isArray(list) ? list.slice(0, MAX_LISTED) : list
}

/** Before 2015 a license was an object, and several a list. */
function licenseText({ license, licenses }: Record<string, unknown>): unknown {
  const type = (value: unknown): unknown => (isTable(value) ? value.type : value)
  if (!isAbsent(license) || !Array.isArray(licenses)) return type(license)
  return licenses.map(type).join(' OR ')
}

function authorList({ author, contributors }: Record<string, unknown>): unknown {
  if (!isAbsent(contributors) && !Array.isArray(contributors)) return contributors
  return [author, ...(Array.isArray(contributors) ? contributors : [])]
    .filter((person) => !isAbsent(person))
    .slice(0, MAX_LISTED)
    .map(personText)
}

/** As npm does: what is optional is no longer required, even if it stands in both places. */
function requiredDependencies({ dependencies, optionalDependencies }: Record<string, unknown>): unknown {
  if (!isTable(dependencies)) return dependencies
  const optional = isTable(optionalDependencies) ? optionalDependencies : {}
  return tableOf(Object.entries(dependencies).filter(([name]) => !Object.hasOwn(optional, name)))
}

function nodeRange(engines: unknown): unknown {
  return isTable(engines) && !isAbsent(engines.node) ? `node ${engines.node}` : undefined
}
