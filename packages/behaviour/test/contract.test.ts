import { generateKeyPair } from '@libp2p/crypto/keys'
import { marketplaceBehaviourContract, memoryStore, memoryTransport } from '@registry/testing'
import { marketplaceBehaviour } from '../src/index.ts'
import { systemClock as clock } from './peers.ts'

marketplaceBehaviourContract({
  name: 'libp2p',
  create: async () => {
    const store = memoryStore()({ clock })
    const privateKey = await generateKeyPair('Ed25519')
    const behaviour = marketplaceBehaviour({ network: { minPeers: 0 }, bootstrap: { mdns: false } })({
      store,
      privateKey,
      clock,
      libp2p: memoryTransport()
    })
    await behaviour.start()
    return { behaviour, store, [Symbol.asyncDispose]: () => behaviour.stop() }
  }
})
