import type { ConfigFault, ConfigOrigin } from './errors.ts'
import { SETTINGS, type SettingForm } from './schema.ts'
import { didYouMean } from './suggest.ts'

/** The variables that set one setting. Setting two of them at once is a fault. */
export interface ConfigVariable {
  path: string
  /** `REGISTRY_` and the path in capitals. */
  name: string
  /** Shorter names of the same. */
  aliases: readonly string[]
}

/** A value of one setting, a text perhaps that stands for it, and where it was written. */
export interface GivenValue {
  path: string
  value: unknown
  origin: ConfigOrigin
}

const PREFIX = 'REGISTRY_'

/** Tells where the peer keeps its data, this configuration's file perhaps among it, so it cannot be a setting itself. */
const DATA_DIR = 'REGISTRY_DATA_DIR'

const SECTION_PREFIXES: readonly string[] = [
  ...new Set(SETTINGS.map(({ section }) => `${PREFIX}${section.toUpperCase()}_`))
]

const ALIASES: ReadonlyMap<string, readonly string[]> = new Map([
  ['network.name', ['REGISTRY_NETWORK']],
  ['network.listenAddresses', ['REGISTRY_LISTEN']],
  ['network.maxConnections', ['REGISTRY_MAX_CONNECTIONS']],
  ['bootstrap.nodes', ['REGISTRY_BOOTSTRAP']],
  ['gossipsub.meshSize', ['REGISTRY_GOSSIP_MESH_SIZE']],
  ['http.listen', ['REGISTRY_HTTP']]
])

/** The variables of every setting, in the order of the schema. */
export const configEnvironment: readonly ConfigVariable[] = Object.freeze(
  SETTINGS.map(({ path }) => {
    const screaming = path
      .replaceAll('.', '_')
      .replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_')
      .toUpperCase()
    return Object.freeze({ path, name: `${PREFIX}${screaming}`, aliases: ALIASES.get(path) ?? [] })
  })
)

/**
 * The values that the environment sets. Faults are variables that say the same thing twice, and unknown ones that begin
 * like those of a section or are near to a known name.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  given: GivenValue[]
  faults: ConfigFault[]
} {
  const given: GivenValue[] = []
  const faults: ConfigFault[] = []
  const known = new Set([DATA_DIR])
  for (const { path, name, aliases } of configEnvironment) {
    const names = [name, ...aliases]
    for (const one of names) known.add(one)
    const [first, second] = names.filter((one) => env[one] !== undefined)
    if (first === undefined) continue
    const origin: ConfigOrigin = { kind: 'environment', where: first }
    if (second !== undefined)
      faults.push({ path, reason: `is also set by ${second}; keep one of them`, origin })
    given.push({ path, value: env[first], origin })
  }
  for (const name of Object.keys(env)) {
    if (!name.startsWith(PREFIX) || known.has(name) || env[name] === undefined) continue
    // Other programs have variables of this prefix too: only one that was meant for us is a fault.
    const suggestion = didYouMean(name, [...known], PREFIX)
    if (suggestion === '' && !SECTION_PREFIXES.some((prefix) => name.startsWith(prefix))) continue
    const reason = `is not a variable of the registry${suggestion}`
    faults.push({ path: name, reason, origin: { kind: 'environment', where: name } })
  }
  return { given, faults }
}

/** What a text of a variable or flag means; one that means nothing is left to the schema to refuse. */
export function valueOfText(form: SettingForm, text: string): unknown {
  if (form === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  if (form === 'number' && /^\d+$/.test(text)) return Number(text)
  if (form !== 'list' && form !== 'numbers') return text
  const items = text.trim() === '' ? [] : text.split(',').map((item) => item.trim())
  return form === 'list' ? items : items.map((item) => valueOfText('number', item))
}
