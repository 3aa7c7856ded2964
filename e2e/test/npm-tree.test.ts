import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { controlClient, readControlFile } from '@registry/control'
import { packPackage, unpackTarball } from '@registry/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NPM_CLIENTS, type NpmClient, type NpmClientName, npmClient } from '../src/npm-client.ts'
import { type PeerProcess, startPeer } from '../src/peer.ts'
import { type RealTree, realPackages, treeOf } from '../src/real-packages.ts'
import { packPackages } from '../src/tarballs.ts'

/** Packages of the tree, at least. */
const COUNT = 200
/** Of our own, those that need nothing with an install script. */
const OWN = ['types', 'timing', 'reconciliation', 'search'] as const
/** Clients that publish a tarball as it is. */
const PUBLISHERS = ['npm-10', 'npm-11', 'pnpm-10', 'pnpm-12'] as const

let home: string
let peers: PeerProcess[]
let tree: RealTree
/** By name and version: a hash of all files, as they were published. */
const published = new Map<string, string>()

function at(index: number): PeerProcess {
  const peer = peers[index]
  if (peer === undefined) throw new Error('three peers were started')
  return peer
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'registry-tree-'))
  const network = `tree-${process.pid}`
  const one = await startPeer({ dataDir: join(home, 'one'), network })
  const two = await startPeer({ dataDir: join(home, 'two'), network, bootstrap: one.addresses })
  peers = [one, two, await startPeer({ dataDir: join(home, 'three'), network, bootstrap: two.addresses })]
  tree = treeOf(await realPackages(), COUNT, await ownNeeds())
  const token = String((await one.json('login', '--print'))[0]?.token)
  await publishTree(token)
  await publishOwn(token)
  for (const peer of [two, at(2)]) await controlClient(await readControlFile(peer.dataDir)).sync()
}, 300_000)

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop()))
  await rm(home, { recursive: true, force: true })
})

/** What our own packages need of others. */
async function ownNeeds(): Promise<Record<string, string>> {
  const manifests = OWN.map((name) => join(import.meta.dirname, '../../packages', name, 'package.json'))
  const needs = await Promise.all(
    manifests.map(async (path) => JSON.parse(await readFile(path, 'utf8')).dependencies)
  )
  const all: Record<string, string> = Object.assign({}, ...needs)
  return Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('@registry/')))
}

