import type { Command } from 'commander'
import { examine, type Finding } from '../doctor/examine.ts'
import { UnhealthyError } from '../errors.ts'
import { print, printJson } from '../output.ts'
import type { CommonOptions } from '../peer.ts'
import { does, verb } from '../verb.ts'

const SIGNS = { ok: '✓', warn: '!', fail: '✗' } as const

interface DoctorOptions extends CommonOptions {
  config?: string
}

export function doctorVerb(): Command {
  const command = verb('doctor', {
    summary: 'Look for what is wrong, and say what to do about it.',
    details: 'Changes nothing. Fails when a check does; a warning is no failure.',
    example: 'registry doctor'
  }).option('--config <file>', 'configuration in TOML; by default config.toml in the data folder')
  return does<[], DoctorOptions>(command, async (options, signal) => {
    const findings = await examine(options, signal)
    if (options.json) printJson({ checks: findings })
    else print(...findings.flatMap(lines))
    const failed = findings.filter(({ status }) => status === 'fail').map(({ check }) => check)
    if (failed.length > 0) throw new UnhealthyError(failed)
  })
}

function lines({ check, status, message, hint }: Finding): string[] {
  const line = `${SIGNS[status]} ${check.padEnd(14)}${message}`
  return hint === undefined ? [line] : [line, `  ${''.padEnd(14)}Hint: ${hint}`]
}
