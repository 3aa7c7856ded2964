import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
const overview = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8')
const cli = join(import.meta.dirname, '../../../apps/cli/src/bin.ts')
const [, oneMachine = '', twoMachines = ''] = readme.split(/^## (?:One machine|Two machines)$/m)

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'registry-example-'))
  // `registry` as an installation would have it, but from the source, so that nothing has to be built.
  const command = join(folder, 'registry')
  writeFileSync(
    command,
    `#!/bin/sh\nexec "${process.execPath}" --conditions=@registry/source "${cli}" "$@"\n`
  )
  chmodSync(command, 0o755)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the commands of the overview', () => {
  const sectionOf = (title: string): string =>
    overview.split(/^## /m).find((one) => one.startsWith(title)) ?? ''

  it('do what they say, in the order in which they stand', { timeout: 120_000 }, async () => {
    const cwd = mkdtempSync(join(folder, 'overview-'))
    const env = {
      REGISTRY_DATA_DIR: join(cwd, 'data'),
      REGISTRY_HTTP: '127.0.0.1:0',
      REGISTRY_NETWORK: `overview-${process.pid}`
    }
    const { code, output } = await shell(blocks(sectionOf('Use it\n')).join('\n'), { cwd, env })
    expect(code, output).toBe(0)
    expect(output).toContain('my-package')
    expect(existsSync(join(cwd, 'my-package-0.1.0.tgz'))).toBe(true)
  })

  it.skipIf(!canMakeHosts())(
    'bring a package from npm on one machine to npm on another, here two network namespaces (skipped where they cannot be made)',
    { timeout: 120_000 },
    async () => {
      const section = sectionOf('Use it with npm')
      const hosts = makeHosts()
      try {
        const on = async (host: 'one' | 'two', script: string, first?: string): Promise<string> => {
          const cwd = join(folder, `npm-${host}`)
          mkdirSync(cwd, { recursive: true })
          const { code, output } = await shell(script, {
            cwd,
            host: hosts[host],
            env: { ...homeOf(cwd), FIRST: first }
          })
          expect(code, output).toBe(0)
          return output
        }
        const started = await on('one', blocks(section, 'one').join('\n'))
        const first = /\/ip4\/10\.77\.\d+\.1\/tcp\/\d+\/p2p\/\w+/.exec(started)?.[0]
        expect(first, started).toBeDefined()
        const output = await on('two', blocks(section, 'two').join('\n'), first)
        expect(output).toContain('added 1 package')
        expect(existsSync(join(folder, 'npm-two/node_modules/my-kit/package.json'))).toBe(true)
        for (const host of ['one', 'two'] as const) await on(host, 'registry stop')
      } finally {
        hosts.remove()
      }
    }
  )
})

describe('the commands of the README', () => {
  it('make a network of three peers on one machine', { timeout: 120_000 }, async () => {
    const cwd = mkdtempSync(join(folder, 'one-'))
    const { code, output } = await shell(blocks(oneMachine).join('\n'), { cwd })
    expect(output).toContain('a kit for the web')
    expect(output).toMatch(/web-kit@0\.1\.0|web-kit\s+0\.1\.0/)
    expect(output).toContain('0.2.0')
    expect(code, output).toBe(0)
  })

  it.skipIf(!canMakeHosts())(
    'make a network of two machines, here two network namespaces (skipped where they cannot be made)',
    { timeout: 120_000 },
    async () => {
      const [startOne = '', ...restOfOne] = blocks(twoMachines, 'one')
      const two = blocks(twoMachines, 'two')
      const hosts = makeHosts()
      try {
        const cwds = { one: mkdtempSync(join(folder, 'one-')), two: mkdtempSync(join(folder, 'two-')) }
        const started = await shell(startOne, { cwd: cwds.one, host: hosts.one })
        expect(started.code, started.output).toBe(0)
        const first = /\/ip4\/10\.77\.\d+\.1\/tcp\/4801\/p2p\/\w+/.exec(started.output)?.[0]
        expect(first, started.output).toBeDefined()
        const fetched = await shell(two.join('\n'), { cwd: cwds.two, host: hosts.two, env: { FIRST: first } })
        expect(fetched.code, fetched.output).toBe(0)
        expect(existsSync(join(cwds.two, 'web-kit-0.1.0.tgz'))).toBe(true)
        const [findByItself = ''] = two.map((block) => block.replace(' --bootstrap "$FIRST"', ''))
        const alone = `${findByItself.split('\n')[0]?.replace('--data-dir peer', '--data-dir alone')}
          for _ in $(seq 40); do registry search web --json --data-dir alone | grep -q '"web-kit"' && break; sleep 0.5; done
          registry get web-kit --data-dir alone --out alone.tgz
          registry stop --data-dir alone`
        const found = await shell(alone, { cwd: cwds.two, host: hosts.two })
        expect(found.code, `without an address, by multicast DNS: ${found.output}`).toBe(0)
        const stopped = await shell(restOfOne.join('\n'), { cwd: cwds.one, host: hosts.one })
        expect(stopped.code, stopped.output).toBe(0)
      } finally {
        hosts.remove()
      }
    }
  )
})

