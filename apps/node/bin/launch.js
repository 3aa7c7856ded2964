// Plain JavaScript that Node 18 and later parse: it has to run where the rest cannot.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const OLDEST_MAJOR = 22
const RELAUNCHED = 'REGISTRY_RELAUNCHED'

export function planLaunch({ version, folder, relaunched, exists = existsSync }) {
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return { kind: 'run' }
  for (let at = folder; !relaunched; at = dirname(at)) {
    const node = join(at, 'node_modules', '.bin', 'node')
    if (exists(node)) return { kind: 'relaunch', node }
    if (at === dirname(at)) break
  }
  return {
    kind: 'refuse',
    message: `Node ${OLDEST_MAJOR} or later is needed; this is Node ${version}.\nHint: install a newer Node, or bring one along with \`npm install node@24\` in this folder.`
  }
}

export async function launch(entry) {
  const folder = dirname(fileURLToPath(entry))
  const relaunched = process.env[RELAUNCHED] !== undefined
  const plan = planLaunch({ version: process.versions.node, folder, relaunched })
  if (plan.kind === 'relaunch') return relaunch(plan.node)
  if (plan.kind === 'refuse') return refuse(plan.message)
  if (!existsSync(fileURLToPath(entry))) return refuse('Not built yet.\nHint: run `pnpm run build` first.')
  if (relaunched) {
    delete process.env[RELAUNCHED]
    dieWithParent()
  }
  await import(entry.href)
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
