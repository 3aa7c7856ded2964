import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, runOk } from '../src/process.ts'
import { packPackages } from '../src/tarballs.ts'

const NPM_INSTALL = ['install', '--no-audit', '--no-fund', '--loglevel=error']

let tarballs: ReadonlyMap<string, string>
const folders: string[] = []

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-user-'))
  folders.push(folder)
  await writeFile(join(folder, 'package.json'), '{ "name": "a-user", "private": true, "type": "module" }')
  return folder
}

function tarball(name: string): string {
  const path = tarballs.get(name)
  if (path === undefined) throw new Error(`${name} was not packed`)
  return path
}

beforeAll(async () => {
  tarballs = await packPackages()
}, 180_000)

afterAll(async () => {
  const [first] = tarballs.values()
  if (first !== undefined) folders.push(dirname(first))
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
})

describe('the command line, installed with npm from its tarballs', () => {
  it('starts a peer, publishes, finds, gets and stops', { timeout: 300_000 }, async () => {
    const folder = await emptyFolder()
    const all = [...tarballs.keys()].filter((name) => name !== '@registry/testing')
    await runOk('npm', [...NPM_INSTALL, ...all.map(tarball)], { cwd: folder, timeoutMs: 240_000 })

    const registry = (...args: string[]) =>
      run('npx', ['--no-install', 'registry', ...args, '--data-dir', join(folder, 'peer')], { cwd: folder })
    const network = `install-${process.pid}`
    const started = await registry(
      ...['start', '--daemon', '--json', '--network', network, '--no-mdns', '--http', '127.0.0.1:0'],
      ...['--listen', '/ip4/127.0.0.1/tcp/0']
    )
    expect(started.code, started.stderr).toBe(0)
    expect(JSON.parse(started.stdout)).toMatchObject({
      peerId: expect.stringMatching(/^12D3Koo/),
      addresses: [expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3Koo/)],
      http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+/)
    })
    try {
      const published = await registry('publish', tarball('@registry/types'), '--json')
      expect(published.code, published.stderr).toBe(0)
      const receipt = JSON.parse(published.stdout)
      expect(receipt).toMatchObject({ name: '@registry/types', version: '0.1.0' })

      const found = JSON.parse((await registry('search', 'vocabulary', '--json')).stdout)
      expect(found.results).toMatchObject([{ name: '@registry/types', version: '0.1.0', peerCount: 1 }])

      const got = await registry('get', '@registry/types@^0.1.0', '--json')
      expect(JSON.parse(got.stdout)).toMatchObject({
        name: '@registry/types',
        version: '0.1.0',
        cid: receipt.cid,
        integrity: receipt.integrity
      })
      const fetched = await readFile(join(folder, 'registry-types-0.1.0.tgz'))
      expect(fetched.equals(await readFile(tarball('@registry/types')))).toBe(true)
    } finally {
      expect(await registry('stop')).toMatchObject({ code: 0 })
    }
    expect(await registry('status')).toMatchObject({ code: 4 })
  })
})

const LAYERS = [
  {
    name: '@registry/types',
    brings: ['types'],
    program: `
      import { isRegistryError, type PackageReference, parsePackageReference } from '@registry/types'

      const reference: PackageReference = parsePackageReference('left-pad@^1.0.0')
      console.log(reference.name, reference.range)
      try {
        parsePackageReference('Not A Name')
      } catch (error) {
        if (!isRegistryError(error, 'ERR_INVALID_REFERENCE')) throw error
        console.log(error.retryable)
      }`,
    prints: 'left-pad ^1.0.0\nfalse\n'
  },
  {
    name: '@registry/discovery',
    brings: ['discovery', 'timing', 'types'],
    program: `
      import { bootstrapStrategy } from '@registry/discovery'
      import type { DiscoveryStrategy } from '@registry/types'

      const id = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
      const strategy: DiscoveryStrategy = bootstrapStrategy({ nodes: ['/ip4/127.0.0.1/tcp/4801/p2p/' + id] })
      await strategy.start()
      for await (const peer of strategy.discover()) console.log(strategy.name, peer.peerId === id, peer.addresses.length)
      await strategy.stop()`,
    prints: 'Bootstrap true 1\n'
  },
  {
    name: '@registry/content-routing',
    brings: ['content-routing', 'timing', 'types'],
    program: `
      import { contentRouter } from '@registry/content-routing'
      import type { BlobStore, ContentId, PeerIdText } from '@registry/types'

      const [cid, near, far] = ['bafkrei', 'near', 'far'] as unknown as [ContentId, PeerIdText, PeerIdText]
      const router = contentRouter({ fanOut: 2 })({
        peerId: 'self' as PeerIdText,
        blobs: {} as BlobStore,
        blocks: { block: async () => undefined },
        isConnected: (peerId) => peerId === near,
        clock: { now: () => 0, schedule: () => () => {} }
      })
      for (const peerId of [far, near]) router.addProvider(cid, peerId)
      const found = await Array.fromAsync(router.findProviders(cid))
      console.log(found.map(({ peerId, reputation }) => peerId + ' ' + reputation).join())`,
    prints: 'near 50,far 50\n'
  }
]

describe.each(LAYERS)('$name alone, installed from its tarball', ({ brings, program, prints }) => {
  it('type-checks and runs in a small program, and brings no layer above it', {
    timeout: 180_000
  }, async () => {
    const folder = await emptyFolder()
    const wanted = brings.map((layer) => tarball(`@registry/${layer}`))
    await runOk('npm', [...NPM_INSTALL, ...wanted], { cwd: folder, timeoutMs: 150_000 })
    expect((await readdir(join(folder, 'node_modules/@registry'))).sort()).toEqual([...brings].sort())

    await writeFile(join(folder, 'program.ts'), program)
    const options = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      noEmit: true,
      types: [],
      skipLibCheck: true,
      lib: ['esnext', 'dom']
    }
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, include: ['program.ts'] })
    )
    expect(await run('tsc', ['-p', '.'], { cwd: folder })).toMatchObject({ code: 0, stdout: '' })
    expect(await run('node', ['program.ts'], { cwd: folder })).toMatchObject({ code: 0, stdout: prints })
  })
})
