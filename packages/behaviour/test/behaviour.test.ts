import { generateKeyPair } from '@libp2p/crypto/keys'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { manualClock, memoryStore, memoryTransport } from '@registry/testing'
import type { Libp2pOptions } from 'libp2p'
import { describe, expect, it } from 'vitest'
import { type MarketplaceBehaviourInit, marketplaceBehaviour } from '../src/index.ts'
import { resolveInit } from '../src/init.ts'
import { registryNode } from '../src/node.ts'
import { publish } from './fixtures.ts'
import { eventually, memoryPeer, systemClock, type TestPeer, untilReleases } from './peers.ts'

describe('a peer that does not run', () => {
  const idle = async () =>
    marketplaceBehaviour()({
      store: memoryStore()({ clock: systemClock }),
      privateKey: await generateKeyPair('Ed25519'),
      clock: systemClock,
      libp2p: memoryTransport()
    })

  it('has an ID and nothing else', async () => {
    const behaviour = await idle()
    expect(behaviour.peerId).toMatch(/^12D3KooW/)
    expect(behaviour.addresses()).toEqual([])
    expect(behaviour.peers()).toEqual([])
    expect(await behaviour.stats()).toEqual({
      connectedPeers: 0,
      knownPeers: 0,
      cachedPackages: 0,
      providerRecords: 0,
      gossipTopics: 0,
      packages: 0,
      releases: 0,
      dhtQuerySuccessRate: null,
      cacheHitRate: null,
      gossipDeliveryRate: null,
      requestLatencyMs: null,
      pendingAnnouncements: 0,
      lastSyncedAtMs: null,
      completeness: { state: 'alone', comparedAtMs: null, agreeing: 0, compared: 0, askedHolders: 0 },
      syncing: []
    })
    await behaviour.settled()
    await behaviour.stop()
  })

  it('says so when it is asked for the network', async () => {
    const behaviour = await idle()
    const notRunning = expect.objectContaining({ code: 'ERR_NOT_RUNNING' })
    expect(() => behaviour.discovery).toThrow(notRunning)
    await expect(behaviour.connect('/ip4/127.0.0.1/tcp/1')).rejects.toThrow(notRunning)
    await expect(behaviour.sync()).rejects.toThrow(notRunning)
    await expect(behaviour.knownPeers()).rejects.toThrow(notRunning)
  })

  it('remembers a bootstrap node that it was given for the time when it runs', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer({ init: { network: { minPeers: 1 } } })])
    await b.behaviour.stop()
    await b.behaviour.addBootstrapNode(a.address())
    await b.behaviour.start()
    await eventually(() => expect(b.behaviour.peers()).toMatchObject([{ peerId: a.behaviour.peerId }]))
    await expect(b.behaviour.addBootstrapNode('localhost')).rejects.toMatchObject({
      code: 'ERR_INVALID_ADDRESS'
    })
  })
})

describe('starting and stopping', () => {
  it('can be done again, in any order, and ends as the last call wants it', async () => {
    const { behaviour } = await memoryPeer()
    await behaviour.start()
    expect(behaviour.addresses()).not.toEqual([])
    const calls = [behaviour.stop(), behaviour.stop(), behaviour.start(), behaviour.stop(), behaviour.start()]
    await Promise.all(calls)
    expect(behaviour.addresses()).not.toEqual([])
    await behaviour.stop()
    expect(behaviour.addresses()).toEqual([])
  })

  it('leaves no timer behind, nor anything under way', async () => {
    const clock = manualClock()
    const [a, b] = await Promise.all([memoryPeer({ clock }), memoryPeer()])
    await publish(a.store)
    a.behaviour.announce()
    await a.behaviour.connect(b.address())
    await a.behaviour.stop()
    expect(clock.pending).toBe(0)
    await a.behaviour.settled()
  })

  it('ends what waits for a synchronisation', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    await a.behaviour.connect(b.address())
    const sync = expect(a.behaviour.sync(b.behaviour.peerId)).rejects.toBeInstanceOf(Error)
    await a.behaviour.stop()
    await sync
  })
})

describe('disconnecting', () => {
  it('closes the connection, and the peer is not dialled again by itself, only by whoever asks for it', async () => {
    const clock = manualClock()
    const init = { network: { minPeers: 4 } }
    const [a, b] = await Promise.all([memoryPeer({ clock, init }), memoryPeer()])
    await a.behaviour.connect(b.address())
    await Promise.all([a.behaviour.settled(), b.behaviour.settled()])
    const address = b.address()
    expect(await a.behaviour.disconnect(b.behaviour.peerId)).toBe(true)
    expect(a.behaviour.peers()).toEqual([])
    await clock.advance(60_000)
    expect(a.behaviour.peers()).toEqual([])
    expect(await a.behaviour.disconnect(b.behaviour.peerId)).toBe(false)
    await a.behaviour.connect(address)
    expect(a.behaviour.peers()).toMatchObject([{ peerId: b.behaviour.peerId }])
  })
})