/** As npm would, which takes half a second for each to begin. */
async function publishTree(token: string): Promise<void> {
  for (const { folder, manifest } of tree.packages) {
    const { path } = await packPackage(folder)
    const { name, version } = manifest
    await remember(path, name, version)
    const bytes = await readFile(path)
    await rm(dirname(path), { recursive: true })
    const document = {
      _id: name,
      name,
      'dist-tags': { latest: version },
      versions: { [version]: { ...manifest, dist: { integrity: sha512(bytes) } } },
      access: null,
      _attachments: { [`${name}-${version}.tgz`]: { data: bytes.toString('base64'), length: bytes.length } }
    }
    const answer = await fetch(`${at(0).http}/${name.replace('/', '%2f')}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(document)
    })
    if (answer.status !== 201) throw new Error(`${name}@${version} was refused: ${await answer.text()}`)
  }
}

/** Our own packages, each with another client. */
async function publishOwn(token: string): Promise<void> {
  const tarballs = await packPackages()
  for (const [index, name] of OWN.entries()) {
    const path = tarballs.get(`@registry/${name}`) ?? ''
    await remember(path, `@registry/${name}`, '0.1.0')
    const clientName = PUBLISHERS[index % PUBLISHERS.length] ?? 'npm-11'
    const folder = join(home, 'publisher', name)
    const client = await npmClient(clientName, { folder, registry: at(0).http, token })
    const ended = await client.run(['publish', path], folder)
    if (ended.code !== 0) throw new Error(`${clientName} did not publish ${path}: ${ended.stderr}`)
  }
}

async function remember(path: string, name: string, version: string): Promise<void> {
  const folder = join(home, 'unpacked')
  await unpackTarball(path, folder, {})
  published.set(`${name}@${version}`, await hashOf(folder))
  await rm(folder, { recursive: true })
}

function sha512(bytes: Uint8Array): string {
  return `sha512-${createHash('sha512').update(bytes).digest('base64')}`
}

/** Of the paths and bytes of all files, what is installed within aside. */
async function hashOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('node_modules/'))
  for (const path of files.sort()) hash.update(`${path}\0`).update(await readFile(join(folder, path)))
  return hash.digest('hex')
}

/** Every package in a `node_modules`, links not followed. */
async function installedFolders(modules: string): Promise<string[]> {
  const entries = await readdir(modules, { withFileTypes: true }).catch(() => [])
  const folders = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => {
        const folder = join(modules, name)
        if (name === '.pnpm') {
          const virtual = await readdir(folder)
          return (
            await Promise.all(virtual.map((one) => installedFolders(join(folder, one, 'node_modules'))))
          ).flat()
        }
        if (name.startsWith('.')) return []
        if (name.startsWith('@')) return installedFolders(folder)
        return [folder, ...(await installedFolders(join(folder, 'node_modules')))]
      })
  )
  return folders.flat()
}

/** What is installed is what was published, of at least as many packages as there are in the tree. */
async function expectInstalled(folder: string): Promise<void> {
  const found = new Set<string>()
  for (const one of await installedFolders(join(folder, 'node_modules'))) {
    const { name, version } = JSON.parse(await readFile(join(one, 'package.json'), 'utf8'))
    found.add(`${name}@${version}`)
    expect(await hashOf(one), one).toBe(published.get(`${name}@${version}`))
  }
  expect(found.size).toBeGreaterThanOrEqual(COUNT)
}

async function newClient(name: NpmClientName, cache: string): Promise<NpmClient> {
  return npmClient(name, { folder: join(home, cache, name), registry: at(2).http })
}

async function ok(client: NpmClient, args: readonly string[], folder: string): Promise<void> {
  const ended = await client.run(args, folder)
  if (ended.code === 0) return
  throw new Error(`${client.name} ${args.join(' ')} ended with ${ended.code}\n${ended.stdout}${ended.stderr}`)
}

/** yarn 1 alone refuses what asks for a newer yarn. */
function anyEngine({ family }: NpmClient): string[] {
  return family === 'yarn-1' ? ['--ignore-engines'] : []
}

describe('a tree of real packages', { timeout: 120_000 }, () => {
  it.for(NPM_CLIENTS)('is installed from another peer by %s, byte for byte', async (name) => {
    const client = await newClient(name, 'first')
    const folder = join(home, 'app', name)
    await mkdir(folder, { recursive: true })
    const own = Object.fromEntries(OWN.map((one) => [`@registry/${one}`, '^0.1.0']))
    const manifest = { name: 'app', private: true, dependencies: { ...tree.dependencies, ...own } }
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
    if (client.family === 'yarn-4') await writeFile(join(folder, 'yarn.lock'), '')
    await ok(client, ['install', ...anyEngine(client)], folder)
    await expectInstalled(folder)
  })

  it.for(NPM_CLIENTS)('is installed again from the lockfile of %s, the other peers gone', async (name) => {
    await Promise.all([at(0).stop(), at(1).stop()])
    const client = await newClient(name, 'again')
    const folder = join(home, 'app', name)
    await rm(join(folder, 'node_modules'), { recursive: true })
    const frozen = client.family === 'yarn-4' ? '--immutable' : '--frozen-lockfile'
    await ok(client, client.family === 'npm' ? ['ci'] : ['install', frozen, ...anyEngine(client)], folder)
    await expectInstalled(folder)
  })

  it('is what its owner has signed, as the command line sees it', async () => {
    const [report] = await at(2).json('verify', join(home, 'app', 'npm-11'))
    expect(report).toMatchObject({ unknown: 0, faults: [] })
    expect(report?.signed).toBeGreaterThanOrEqual(COUNT)
  })
})
