import type { z } from 'zod'
import type { P2PConfigOverrides } from './config.ts'
import { type ConfigFault, type ConfigOrigin, InvalidConfigError } from './errors.ts'
import { OVERRIDES, SETTINGS, settingIn } from './schema.ts'
import { didYouMean } from './suggest.ts'

/** Values by `section.key`, those that were set. */
export type ConfigValues = Map<string, unknown>

/** Of each pair, the first must not be above the second when both are set. */
const ORDERED = [
  ['network.minPeers', 'network.maxConnections'],
  ['gossipsub.historyGossip', 'gossipsub.historyLength'],
  ['gossipsub.meshLow', 'gossipsub.meshSize'],
  ['gossipsub.meshSize', 'gossipsub.meshHigh']
] as const

/**
 * Reads settings that a program or a parser of some format gives as sections of keys.
 *
 * @throws {InvalidConfigError} ERR_INVALID_CONFIG with every fault, keys that are not known included
 */
export function parseConfig(value: unknown): P2PConfigOverrides {
  const { values, faults } = parseValues(value)
  if (faults.length === 0) faults.push(...checkTogether(values))
  if (faults.length > 0) throw new InvalidConfigError(faults)
  return assemble(values)
}

/** The values of one source, and what is wrong with it, each fault with the origin of its setting. */
export function parseValues(
  value: unknown,
  originOf: (path: string) => ConfigOrigin | undefined = () => undefined
): { values: ConfigValues; faults: ConfigFault[] } {
  const parsed = OVERRIDES.safeParse(value)
  if (!parsed.success) {
    return { values: new Map(), faults: parsed.error.issues.flatMap((issue) => faultsOf(issue, originOf)) }
  }
  const values: ConfigValues = new Map()
  for (const setting of SETTINGS) {
    const given = settingIn(parsed.data, setting)
    if (given !== undefined) values.set(setting.path, given)
  }
  return { values, faults: [] }
}

/** What is wrong between values that are each valid. */
export function checkTogether(
  values: ConfigValues,
  originOf: (path: string) => ConfigOrigin | undefined = () => undefined
): ConfigFault[] {
  const unordered = ORDERED.flatMap(([low, high]) => {
    const [lower, upper] = [values.get(low), values.get(high)]
    if (typeof lower !== 'number' || typeof upper !== 'number' || lower <= upper) return []
    return [fault(low, `must not be above ${high}, which is ${upper}`, originOf(low))]
  })
  return [...unordered, ...shardFaults(values, originOf)]
}

/** Shards need a number of them to be of, and a peer that keeps a part of the catalogue is not light. */
function shardFaults(
  values: ConfigValues,
  originOf: (path: string) => ConfigOrigin | undefined
): ConfigFault[] {
  const path = 'catalogue.shards'
  const shards = values.get(path)
  if (!Array.isArray(shards)) return []
  const bits = values.get('catalogue.shardBits') ?? 0
  const count = typeof bits === 'number' ? 2 ** bits : 0
  const reasons: string[] = []
  if (shards.some((shard) => shard >= count)) {
    reasons.push(`must be below ${count}, the number of shards that catalogue.shardBits ${bits} makes`)
  }
  if (new Set(shards).size < shards.length) reasons.push('must not name a shard twice')
  if (values.get('catalogue.mode') === 'light')
    reasons.push('must be left out where catalogue.mode is "light"')
  return reasons.map((reason) => fault(path, reason, originOf(path)))
}

/** Sections of keys out of values that were parsed. */
export function assemble(values: ConfigValues): P2PConfigOverrides {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const { path, section, key } of SETTINGS) {
    if (!values.has(path)) continue
    const keys = sections[section] ?? {}
    keys[key] = values.get(path)
    sections[section] = keys
  }
  return sections as P2PConfigOverrides
}

export function fault(path: string, reason: string, origin: ConfigOrigin | undefined): ConfigFault {
  return origin === undefined ? { path, reason } : { path, reason, origin }
}

function faultsOf(
  issue: z.core.$ZodIssue,
  originOf: (path: string) => ConfigOrigin | undefined
): ConfigFault[] {
  const at = issue.path.map(String)
  const origin = originOf(at.slice(0, 2).join('.'))
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      fault(pathText([...at, key]), `is not known${suggestion(at, key)}`, origin)
    )
  }
  const isTable = issue.code === 'invalid_type' && issue.expected === 'object'
  const name = at.length === 0 ? 'configuration' : pathText(at)
  return [fault(name, isTable ? 'must be a table' : issue.message, origin)]
}

function suggestion(at: readonly string[], key: string): string {
  const sections = [...new Set(SETTINGS.map(({ section }) => section))]
  const beside =
    at.length === 0 ? sections : SETTINGS.filter(({ section }) => section === at[0]).map((one) => one.key)
  const near = didYouMean(key, beside)
  if (near !== '') return near
  const elsewhere = SETTINGS.find((setting) => setting.key === key)
  return elsewhere === undefined ? '' : `; did you mean ${elsewhere.path}?`
}

/** `network.listenAddresses[1]` */
function pathText(path: readonly string[]): string {
  return path.map((part, index) => (index === 2 ? `[${part}]` : index === 0 ? part : `.${part}`)).join('')
}
