// A network of three peers on this machine, from nothing: publishes this repository's own packages on the first, waits
// until the others have them, searches on the second, gets one on the third and compares it byte for byte.
// `--exit` ends there, with 0 or 1; without it the network stays up until Ctrl-C.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { quietEnvironment, root, workspacePackages } from './workspace.ts'

const DEADLINE_MS = 60_000
const POLL_MS = 200

interface Peer {
  readonly name: string
  readonly dataDir: string
  readonly process: ChildProcess
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly http: string
}

interface Published {
  readonly name: string
  readonly version: string
  readonly cid: string
  readonly integrity: string
}

const exitWhenDone = process.argv.slice(2).includes('--exit')
const registry = join(root, 'node_modules/.bin/registry')
const workDir = mkdtempSync(join(tmpdir(), 'registry-quickstart-'))
const network = `quickstart-${randomBytes(4).toString('hex')}`
const running: ChildProcess[] = []
let interrupted = false
let exitCodeWhenInterrupted = 130
let endWait: () => void = () => {}

process.on('SIGINT', interrupt)
process.on('SIGTERM', interrupt)

try {
  await main()
} catch (error) {
  if (!interrupted) {
    console.error(`\n✗ ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
} finally {
  await Promise.all(running.map(stop))
  rmSync(workDir, { recursive: true, force: true })
}

async function main(): Promise<void> {
  console.log('\nA package registry with no server in the middle: three peers on this machine.\n')
  await step('build', () => run('turbo', ['run', 'build', '--output-logs=errors-only'], root))
  const first = await step('start the first peer', () => startPeer('first', []))
  const bootstrap = first.addresses.filter(
    (address) => address.includes('/tcp/') && !address.includes('/ws/')
  )
  const [second, third] = await step('start two more, which know only the first', () =>
    Promise.all([startPeer('second', bootstrap), startPeer('third', bootstrap)])
  )
  const tarballs = await step("pack this repository's packages as npm tarballs", packOwnPackages)
  const published = await step(`publish ${tarballs.length} packages on the first peer`, () =>
    cli<Published>(first, ['publish', ...tarballs, '--json'])
  )
  if (published.length !== tarballs.length)
    throw new Error(`only ${published.length} packages were published`)
  await step('wait until the other two have them all', () =>
    Promise.all([second, third].map((peer) => untilReleases(peer, published.length)))
  )
  const words = ['content', 'routing']
  const [found] = await step(`search "${words.join(' ')}" on the second peer`, () =>
    cli<{ results: Array<{ name: string; version: string; score: number; peerCount: number }> }>(second, [
      'search',
      ...words,
      '--json'
    ])
  )
  for (const { name, version, score, peerCount } of (found?.results ?? []).slice(0, 3)) {
    console.log(`    ${name}@${version}  score ${score.toFixed(2)}, held by ${peerCount}`)
  }
  const best = found?.results[0]
  if (best === undefined) throw new Error('the search found nothing')
  const file = join(workDir, 'fetched.tgz')
  await step(`get ${best.name} on the third peer`, () =>
    cli(third, ['get', best.name, '--out', file, '--json'])
  )
  await step('verify it: hash, and every byte against what was published', async () => {
    const original = published.find((receipt) => receipt.name === best.name)
    const bytes = readFileSync(file)
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
    if (integrity !== original?.integrity) throw new Error(`${best.name} has another hash than was published`)
    const source = tarballs.find((path) => readFileSync(path).equals(bytes))
    if (source === undefined) throw new Error(`${best.name} differs from the tarball that was published`)
  })
  if (exitWhenDone) {
    console.log('\nAll of it worked. Without --exit the network would now stay up for you to try.\n')
    return
  }
  tellHowToGoOn([first, second, third])
  exitCodeWhenInterrupted = 0
  await new Promise<void>((resolve) => {
    endWait = resolve
  })
}

async function startPeer(name: string, bootstrap: readonly string[]): Promise<Peer> {
  const dataDir = join(workDir, name)
  const args = [
    'start',
    '--json',
    '--data-dir',
    dataDir,
    '--network',
    network,
    '--http',
    '127.0.0.1:0',
    '--no-mdns'
  ]
  args.push('--listen', '/ip4/127.0.0.1/tcp/0', '--listen', '/ip4/127.0.0.1/tcp/0/ws')
  for (const address of bootstrap) args.push('--bootstrap', address)
  // Its own process group: Ctrl-C reaches the peers through us, after we have said so.
  const child = spawn(registry, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  running.push(child)
  let complaint = ''
  child.stderr.on('data', (chunk) => {
    complaint = (complaint + chunk).slice(-4000)
  })
  const line = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the ${name} peer did not start in time`)), DEADLINE_MS)
    createInterface({ input: child.stdout }).once('line', (text) => {
      clearTimeout(timer)
      resolve(text)
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the ${name} peer ended with code ${code}\n${complaint}`)))
  })
  const { peerId, addresses, http } = JSON.parse(line)
  return { name, dataDir, process: child, peerId, addresses, http }
}

async function packOwnPackages(): Promise<string[]> {
  const folder = join(workDir, 'tarballs')
  mkdirSync(folder)
  for (const member of workspacePackages()) {
    await run('pnpm', ['pack', '--pack-destination', folder], join(root, member.folder))
  }
  return readdirSync(folder)
    .sort()
    .map((file) => join(folder, file))
}

async function untilReleases(peer: Peer, expected: number): Promise<void> {
  const deadlineMs = Date.now() + DEADLINE_MS
  for (;;) {
    const [status] = await cli<{ releases: number }>(peer, ['status', '--json'])
    if (status !== undefined && status.releases >= expected) return
    if (Date.now() > deadlineMs) {
      throw new Error(`the ${peer.name} peer has ${status?.releases} of ${expected} releases after a minute`)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function tellHowToGoOn([first, second, third]: readonly [Peer, Peer, Peer]): void {
  const command = relative(process.cwd(), registry) || registry
  const at = (peer: Peer, verb: string): string => `  ${command} ${verb} --data-dir ${peer.dataDir}`
  console.log(`
The network stays up until Ctrl-C. Go on by hand in another terminal:

${at(first, 'status')}
${at(second, 'search store')}
${at(third, 'get @registry/types')}

Publish a package of your own on the first, while the second tells what it hears of:

${at(second, 'subscribe')}
  ${command} init my-package
${at(first, 'publish my-package')}
`)
}

async function step<T>(title: string, act: () => Promise<T>): Promise<T> {
  const startedMs = performance.now()
  const live = process.stdout.isTTY === true
  if (live) process.stdout.write(`… ${title}`)
  try {
    const result = await act()
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    process.stdout.write(`${live ? '\r' : ''}✓ ${title} (${seconds} s)\n`)
    return result
  } catch (error) {
    if (live) process.stdout.write('\n')
    throw error
  }
}

/** Runs a verb against a peer; resolves to its lines of JSON. */
async function cli<T>(peer: Peer, args: readonly string[]): Promise<T[]> {
  const output = await run(registry, [...args, '--data-dir', peer.dataDir], workDir)
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as T)
}

function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: quietEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let complaint = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      complaint = (complaint + chunk).slice(-4000)
    })
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ${args[0]} ended with code ${code}\n${complaint}`))
    })
  })
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    const force = setTimeout(() => child.kill('SIGKILL'), 10_000)
    child.once('exit', () => {
      clearTimeout(force)
      resolve()
    })
    child.kill('SIGTERM')
  })
}

function interrupt(): void {
  if (interrupted) process.exit(130)
  interrupted = true
  console.log('\nStopping the peers …')
  process.exitCode = exitCodeWhenInterrupted
  endWait()
  for (const child of running) child.kill('SIGTERM')
}

if (!existsSync(registry)) throw new Error('registry is not linked: run pnpm install')
