import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type ControlClient, controlClient, readControlFile } from '@registry/control'
import { stopProcess } from './child.ts'

const DAEMON = join(import.meta.dirname, '../apps/node/src/bin.ts')
const START_TIMEOUT_MS = 60_000

/** A running peer, and the local API by which programs of its user talk to it. */
export interface Peer {
  readonly peerId: string
  readonly pid: number
  readonly dataDir: string
  readonly client: ControlClient
}

export interface PeersInit {
  count: number
  /** Settings of the last one that differ from the defaults, by their path. */
  lastSettings: Readonly<Record<string, string>>
}

/**
 * Runs `count` peers of a network of their own, each a process with its own data folder, on loopback, found only through
 * the first. However `act` ends, they have ended and their folders are gone when this settles.
 */
export async function withPeers<T>(
  { count, lastSettings }: PeersInit,
  signal: AbortSignal,
  act: (peers: readonly Peer[]) => Promise<T>
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-bench-network-'))
  const network = `bench-${randomBytes(4).toString('hex')}`
  const children: ChildProcess[] = []
  const start = async (index: number, bootstrap: readonly string[]): Promise<[Peer, string[]]> => {
    const dataDir = join(folder, String(index))
    const args = ['--json', '--data-dir', dataDir, '--network', network, '--no-mdns']
    args.push('--http', '127.0.0.1:0', '--listen', '/ip4/127.0.0.1/tcp/0')
    for (const address of bootstrap) args.push('--bootstrap', address)
    const settings = index === count - 1 ? lastSettings : {}
    for (const [path, value] of Object.entries(settings)) args.push('--set', `${path}=${value}`)
    const child = spawn(process.execPath, ['--conditions=@registry/source', DAEMON, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Of its own: a terminal's Ctrl-C reaches it through us, when its network is no longer measured.
      detached: true,
      env: unconfigured(process.env)
    })
    children.push(child)
    const addresses = await untilServing(child, signal)
    const { url, token, peerId } = await readControlFile(dataDir)
    return [{ peerId, pid: child.pid ?? 0, dataDir, client: controlClient({ url, token }) }, addresses]
  }
  try {
    const [first, addresses] = await start(0, [])
    const others = await Promise.all(
      Array.from({ length: count - 1 }, (_, index) => start(index + 1, addresses))
    )
    return await act([first, ...others.map(([peer]) => peer)])
  } finally {
    await Promise.all(children.map(stopProcess))
    await rm(folder, { recursive: true, force: true })
  }
}

/** The environment without settings of the person's own peers. */
function unconfigured(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('REGISTRY_')))
}

/** Resolves to the peer's addresses once it has said that it serves. */
async function untilServing(child: ChildProcess, signal: AbortSignal): Promise<string[]> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)])
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    complaint = (complaint + chunk).slice(-4000)
  })
  return await new Promise((resolve, reject) => {
    if (deadline.aborted) return reject(deadline.reason)
    deadline.addEventListener('abort', () => reject(deadline.reason))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`a peer ended with code ${code}\n${complaint}`)))
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).once('line', (line) => {
        try {
          resolve(JSON.parse(line).addresses)
        } catch (error) {
          reject(error)
        }
      })
    }
  })
}
