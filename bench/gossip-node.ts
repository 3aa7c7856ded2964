// One node of the gossip network, as a process: libp2p with gossipsub and nothing of ours. Started by gossip.ts.
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'
import type { GossipCommand, GossipEvent, GossipInit } from './gossip.ts'
import { rawNode } from './raw-node.ts'

const TOPIC = 'bench/gossip'

const init: GossipInit = JSON.parse(process.argv[2] ?? '')
const mesh = new Set<string>()
const node = await rawNode({
  // Tells the connected which protocols are spoken here; without it nobody opens a gossip stream.
  identify: identify(),
  pubsub: gossipsub({
    D: init.meshSize,
    Dlo: init.meshLow,
    Dhi: init.meshHigh,
    heartbeatInterval: init.heartbeatIntervalMs,
    mcacheLength: init.historyLength,
    mcacheGossip: init.historyGossip,
    fallbackToFloodsub: false,
    // Above ten peers on one address, which all of these share, every one of them would be scored as an attacker.
    scoreParams: { IPColocationFactorWhitelist: new Set(['127.0.0.1']) },
    // A publisher would hand its message to everyone it is connected to, and no mesh would be measured.
    floodPublish: false
  })
})
const { pubsub } = node.services
pubsub.addEventListener('gossipsub:graft', ({ detail }) => mesh.add(detail.peerId))
pubsub.addEventListener('gossipsub:prune', ({ detail }) => mesh.delete(detail.peerId))
pubsub.addEventListener('message', ({ detail }) => {
  const atNs = process.hrtime.bigint()
  tell({ kind: 'received', id: new DataView(detail.data.buffer, detail.data.byteOffset).getUint32(0), atNs })
})
pubsub.subscribe(TOPIC)

process.on('disconnect', () => process.exit())
process.on('message', (command: GossipCommand) => void obey(command))
tell({ kind: 'listening', address: String(node.getMultiaddrs()[0]) })

async function obey(command: GossipCommand): Promise<void> {
  switch (command.kind) {
    case 'dial':
      for (const address of command.addresses) await node.dial(multiaddr(address))
      return tell({ kind: 'dialled' })
    case 'report-mesh':
      return tell({ kind: 'mesh', size: mesh.size })
    case 'publish': {
      const data = crypto.getRandomValues(new Uint8Array(init.messageBytes))
      new DataView(data.buffer).setUint32(0, command.id)
      const atNs = process.hrtime.bigint()
      await pubsub.publish(TOPIC, data)
      return tell({ kind: 'sent', id: command.id, atNs })
    }
  }
}

function tell(event: GossipEvent): void {
  process.send?.(event)
}
