import type {
  AbortOptions,
  Clock,
  DiscoveryMethod,
  DiscoveryStrategy,
  PeerDiscovery,
  PeerIdText
} from '@registry/types'
import { describe, expect, it } from 'vitest'
import { type ManualClock, manualClock } from '../manual-clock.ts'
import { seededPeerId } from '../seeded.ts'
import { type Contract, rejection } from './contract.ts'

export interface PeerDiscoveryOptions {
  strategies: DiscoveryStrategy[]
  clock: Clock
  minPeers: number
}

/** A discovery that is not started and knows nobody. Whoever it dials answers. */
export interface PeerDiscoverySubject extends AsyncDisposable {
  discovery: PeerDiscovery
  /** Of the peer that discovers. */
  self: PeerIdText
  /** Peers with an open connection. */
  connected(): PeerIdText[]
  /** Ends the connections to a peer, as a failing network would. */
  disconnect(peerId: PeerIdText): Promise<void>
}

const ALICE = seededPeerId('alice')
const BOB = seededPeerId('bob')
const HOUR_MS = 3_600_000

/** What every `PeerDiscovery` does. */
export function peerDiscoveryContract({
  name,
  create
}: Contract<PeerDiscoverySubject, PeerDiscoveryOptions>): void {
  const start = async (
    strategies: DiscoveryStrategy[] = [],
    minPeers = 0
  ): Promise<PeerDiscoverySubject & { clock: ManualClock }> => {
    const clock = manualClock()
    const subject = await create({ strategies, clock, minPeers })
    await subject.discovery.start()
    return { ...subject, clock, [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose]() }
  }

  describe(`peer discovery contract: ${name}`, () => {
    it('knows nobody at first', async () => {
      await using subject = await start()
      expect(await subject.discovery.getPeers()).toEqual([])
      expect(await subject.discovery.discover()).toEqual([])
    })

    it('remembers a peer that was added by hand', async () => {
      await using subject = await start()
      const { discovery, clock } = subject
      const added = await discovery.addPeer(addressOf(ALICE))
      expect(added).toMatchObject({ peerId: ALICE, method: 'Manual', lastSeenMs: clock.now() })
      expect(added.addresses).toHaveLength(1)
      expect(await discovery.getPeers()).toEqual([added])
    })

    it('keeps one entry for a peer with several addresses', async () => {
      await using subject = await start()
      const { discovery } = subject
      await discovery.addPeer(addressOf(ALICE, 4001))
      await discovery.addPeer(addressOf(ALICE, 4002))
      await discovery.addPeer(addressOf(ALICE, 4002))
      const [peer, ...others] = await discovery.getPeers()
      expect(others).toEqual([])
      expect(peer?.addresses).toHaveLength(2)
    })

    it.each(['', 'nonsense', '/ip4/127.0.0.1/tcp/4001', '/ip4/999.0.0.1/tcp/1/p2p/x', 'http://example.org'])(
      'refuses %j as the address of a peer',
      async (address) => {
        await using subject = await start()
        const { discovery } = subject
        const refused = { code: 'ERR_INVALID_ADDRESS' }
        expect(await rejection(discovery.addPeer(address))).toMatchObject(refused)
        expect(await rejection(discovery.addBootstrapNode(address))).toMatchObject(refused)
        expect(await discovery.getPeers()).toEqual([])
      }
    )

    it('asks every strategy and says who found whom', async () => {
      await using subject = await start([
        new Told('Bootstrap', [ALICE]),
        new Told('DHT', [BOB]),
        new Told('MDNS', [])
      ])
      const { discovery } = subject
      const found = await discovery.discover()
      expect(found.map(({ peerId, method }) => [peerId, method]).sort()).toEqual(
        [
          [ALICE, 'Bootstrap'],
          [BOB, 'DHT']
        ].sort()
      )
      const known = await discovery.getPeers()
      expect(known.map(({ peerId }) => peerId).sort()).toEqual([ALICE, BOB].sort())
    })

    it('finds what the others find when one strategy fails', async () => {
      const failing = new Told('DHT', [])
      failing.failure = new Error('The query failed')
      await using subject = await start([failing, new Told('Bootstrap', [ALICE])])
      expect((await subject.discovery.discover()).map(({ peerId }) => peerId)).toEqual([ALICE])
    })

    it('takes up what a passive strategy reports, and stops listening when stopped', async () => {
      const passive = new Told('MDNS', [])
      await using subject = await start([passive])
      const { discovery, clock } = subject
      passive.report(ALICE)
      await clock.advance(0)
      expect(await discovery.getPeers()).toMatchObject([{ peerId: ALICE, method: 'MDNS' }])
      await discovery.stop()
      expect(passive.listeners).toBe(0)
    })

    it('never takes itself for a peer', async () => {
      const strategy = new Told('MDNS', [])
      await using subject = await start([strategy])
      strategy.peers = [subject.self, ALICE]
      strategy.report(subject.self)
      const found = await subject.discovery.discover()
      expect(found.map(({ peerId }) => peerId)).toEqual([ALICE])
      expect((await subject.discovery.getPeers()).map(({ peerId }) => peerId)).toEqual([ALICE])
    })

    it('forgets a peer when told to', async () => {
      await using subject = await start()
      const { discovery } = subject
      await discovery.addPeer(addressOf(ALICE))
      await discovery.addPeer(addressOf(BOB))
      await discovery.removePeer(ALICE)
      await discovery.removePeer(ALICE)
      expect((await discovery.getPeers()).map(({ peerId }) => peerId)).toEqual([BOB])
    })

    it('forgets peers that were not seen for a time, and only those', async () => {
      const clock = manualClock()
      // Not started: nobody is dialled, and a peer with a connection is seen all the time.
      await using subject = await create({ strategies: [], clock, minPeers: 0 })
      const { discovery } = subject
      await discovery.addPeer(addressOf(ALICE))
      await discovery.addPeer(addressOf(BOB))
      await clock.advance(2 * HOUR_MS)
      await discovery.updatePeer(BOB)
      expect(await discovery.removeStalePeers(3 * HOUR_MS)).toBe(0)
      expect(await discovery.removeStalePeers(HOUR_MS)).toBe(1)
      expect(await discovery.getPeers()).toMatchObject([{ peerId: BOB, lastSeenMs: clock.now() }])
    })

    it('connects to as many peers as it should have', async () => {
      await using subject = await start([new Told('Bootstrap', [ALICE, BOB])], 2)
      await subject.clock.advance(HOUR_MS)
      expect(subject.connected().sort()).toEqual([ALICE, BOB].sort())
    })

    it('connects anew when every connection was lost', async () => {
      await using subject = await start([new Told('Bootstrap', [ALICE])], 1)
      await subject.clock.advance(HOUR_MS)
      expect(subject.connected()).toEqual([ALICE])
      await subject.disconnect(ALICE)
      expect(subject.connected()).toEqual([])
      await subject.clock.advance(HOUR_MS)
      expect(subject.connected()).toEqual([ALICE])
    })

    it('looks for peers again and again while it has too few', async () => {
      const strategy = new Told('DHT', [])
      await using subject = await start([strategy], 1)
      await subject.clock.advance(HOUR_MS)
      strategy.peers = [ALICE]
      await subject.clock.advance(HOUR_MS)
      expect(subject.connected()).toEqual([ALICE])
    })

    it('ends a round by its signal', async () => {
      const strategy = new Told('DHT', [])
      strategy.hangs = true
      await using subject = await start([strategy])
      const controller = new AbortController()
      const reason = new Error('no longer wanted')
      const round = rejection(subject.discovery.discover({ signal: controller.signal }))
      controller.abort(reason)
      expect(await round).toBe(reason)
    })

    it('starts and stops its strategies with itself, each once, and leaves no timer behind', async () => {
      const strategies = [new Told('Bootstrap', [ALICE]), new Told('DHT', [])]
      await using subject = await start(strategies, 4)
      const { discovery, clock } = subject
      await discovery.start()
      expect(strategies.map(({ running }) => running)).toEqual([1, 1])
      await clock.advance(HOUR_MS)
      await discovery.stop()
      await discovery.stop()
      expect(strategies.map(({ running }) => running)).toEqual([0, 0])
      expect(clock.pending).toBe(0)
    })

    it('undoes a start that failed half-way', async () => {
      const [good, bad] = [new Told('Bootstrap', []), new Told('DHT', [])]
      bad.startFailure = new Error('The port is taken')
      const clock = manualClock()
      await using subject = await create({ strategies: [good, bad], clock, minPeers: 1 })
      expect(await rejection(subject.discovery.start())).toBe(bad.startFailure)
      expect(good.running).toBe(0)
      expect(good.listeners).toBe(0)
      expect(clock.pending).toBe(0)
    })
  })
}

