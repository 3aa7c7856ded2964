import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededOwner } from '@registry/testing'
import type { OwnerIdentity } from '@registry/types'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { pax, type RawEntry, tarball } from '../../packages/registry/test/packing/tarballs.ts'
import { type HostilePeer, startHostilePeer } from '../src/hostile-peer.ts'
import { NPM_CLIENTS, type NpmClient, type NpmClientName, npmClient } from '../src/npm-client.ts'
import { type PeerProcess, startPeer } from '../src/peer.ts'
import type { Ended } from '../src/process.ts'

/** What is refused, of which only the bytes tell. */
const TARBALLS: ReadonlyArray<[what: string, words: RegExp, entries: (manifest: RawEntry) => RawEntry[]]> = [
  ['a path that leads out', /evil/, (it) => [it, { path: 'package/../../evil', content: 'x' }]],
  ['an absolute path', /etc/, (it) => [it, { path: '/etc/cron.d/evil', content: 'x' }]],
  ['a symbolic link', /link/, (it) => [it, { path: 'package/l', type: '2', link: '/etc/passwd' }]],
  ['a hard link', /link/, (it) => [it, { path: 'package/l', type: '1', link: 'package/package.json' }]],
  ['a device', /device/, (it) => [it, { path: 'package/d', type: '3' }]],
  [
    'a path made absolute by an extended header',
    /etc/,
    (it) => [it, pax({ path: '/etc/x' }), { path: 'package/a', content: 'x' }]
  ],
  [
    'two files of one name',
    /twice|same|README/i,
    (it) => [it, { path: 'package/readme', content: 'a' }, { path: 'package/README', content: 'b' }]
  ],
  [
    'a bomb',
    /larger|unpack|more/,
    (it) => [it, { path: 'package/bomb', content: Buffer.alloc(100_000_000) }]
  ],
  ['no manifest', /package\.json/, () => [{ path: 'package/index.js', content: 'x' }]],
  [
    'a manifest of 2 MiB',
    /larger|package\.json/,
    () => [{ path: 'package/package.json', content: ' '.repeat(2 ** 21) }]
  ],
  [
    'a manifest nested without end',
    /package\.json/,
    () => [{ path: 'package/package.json', content: `{"a":${'['.repeat(400_000)}` }]
  ]
]

/** As far as a test looks into it. */
interface Document {
  versions: Record<string, { dist: { tarball: string } }>
}

let home: string
let hostile: HostilePeer
let peer: PeerProcess
let mallory: OwnerIdentity
let token: string
let names = 0

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'registry-hostile-'))
  const network = `hostile-${process.pid}`
  mallory = await seededOwner('mallory')
  hostile = await startHostilePeer(join(home, 'hostile'), network)
  peer = await startPeer({
    dataDir: join(home, 'peer'),
    network,
    bootstrap: hostile.node.addresses
  })
  token = String((await peer.json('login', '--print'))[0]?.token)
}, 60_000)

afterAll(async () => {
  await peer.stop()
  await hostile[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

function client(name: NpmClientName = 'npm-11'): Promise<NpmClient> {
  const settings = { 'fetch-retries': 1, 'fetch-retry-mintimeout': 100, 'fetch-retry-maxtimeout': 500 }
  return npmClient(name, { folder: join(home, `client-${++names}`), registry: peer.http, token, settings })
}

async function project(dependencies: Record<string, string>): Promise<string> {
  const folder = join(home, `project-${++names}`)
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, dependencies }))
  return folder
}

const manifestOf = (name: string, more: object = {}): RawEntry => ({
  path: 'package/package.json',
  content: JSON.stringify({ name, version: '1.0.0', ...more })
})

/** Installs a package that must not be, and finds nothing of it. */
async function expectRefused(name: string, words: RegExp, clientName?: NpmClientName): Promise<Ended> {
  await peer.json('sync')
  const folder = await project({ [name]: '1.0.0' })
  if (clientName === 'yarn-4') await writeFile(join(folder, 'yarn.lock'), '')
  const ended = await (await client(clientName)).run(['install'], folder)
  expect(ended.code, `${name} was installed`).not.toBe(0)
  if (clientName === undefined) expect(ended.stderr).toMatch(words)
  const installed = await readdir(join(folder, 'node_modules', name)).catch(() => [])
  expect(installed).toEqual([])
  expect((await fetch(`${peer.http}/-/ping`)).status).toBe(200)
  return ended
}

