import { type Found, isAbsent, isTable, type ManifestFormat, personText, tableOf } from './manifest-format.ts'
import { toml } from './toml.ts'

/*
 * The manifests of ggen, as they are found: one vocabulary, whose keys moved between tables and changed their shape from
 * release to release. What they hold beside it belongs to ggen and is let be.
 */

/** `[pack]`, and in later releases `[pack.metadata]`. */
export const packToml: ManifestFormat = ggenToml(['pack', 'package', 'gpack'], ['name'])
export const packageToml: ManifestFormat = ggenToml(['package', 'pack', 'gpack'], ['name'])
/** Its `name` is a title for people; what names the package is its `id`. */
export const gpackToml: ManifestFormat = ggenToml(['gpack', 'pack', 'package'], ['id', 'name'])

function ggenToml(tables: readonly string[], nameKeys: readonly string[]): ManifestFormat {
  const tableName = (document: Record<string, unknown>): string | undefined =>
    tables.find((name) => isTable(document[name]))
  return {
    ...toml,
    home(document) {
      const table = document[tableName(document) ?? '']
      return isTable(table) ? table : document
    },
    draft(document) {
      const table = this.home(document)
      const tablePath = tableName(document)
      // A field may stand in the table itself, in its metadata, or in a table at the top of the file.
      const homes: Array<[Record<string, unknown>, string]> = [
        [table, tablePath === undefined ? '' : `${tablePath}.`]
      ]
      if (isTable(table.metadata)) homes.push([table.metadata, `${tablePath ?? ''}.metadata.`])
      if (isTable(document.metadata)) homes.push([document.metadata, 'metadata.'])
      if (table !== document) homes.push([document, ''])
      const find = (keys: readonly string[], shape: (value: unknown, key: string) => unknown): Found => {
        for (const key of keys) {
          for (const [home, prefix] of homes) {
            if (!isAbsent(home[key])) return { value: shape(home[key], key), path: `${prefix}${key}` }
          }
        }
        return { value: undefined, path: `${homes[0]?.[1]}${keys[0]}` }
      }
      return {
        faults: [],
        fields: {
          name: find(nameKeys, asIs),
          version: find(['version'], asIs),
          description: find(['description'], asIs),
          category: find(['category', 'categories'], firstOf),
          tags: find(['tags'], unwrapped),
          keywords: find(['keywords'], unwrapped),
          license: find(['license'], asIs),
          authors: find(['authors', 'author', 'maintainers'], people),
          repository: find(['repository'], asIs),
          homepage: find(['homepage'], asIs),
          dependencies: find(['dependencies'], dependencyMap),
          platforms: find(['platforms'], unwrapped),
          features: find(['features'], featureMap),
          runtimeVersion: find(['runtime', 'ggen_compat'], (value, key) =>
            key === 'ggen_compat' ? `ggen ${value}` : value
          )
        }
      }
    }
  }
}

function asIs(value: unknown): unknown {
  return value
}

/** `[package.tags]` with `tags = […]` in it is met as often as `tags = […]`. */
function unwrapped(value: unknown, key: string): unknown {
  return isTable(value) && key in value ? value[key] : value
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value
}

function people(value: unknown): unknown {
  return (Array.isArray(value) ? value : [value]).map(personText)
}

/** A list of names, of `name@range`, of tables, or a map to a range or to a table with one. */
function dependencyMap(value: unknown, key: string): unknown {
  const list = unwrapped(value, key)
  if (isTable(list)) return tableOf(Object.entries(list).map(([name, range]) => [name, rangeOf(range)]))
  if (!Array.isArray(list)) return list
  return tableOf(
    list.map((item) => {
      if (isTable(item)) return [String(item.name ?? item.id ?? item.pack ?? ''), rangeOf(item)]
      const text = String(item)
      const at = text.indexOf('@', 1)
      return at === -1 ? [text, '*'] : [text.slice(0, at), text.slice(at + 1)]
    })
  )
}

function rangeOf(dependency: unknown): unknown {
  const range = isTable(dependency) ? dependency.version : dependency
  return isAbsent(range) || range === true ? '*' : range
}

/** Names with what each turns on, or sentences about what the package can do. */
function featureMap(value: unknown, key: string): unknown {
  const features = unwrapped(value, key)
  if (Array.isArray(features)) return tableOf(features.map((feature) => [String(feature), '']))
  if (!isTable(features)) return features
  return tableOf(
    Object.entries(features).map(([name, meaning]) => [
      name,
      Array.isArray(meaning) ? meaning.join(', ') : String(meaning)
    ])
  )
}
