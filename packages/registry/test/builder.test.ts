import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BEHAVIOUR_DEFAULTS, type MarketplaceBehaviourInit } from '@registry/behaviour'
import { manualClock } from '@registry/testing'
import type { Logger } from '@registry/types'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type BehaviourFactory, defaultConfig, type P2PRegistry, P2PRegistryBuilder } from '../src/index.ts'
import { LoneBehaviour } from './lone-peer.ts'
import { tempFolder } from './temp-folder.ts'

const lone: BehaviourFactory = () => (components) => new LoneBehaviour(components.store)

async function started(registry: P2PRegistry): Promise<P2PRegistry> {
  await registry.start()
  onTestFinished(() => registry.stop())
  return registry
}

describe('a built peer', () => {
  it('touches nothing before its start, and then makes its folder and keys for its user alone', async () => {
    const dataDir = join(await tempFolder(), 'deep', 'peer')
    const registry = new P2PRegistryBuilder().withDataDir(dataDir).withBehaviour(lone).build()
    await expect(stat(dataDir)).rejects.toThrow('ENOENT')
    await started(registry)
    const modeOf = async (...path: string[]) =>
      ((await stat(join(dataDir, ...path))).mode & 0o777).toString(8)
    expect(await modeOf()).toBe('700')
    expect(await modeOf('identity.key')).toBe('600')
    expect(await modeOf('owner.key')).toBe('600')
  })

  it('is the same owner after a restart, with all it published', async () => {
    const dataDir = await tempFolder()
    const build = () => new P2PRegistryBuilder().withDataDir(dataDir).withBehaviour(lone).build()
    const first = build()
    await first.start()
    const source = { kind: 'files' as const, files: { 'package.json': '{"name":"kept","version":"1.0.0"}' } }
    const receipt = await first.publish(source)
    await first.stop()
    const second = await started(build())
    expect(second.owner).toBe(receipt.owner)
    const got = await second.get('kept')
    expect(got?.package).toMatchObject({ cid: receipt.cid, integrity: receipt.integrity })
    expect(Buffer.concat(await Array.fromAsync(got?.content() ?? []))).toHaveLength(got?.package.size ?? 0)
  })

  it('shares its folder with no other', async () => {
    const dataDir = await tempFolder()
    const build = () => new P2PRegistryBuilder().withDataDir(dataDir).withBehaviour(lone).build()
    await started(build())
    await expect(build().start()).rejects.toMatchObject({ code: 'ERR_DATA_DIR_IN_USE' })
  })

  it('does not start on damaged keys, and leaves them as they are', async () => {
    for (const file of ['identity.key', 'owner.key']) {
      const dataDir = await tempFolder()
      await writeFile(join(dataDir, file), 'no key')
      const registry = new P2PRegistryBuilder().withDataDir(dataDir).withBehaviour(lone).build()
      await expect(registry.start()).rejects.toMatchObject({ code: 'ERR_CORRUPT_KEY' })
      expect(await readFile(join(dataDir, file), 'utf8')).toBe('no key')
      expect(registry.isRunning).toBe(false)
    }
  })

  it('keeps its key where it is told', async () => {
    const dataDir = await tempFolder()
    const path = join(dataDir, 'keys', 'peer')
    await mkdir(join(dataDir, 'keys'))
    await started(
      new P2PRegistryBuilder().withDataDir(dataDir).withIdentityPath(path).withBehaviour(lone).build()
    )
    expect((await stat(path)).isFile()).toBe(true)
    await expect(stat(join(dataDir, 'identity.key'))).rejects.toThrow('ENOENT')
  })
})

