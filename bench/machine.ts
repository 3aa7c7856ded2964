import { readFileSync } from 'node:fs'
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os'

/** What a run ran on, one line a fact. */
export function machine(now: Date): string[] {
  const processors = cpus()
  const model = processors[0]?.model.trim() || 'unknown processor'
  return [
    `cpu     ${model}, ${processors.length} cores`,
    `memory  ${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    `os      ${distributionName() ?? type()}, ${type()} ${release()} ${arch()}`,
    `node    ${process.version}`,
    // What else used the processors just before.
    `load    ${loadavg()[0]?.toFixed(2)}`,
    `date    ${now.toISOString()}`
  ]
}

function distributionName(): string | undefined {
  try {
    return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  } catch {
    // Only Linux has this file.
    return undefined
  }
}