describe('a release that an owner signed though it is hostile', () => {
  it.for(TARBALLS.map(([what], index) => [what, index] as const))(
    'with %s is refused when npm installs it, in words',
    async ([, index]) => {
      const [, words, entries] = TARBALLS[index] ?? []
      const name = `signed-${index}`
      const clean = tarball(manifestOf(name))
      const bytes = tarball(...(entries?.(manifestOf(name)) ?? []))
      await hostile.publish(mallory, bytes, { clean })
      const { stderr } = await expectRefused(name, words ?? /never/)
      expect(stderr).toMatch(/E403/)
    }
  )

  it.for(NPM_CLIENTS)('is not installed by %s', async (name) => {
    const bytes = tarball(manifestOf(`for-${name}`), { path: 'package/../../evil', content: 'x' })
    await hostile.publish(mallory, bytes, { clean: tarball(manifestOf(`for-${name}`)) })
    await expectRefused(`for-${name}`, /evil/, name)
  })

  it('of other dependencies than its manifest has is refused, in words', async () => {
    const bytes = tarball(manifestOf('two-faced'))
    const signed = { dependencies: { 'for-npm-11': '1.0.0' } }
    await hostile.publish(mallory, bytes, { clean: bytes, signed })
    await peer.json('sync')
    const document = await fetch(`${peer.http}/two-faced`)
    const { versions } = (await document.json()) as Document
    const answer = await fetch(versions['1.0.0']?.dist.tarball ?? '')
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ code: 'ERR_MANIFEST_MISMATCH' })
  })

  it('under the name of another package is refused, in words', async () => {
    const bytes = tarball(manifestOf('somebody-else'))
    await hostile.publish(mallory, bytes, { clean: tarball(manifestOf('pretender')) })
    await expectRefused('pretender', /name/)
  })
})

describe('a tarball that nobody should publish', () => {
  it.for(TARBALLS.map(([what], index) => [what, index] as const))(
    'with %s is refused when npm publishes it, and nothing of it is kept',
    async ([, index]) => {
      const [, words, entries] = TARBALLS[index] ?? []
      const name = `published-${index}`
      const path = join(home, `${name}.tgz`)
      await writeFile(path, tarball(...(entries?.(manifestOf(name)) ?? [])))
      const before = await contents()
      const ended = await (await client()).run(['publish', path], home)
      expect(ended.code).not.toBe(0)
      // Of some npm makes nothing itself, so the peer is not even asked.
      if (/E4\d\d/.test(ended.stderr)) expect(ended.stderr).toMatch(words ?? /never/)
      expect((await fetch(`${peer.http}/${name}`)).status).toBe(404)
      expect(await contents()).toBe(before)
    }
  )

  async function contents(): Promise<unknown> {
    return (await peer.json('status'))[0]?.cachedPackages
  }
})

describe('a provider that gives wrong bytes', () => {
  it('in the midst of a tarball gets nothing installed, until an honest one is there', async () => {
    const noise = randomBytes(6_000_000)
    const clean = tarball(manifestOf('bitten'), { path: 'package/noise', content: noise })
    await hostile.publish(mallory, clean, { clean })
    const startHonest = async (): Promise<PeerProcess> => {
      const bootstrap = hostile.node.addresses
      const started = await startPeer({
        dataDir: join(home, 'honest'),
        network: `hostile-${process.pid}`,
        bootstrap
      })
      onTestFinished(() => started.stop())
      return started
    }
    const getting = await startHonest()
    await getting.json('sync')
    await getting.json('get', 'bitten', '--out', join(home, 'bitten.tgz'))
    await getting.stop()

    hostile.lieAfter(3)
    const { stderr } = await expectRefused('bitten', /E503/)
    expect(stderr).toMatch(/bitten/)
    expect(hostile.lies).toBeGreaterThan(0)

    const honest = await startHonest()
    await peer.json('peers', 'connect', String(honest.addresses[0]))
    const folder = await project({ bitten: '1.0.0' })
    const ended = await (await client()).run(['install'], folder)
    expect(ended.code, ended.stderr).toBe(0)
    const installed = await readFile(join(folder, 'node_modules/bitten/noise'))
    expect(installed.equals(noise)).toBe(true)
  })
})
