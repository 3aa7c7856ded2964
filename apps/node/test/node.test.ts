import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConfigFlag } from '@registry/config'
import { controlClient, readControlFile } from '@registry/control'
import { registryStore } from '@registry/store'
import { RegistryError } from '@registry/types'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { defaultNodeConfig, type NodeInit, type RunningNode, startNode } from '../src/index.ts'

let folder: string
const running: RunningNode[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-node-'))
})
afterEach(async () => {
  for (const node of running.splice(0)) await node.stop()
})
afterAll(() => rm(folder, { recursive: true }))

const QUIET: ReadonlyArray<[string, unknown]> = [
  ['network.name', `node-test-${process.pid}`],
  ['network.listenAddresses', ['/ip4/127.0.0.1/tcp/0']],
  ['bootstrap.mdns', false],
  ['http.listen', '127.0.0.1:0']
]

async function start(
  name: string,
  settings: ReadonlyArray<[string, unknown]> = [],
  more: NodeInit = {}
): Promise<RunningNode> {
  const flags: ConfigFlag[] = [...QUIET, ...settings].map(([path, value]) => ({
    path,
    flag: '--test',
    value
  }))
  const node = await startNode({ dataDir: join(folder, name), env: {}, flags, ...more })
  running.push(node)
  return node
}

describe('a peer', () => {
  it('tells of a stop that failed to whoever asked for it, and to nobody else', async () => {
    const flags: ConfigFlag[] = QUIET.map(([path, value]) => ({ path, flag: '--test', value }))
    const node = await startNode(
      { dataDir: join(folder, 'unstoppable'), env: {}, flags },
      {
        store: (init) => (components) => {
          const store = registryStore(init)(components)
          const stop = store.stop.bind(store)
          store.stop = async () => {
            await stop()
            throw new RegistryError('ERR_STORAGE', 'the disk is gone')
          }
          return store
        }
      }
    )
    // vitest fails a run in which a rejection was left unhandled.
    await expect(node.stop()).rejects.toMatchObject({ code: 'ERR_STORAGE' })
  })

  it('serves its local API, tells where by a file, and takes both away when it stops', async () => {
    const node = await start('serves')
    const file = await readControlFile(node.dataDir)
    expect(file).toMatchObject({ url: node.http, pid: process.pid, peerId: node.peerId })
    expect(node.addresses).toEqual([expect.stringContaining(`/p2p/${node.peerId}`)])
    const client = controlClient(file)
    expect(await client.status()).toMatchObject({ peerId: node.peerId, dataDir: node.dataDir })
    const settings = new Map((await client.config()).map((row) => [row.path, row.origin]))
    expect(settings.get('bootstrap.mdns')).toEqual({ kind: 'flag', where: '--test' })
    expect(settings.get('sync.intervalMs')).toEqual({ kind: 'default' })

    await node.stop()
    await node.stopped
    await expect(readControlFile(node.dataDir)).rejects.toMatchObject({ code: 'ERR_NO_PEER' })
    await expect(client.status()).rejects.toMatchObject({ code: 'ERR_NO_PEER' })
  })

  it('stops when its local API is told so, and its folder is free by then', async () => {
    const node = await start('told')
    await controlClient(await readControlFile(node.dataDir)).shutdown()
    const again = await start('told')
    await node.stopped
    expect(again.peerId).toBe(node.peerId)
  })

  it('finds another peer, which has what it published', async () => {
    const first = await start('first')
    const second = await start('second', [['bootstrap.nodes', [...first.addresses]]])
    const files = { 'package.json': JSON.stringify({ name: 'kit', version: '1.0.0' }) }
    const receipt = await first.registry.publish({ kind: 'files', files })
    await expect.poll(() => second.registry.exists('kit'), { timeout: 20_000 }).toBe(true)
    const fetched = await controlClient(await readControlFile(second.dataDir)).get('kit')
    expect(fetched?.package.cid).toBe(receipt.cid)
  })

  it('that is light finds what another one holds, and says that it has asked', async () => {
    const holder = await start('holder')
    const files = { 'package.json': JSON.stringify({ name: 'far-kit', version: '1.0.0' }) }
    await holder.registry.publish({ kind: 'files', files })
    await holder.registry.deprecate('far-kit', 'old')
    const light = await start('light', [
      ['catalogue.mode', 'light'],
      ['bootstrap.nodes', [...holder.addresses]]
    ])
    const client = controlClient(await readControlFile(light.dataDir))
    await expect
      .poll(() => client.searchPage({ keywords: ['kit'] }), { timeout: 20_000 })
      .toMatchObject({
        results: [{ package: { name: 'far-kit' } }],
        completeness: { state: 'partial', askedHolders: 1 }
      })
    const details = await client.details('far-kit')
    expect(details).toMatchObject({ package: { deprecated: 'old' }, completeness: { state: 'partial' } })
    const fetched = await client.get('far-kit')
    expect(await Array.fromAsync(fetched?.content() ?? [])).not.toEqual([])
  })

  it('removes what a crash has left of uploads', async () => {
    const uploads = join(folder, 'crashed/uploads')
    await mkdir(uploads, { recursive: true })
    await writeFile(join(uploads, 'half.tgz'), 'half')
    await start('crashed')
    expect(existsSync(join(uploads, 'half.tgz'))).toBe(false)
  })

  it('reads config.toml of its folder, the environment over it, and flags over that', async () => {
    const dataDir = join(folder, 'configured')
    await mkdir(dataDir)
    await writeFile(
      join(dataDir, 'config.toml'),
      '[network]\nminPeers = 1\nmaxConnections = 11\n[sync]\nintervalMs = 5000\n'
    )
    const env = {
      REGISTRY_MAX_CONNECTIONS: '12',
      REGISTRY_SYNC_INTERVAL_MS: '6000',
      REGISTRY_DATA_DIR: dataDir
    }
    const flags: ConfigFlag[] = [...QUIET, ['sync.intervalMs', '7000'] as const].map(([path, value]) => ({
      path,
      flag: '--test',
      value
    }))
    const node = await startNode({ env, flags })
    running.push(node)
    expect(node.dataDir).toBe(dataDir)
    const rows = await controlClient(await readControlFile(dataDir)).config()
    const settings = new Map(rows.map(({ path, value, origin }) => [path, [value, origin.kind]]))
    expect(settings.get('network.minPeers')).toEqual([1, 'file'])
    expect(settings.get('network.maxConnections')).toEqual([12, 'environment'])
    expect(settings.get('sync.intervalMs')).toEqual([7000, 'flag'])
  })
})

