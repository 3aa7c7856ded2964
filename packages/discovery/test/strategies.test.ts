import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { seededPeerId } from '@registry/testing'
import type { DiscoveryStrategy, PeerIdText } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { bootstrapStrategy, dhtStrategy, mdnsStrategy } from '../src/index.ts'
import { addressOf } from './world.ts'

const ALICE = seededPeerId('alice')
const BOB = seededPeerId('bob')

const multicast = await hasMulticast()

type Found = { peerId: PeerIdText; addresses: string[] }

async function round(strategy: DiscoveryStrategy): Promise<Found[]> {
  const found: Found[] = []
  for await (const peer of strategy.discover()) found.push(peer)
  return found
}

describe('Bootstrap', () => {
  it('reports its nodes in every round, the addresses of one peer together', async () => {
    const strategy = bootstrapStrategy({
      nodes: [
        addressOf(ALICE, 1),
        { peerId: BOB, address: '/ip4/10.0.0.1/tcp/2' },
        { peerId: ALICE, address: addressOf(ALICE, 3) }
      ]
    })
    const nodes = [
      { peerId: ALICE, addresses: [addressOf(ALICE, 1), addressOf(ALICE, 3)] },
      { peerId: BOB, addresses: [addressOf(BOB, 2)] }
    ]
    expect(await round(strategy)).toEqual(nodes)
    expect(await round(strategy)).toEqual(nodes)
  })

  it.each([
    'example.org:4001',
    '/ip4/10.0.0.1/tcp/4001',
    { peerId: 'nobody', address: '/ip4/10.0.0.1/tcp/4001' },
    { peerId: BOB, address: addressOf(ALICE) }
  ])('refuses %j before anything starts', (node) => {
    expect(() => bootstrapStrategy({ nodes: [node] })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ADDRESS' })
    )
  })
})

describe('DHT', () => {
  const info = (
    peerId: PeerIdText
  ): { id: ReturnType<typeof peerIdFromString>; multiaddrs: Multiaddr[] } => ({
    id: peerIdFromString(peerId),
    multiaddrs: [multiaddr('/ip4/10.0.0.1/tcp/4001')]
  })

  it('walks to another place in each round, with the signal of the caller', async () => {
    const keys: Uint8Array[] = []
    const signals: unknown[] = []
    const strategy = dhtStrategy()({
      peerRouting: {
        async *getClosestPeers(key, options) {
          keys.push(key)
          signals.push(options?.signal)
          yield info(ALICE)
        }
      }
    })
    expect(await round(strategy)).toEqual([{ peerId: ALICE, addresses: ['/ip4/10.0.0.1/tcp/4001'] }])
    const { signal } = new AbortController()
    for await (const _ of strategy.discover({ signal }));
    expect(keys.map((key) => key.length)).toEqual([32, 32])
    expect(keys[0]).not.toEqual(keys[1])
    expect(signals).toEqual([undefined, signal])
  })

  it('ends when it has found maxPeersPerRound, and with it the walk', async () => {
    let ended = false
    const strategy = dhtStrategy({ maxPeersPerRound: 3 })({
      peerRouting: {
        async *getClosestPeers() {
          try {
            for (let index = 0; ; index += 1) yield info(seededPeerId(index))
          } finally {
            ended = true
          }
        }
      }
    })
    expect(await round(strategy)).toHaveLength(3)
    expect(ended).toBe(true)
  })
})

describe('MDNS', () => {
  const addressManager = (...addresses: string[]): { getAddresses(): Multiaddr[] } => ({
    getAddresses: () => addresses.map((address) => multiaddr(address))
  })

  it('starts, finds nobody and says so once where it cannot have the port', async () => {
    const taken = createSocket('udp4')
    taken.bind(0)
    await once(taken, 'listening')
    const warned = Promise.withResolvers<void>()
    const warnings: string[] = []
    const strategy = mdnsStrategy({
      serviceName: '_p2p-registry-test._udp.local',
      port: taken.address().port
    })({
      addressManager: addressManager(),
      logger: {
        debug: () => {},
        info: () => {},
        warn: (_, message) => {
          warnings.push(message)
          warned.resolve()
        }
      }
    })
    await strategy.start()
    await strategy.start()
    await warned.promise
    expect(await round(strategy)).toEqual([])
    await strategy.stop()
    await strategy.stop()
    expect(warnings).toEqual(['peers of the local network may not be found'])
    taken.close()
  })

  it.each(['', `${'x'.repeat(64)}._udp.local`, '_p2p registry._udp.local', '_udp..local'])(
    'refuses %j as the name of a service',
    (serviceName) => {
      expect(() => mdnsStrategy({ serviceName })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_VALUE' })
      )
    }
  )

  it.skipIf(!multicast)('hears of the peers of its network on the LAN, and of no other network', async () => {
    const port = await freePort()
    const create = (peerId: PeerIdText, network: string): ReturnType<ReturnType<typeof mdnsStrategy>> =>
      mdnsStrategy({ serviceName: `_p2p-registry-${network}._udp.local`, intervalMs: 100, port })({
        addressManager: addressManager(`/ip4/127.0.0.1/tcp/4001/p2p/${peerId}`)
      })
    const [alice, bob, stranger] = [create(ALICE, 'a'), create(BOB, 'a'), create(seededPeerId('s'), 'b')]
    const heard: Found[] = []
    const found = Promise.withResolvers<void>()
    const silence = alice.onPeer((peer) => {
      heard.push(peer)
      found.resolve()
    })
    await Promise.all([alice, stranger, bob].map((strategy) => strategy.start()))
    await found.promise
    const expected = { peerId: BOB, addresses: ['/ip4/127.0.0.1/tcp/4001'] }
    expect(heard[0]).toEqual(expected)
    expect(await round(alice)).toEqual([expected])
    silence()
    await Promise.all([alice, bob, stranger].map((strategy) => strategy.stop()))
    expect(new Set(heard.map(({ peerId }) => peerId))).toEqual(new Set([BOB]))
  })
})

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0)
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

/** Whether a datagram to the multicast group comes back; some containers have no route for it. */
async function hasMulticast(): Promise<boolean> {
  const socket: Socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    socket.bind(0)
    await once(socket, 'listening')
    socket.addMembership('224.0.0.251')
    const message = once(socket, 'message', { signal: AbortSignal.timeout(500) })
    socket.send('hello', socket.address().port, '224.0.0.251')
    await message
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}
