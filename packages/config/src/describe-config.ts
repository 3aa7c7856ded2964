import type { P2PConfig } from './config.ts'
import { configEnvironment } from './environment.ts'
import type { ConfigOrigin } from './errors.ts'
import type { LoadedConfig } from './load-config.ts'
import { SETTINGS, settingIn } from './schema.ts'

/** One setting as a person may want to see it. */
export interface ConfigRow {
  /** `section.key` */
  path: string
  /** Undefined when it has no default of its own and nobody set it. */
  value: unknown
  origin: ConfigOrigin | { kind: 'default' }
  description: string
  /** Variables that set it, the full name first. */
  env: readonly string[]
  unit?: string
}

/** Every setting with its value in force and where that comes from, in the order of the schema. */
export function describeConfig(defaults: P2PConfig, { overrides, origins }: LoadedConfig): ConfigRow[] {
  return SETTINGS.map((setting, index) => {
    const { path, description, unit } = setting
    const { name, aliases } = configEnvironment[index] ?? { name: '', aliases: [] }
    const origin = origins.get(path)
    const row: ConfigRow = {
      path,
      value: settingIn(origin === undefined ? defaults : overrides, setting),
      origin: origin ?? { kind: 'default' },
      description,
      env: [name, ...aliases]
    }
    if (unit !== undefined) row.unit = unit
    return row
  })
}
