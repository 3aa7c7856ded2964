import { RegistryError } from '@registry/types'

/** Where a value was set: a file, a variable or a flag, by its path or name. */
export interface ConfigOrigin {
  kind: 'file' | 'environment' | 'flag'
  where: string
}

/** One thing that is wrong with the configuration. */
export interface ConfigFault {
  /** `section.key`, or what stands in its place; empty for a file that is not TOML. */
  path: string
  reason: string
  /** Absent for a value that a program handed over. */
  origin?: ConfigOrigin
  /** In a file that is not TOML. */
  line?: number
  column?: number
}

/** The configuration is not valid. `details.faults` and the message have every fault there is, not only the first. */
export class InvalidConfigError extends RegistryError<'ERR_INVALID_CONFIG'> {
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
    super('ERR_INVALID_CONFIG', [`The configuration has ${count}:`, ...faults.map(lineOf)].join('\n  '), {
      hint: 'Correct or remove what is listed.',
      details: { faults }
    })
    this.faults = faults
  }
}

/** The configuration file is not there, cannot be read, or is no text of at most 1 MiB. */
export class ConfigUnreadableError extends RegistryError<'ERR_CONFIG_UNREADABLE'> {
  constructor(file: string, reason: string, cause?: unknown) {
    super(
      'ERR_CONFIG_UNREADABLE',
      `The configuration file ${JSON.stringify(file)} cannot be read: ${reason}`,
      {
        hint: 'Check the path, and that you may read the file.',
        details: { file, reason },
        cause
      }
    )
  }
}

function lineOf({ path, reason, origin }: ConfigFault): string {
  const from = origin === undefined || origin.where === path ? '' : `${origin.kind} ${origin.where}`
  if (path === '') return `${from}: ${reason}`
  return from === '' ? `${path}: ${reason}` : `${path} (${from}): ${reason}`
}
