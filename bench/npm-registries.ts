import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { freePort } from '../e2e/src/free-port.ts'
import { startHelper, stopProcess } from './child.ts'
import type { StaticFile, StaticInit } from './npm-static-process.ts'

/** A registry as a process of its own. */
export interface RunningRegistry {
  /** Without a slash at its end. */
  url: string
  pid: number
  stop(): Promise<void>
}

/** Verdaccio with everything on this machine: no other registry behind it, no accounts, no page. */
export async function startVerdaccio(folder: string): Promise<RunningRegistry> {
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const config = join(folder, 'config.yaml')
  await writeFile(
    config,
    [
      `storage: ${join(folder, 'storage')}`,
      `auth: { htpasswd: { file: ${join(folder, 'htpasswd')}, max_users: -1 } }`,
      'uplinks: {}',
      "packages: { '@*/*': { access: $all, publish: $anonymous }, '**': { access: $all, publish: $anonymous } }",
      'web: { enable: false }',
      'max_body_size: 200mb',
      // It is asked by one machine more often than it would take from one.
      'userRateLimit: { windowMs: 1000, max: 1000000 }',
      'log: { type: stdout, format: json, level: fatal }'
    ].join('\n')
  )
  const require = createRequire(import.meta.url)
  const program = join(dirname(require.resolve('verdaccio/package.json')), 'bin/verdaccio')
  const child = spawn(process.execPath, [program, '--config', config, '--listen', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'inherit']
  })
  const url = `http://127.0.0.1:${port}`
  while (!(await isServing(url))) {
    if (child.exitCode !== null) throw new Error(`verdaccio ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { url, pid: child.pid ?? 0, stop: () => stopProcess(child) }
}

/** A server with answers that lie ready in memory. */
export async function startStatic(
  folder: string,
  files: Readonly<Record<string, StaticFile>>,
  signal: AbortSignal
): Promise<RunningRegistry> {
  await mkdir(folder, { recursive: true })
  const init: StaticInit = { file: join(folder, 'files.json') }
  await writeFile(init.file, JSON.stringify(files))
  const helper = startHelper<never, StaticReady>('npm-static-process.ts', init, isReady)
  const { url, pid } = await helper.next(isReady, signal)
  return { url, pid, stop: () => helper.stop() }
}

/** Seconds of processor that a process has used, and its memory in bytes; undefined where the system does not tell. */
export async function usageOf(
  pid: number
): Promise<{ cpuSeconds: number; residentBytes: number } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const resident = /VmRSS:\s+(\d+)/.exec(status)?.[1] ?? '0'
    // Fields 14 and 15 of proc(5), in ticks of a hundredth of a second.
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
      residentBytes: Number(resident) * 1024
    }
  } catch {
    return undefined
  }
}

interface StaticReady {
  kind: 'ready'
  url: string
  pid: number
}

function isReady(value: unknown): value is StaticReady {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'ready'
}

async function isServing(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/-/ping`)).ok
  } catch {
    return false
  }
}
