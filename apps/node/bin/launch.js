// Plain JavaScript that Node 18 and later parse: it has to run where the rest cannot.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The first with `node:sqlite` as it is used here. */
const OLDEST = '22.13'
const FETCHED_MAJOR = 24
const RELAUNCHED = 'REGISTRY_RELAUNCHED'

export function planLaunch({ version, folder, relaunched, exists = existsSync }) {
  if (isAtLeast(version, OLDEST)) return { kind: 'run' }
  for (let at = folder; !relaunched; at = dirname(at)) {
    const node = join(at, 'node_modules', '.bin', 'node')
    if (exists(node)) return { kind: 'relaunch', node }
    if (at === dirname(at)) break
  }
  return { kind: relaunched ? 'refuse' : 'fetch' }
}

export async function launch(entry) {
  const folder = dirname(fileURLToPath(entry))
  const relaunched = process.env[RELAUNCHED] !== undefined
  const plan = planLaunch({ version: process.versions.node, folder, relaunched })
  if (plan.kind === 'relaunch') return relaunch(plan.node)
  if (plan.kind !== 'run') {
    const node = plan.kind === 'fetch' ? fetchNode() : undefined
    return node === undefined ? refuse(tooOld()) : relaunch(node)
  }
  if (!existsSync(fileURLToPath(entry))) return refuse('Not built yet.\nHint: run `pnpm run build` first.')
  if (relaunched) {
    delete process.env[RELAUNCHED]
    dieWithParent()
  }
  await import(entry.href)
}

function isAtLeast(version, oldest) {
  const [[major, minor], [oldestMajor, oldestMinor]] = [version, oldest].map((text) =>
    text.split('.').map(Number)
  )
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

function tooOld() {
  return `Node ${OLDEST} or later is needed; this is Node ${process.versions.node}.\nHint: install a newer Node, or bring one along with \`npm install node@${FETCHED_MAJOR}\` in this folder.`
}

/** A newer Node as npm has it: fetched once into npm's own cache, and found there from then on. */
function fetchNode() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'p2p-registry')
  const note = join(cache, `node-${FETCHED_MAJOR}`)
  const known = existsSync(note) ? readFileSync(note, 'utf8') : ''
  if (known !== '' && existsSync(known)) return known
  process.stderr.write(
    `Node ${process.versions.node} is too old; fetching Node ${FETCHED_MAJOR} with npm, once …\n`
  )
  const command = ['--yes', `--package=node@${FETCHED_MAJOR}`, '--', 'node', '-p', 'process.execPath']
  const { status, stdout } = spawnSync('npx', command, {
    encoding: 'utf8',
    shell: process.platform === 'win32'
  })
  const node = status === 0 ? stdout.trim().split('\n').pop() : ''
  if (!existsSync(node)) return undefined
  mkdirSync(cache, { recursive: true })
  writeFileSync(note, node)
  return node
}

function refuse(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}

/** A parent that was killed outright has passed nothing on: its end closes the channel, and this process must not outlive it. */
function dieWithParent() {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  process.channel?.unref()
}

function relaunch(node) {
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [RELAUNCHED]: '1' }
  })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  // A terminal sends its Ctrl-C to the child as well; passing it on would count it twice.
  const forward = (signal) => (signal === 'SIGINT' && process.stdin.isTTY) || child.kill(signal)
  for (const signal of signals) process.on(signal, forward)
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(refuse(`Cannot start ${node}: ${error.message}`)))
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward)
      if (signal === null) process.exitCode = code
      else process.kill(process.pid, signal)
      resolve()
    })
  })
}
