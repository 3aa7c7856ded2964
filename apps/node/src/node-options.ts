import type { ConfigFlag } from '@registry/config'
import { type Command, Option } from 'commander'
import { UsageError } from './errors.ts'
import { LOG_LEVELS, type LogLevel } from './line-logger.ts'

/** What was written on the command line. */
export interface NodeOptions {
  dataDir?: string
  configFile?: string
  logFile?: string
  logLevel: LogLevel
  /** One line of JSON in place of text. */
  json: boolean
  flags: ConfigFlag[]
}

/** Flags that set one setting each; several times where that is a list. */
const SETTING_FLAGS: ReadonlyArray<{ path: string; option: () => Option }> = [
  {
    path: 'network.listenAddresses',
    option: () => repeatable('--listen <multiaddr>', 'listen there for peers (repeatable)')
  },
  {
    path: 'network.announceAddresses',
    option: () =>
      repeatable(
        '--announce <multiaddr>',
        'tell others this address instead of those listened on (repeatable)'
      )
  },
  {
    path: 'bootstrap.nodes',
    option: () =>
      repeatable('--bootstrap <multiaddr>', 'a peer to begin with, ending in /p2p/ID (repeatable)')
  },
  { path: 'network.name', option: () => new Option('--network <name>', 'the network to belong to') },
  {
    path: 'http.listen',
    option: () => new Option('--http <host:port>', 'where the local API listens; port 0 takes any free one')
  },
  {
    path: 'catalogue.mode',
    option: () =>
      new Option('--catalogue <mode>', 'keep the catalogue, or only what is needed').choices([
        'full',
        'light'
      ])
  },
  { path: 'dht.server', option: () => new Option('--dht-server', 'answer DHT queries of others') },
  { path: 'dht.server', option: () => new Option('--no-dht-server', 'only ask in the DHT') },
  { path: 'dht.enabled', option: () => new Option('--no-dht', 'use no DHT') },
  { path: 'bootstrap.mdns', option: () => new Option('--no-mdns', 'look for no peers in the local network') }
]

/** Gives a command every option of a peer. */
export function addNodeOptions(command: Command): Command {
  for (const { option } of SETTING_FLAGS) command.addOption(option())
  return command
    .addOption(
      repeatable('--set <section.key=value>', 'any setting, as in the configuration file (repeatable)')
    )
    .option('--config <file>', 'configuration in TOML; by default config.toml in the data folder')
    .option('--data-dir <folder>', 'where the peer keeps its data (REGISTRY_DATA_DIR)')
    .addOption(new Option('--log-level <level>', 'what to log').choices(LOG_LEVELS).default('info'))
    .option('--log-file <file>', 'log there in place of standard error')
    .option('--json', 'print one line of JSON once the peer serves')
}

/** Reads what a command that `addNodeOptions` has seen was given. @throws ERR_USAGE */
export function readNodeOptions(command: Command): NodeOptions {
  const values: Record<string, unknown> = command.opts()
  const options: NodeOptions = {
    logLevel: LOG_LEVELS.find((level) => level === values.logLevel) ?? 'info',
    json: values.json === true,
    flags: [...settingFlags(command), ...textsOf(values.set).map(readAssignment)]
  }
  if (typeof values.dataDir === 'string') options.dataDir = values.dataDir
  if (typeof values.config === 'string') options.configFile = values.config
  if (typeof values.logFile === 'string') options.logFile = values.logFile
  return options
}

function settingFlags(command: Command): ConfigFlag[] {
  return SETTING_FLAGS.flatMap(({ path, option }) => {
    const one = option()
    const name = one.attributeName()
    const value: unknown = command.getOptionValue(name)
    const isGiven = command.getOptionValueSource(name) === 'cli'
    // `--x` and `--no-x` are two options of one value: each speaks for itself.
    if (!isGiven || (typeof value === 'boolean' && value === one.negate)) return []
    return [{ path, flag: one.long ?? name, value }]
  })
}

function readAssignment(text: string): ConfigFlag {
  const [, path, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (path === undefined || value === undefined) {
    throw new UsageError(
      `${JSON.stringify(text)} sets nothing`,
      'Write it as --set section.key=value, for example --set network.minPeers=8.'
    )
  }
  return { path, flag: '--set', value }
}

function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value, before) => [...textsOf(before), value])
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
