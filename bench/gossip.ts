import { setTimeout as delay } from 'node:timers/promises'
import { type Helper, startHelper } from './child.ts'
import { pick, seededRandom, shuffled } from './random.ts'

/** What every node of the network is started with. */
export interface GossipInit {
  meshSize: number
  meshLow: number
  meshHigh: number
  heartbeatIntervalMs: number
  historyLength: number
  historyGossip: number
  messageBytes: number
}

export type GossipCommand =
  | { kind: 'dial'; addresses: string[] }
  | { kind: 'report-mesh' }
  | { kind: 'publish'; id: number }

/** `atNs` is the monotonic clock of the machine (`process.hrtime`), which all its processes share. */
export type GossipEvent =
  | { kind: 'listening'; address: string }
  | { kind: 'dialled' }
  | { kind: 'mesh'; size: number }
  | { kind: 'sent'; id: number; atNs: bigint }
  | { kind: 'received'; id: number; atNs: bigint }

export interface GossipMeasurement {
  /** Of every delivery, from the call of `publish` to the event at the receiver. */
  deliveriesMs: number[]
  /** Of every message that reached all others, to the last of them. */
  lastDeliveriesMs: number[]
  /** Deliveries that would have been all. */
  expected: number
  /** How many peers were in each node's mesh as the first message left. */
  meshSizes: number[]
}

type Node = Helper<GossipCommand, GossipEvent>

const MESH_TIMEOUT_MS = 30_000
const MESH_POLL_MS = 250
/** Several heartbeats: a message that came no faster than by IHAVE is still counted. */
const DELIVERY_TIMEOUT_MS = 5_000

/**
 * Times raw gossipsub among `nodes` processes, each connected to some of the others, one message at a time, from a
 * random node each.
 */
export async function measureGossip(
  { nodes: count, messages, ...init }: GossipInit & { nodes: number; messages: number },
  signal: AbortSignal
): Promise<GossipMeasurement> {
  const random = seededRandom(1)
  const nodes = Array.from({ length: count }, () =>
    startHelper<GossipCommand, GossipEvent>('gossip-node.ts', init satisfies GossipInit, isGossipEvent)
  )
  try {
    await connect(nodes, { random, dials: Math.ceil(init.meshSize * 0.75) }, signal)
    const meshSizes = await untilMeshed(nodes, Math.min(init.meshLow, count - 1), signal)
    const measurement: GossipMeasurement = { deliveriesMs: [], lastDeliveriesMs: [], expected: 0, meshSizes }
    for (let id = 0; id < messages; id++) {
      const publisher = pick(random, nodes)
      const others = nodes.filter((node) => node !== publisher)
      const timesMs = await deliver(id, publisher, others, signal)
      measurement.deliveriesMs.push(...timesMs)
      if (timesMs.length === others.length) measurement.lastDeliveriesMs.push(Math.max(...timesMs))
      measurement.expected += others.length
    }
    return measurement
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
  }
}

/** Each node dials some of those before it, so that all are connected, and to more than fit into a mesh. */
async function connect(
  nodes: readonly Node[],
  { random, dials }: { random: () => number; dials: number },
  signal: AbortSignal
): Promise<void> {
  const addresses = await Promise.all(
    nodes.map(async (node) => (await node.next((event) => is(event, 'listening'), signal)).address)
  )
  for (const [index, node] of nodes.entries()) {
    const dialled = node.next((event) => is(event, 'dialled'), signal)
    node.tell({ kind: 'dial', addresses: shuffled(random, addresses.slice(0, index)).slice(0, dials) })
    await dialled
  }
}

async function untilMeshed(nodes: readonly Node[], least: number, signal: AbortSignal): Promise<number[]> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(MESH_TIMEOUT_MS)])
  for (;;) {
    const sizes = await Promise.all(
      nodes.map(async (node) => {
        const reported = node.next((event) => is(event, 'mesh'), deadline)
        node.tell({ kind: 'report-mesh' })
        return (await reported).size
      })
    )
    if (sizes.every((size) => size >= least)) return sizes
    await delay(MESH_POLL_MS, undefined, { signal: deadline })
  }
}

/** How long each delivery took; fewer than there are others when some did not hear it in time. */
async function deliver(
  id: number,
  publisher: Node,
  others: readonly Node[],
  signal: AbortSignal
): Promise<number[]> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(DELIVERY_TIMEOUT_MS)])
  const arrivals = others.map((node) =>
    node
      .next((event): event is Timed => is(event, 'received') && event.id === id, deadline)
      .catch(() => undefined)
  )
  const sent = publisher.next((event): event is Timed => is(event, 'sent') && event.id === id, signal)
  publisher.tell({ kind: 'publish', id })
  const { atNs } = await sent
  const heard = await Promise.all(arrivals)
  signal.throwIfAborted()
  return heard.flatMap((event) => (event === undefined ? [] : [Number(event.atNs - atNs) / 1e6]))
}

type Timed = Extract<GossipEvent, { atNs: bigint }>

function is<Kind extends GossipEvent['kind']>(
  event: GossipEvent,
  kind: Kind
): event is Extract<GossipEvent, { kind: Kind }> {
  return event.kind === kind
}

function isGossipEvent(value: unknown): value is GossipEvent {
  return typeof value === 'object' && value !== null && 'kind' in value
}
