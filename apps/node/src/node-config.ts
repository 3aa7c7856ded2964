import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ConfigFlag, type HttpConfig, type LoadedConfig, loadConfig } from '@registry/config'
import type { AbortOptions } from '@registry/types'

type Environment = Readonly<Record<string, string | undefined>>

/** Where the HTTP server listens unless told; 4873 is where npm's tools expect a registry of this machine. */
export const HTTP_DEFAULTS: Readonly<HttpConfig> = Object.freeze({ listen: '127.0.0.1:4873' })

export interface NodeConfigSources extends AbortOptions {
  dataDir: string
  /** By default `config.toml` in the data folder, if it is there. */
  configFile?: string
  env?: Environment
  flags?: readonly ConfigFlag[]
}

/** The folder that was named by flag or by `REGISTRY_DATA_DIR`; undefined when neither does. */
export function namedDataDir(flag: string | undefined, env: Environment): string | undefined {
  const named = flag ?? env.REGISTRY_DATA_DIR
  return named === '' ? undefined : named
}

/** The settings of the peer of a data folder. @throws ERR_INVALID_CONFIG, ERR_CONFIG_UNREADABLE */
export function loadNodeConfig(sources: NodeConfigSources): Promise<LoadedConfig> {
  const { dataDir, configFile, ...rest } = sources
  const usual = join(dataDir, 'config.toml')
  const file = configFile ?? (existsSync(usual) ? usual : undefined)
  return loadConfig(file === undefined ? rest : { ...rest, file })
}
