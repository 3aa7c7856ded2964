import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { controlFilePath } from '@registry/control'

const bin = join(import.meta.dirname, '../../src/bin.ts')

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** A folder to work in, and the command line run in it as a process, from the source. */
export interface Workplace extends AsyncDisposable {
  readonly folder: string
  /** The options of a peer that this machine's other peers do not notice. */
  readonly quiet: readonly string[]
  run(...args: string[]): Promise<Ended>
  /** As `run`; rejects when it failed, else resolves to its lines of JSON. */
  json(...args: string[]): Promise<Array<Record<string, never>>>
  /** As `run` with `--json`; resolves to the code and the error it failed with. */
  refusal(...args: string[]): Promise<{ exit: number | null; code: string; hint: string; details: unknown }>
  spawn(...args: string[]): { child: ChildProcess; ended: Promise<Ended> }
  /** Starts a peer in the background; its data folder is `name`. */
  startPeer(name: string, ...args: string[]): Promise<{ peerId: string; addresses: string[]; pid: number }>
}

let workplaces = 0

export async function openWorkplace(): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-cli-'))
  const network = `cli-${process.pid}-${++workplaces}`
  const quiet = [
    '--network',
    network,
    '--no-mdns',
    '--http',
    '127.0.0.1:0',
    '--listen',
    '/ip4/127.0.0.1/tcp/0'
  ]
  const dataDirs: string[] = []
  const { REGISTRY_DATA_DIR: _, ...env } = process.env

  const start: Workplace['spawn'] = (...args) => {
    const node = ['--disable-warning=ExperimentalWarning', '--conditions=@registry/source', bin]
    const child = spawn(process.execPath, [...node, ...args], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }))
    return { child, ended }
  }
  const run: Workplace['run'] = (...args) => start(...args).ended

  return {
    folder,
    quiet,
    run,
    async json(...args) {
      const { code, stdout, stderr } = await run(...args, '--json')
      if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}\n${stderr}`)
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    },
    async refusal(...args) {
      const { code: exit, stdout, stderr } = await run(...args, '--json')
      if (stdout !== '') throw new Error(`${args.join(' ')} failed and yet printed ${stdout}`)
      return { exit, ...JSON.parse(stderr) }
    },
    spawn: start,
    async startPeer(name, ...args) {
      dataDirs.push(join(folder, name))
      const { code, stdout, stderr } = await run(
        'start',
        '--daemon',
        '--json',
        '--data-dir',
        name,
        ...quiet,
        ...args
      )
      if (code !== 0) throw new Error(stderr)
      return JSON.parse(stdout)
    },
    async [Symbol.asyncDispose]() {
      for (const dataDir of dataDirs) {
        try {
          process.kill(JSON.parse(await readFile(controlFilePath(dataDir), 'utf8')).pid, 'SIGKILL')
        } catch {
          // It has ended by itself.
        }
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
