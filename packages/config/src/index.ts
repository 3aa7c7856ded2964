/**
 * @packageDocumentation
 *
 * One schema for every setting of a peer. Settings come from a TOML file, from environment variables over it and from
 * flags over those, each with its origin; whatever is wrong is reported at once. Holds no defaults: they belong to the
 * layers that use them.
 */

export type {
  BootstrapConfig,
  BootstrapNode,
  CatalogueConfig,
  DhtConfig,
  GossipsubConfig,
  HttpConfig,
  LimitsConfig,
  NamesConfig,
  NetworkConfig,
  NetworkProtocol,
  P2PConfig,
  P2PConfigOverrides,
  SecurityConfig,
  StorageConfig,
  SyncConfig
} from './config.ts'
export { defaultDataDir } from './data-dir.ts'
export { type ConfigRow, describeConfig } from './describe-config.ts'
export { type ConfigVariable, configEnvironment } from './environment.ts'
export {
  type ConfigFault,
  type ConfigOrigin,
  ConfigUnreadableError,
  InvalidConfigError
} from './errors.ts'
export { type ConfigFlag, type ConfigSources, type LoadedConfig, loadConfig } from './load-config.ts'
export { parseConfig } from './parse-config.ts'
