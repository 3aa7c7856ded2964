import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { packageProtocol } from '@registry/protocol'
import { type MemoryRegistryStore, memoryStore, memoryTransport } from '@registry/testing'
import { systemClock as machineClock } from '@registry/timing'
import type {
  CatalogueHoldings,
  Clock,
  MarketplaceBehaviour,
  PackageProtocol,
  PackageProtocolHandlers,
  PeerIdText
} from '@registry/types'
import { onTestFinished, vi } from 'vitest'
import { acceptance, type MarketplaceBehaviourInit, marketplaceBehaviour } from '../src/index.ts'
import { resolveInit } from '../src/init.ts'
import { type RegistryNode, registryNode } from '../src/node.ts'
import { protocolHandlers } from '../src/protocol-handlers.ts'
import { recordIntake } from '../src/record-intake.ts'
import { scopeQuota } from '../src/scope-quota.ts'

// Real nodes, on a machine that may be busy with something else.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

/** Resolves once `check` passes, for what no event tells. */
export function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 30_000 })
}

/** The machine's clock, as an application composes it. */
export const systemClock: Clock = machineClock()

export interface TestPeer {
  behaviour: MarketplaceBehaviour
  store: MemoryRegistryStore
  /** The first address others can dial. */
  address: () => string
}

export interface TestPeerOptions {
  init?: MarketplaceBehaviourInit
  privateKey?: PrivateKey
  store?: MemoryRegistryStore
  clock?: Clock
}

/** A peer of an in-process network, started, and stopped with the test. */
export async function memoryPeer(options: TestPeerOptions = {}): Promise<TestPeer> {
  const peer = await testPeer(options, memoryTransport())
  await peer.behaviour.start()
  return peer
}

/** A peer with real sockets on loopback, not started; stopped with the test. */
export async function socketPeer(options: TestPeerOptions = {}): Promise<TestPeer> {
  const network = { listenAddresses: ['/ip4/127.0.0.1/tcp/0'], ...options.init?.network }
  return testPeer({ ...options, init: { ...options.init, network } })
}

/** Finds nobody by multicast, and connects to nobody unless it is told. */
async function testPeer(
  { init = {}, clock = systemClock, ...options }: TestPeerOptions,
  libp2p?: ReturnType<typeof memoryTransport>
): Promise<TestPeer> {
  const { privateKey = await generateKeyPair('Ed25519'), store = memoryStore()({ clock }) } = options
  const behaviour = marketplaceBehaviour({
    ...init,
    network: { minPeers: 0, ...init.network },
    bootstrap: { mdns: false, ...init.bootstrap }
  })({ store, privateKey, clock, ...(libp2p === undefined ? {} : { libp2p }) })
  onTestFinished(() => behaviour.stop(), 60_000)
  const address = (): string => {
    const [first] = behaviour.addresses()
    if (first === undefined) throw new Error('The peer does not listen')
    return first
  }
  return { behaviour, store, address }
}

/** A node that speaks the protocols and keeps to no rule but what it is told to answer. */
export interface RawPeer {
  node: RegistryNode
  protocol: PackageProtocol
  /** To be replaced while it runs. */
  handlers: PackageProtocolHandlers
  peerId: PeerIdText
  store: MemoryRegistryStore
  address: () => string
}

const FULL: CatalogueHoldings = { mode: 'full' }

export async function rawPeer(handlers: Partial<PackageProtocolHandlers> = {}): Promise<RawPeer> {
  const store = memoryStore()({ clock: systemClock })
  const node = await registryNode(resolveInit({}))({
    privateKey: await generateKeyPair('Ed25519'),
    gater: {},
    scoreOf: () => 50,
    libp2p: memoryTransport()
  })
  const { libp2p, internals } = node
  const answers: PackageProtocolHandlers = protocolHandlers({
    store,
    contentRouter: { addProvider: () => {} },
    documents: async () => undefined,
    intake: recordIntake({
      catalogue: store.catalogue,
      holds: FULL,
      acceptance: acceptance({ recordsPerSecondPerPeer: 1000, maxPeers: 10 }),
      clock: systemClock,
      onConduct: () => {}
    }),
    quota: scopeQuota({ holds: FULL, shardBits: 0, maxPeers: 10 })({ clock: systemClock }),
    holds: FULL,
    relay: () => {},
    onCompared: () => {},
    onGiven: () => {}
  })
  const protocol = packageProtocol({ network: 'main' })({
    registrar: internals.registrar,
    connectionManager: internals.connectionManager,
    handlers: answers,
    clock: systemClock
  })
  Object.assign(answers, handlers)
  await protocol.start()
  libp2p.addEventListener('connection:open', ({ detail }) => {
    libp2p.services.identify.identify(detail).catch(() => {})
  })
  await node.start()
  onTestFinished(async () => {
    await protocol.stop()
    await node.stop()
  }, 60_000)
  return {
    node,
    protocol,
    handlers: answers,
    store,
    peerId: libp2p.peerId.toString() as PeerIdText,
    address: () => String(libp2p.getMultiaddrs()[0])
  }
}

/** Resolves once the peer has so many releases. */
export async function untilReleases({ store: { catalogue } }: TestPeer, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = (): void => {
    if (catalogue.counts().releases >= count) resolve()
  }
  const stop = catalogue.onChange(look)
  look()
  await promise
  stop()
}
