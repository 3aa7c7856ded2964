import { type ConfigRow, describeConfig } from '@registry/config'
import { defaultNodeConfig, loadNodeConfig } from '@registry/node'
import { isRegistryError } from '@registry/types'
import type { Command } from 'commander'
import { print, printJson, table } from '../output.ts'
import { type CommonOptions, connectToPeer, dataDirOf } from '../peer.ts'
import { does, verb } from '../verb.ts'

interface ConfigOptions extends CommonOptions {
  config?: string
}

export function configVerb(): Command {
  const command = verb('config', {
    summary: 'Print every setting and where its value comes from.',
    details:
      'Of the peer that runs; where none does, or a file is given, what a start from here would use. A value comes from a flag, else the environment, else the file, else it is the default.',
    example: 'registry config --json'
  }).option('--config <file>', 'configuration in TOML; by default config.toml in the data folder')
  return does<[], ConfigOptions>(command, async (options, signal) => {
    const running = options.config === undefined ? await ofRunningPeer(options, signal) : undefined
    const settings = running ?? (await ofNextStart(options, signal))
    if (options.json) return printJson({ running: running !== undefined, settings })
    print(...table(['SETTING', 'VALUE', 'FROM'], settings.map(cells)))
    print(
      '',
      running === undefined ? 'What a start would use; no peer was asked.' : 'What the running peer uses.'
    )
  })
}

async function ofRunningPeer(options: CommonOptions, signal: AbortSignal): Promise<ConfigRow[] | undefined> {
  try {
    const client = await connectToPeer(options, { signal })
    return await client.config({ signal })
  } catch (error) {
    if (isRegistryError(error, 'ERR_NO_PEER')) return undefined
    throw error
  }
}

async function ofNextStart(options: ConfigOptions, signal: AbortSignal): Promise<ConfigRow[]> {
  const dataDir = dataDirOf(options)
  const file = options.config === undefined ? {} : { configFile: options.config }
  const loaded = await loadNodeConfig({ dataDir, env: process.env, signal, ...file })
  return describeConfig(await defaultNodeConfig(), loaded)
}

function cells({ path, value, origin, unit }: ConfigRow): string[] {
  const shown = value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value)
  const from = origin.kind === 'default' ? 'default' : `${origin.kind} ${origin.where}`
  return [path, unit === undefined || value === undefined ? shown : `${shown} ${unit}`, from]
}
