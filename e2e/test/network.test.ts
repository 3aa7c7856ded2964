import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { P2PRegistry, PublishReceipt } from '@registry/registry'
import { describe, expect, it } from 'vitest'
import { testNetwork, untilReleases } from '../src/network.ts'

function publishOne(peer: P2PRegistry, name: string, version = '1.0.0'): Promise<PublishReceipt> {
  const manifest = JSON.stringify({
    name,
    version,
    description: `the ${name} of a test`,
    keywords: ['testing']
  })
  return peer.publish({
    kind: 'files',
    files: { 'package.json': manifest, 'name.txt': `${name}@${version}\n` }
  })
}

async function contentOf(peer: P2PRegistry, reference: string): Promise<Buffer> {
  const fetched = await peer.get(reference)
  if (fetched === undefined) throw new Error(`${reference} was not found`)
  return Buffer.concat(await Array.fromAsync(fetched.content()))
}

describe.each([3, 20])('a network of %i peers', (size) => {
  it('finds and fetches everywhere, byte for byte, what was published anywhere', {
    timeout: 120_000
  }, async () => {
    await using network = await testNetwork(size)
    const names = network.peers.map((_, index) => `package-of-${index}`)
    await Promise.all(network.peers.map((peer, index) => publishOne(peer, names[index] ?? '')))
    await Promise.all(network.peers.map((peer) => untilReleases(peer, size)))

    const originals = new Map<string, Buffer>()
    for (const [index, peer] of network.peers.entries()) {
      originals.set(names[index] ?? '', await contentOf(peer, names[index] ?? ''))
    }
    for (const peer of network.peers) {
      const results = await peer.search({ keywords: ['testing'], limit: size })
      expect(results.map((result) => result.package.name).sort()).toEqual([...names].sort())
      for (const [name, original] of originals) {
        expect((await contentOf(peer, name)).equals(original), `${name} at ${peer.peerId}`).toBe(true)
      }
    }
  })
})

describe('a peer that was away', () => {
  it('catches up with all that was published meanwhile, and has lost nothing of its own', {
    timeout: 60_000
  }, async () => {
    await using network = await testNetwork(3)
    const [first, , third] = network.peers
    if (first === undefined || third === undefined) throw new Error('three peers were started')
    await publishOne(third, 'before')
    await untilReleases(first, 1)
    const before = await third.status()
    await third.stop()

    for (const version of ['1.0.0', '1.1.0', '2.0.0']) await publishOne(first, 'meanwhile', version)
    const returned = await network.start('peer-2')
    await untilReleases(returned, 4)

    expect((await returned.listVersions('meanwhile')).map(({ version }) => version)).toEqual([
      '2.0.0',
      '1.1.0',
      '1.0.0'
    ])
    expect(await returned.status()).toMatchObject({ peerId: before.peerId, owner: before.owner })
    expect((await contentOf(returned, 'before')).equals(await contentOf(first, 'before'))).toBe(true)
    expect(
      (await contentOf(returned, 'meanwhile@^1')).equals(await contentOf(first, 'meanwhile@1.1.0'))
    ).toBe(true)
  })

  it('hands a subscriber that comes back with its cursor exactly what it missed, once and in order', {
    timeout: 60_000
  }, async () => {
    await using network = await testNetwork(2)
    const [first, second] = network.peers
    if (first === undefined || second === undefined) throw new Error('two peers were started')
    const seen: string[] = []
    let cursor: string | undefined
    const listen = async (count: number): Promise<void> => {
      const options = cursor === undefined ? {} : { after: cursor }
      for await (const update of second.subscribe({ kind: 'package', name: update0 }, options)) {
        seen.push(update.packageId)
        cursor = update.cursor
        if (seen.length === count) return
      }
    }
    const update0 = (await publishOne(first, 'followed', '0.0.1')).name
    await untilReleases(second, 1)
    const listening = listen(1)
    await publishOne(first, 'followed', '1.0.0')
    await listening
    await publishOne(first, 'followed', '1.0.1')
    await publishOne(first, 'something-else')
    await publishOne(first, 'followed', '1.0.2')
    await untilReleases(second, 5)
    await listen(3)
    expect(seen).toEqual(['followed@1.0.0', 'followed@1.0.1', 'followed@1.0.2'])
  })
})

describe('a publisher that nobody hears', () => {
  it('is heard once somebody is there, because the duty to announce is durable', {
    timeout: 60_000
  }, async () => {
    await using network = await testNetwork(1)
    const [first] = network.peers
    if (first === undefined) throw new Error('one peer was started')
    await publishOne(first, 'early')
    expect(await first.stats()).toMatchObject({ pendingAnnouncements: 1 })
    const second = await network.start('peer-1')
    await untilReleases(second, 1)
    expect((await contentOf(second, 'early')).length).toBeGreaterThan(0)
  })
})

describe('a folder', () => {
  it('gives the same content ID wherever and whenever it is packed', { timeout: 60_000 }, async () => {
    await using network = await testNetwork(2)
    const [first, second] = network.peers
    if (first === undefined || second === undefined) throw new Error('two peers were started')
    const cids: string[] = []
    for (const peer of [first, second]) {
      const folder = join((await peer.status()).dataDir, 'package')
      await mkdir(folder)
      await writeFile(join(folder, 'b.txt'), 'second')
      await writeFile(join(folder, 'a.txt'), 'first')
      await writeFile(join(folder, 'registry.toml'), '[package]\nname = "same"\nversion = "1.0.0"\n')
      cids.push((await peer.publish({ kind: 'path', path: folder })).cid)
    }
    expect(cids[0]).toBe(cids[1])
  })
})
