import { createReadStream } from 'node:fs'
import type { AbortOptions } from '@registry/types'
import { parse, TomlError } from 'smol-toml'
import type { P2PConfigOverrides } from './config.ts'
import { type GivenValue, readEnvironment, valueOfText } from './environment.ts'
import { type ConfigFault, type ConfigOrigin, ConfigUnreadableError, InvalidConfigError } from './errors.ts'
import { assemble, type ConfigValues, checkTogether, fault, parseValues } from './parse-config.ts'
import { SETTINGS } from './schema.ts'

const MAX_FILE_BYTES = 1024 * 1024

/** One flag of a command line that sets something. */
export interface ConfigFlag {
  /** `section.key` */
  path: string
  /** As it is written, `--listen`. */
  flag: string
  /** A text is read as that of a variable is; undefined is a flag that was not given. */
  value: unknown
}

export interface ConfigSources extends AbortOptions {
  /** A TOML file, at most 1 MiB. */
  file?: string
  /** All variables of the process; those that do not start with `REGISTRY_` are left alone. */
  env?: Readonly<Record<string, string | undefined>>
  flags?: readonly ConfigFlag[]
}

/** What was chosen, and where each value comes from, by `section.key`. */
export interface LoadedConfig {
  overrides: P2PConfigOverrides
  origins: Map<string, ConfigOrigin>
}

/**
 * Reads the settings of a file, over them those of the environment, over them those of flags. Each source has to be
 * valid by itself, also where a stronger one overrides it.
 *
 * @throws {ConfigUnreadableError} ERR_CONFIG_UNREADABLE
 * @throws {InvalidConfigError} ERR_INVALID_CONFIG with every fault of every source
 */
export async function loadConfig({
  file,
  env = {},
  flags = [],
  signal
}: ConfigSources): Promise<LoadedConfig> {
  const values: ConfigValues = new Map()
  const origins = new Map<string, ConfigOrigin>()
  const faults: ConfigFault[] = []

  const take = (source: unknown, originOf: (path: string) => ConfigOrigin | undefined): void => {
    const parsed = parseValues(source, originOf)
    faults.push(...parsed.faults)
    for (const [path, value] of parsed.values) {
      values.set(path, value)
      const origin = originOf(path)
      if (origin !== undefined) origins.set(path, origin)
    }
  }

  if (file !== undefined) {
    const origin: ConfigOrigin = { kind: 'file', where: file }
    const table = parseToml(await read(file, signal), origin)
    if ('fault' in table) faults.push(table.fault)
    else take(table.value, () => origin)
  }
  const environment = readEnvironment(env)
  const flagged = readFlags(flags)
  faults.push(...environment.faults, ...flagged.faults)
  for (const { given } of [environment, flagged]) {
    // One at a time, so that a fault in one leaves the others to be checked together.
    for (const { path, value, origin } of given) take(sectionsOf(path, value), () => origin)
  }
  faults.push(...checkTogether(values, (path) => origins.get(path)))
  if (faults.length > 0) throw new InvalidConfigError(faults)
  return { overrides: assemble(values), origins }
}

function readFlags(flags: readonly ConfigFlag[]): { given: GivenValue[]; faults: ConfigFault[] } {
  const given: GivenValue[] = []
  const faults: ConfigFault[] = []
  for (const { path, flag, value } of flags) {
    if (value === undefined) continue
    const origin: ConfigOrigin = { kind: 'flag', where: flag }
    if (SETTINGS.some((setting) => setting.path === path)) given.push({ path, value, origin })
    else faults.push(fault(path, 'is not a setting', origin))
  }
  return { given, faults }
}

function sectionsOf(path: string, value: unknown): unknown {
  const setting = SETTINGS.find((one) => one.path === path)
  if (setting === undefined) return {}
  const meant = typeof value === 'string' ? valueOfText(setting.form, value) : value
  return { [setting.section]: { [setting.key]: meant } }
}

function parseToml(text: string, origin: ConfigOrigin): { value: unknown } | { fault: ConfigFault } {
  try {
    return { value: parse(text) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const { line, column } = error
    const what = error.message.split('\n')[0]?.replace('Invalid TOML document: ', '')
    const reason = `line ${line}, column ${column}: ${what}`
    return { fault: { path: '', reason, origin, line, column } }
  }
}

async function read(file: string, signal: AbortSignal | undefined): Promise<string> {
  const chunks: Buffer[] = []
  try {
    // Not its size but what comes out of it is bounded: it may be a pipe.
    const options = { end: MAX_FILE_BYTES, ...(signal === undefined ? {} : { signal }) }
    for await (const chunk of createReadStream(file, options)) chunks.push(chunk)
  } catch (error) {
    signal?.throwIfAborted()
    throw new ConfigUnreadableError(file, error instanceof Error ? error.message : String(error), error)
  }
  const bytes = Buffer.concat(chunks)
  if (bytes.length > MAX_FILE_BYTES) {
    throw new ConfigUnreadableError(file, `it has more than ${MAX_FILE_BYTES} bytes`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new ConfigUnreadableError(file, 'it is not UTF-8 text', error)
  }
}
