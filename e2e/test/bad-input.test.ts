import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PeerProcess, registry, startArguments, startPeer } from '../src/peer.ts'
import type { Ended } from '../src/process.ts'

const network = `bad-input-${process.pid}`

let folder: string
let peer: PeerProcess
let other: PeerProcess

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-bad-input-'))
  peer = await startPeer({ dataDir: join(folder, 'peer'), network })
  other = await startPeer({ dataDir: join(folder, 'other'), network, bootstrap: peer.addresses })
}, 60_000)

afterAll(async () => {
  await other?.stop()
  await peer?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The error a failed verb wrote with `--json`: a sentence, a hint, and nothing on standard output. */
function errorOf(ended: Ended): {
  code: string
  message: string
  hint: string
  retryable: boolean
  details: unknown
} {
  expect(ended.code, ended.stderr).toBeGreaterThan(0)
  expect(ended.stdout).toBe('')
  const error = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '')
  expect(error.message).toMatch(/\S+ \S+/)
  expect(error.hint).toMatch(/\S+ \S+/)
  return error
}

async function packageFolder(name: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, name)
  await mkdir(path, { recursive: true })
  for (const [file, content] of Object.entries(files)) await writeFile(join(path, file), content)
  return path
}

function manifest(name: string, version: string): string {
  return JSON.stringify({ name, version, description: 'a test of bad input' })
}

/** A tarball of one plain package.json and one entry that is up to the caller. */
async function hostileTarball(
  file: string,
  entry: { path: string; type?: string; link?: string }
): Promise<string> {
  const content = Buffer.from(manifest('hostile', '1.0.0'))
  const parts = [
    header({ path: 'package/package.json', size: content.length }),
    Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]),
    header({ ...entry, size: 0 }),
    Buffer.alloc(1024)
  ]
  const path = join(folder, file)
  await writeFile(path, gzipSync(Buffer.concat(parts)))
  return path
}

