import { memory } from '@libp2p/memory'
import { plaintext } from '@libp2p/plaintext'

/** Options of libp2p that differ from a real node's; spread them over those of the node under test. */
export interface MemoryTransportOptions {
  addresses: { listen: string[] }
  transports: Array<ReturnType<typeof memory>>
  connectionEncrypters: Array<ReturnType<typeof plaintext>>
  connectionMonitor: { enabled: false }
  connectionManager: { inboundConnectionThreshold: number }
}

let lastAddress = 0

/**
 * What makes a libp2p node talk inside this process only: a `/memory` address of its own, no encryption, no pings that
 * close a busy connection, and no limit to how fast one host connects.
 */
export function memoryTransport(): MemoryTransportOptions {
  lastAddress += 1
  return {
    addresses: { listen: [`/memory/registry-${lastAddress}`] },
    transports: [memory()],
    connectionEncrypters: [plaintext()],
    connectionMonitor: { enabled: false },
    connectionManager: { inboundConnectionThreshold: Number.POSITIVE_INFINITY }
  }
}