describe('a peer that cannot start', () => {
  it.each([
    ['on an address that others could reach', [['http.listen', '0.0.0.0:0']], 'ERR_HTTP_NOT_LOOPBACK'],
    [
      'with a bootstrap address that is none',
      [['bootstrap.nodes', ['/ip4/127.0.0.1/tcp/1']]],
      'ERR_INVALID_ADDRESS'
    ],
    ['with a setting that is none', [['network.minPears', '1']], 'ERR_INVALID_CONFIG']
  ] satisfies Array<[string, Array<[string, unknown]>, string]>)(
    '%s has not made its folder',
    async (_what, settings, code) => {
      await expect(start('never', settings)).rejects.toMatchObject({ code })
      expect(await readdir(folder)).not.toContain('never')
    }
  )

  it('because its HTTP port is taken leaves its folder free', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const taken = start('port', [['http.listen', `127.0.0.1:${port}`]])
    await expect(taken).rejects.toMatchObject({ code: 'ERR_PORT_IN_USE' })
    other.close()
    await start('port')
  })

  it('because another has its folder leaves that one alone', async () => {
    const first = await start('shared')
    await expect(start('shared')).rejects.toMatchObject({ code: 'ERR_DATA_DIR_IN_USE' })
    expect((await readControlFile(first.dataDir)).url).toBe(first.http)
    expect(await controlClient(await readControlFile(first.dataDir)).exists('kit')).toBe(false)
  })
})

describe('the npm registry', () => {
  it('is at the same address, of the same packages', async () => {
    const node = await start('npm', [['gateway.publicUrl', 'https://packages.example.org']])
    const manifest = JSON.stringify({ name: 'kit', version: '1.0.0' })
    await node.registry.publish({ kind: 'files', files: { 'package.json': manifest } })
    const document = await (await fetch(`${node.http}/kit`)).json()
    const tarball = `https://packages.example.org/@${node.registry.owner}/kit/-/kit-1.0.0.tgz`
    expect(document).toMatchObject({
      'dist-tags': { latest: '1.0.0' },
      versions: { '1.0.0': { dist: { tarball } } }
    })
    expect((await fetch(`${node.http}/kit`, { method: 'PUT', body: '{}' })).status).toBe(401)
    expect(await (await fetch(`${node.http}/-/registry/v1/ping`)).json()).toMatchObject({ registry: 'p2p' })
  })
})

describe('the defaults', () => {
  it('are known for every section', async () => {
    const { http, gateway, network, ...rest } = await defaultNodeConfig()
    expect(gateway).toEqual({ origins: [], mirrors: [] })
    expect(http).toEqual({ listen: '127.0.0.1:4873' })
    expect(network.maxConnections).toBe(100)
    expect(Object.keys(rest).sort()).toEqual([
      'bootstrap',
      'catalogue',
      'dht',
      'gossipsub',
      'limits',
      'names',
      'security',
      'storage',
      'sync'
    ])
  })
})