describe('announcing', () => {
  it('goes on until a peer has it, after growing waits', async () => {
    const clock = manualClock()
    const a = await memoryPeer({ clock, init: { dht: { enabled: false } } })
    await publish(a.store)
    a.behaviour.announce()
    await a.behaviour.settled()
    const started = clock.now()
    const waits: number[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      waits.push((a.store.outbox.nextDueMs() ?? 0) - clock.now())
      await clock.advance(waits.at(-1) ?? 0)
      await a.behaviour.settled()
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000])
    expect(clock.now() - started).toBe(15_000)
    expect(await a.behaviour.stats()).toMatchObject({ pendingAnnouncements: 1, gossipDeliveryRate: 0 })

    const b = await memoryPeer({ init: { dht: { enabled: false } } })
    await b.behaviour.connect(a.address())
    await untilReleases(b, 1)
    await eventually(() => expect(a.store.outbox.size).toBe(0))
  })

  it('does not wait for what is slow, and works off many at once', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    await a.behaviour.connect(b.address())
    await Promise.all([a.behaviour.settled(), b.behaviour.settled()])
    for (let number = 0; number < 150; number++) {
      await publish(a.store, { name: `package-${number}`, seed: number % 3 })
      a.behaviour.announce()
    }
    await untilReleases(b, 150)
    await eventually(() => expect(a.store.outbox.size).toBe(0))
    expect(b.store.catalogue.summary()).toEqual(a.store.catalogue.summary())
  })

  it('needs no DHT where it is switched off', async () => {
    const init = { dht: { enabled: false } }
    const [a, b] = await Promise.all([memoryPeer({ init }), memoryPeer({ init })])
    await a.behaviour.connect(b.address())
    await publish(a.store)
    a.behaviour.announce()
    await a.behaviour.settled()
    expect(a.store.outbox.size).toBe(0)
  })
})

describe('the figures', () => {
  it('are of what there is, not of what was configured', async () => {
    const nowhere = '/ip4/192.0.2.1/tcp/1/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'
    const init = { bootstrap: { nodes: [nowhere] } }
    const [a, b] = await Promise.all([memoryPeer({ init }), memoryPeer()])
    await a.behaviour.connect(b.address())
    await publish(a.store, { name: 'one' })
    await publish(a.store, { name: 'two' })
    a.behaviour.announce()
    await untilReleases(b, 2)
    await eventually(() => expect(a.store.outbox.size).toBe(0))
    expect(await a.behaviour.stats()).toMatchObject({
      connectedPeers: 1,
      cachedPackages: 2,
      packages: 2,
      releases: 2,
      gossipTopics: 1,
      gossipDeliveryRate: 1,
      requestLatencyMs: { p50: expect.any(Number), p95: expect.any(Number), p99: expect.any(Number) }
    })
    expect(await b.behaviour.stats()).toMatchObject({ connectedPeers: 1, cachedPackages: 0, releases: 2 })
  })
})

describe('the node', () => {
  const node = async (init: MarketplaceBehaviourInit, libp2p: Partial<Libp2pOptions> = memoryTransport()) =>
    registryNode(resolveInit(init))({
      privateKey: await generateKeyPair('Ed25519'),
      gater: {},
      scoreOf: () => 50,
      libp2p
    })

  it('gossips as it is told, and only about records', async () => {
    const { pubsub } = (
      await node({
        network: { name: 'home' },
        gossipsub: {
          heartbeatIntervalMs: 700,
          historyLength: 9,
          historyGossip: 8,
          meshSize: 5,
          meshLow: 3,
          meshHigh: 11,
          topicPrefix: 'ours'
        }
      })
    ).libp2p.services
    expect(Reflect.get(pubsub, 'opts')).toMatchObject({
      heartbeatInterval: 700,
      mcacheLength: 9,
      mcacheGossip: 8,
      D: 5,
      Dlo: 3,
      Dhi: 11,
      fallbackToFloodsub: false,
      allowedTopics: ['ours/home/records/1.0.0']
    })
  })

  it('takes part in the DHT as it is told', async () => {
    const server = (await node({ network: { name: 'home' }, dht: { replication: 7 } })).dht
    expect(server?.getMode()).toBe('server')
    expect(server).toMatchObject({ protocol: '/p2p-registry/home/kad/1.0.0', k: 7 })
    const client = (await node({ dht: { server: false, protocolName: '/other/kad/1.0.0' } })).dht
    expect(client?.getMode()).toBe('client')
    expect(client).toMatchObject({ protocol: '/other/kad/1.0.0' })
    expect((await node({ dht: { enabled: false } })).dht).toBeUndefined()
  })

  it('keeps as many connections as it may', async () => {
    const { internals } = await node({ network: { maxConnections: 17 } })
    expect(internals.connectionManager.getMaxConnections()).toBe(17)
  })

  it('tells others the public addresses it listens on', async () => {
    const publicAddress = '/ip4/8.8.8.8/tcp/4001'
    const behindPublicAddress: NonNullable<Libp2pOptions['transports']>[number] = (components) => {
      const transport = tcp()(components)
      const createListener = transport.createListener.bind(transport)
      transport.createListener = (options) => {
        const listener = createListener(options)
        listener.getAddrs = () => [multiaddr(publicAddress)]
        return listener
      }
      return transport
    }
    const listening = await node(
      { network: { listenAddresses: ['/ip4/127.0.0.1/tcp/0'] } },
      { transports: [behindPublicAddress] }
    )
    try {
      await listening.start()
      expect(listening.libp2p.getMultiaddrs().map(String)).toEqual([
        `${publicAddress}/p2p/${listening.libp2p.peerId}`
      ])
    } finally {
      await listening.stop()
    }
  })
})

describe('bootstrap', () => {
  const found = async (enabled: boolean, a: TestPeer): Promise<string[]> => {
    const b = await memoryPeer({
      clock: manualClock(),
      init: { bootstrap: { enabled, nodes: [a.address()] } }
    })
    return (await b.behaviour.discovery.discover()).map(({ peerId }) => peerId)
  }

  it('is done where it is switched on', async () => {
    const a = await memoryPeer()
    expect(await found(true, a)).toEqual([a.behaviour.peerId])
    expect(await found(false, a)).toEqual([])
  })
})
