import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const bin = join(import.meta.dirname, '../src/bin.ts')
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-node-process-'))
})
afterAll(() => rm(folder, { recursive: true }))

function start(...args: string[]): {
  child: ChildProcess
  ended: Promise<{ code: number; stdout: string; stderr: string }>
} {
  const options = [
    '--network',
    `process-${process.pid}`,
    '--no-mdns',
    '--http',
    '127.0.0.1:0',
    '--listen',
    '/ip4/127.0.0.1/tcp/0'
  ]
  const node = ['--disable-warning=ExperimentalWarning', '--conditions=@registry/source', bin]
  const child = spawn(process.execPath, [...node, ...options, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }))
  return { child, ended }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) return ''
  const [line] = await once(createInterface({ input: stdout }), 'line')
  return line
}

describe('registry-node', { timeout: 60_000 }, () => {
  it('prints one line of JSON once it serves, and ends with 0 at SIGTERM, leaving no control file', async () => {
    const dataDir = join(folder, 'json')
    const { child, ended } = start('--json', '--data-dir', dataDir, '--log-level', 'silent')
    const line = JSON.parse(await firstLine(child))
    expect(Object.keys(line)).toEqual(['peerId', 'addresses', 'http'])
    const answer = await fetch(`${line.http}/-/registry/v1/ping`)
    expect(await answer.json()).toEqual({ registry: 'p2p', version: 1 })
    expect(existsSync(join(dataDir, 'control.json'))).toBe(true)
    child.kill('SIGTERM')
    const { code, stdout, stderr } = await ended
    expect([code, stdout.split('\n').length, stderr]).toEqual([0, 2, ''])
    expect(existsSync(join(dataDir, 'control.json'))).toBe(false)
  })

  it('tells people who it is and how to stop it, and ends with 0 at a Ctrl-C that comes twice', async () => {
    const logFile = join(folder, 'peer.log')
    const { child, ended } = start(
      '--data-dir',
      join(folder, 'text'),
      '--log-file',
      logFile,
      '--log-level',
      'debug'
    )
    await firstLine(child)
    child.kill('SIGINT')
    child.kill('SIGINT')
    const { code, stdout, stderr } = await ended
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Peer +12D3Koo/)
    expect(stdout).toContain('Ctrl-C')
    expect(await readFile(logFile, 'utf8')).toMatch(
      /Z info registry:node the peer serves .*\n.*the peer has stopped\n$/s
    )
  })

  it('says in a sentence with a hint why it cannot start', async () => {
    const dataDir = join(folder, 'corrupt')
    const config = join(folder, 'broken.toml')
    await writeFile(config, '[network]\nmaxConnections = "many"\n')
    const text = await start('--data-dir', dataDir, '--config', config).ended
    expect(text).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/maxConnections.*\n(.*\n)*Hint: /)
    })
    const json = await start('--data-dir', dataDir, '--config', config, '--json').ended
    expect(JSON.parse(json.stderr)).toMatchObject({ code: 'ERR_INVALID_CONFIG', hint: expect.any(String) })
    expect(await start('--no-such-option').ended).toMatchObject({ code: 2, stdout: '' })
  })
})
