import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import { memoryTransport } from '@registry/testing'
import { systemClock } from '@registry/timing'
import type { PeerDiscovery } from '@registry/types'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { expect, it } from 'vitest'
import { bootstrapStrategy, peerDiscovery } from '../src/index.ts'

const clock = systemClock()

interface Peer extends AsyncDisposable {
  node: Libp2p
  discovery: PeerDiscovery
  address: string
}

async function peer(
  options: { privateKey?: PrivateKey; datastore?: MemoryDatastore; nodes?: string[] } = {}
): Promise<Peer> {
  const {
    privateKey = await generateKeyPair('Ed25519'),
    datastore = new MemoryDatastore(),
    nodes = []
  } = options
  const node = await createLibp2p({
    ...memoryTransport(),
    privateKey,
    datastore,
    streamMuxers: [yamux()],
    services: { identify: identify() },
    peerStore: { maxAddressAge: 172_800_000, maxPeerAge: 172_800_000 }
  })
  const discovery = peerDiscovery({ minPeers: 1, retryBaseMs: 20 })({
    peerId: node.peerId,
    peerStore: node.peerStore,
    // A node is nearly a connection manager.
    connectionManager: {
      getConnections: () => node.getConnections(),
      openConnection: (addresses, abort) => node.dial(addresses, abort)
    },
    events: node,
    strategies: [bootstrapStrategy({ nodes })],
    clock
  })
  await discovery.start()
  return {
    node,
    discovery,
    address: node.getMultiaddrs()[0]?.toString() ?? '',
    [Symbol.asyncDispose]: async () => {
      await discovery.stop()
      await node.stop()
    }
  }
}

function connection(node: Libp2p): Promise<unknown> {
  if (node.getConnections().length > 0) return Promise.resolve()
  return new Promise((resolve) => node.addEventListener('peer:connect', resolve, { once: true }))
}

it('connects real nodes, again after the connection broke, and after a restart by the addresses it remembered', async () => {
  await using bootstrap = await peer()
  const privateKey = await generateKeyPair('Ed25519')
  const datastore = new MemoryDatastore()
  {
    await using first = await peer({ privateKey, datastore, nodes: [bootstrap.address] })
    await connection(first.node)
    const broken = new Promise((resolve) => {
      first.node.addEventListener('peer:disconnect', resolve, { once: true })
    })
    for (const open of bootstrap.node.getConnections()) open.abort(new Error('The cable was pulled'))
    await broken
    await connection(first.node)
    expect(await first.discovery.getPeers()).toMatchObject([
      { peerId: bootstrap.node.peerId.toString(), method: 'Bootstrap', addresses: [bootstrap.address] }
    ])
  }
  await using second = await peer({ privateKey, datastore })
  await connection(second.node)
  expect(second.node.getPeers().map(String)).toEqual([bootstrap.node.peerId.toString()])
})

it('learns the addresses of a peer that connected by itself', async () => {
  await using listener = await peer()
  await using dialler = await peer({ nodes: [listener.address] })
  const identified = new Promise((resolve) => {
    listener.node.addEventListener('peer:identify', resolve, { once: true })
  })
  await connection(dialler.node)
  await identified
  const [known] = await listener.discovery.getPeers()
  expect(known).toMatchObject({ method: 'Incoming', addresses: [dialler.address] })
})
