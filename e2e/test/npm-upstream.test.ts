import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packPackage } from '@registry/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NPM_CLIENTS, type NpmClient, type NpmClientName, npmClient } from '../src/npm-client.ts'
import { type PeerProcess, startPeer } from '../src/peer.ts'

/** Another registry on loopback: a few packages that need each other, and how often it was asked for what. */
class OtherRegistry {
  readonly asked: string[] = []
  readonly #documents = new Map<string, object>()
  readonly #tarballs = new Map<string, Buffer>()
  readonly #server: Server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/')
    const tarball = this.#tarballs.get(path)
    const document = this.#documents.get(path.slice(1))
    // npm asks for warnings with every installation.
    if (request.method === 'POST') return void response.end('{}')
    this.asked.push(path)
    if (tarball !== undefined) return void response.end(tarball)
    if (document === undefined) return void response.writeHead(404).end('{}')
    response.end(JSON.stringify(document))
  })
  url = ''

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    this.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async add(home: string, name: string, dependencies: Record<string, string> = {}): Promise<void> {
    const manifest = { name, version: '1.0.0', main: 'index.js', dependencies }
    const folder = join(home, 'sources', name.replace('/', '-'))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
    await writeFile(join(folder, 'index.js'), `module.exports = ${JSON.stringify(name)}\n`)
    const { path } = await packPackage(folder)
    const bytes = await readFile(path)
    const file = `/${name}/-/${name.slice(name.indexOf('/') + 1)}-1.0.0.tgz`
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
    this.#tarballs.set(file, bytes)
    this.#documents.set(name, {
      name,
      'dist-tags': { latest: '1.0.0' },
      versions: { '1.0.0': { ...manifest, dist: { tarball: this.url + file, integrity } } },
      // Older than what the age gates of pnpm and yarn hold back.
      time: { created: '2020-01-01', modified: '2020-01-01', '1.0.0': '2020-01-01T00:00:00.000Z' }
    })
  }
}

const other = new OtherRegistry()
let home: string
let peers: PeerProcess[]
let folders = 0

function at(index: number): PeerProcess {
  const peer = peers[index]
  if (peer === undefined) throw new Error('two peers were started')
  return peer
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'registry-upstream-'))
  await other.listen()
  await other.add(home, 'leaf')
  await other.add(home, '@deep/branch', { leaf: '^1.0.0' })
  await other.add(home, 'trunk', { '@deep/branch': '1', leaf: '*' })
  const start = async (name: string, bootstrap: readonly string[]): Promise<PeerProcess> => {
    const dataDir = join(home, name)
    await mkdir(dataDir, { mode: 0o700 })
    const config = `[gateway]\norigins = ["@ours/* peers", "* ${other.url}/"]\nmirrors = ["*"]\n`
    await writeFile(join(dataDir, 'config.toml'), config)
    return startPeer({ dataDir, network: `upstream-${process.pid}`, bootstrap })
  }
  const one = await start('one', [])
  peers = [one, await start('two', one.addresses)]
  await at(1).json('peers', 'connect', String(at(0).addresses[0]))
}, 60_000)

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop()))
  await other.close()
  await rm(home, { recursive: true, force: true })
})

async function install(
  name: NpmClientName,
  peer: PeerProcess,
  files: Record<string, string> = {}
): Promise<{ client: NpmClient; folder: string }> {
  const client = await npmClient(name, { folder: join(home, `client-${++folders}`), registry: peer.http })
  const folder = join(home, `app-${folders}`)
  await mkdir(folder)
  const manifest = { name: 'app', version: '1.0.0', private: true, dependencies: { trunk: '^1' } }
  const all = { 'package.json': JSON.stringify(manifest), 'yarn.lock': '', ...files }
  for (const [file, text] of Object.entries(all)) {
    if (file !== 'yarn.lock' || client.family === 'yarn-4') await writeFile(join(folder, file), text)
  }
  const ended = await client.run(['install'], folder)
  if (ended.code !== 0)
    throw new Error(`${name} install ended with ${ended.code}\n${ended.stdout}${ended.stderr}`)
  return { client, folder }
}

async function installedName(folder: string, name: string): Promise<string> {
  return JSON.parse(await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')).name
}

describe('packages of another registry', () => {
  it('are asked for there once, and by the second machine not at all', async () => {
    const first = await install('npm-11', at(0))
    expect(await installedName(first.folder, 'trunk')).toBe('trunk')
    const tarballs = other.asked.filter((path) => path.endsWith('.tgz'))
    expect(tarballs.sort()).toEqual([
      '/@deep/branch/-/branch-1.0.0.tgz',
      '/leaf/-/leaf-1.0.0.tgz',
      '/trunk/-/trunk-1.0.0.tgz'
    ])
    other.asked.length = 0
    const second = await install('npm-11', at(1))
    expect(await installedName(second.folder, '@deep/branch')).toBe('@deep/branch')
    expect(other.asked).toEqual([])
  })

  it('are installed from a lockfile by a machine that never asked for them', async () => {
    const { folder } = await install('npm-10', at(0))
    const lock = await readFile(join(folder, 'package-lock.json'), 'utf8')
    other.asked.length = 0
    await install('npm-10', at(1), { 'package-lock.json': lock.replaceAll(at(0).http, at(1).http) })
    expect(other.asked).toEqual([])
  })

  it('are not asked for where a rule says that they come from peers', async () => {
    other.asked.length = 0
    const answer = await fetch(`${at(0).http}/@ours%2fkit`)
    expect([answer.status, other.asked]).toEqual([404, []])
  })
})

describe('packages of a registry that is away', () => {
  beforeAll(async () => {
    // Both forms of the documents, as one client or another asks for them.
    await install('pnpm-12', at(0))
    await other.close()
    await at(1).stop()
    peers[1] = await startPeer({
      dataDir: at(1).dataDir,
      network: `upstream-${process.pid}`,
      bootstrap: at(0).addresses
    })
    await at(1).json('peers', 'connect', String(at(0).addresses[0]))
  }, 60_000)

  it.for(NPM_CLIENTS)('are installed by %s all the same', async (name) => {
    for (const peer of [at(1), at(0)]) {
      const { folder } = await install(name, peer)
      expect(await installedName(folder, 'trunk')).toBe('trunk')
    }
  })

  it('are told apart from what was never there', async () => {
    const answer = await fetch(`${at(1).http}/never-heard-of`)
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ code: 'ERR_UPSTREAM_UNAVAILABLE' })
  })
})
