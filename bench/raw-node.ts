import { noise } from '@chainsafe/libp2p-noise'
import type { ServiceMap } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p, type ServiceFactoryMap } from 'libp2p'

/** A libp2p node with nothing of ours: TCP on loopback, Noise, yamux, and the given services. Started. */
export async function rawNode<Services extends ServiceMap>(
  services: ServiceFactoryMap<Services>
): Promise<Libp2p<Services>> {
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // Many peers on one address are no flood here, and a busy one is not dead.
    connectionManager: { inboundConnectionThreshold: Number.POSITIVE_INFINITY },
    connectionMonitor: { enabled: false },
    services
  })
}