describe('the builder', () => {
  it('hands each setting to the layer that reads it, and the shared components to all', async () => {
    const seen: { behaviour?: MarketplaceBehaviourInit; quotaBytes?: number | undefined; parts: unknown[] } =
      { parts: [] }
    const clock = manualClock()
    const logger: Logger = { debug() {}, info() {}, warn() {} }
    const dataDir = await tempFolder()
    const { memoryStore } = await import('@registry/testing')
    const registry = await started(
      new P2PRegistryBuilder()
        .withConfig({
          network: { maxConnections: 7 },
          gossipsub: { meshSize: 5 },
          limits: { maxPackageBytes: 999 }
        })
        .withConfig({
          network: { minPeers: 2 },
          storage: { quotaBytes: 12_345_678 },
          limits: { recordsPerSecondPerPeer: 3 }
        })
        .withConfig({ security: { keyType: 'Secp256k1' }, sync: { intervalMs: 500 }, dht: { server: false } })
        .withConfig({ catalogue: { shardBits: 2 } })
        .withConfig({ catalogue: { shards: [1, 3] } })
        .withListenAddresses(['/ip4/127.0.0.1/tcp/0'])
        .withBootstrapNodes([{ peerId: '12D3KooWExample', address: '/ip4/192.0.2.1/tcp/4001' }])
        .withNetwork('private')
        .withDataDir(dataDir)
        .withClock(clock)
        .withLogger(logger)
        .withStore((init) => (components) => {
          seen.quotaBytes = init.quotaBytes
          seen.parts.push(components.clock, components.logger)
          return memoryStore()(components)
        })
        .withBehaviour((init) => (components) => {
          seen.behaviour = init
          seen.parts.push(components.clock, components.logger)
          expect(components.privateKey.type).toBe('secp256k1')
          return new LoneBehaviour(components.store)
        })
        .build()
    )
    expect(seen.behaviour).toEqual({
      network: { name: 'private', maxConnections: 7, minPeers: 2, listenAddresses: ['/ip4/127.0.0.1/tcp/0'] },
      bootstrap: { nodes: [{ peerId: '12D3KooWExample', address: '/ip4/192.0.2.1/tcp/4001' }] },
      gossipsub: { meshSize: 5 },
      sync: { intervalMs: 500 },
      catalogue: { shardBits: 2, shards: [1, 3] },
      dht: { server: false },
      limits: { recordsPerSecondPerPeer: 3 },
      datastorePath: join(dataDir, 'libp2p')
    })
    expect(seen.quotaBytes).toBe(12_345_678)
    expect(seen.parts).toEqual([clock, logger, clock, logger])
    expect(await registry.status()).toMatchObject({ network: 'private', dataDir })
    const large = {
      'package.json': '{"name":"a","version":"1.0.0"}',
      noise: crypto.getRandomValues(new Uint8Array(2000))
    }
    await expect(registry.publish({ kind: 'files', files: large })).rejects.toMatchObject({
      code: 'ERR_TOO_LARGE'
    })
  })

  it('refuses settings that cannot be, all at once', () => {
    const builder = new P2PRegistryBuilder()
      .withConfig({ network: { maxConnections: 0 }, gossipsub: { meshSize: -1 } })
      .withNetwork('No Such Name')
    expect(() => builder.build()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CONFIG' }))
    for (const path of ['network.maxConnections', 'gossipsub.meshSize', 'network.name']) {
      expect(() => builder.build()).toThrow(path)
    }
  })

  it('takes the default settings as they are given out', () => {
    const config = defaultConfig()
    expect(() => new P2PRegistryBuilder().withConfig(config).build()).not.toThrow()
    config.network.protocols.push('quic')
    expect(defaultConfig().network.protocols).toEqual(['tcp', 'websocket'])
    expect(defaultConfig()).toMatchObject({
      network: { ...BEHAVIOUR_DEFAULTS.network },
      security: { noiseEnabled: true, keyType: 'Ed25519' },
      catalogue: { mode: 'full', shardBits: 0 },
      storage: { quotaBytes: 10 * 1024 ** 3 },
      limits: { maxPackageBytes: 512 * 1024 ** 2 }
    })
  })
})