function addressOf(peerId: PeerIdText, port = 4001): string {
  return `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`
}

/** A strategy that finds whom the test tells it. */
class Told implements DiscoveryStrategy {
  readonly name: DiscoveryMethod
  peers: PeerIdText[]
  failure: Error | undefined
  startFailure: Error | undefined
  hangs = false
  running = 0
  readonly #listeners = new Set<(peer: { peerId: PeerIdText; addresses: string[] }) => void>()

  constructor(name: DiscoveryMethod, peers: PeerIdText[]) {
    this.name = name
    this.peers = peers
  }

  async start(): Promise<void> {
    if (this.startFailure !== undefined) throw this.startFailure
    this.running += 1
  }

  async stop(): Promise<void> {
    this.running -= 1
  }

  async *discover({ signal }: AbortOptions = {}): AsyncIterable<{ peerId: PeerIdText; addresses: string[] }> {
    if (this.failure !== undefined) throw this.failure
    if (this.hangs) {
      await new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    }
    for (const peerId of this.peers) yield { peerId, addresses: [addressOf(peerId)] }
  }

  onPeer(listener: (peer: { peerId: PeerIdText; addresses: string[] }) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  report(peerId: PeerIdText): void {
    for (const listener of this.#listeners) listener({ peerId, addresses: [addressOf(peerId)] })
  }

  get listeners(): number {
    return this.#listeners.size
  }
}
