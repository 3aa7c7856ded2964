import type { Connection, Stream } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import { type ManualClock, manualClock, memoryTransport, refusingHandlers } from '@registry/testing'
import type { PackageProtocol, PackageProtocolHandlers, PeerIdText } from '@registry/types'
import { createLibp2p, type Libp2p } from 'libp2p'
import { type PackageProtocolInit, packageProtocol } from '../src/index.ts'

/** One libp2p node over the memory transport that speaks the package protocols, or only opens streams. */
export interface Peer extends AsyncDisposable {
  id: PeerIdText
  node: Libp2p
  protocol: PackageProtocol
  clock: ManualClock
  misbehaviours: Array<{ peerId: PeerIdText; reason: string }>
  /** Opens a raw stream to another peer. */
  open(other: Peer, protocol: string): Promise<Stream>
  /** Answers a protocol with raw bytes in place of the real one. */
  impersonate(protocol: string, handler: (stream: Stream, connection: Connection) => void): Promise<void>
}

export interface PeerOptions {
  init?: Partial<PackageProtocolInit>
  handlers?: Partial<PackageProtocolHandlers>
  admit?: (peerId: PeerIdText, method: string) => boolean
}

export async function startPeer({ init, handlers, admit = () => true }: PeerOptions = {}): Promise<Peer> {
  const clock = manualClock()
  const misbehaviours: Peer['misbehaviours'] = []
  const node = await createLibp2p({ ...memoryTransport(), streamMuxers: [yamux()] })
  const protocol = packageProtocol({ network: 'test', ...init })({
    registrar: node,
    connectionManager: { openConnection: (peer, options) => node.dial(peer, options) },
    handlers: { ...refusingHandlers, ...handlers },
    admit,
    onMisbehaviour: (peerId, reason) => misbehaviours.push({ peerId, reason }),
    clock
  })
  await protocol.start()
  return {
    id: node.peerId.toString() as PeerIdText,
    node,
    protocol,
    clock,
    misbehaviours,
    open: async (other, name) => (await node.dial(other.node.getMultiaddrs())).newStream(name),
    impersonate: async (name, handler) => {
      await node.unhandle(name)
      await node.handle(name, handler)
    },
    [Symbol.asyncDispose]: async () => {
      await protocol.stop()
      await node.stop()
    }
  }
}

/** Starts peers of which each knows and is connected to all before it. */
export async function startPeers(...options: PeerOptions[]): Promise<Peer[]> {
  const peers = await Promise.all(options.map(startPeer))
  for (const [index, peer] of peers.entries()) {
    for (const other of peers.slice(0, index)) await peer.node.dial(other.node.getMultiaddrs())
  }
  return peers
}
