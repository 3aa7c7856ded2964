import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Ended, run } from './process.ts'

const cli = join(import.meta.dirname, '../../apps/cli/src/bin.ts')
const node = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  '--conditions=@registry/source'
] as const

/** A peer as a process of its own, on loopback, found by nobody but those who are given its address. */
export interface PeerProcess extends AsyncDisposable {
  readonly dataDir: string
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly http: string
  readonly pid: number
  /** Runs a verb of the command line against this peer. */
  registry(...args: string[]): Promise<Ended>
  /** As `registry` with `--json`: the lines it printed. Rejects when the verb failed. */
  json(...args: string[]): Promise<Array<Record<string, unknown>>>
  stop(signal?: NodeJS.Signals): Promise<void>
}

export interface PeerProcessOptions {
  dataDir: string
  network: string
  bootstrap?: readonly string[]
  args?: readonly string[]
}

/** Runs a verb of the command line from the source. */
export function registry(args: readonly string[], options: { cwd?: string } = {}): Promise<Ended> {
  return run(node[0], [...node.slice(1), cli, ...args], options)
}

/** The arguments of a `start` that this machine's other peers do not notice. */
export function startArguments(options: PeerProcessOptions): string[] {
  const bootstrap = (options.bootstrap ?? []).flatMap((address) => ['--bootstrap', address])
  return [
    ...['start', '--json', '--data-dir', options.dataDir, '--network', options.network, '--no-mdns'],
    ...['--http', '127.0.0.1:0', '--listen', '/ip4/127.0.0.1/tcp/0'],
    ...bootstrap,
    ...(options.args ?? [])
  ]
}

/** Resolves once the peer serves; rejects with what it said when it does not come up. */
export async function startPeer(options: PeerProcessOptions): Promise<PeerProcess> {
  const child: ChildProcess = spawn(node[0], [...node.slice(1), cli, ...startArguments(options)], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    complaint = (complaint + chunk).slice(-8000)
  })
  const line = await new Promise<string>((resolve, reject) => {
    if (child.stdout !== null) createInterface({ input: child.stdout }).once('line', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the peer ended with ${code}\n${complaint}`)))
  })
  const { peerId, addresses, http } = JSON.parse(line)
  const verb = (...args: string[]): Promise<Ended> => registry([...args, '--data-dir', options.dataDir])
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  return {
    dataDir: options.dataDir,
    peerId,
    addresses,
    http,
    pid: child.pid ?? 0,
    registry: verb,
    json: async (...args) => {
      const ended = await verb(...args, '--json')
      if (ended.code !== 0) {
        throw new Error(
          `${args.join(' ')} ended with ${ended.code}\n${ended.stderr}\nthe peer:\n${complaint}`
        )
      }
      return ended.stdout
        .split('\n')
        .filter(Boolean)
        .map((text) => JSON.parse(text))
    },
    stop,
    [Symbol.asyncDispose]: () => stop()
  }
}