function header({
  path,
  size,
  type = '0',
  link = ''
}: {
  path: string
  size: number
  type?: string
  link?: string
}): Buffer {
  const block = Buffer.alloc(512)
  block.write(path, 0)
  block.write('0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write('00000000000\0', 136)
  block.write('        ', 148)
  block.write(type, 156)
  block.write(link, 157)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

describe('a publish that cannot be', () => {
  it.each([
    ['without a manifest', 'ERR_NO_MANIFEST', () => packageFolder('none', { 'readme.txt': 'nothing else' })],
    [
      'with an invalid name',
      'ERR_INVALID_NAME',
      () => packageFolder('name', { 'package.json': manifest('Bad Name', '1.0.0') })
    ],
    [
      'with an invalid version',
      'ERR_INVALID_VERSION',
      () => packageFolder('version', { 'package.json': manifest('good-name', 'one') })
    ],
    [
      'whose manifest is not its format',
      'ERR_INVALID_MANIFEST',
      () => packageFolder('broken', { 'package.json': '{ "name": ' })
    ],
    [
      'with a path that escapes',
      'ERR_UNSAFE_PATH',
      () => hostileTarball('escape.tgz', { path: 'package/../../escaped' })
    ],
    [
      'with an absolute path',
      'ERR_UNSAFE_PATH',
      () => hostileTarball('absolute.tgz', { path: '/etc/escaped' })
    ],
    [
      'with a link in the tarball',
      'ERR_UNSAFE_ENTRY',
      () => hostileTarball('link.tgz', { path: 'package/link', type: '2', link: '/etc/passwd' })
    ],
    [
      'with a link in the folder',
      'ERR_UNSAFE_ENTRY',
      async () => {
        const path = await packageFolder('linked', {
          'registry.toml': '[package]\nname = "linked"\nversion = "1.0.0"\n'
        })
        await rm(join(path, 'link'), { force: true })
        await symlink('/etc/passwd', join(path, 'link'))
        return path
      }
    ]
  ])('%s answers %s with a hint and changes nothing', async (_, code, make) => {
    const before = await peer.json('status')
    expect(errorOf(await peer.registry('publish', await make(), '--json')).code).toBe(code)
    const after = await peer.json('status')
    expect(after[0]).toMatchObject({ releases: before[0]?.releases, storage: before[0]?.storage })
  })

  it('of a version that was published before is refused, and the first stays', async () => {
    const path = await packageFolder('twice', { 'package.json': manifest('twice', '1.0.0') })
    const [first] = await peer.json('publish', path)
    await writeFile(join(path, 'more.txt'), 'something else under the same version')
    expect(errorOf(await peer.registry('publish', path, '--json')).code).toBe('ERR_VERSION_EXISTS')
    expect((await peer.json('show', 'twice'))[0]).toMatchObject({ cid: first?.cid })
  })

  it('of a package over the size limit is refused', async () => {
    const small = await startPeer({
      dataDir: join(folder, 'small'),
      network,
      args: ['--set', 'limits.maxPackageBytes=100000']
    })
    const noise = Array.from({ length: 200_000 }, (_, index) =>
      String.fromCharCode(33 + ((index * index * 31 + index) % 90))
    )
    const path = await packageFolder('large', { 'package.json': manifest('large', '1.0.0') })
    await writeFile(join(path, 'large.bin'), crypto.getRandomValues(new Uint8Array(65_536)))
    await writeFile(join(path, 'larger.bin'), crypto.getRandomValues(new Uint8Array(65_536)))
    await writeFile(join(path, 'noise.txt'), noise.join(''))
    expect(errorOf(await small.registry('publish', path, '--json')).code).toBe('ERR_TOO_LARGE')
    expect((await small.json('status'))[0]).toMatchObject({ releases: 0, storage: { blobs: 0, bytes: 0 } })
    await small.stop()
  })
})

describe('a start that cannot be', () => {
  const attempt = (name: string, ...args: string[]) =>
    registry(startArguments({ dataDir: join(folder, name), network, args }))

  it('with a corrupt identity file says which, and leaves it as it is', async () => {
    const dataDir = join(folder, 'corrupt')
    await mkdir(dataDir)
    await writeFile(join(dataDir, 'identity.key'), 'not a key')
    const error = errorOf(await attempt('corrupt'))
    expect(error.code).toBe('ERR_CORRUPT_KEY')
    expect(error.message).toContain('identity.key')
    expect(await readFile(join(dataDir, 'identity.key'), 'utf8')).toBe('not a key')
  })

  it('with a bad configuration file names every fault at once, unknown keys included', async () => {
    const config = join(folder, 'bad.toml')
    await writeFile(
      config,
      '[network]\nmaxConnections = "many"\nlistenAdresses = []\n\n[gossipsub]\nmeshSize = -1\n'
    )
    const error = errorOf(await attempt('configured', '--config', config))
    expect(error.code).toBe('ERR_INVALID_CONFIG')
    for (const path of ['network.maxConnections', 'network.listenAdresses', 'gossipsub.meshSize']) {
      expect(error.message).toContain(path)
    }
  })

  it('with a configuration file that is no TOML says the line', async () => {
    const config = join(folder, 'broken.toml')
    await writeFile(config, '[network]\nname = \n')
    const error = errorOf(await attempt('configured', '--config', config))
    expect(error.message).toMatch(/line 2|:2/)
  })

  it('on a port in use, for peers or for HTTP, says so', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const listening = await attempt('port', '--listen', `/ip4/127.0.0.1/tcp/${port}`)
    expect(errorOf(listening).code).toBe('ERR_PORT_IN_USE')
    const serving = await attempt('port', '--http', `127.0.0.1:${port}`)
    expect(errorOf(serving).code).toBe('ERR_PORT_IN_USE')
    await new Promise((resolve) => taken.close(resolve))
  })

  it('with the data folder of a running peer is refused, and that peer goes on', async () => {
    expect(errorOf(await attempt('peer')).code).toBe('ERR_DATA_DIR_IN_USE')
    expect((await peer.json('status'))[0]).toMatchObject({ peerId: peer.peerId })
  })

  it('with a bootstrap address that is no multiaddr shows what one looks like', async () => {
    const error = errorOf(await attempt('bootstrap', '--bootstrap', 'example.org:4801'))
    expect(error.hint).toContain('/ip4/')
    expect(errorOf(await peer.registry('bootstrap', 'example.org:4801', '--json')).code).toBe(
      'ERR_INVALID_ADDRESS'
    )
  })
})

describe('asking for what is not to be had', () => {
  it('a name nobody published is not found, at once', async () => {
    expect((await peer.registry('get', 'never-published', '--json')).code).toBe(3)
    expect((await peer.registry('show', 'never-published', '--json')).code).toBe(3)
  })

  it('a package that nobody holds any more is a retryable error', async () => {
    const leaving = await startPeer({ dataDir: join(folder, 'leaving'), network, bootstrap: peer.addresses })
    const path = await packageFolder('gone', { 'package.json': manifest('gone', '1.0.0') })
    await leaving.json('publish', path)
    await peer.json('sync')
    await leaving.stop()
    const error = errorOf(await peer.registry('get', 'gone', '--json'))
    expect(error).toMatchObject({ code: 'ERR_NO_PROVIDERS', retryable: true })
  })

  it('a name that two owners use lists both, each as what to type', async () => {
    const path = await packageFolder('common', { 'package.json': manifest('common', '1.0.0') })
    const [mine] = await peer.json('publish', path)
    await writeFile(join(path, 'theirs.txt'), 'another package of the same name')
    const [theirs] = await other.json('publish', path)
    await peer.json('sync')
    const error = errorOf(await peer.registry('get', 'common', '--json'))
    expect(error.code).toBe('ERR_AMBIGUOUS_NAME')
    for (const receipt of [mine, theirs]) {
      expect(JSON.stringify(error)).toContain(`@${receipt?.owner}/common`)
    }
    expect((await peer.json('show', `@${theirs?.owner}/common`))[0]).toMatchObject({ cid: theirs?.cid })
  })
})
