import { peerDiscoveryContract } from '@registry/testing'
import { World } from './world.ts'

peerDiscoveryContract({
  name: 'peerDiscovery',
  create: async ({ strategies, clock, minPeers }) => {
    const world = await World.create({ init: { minPeers }, strategies, clock })
    return {
      discovery: world.discovery,
      self: world.self,
      connected: () => world.connected,
      disconnect: async (peerId) => world.lose(peerId),
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]()
    }
  }
})
