import { join } from 'node:path'
import { marketplaceBehaviour } from '@registry/behaviour'
import { memoryTransport, registryContract, seededBytes } from '@registry/testing'
import type { P2PRegistry, PackageUpdate } from '@registry/types'
import { describe, expect, it, onTestFinished } from 'vitest'
import { P2PRegistryBuilder } from '../src/index.ts'
import { tempFolder } from './temp-folder.ts'

/** A real peer, store and all, that talks inside this process only. */
async function startPeer(dataDir: string): Promise<P2PRegistry> {
  const registry = new P2PRegistryBuilder()
    .withDataDir(dataDir)
    .withConfig({ bootstrap: { mdns: false } })
    .withBehaviour(
      (init) => (components) => marketplaceBehaviour(init)({ ...components, libp2p: memoryTransport() })
    )
    .build()
  await registry.start()
  onTestFinished(() => registry.stop())
  return registry
}

async function threePeers(): Promise<[P2PRegistry, P2PRegistry, P2PRegistry]> {
  const folder = await tempFolder()
  const [ada, bob, cleo] = [
    await startPeer(join(folder, 'ada')),
    await startPeer(join(folder, 'bob')),
    await startPeer(join(folder, 'cleo'))
  ]
  // In a line: what Ada has reaches Cleo through Bob.
  await bob.connect((await ada.status()).addresses[0] ?? '')
  await cleo.connect((await bob.status()).addresses[0] ?? '')
  return [ada, bob, cleo]
}

async function bytesOf(registry: P2PRegistry, reference: string): Promise<Buffer> {
  const got = await registry.get(reference)
  return Buffer.concat(got === undefined ? [] : await Array.fromAsync(got.content()))
}

async function take(updates: AsyncIterable<PackageUpdate>, count: number): Promise<PackageUpdate[]> {
  const taken: PackageUpdate[] = []
  for await (const update of updates) if (taken.push(update) === count) break
  return taken
}

describe('three peers in a line', () => {
  it('publish, hear of, find and get packages byte for byte', { timeout: 30_000 }, async () => {
    const [ada, bob, cleo] = await threePeers()
    const heard = take(cleo.subscribe({ kind: 'tag', tag: 'rust' }), 2)
    const manifest = (name: string): string =>
      `[package]\nname = "${name}"\nversion = "1.0.0"\ndescription = "for the web"\ntags = ["rust"]\n`
    const small = await ada.publish({ kind: 'files', files: { 'registry.toml': manifest('small'), a: 'a' } })
    const large = await bob.publish({
      kind: 'files',
      files: { 'registry.toml': manifest('large'), noise: seededBytes('noise', 5_000_000) }
    })

    const updates = await heard
    expect(updates.map(({ type, packageId }) => `${type} ${packageId}`).sort()).toEqual([
      'NewPackage large@1.0.0',
      'NewPackage small@1.0.0'
    ])
    const found = await cleo.search({ keywords: ['web'], tags: ['rust'] })
    expect(found.map((result) => result.package.name).sort()).toEqual(['large', 'small'])

    // Cleo is connected to Bob alone, and Bob does not have what Ada published before he gets it himself.
    expect(await bytesOf(cleo, 'large')).toEqual(await bytesOf(bob, 'large'))
    expect(await bytesOf(bob, 'small')).toEqual(await bytesOf(ada, 'small'))
    expect(await bytesOf(cleo, 'small')).toEqual(await bytesOf(ada, 'small'))
    expect(await cleo.metadata('small')).toMatchObject({
      owner: ada.owner,
      cid: small.cid,
      integrity: small.integrity
    })
    expect(await cleo.metadata(`@${bob.owner}/large`)).toMatchObject({ cid: large.cid, downloads: 1 })
    expect((await cleo.status()).storage.blobs).toBe(2)
  })

  it('catch up with what was published while one was away', { timeout: 30_000 }, async () => {
    const folder = await tempFolder()
    const ada = await startPeer(join(folder, 'ada'))
    const bob = await startPeer(join(folder, 'bob'))
    const address = (await ada.status()).addresses[0] ?? ''
    await bob.connect(address)
    const package1 = { kind: 'files' as const, files: { 'package.json': '{"name":"a","version":"1.0.0"}' } }
    const first = take(bob.subscribe({ kind: 'all' }), 1)
    await ada.publish(package1)
    const [update] = await first
    await bob.stop()
    await ada.publish(package1, { version: '1.1.0' })
    await ada.publish(package1, { version: '1.2.0' })
    await bob.start()
    const rest = take(bob.subscribe({ kind: 'all' }, update === undefined ? {} : { after: update.cursor }), 2)
    await bob.connect(address)
    await bob.sync()
    expect((await rest).map(({ packageId }) => packageId).sort()).toEqual(['a@1.1.0', 'a@1.2.0'])
    expect((await bob.get('a'))?.package.version).toBe('1.2.0')
  })
})

registryContract({
  name: 'P2PRegistryBuilder',
  async create() {
    const registry = await startPeer(await tempFolder())
    return { registry, stop: () => registry.stop(), [Symbol.asyncDispose]: () => registry.stop() }
  }
})