/** The `sh` blocks of a section, those of one host only where they say so. */
function blocks(section: string, host?: string): string[] {
  const fence = host === undefined ? '```sh' : `\`\`\`sh host=${host}`
  return section
    .split('\n```\n')
    .filter((part) => part.includes(`${fence}\n`))
    .map((part) => part.slice(part.lastIndexOf(`${fence}\n`) + fence.length + 1))
}

/** A user of his own, with nothing of whoever runs the tests. */
function homeOf(home: string): Record<string, string | undefined> {
  const foreign = Object.keys(process.env).filter((key) => /^(npm_|pnpm_|xdg_)/i.test(key))
  return { ...Object.fromEntries(foreign.map((key) => [key, undefined])), HOME: home }
}

/** Runs commands as one shell session that ends at the first failure; then ends whatever peers it has left behind. */
function shell(
  script: string,
  options: { cwd: string; host?: string; env?: Record<string, string | undefined> }
): Promise<{ code: number | null; output: string }> {
  const into = options.host === undefined ? [] : ['ip', 'netns', 'exec', options.host]
  const [command = 'bash', ...args] = [...into, 'bash', '-euxo', 'pipefail', '-c', script]
  const env = { ...process.env, ...options.env, PATH: `${folder}:${process.env.PATH}` }
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.once('error', reject)
    child.once('exit', (code) => {
      if (code !== 0) stopPeers(options.cwd)
      resolve({ code, output })
    })
  })
}

function stopPeers(cwd: string): void {
  const found = spawnSync('find', [cwd, '-name', 'control.json'], { encoding: 'utf8' }).stdout
  for (const file of found.split('\n').filter(Boolean)) {
    try {
      process.kill(JSON.parse(readFileSync(file, 'utf8')).pid, 'SIGKILL')
    } catch {
      // It has ended by itself meanwhile.
    }
  }
}

function canMakeHosts(): boolean {
  const name = `registry-probe-${process.pid}`
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return false
  spawnSync('ip', ['netns', 'delete', name])
  return true
}

/** Two hosts on one wire: network namespaces that a veth pair joins. */
function makeHosts(): { one: string; two: string; remove(): void } {
  const id = process.pid % 250
  const names = [`registry-${process.pid}-1`, `registry-${process.pid}-2`] as const
  const ip = (...args: string[]): void => {
    const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
  }
  for (const name of names) ip('netns', 'add', name)
  ip(
    'link',
    'add',
    `rg${id}a`,
    'netns',
    names[0],
    'type',
    'veth',
    'peer',
    'name',
    `rg${id}b`,
    'netns',
    names[1]
  )
  for (const [index, name] of names.entries()) {
    const link = index === 0 ? `rg${id}a` : `rg${id}b`
    ip('-n', name, 'address', 'add', `10.77.${id}.${index + 1}/24`, 'dev', link)
    ip('-n', name, 'link', 'set', 'lo', 'up')
    ip('-n', name, 'link', 'set', link, 'up')
    ip('-n', name, 'route', 'add', '224.0.0.0/4', 'dev', link)
  }
  return {
    one: names[0],
    two: names[1],
    remove: () => {
      for (const name of names) ip('netns', 'delete', name)
    }
  }
}
