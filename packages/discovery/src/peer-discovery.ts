import type { Connection, Libp2pEvents, PeerId, PeerUpdate, TypedEventTarget } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { itemsUntilAborted, withDeadline } from '@registry/timing'
import type {
  AbortOptions,
  Clock,
  DiscoveredPeer,
  DiscoveryMethod,
  DiscoveryStrategy,
  Logger,
  PeerDiscovery,
  PeerIdText
} from '@registry/types'
import { AddressBook, type BookPeerStore, type KnownPeer } from './address-book.ts'
import { backoffMs, failuresAfterConnection, planDials } from './dial-policy.ts'
import { InvalidAddressError } from './errors.ts'
import { parsePeerAddress, peerIdText } from './peer-address.ts'

const PART = 'registry:discovery'

export interface PeerDiscoveryInit {
  /** Below this many connected peers, known ones are dialled and new ones looked for. @default 4 */
  minPeers?: number
  /** At this many, none is dialled. @default 100 */
  maxConnections?: number
  /** Dials on their way at once. @default 8 */
  maxConcurrentDials?: number
  /** How long one peer may take to answer a dial. @default 30000 */
  dialTimeoutMs?: number
  /** How long one round of a strategy may take. @default 30000 */
  roundTimeoutMs?: number
  /** How long after the first failure a peer is dialled again, or a round repeated; doubles from there. @default 1000 */
  retryBaseMs?: number
  /** Where that ends. With enough connections, the pace of rounds. @default 300000 */
  retryIntervalMs?: number
  /** Peers remembered. @default 1000 */
  maxKnownPeers?: number
  /** Addresses remembered of each. @default 16 */
  maxAddressesPerPeer?: number
}

/** What discovery needs of libp2p's connection manager. */
export interface DialManager {
  getConnections(): Array<Pick<Connection, 'remotePeer' | 'status'>>
  openConnection(addresses: Multiaddr[], options: { signal: AbortSignal }): Promise<unknown>
}

export interface PeerDiscoveryComponents {
  peerId: PeerId
  peerStore: BookPeerStore
  connectionManager: DialManager
  /** libp2p's events; a node is such a target. */
  events: Pick<TypedEventTarget<Libp2pEvents>, 'addEventListener' | 'removeEventListener'>
  strategies: readonly DiscoveryStrategy[]
  clock: Clock
  /** Whether to remember an address that a peer or the network told; those of a person are always taken. */
  acceptAddress?: (peerId: PeerIdText, address: string) => boolean
  logger?: Logger
}

/** 16 addresses are two transports on four interfaces, in two IP versions. */
export const DISCOVERY_DEFAULTS: Required<PeerDiscoveryInit> = Object.freeze({
  minPeers: 4,
  maxConnections: 100,
  maxConcurrentDials: 8,
  dialTimeoutMs: 30_000,
  roundTimeoutMs: 30_000,
  retryBaseMs: 1000,
  retryIntervalMs: 300_000,
  maxKnownPeers: 1000,
  maxAddressesPerPeer: 16
})

/**
 * Finds peers by its strategies, remembers them in libp2p's peer store, and keeps `minPeers` connections open.
 *
 * The composing node must raise libp2p's `peerStore: { maxAddressAge, maxPeerAge }`, one and six hours by default: a
 * peer that was away for longer would start with an empty book.
 */
export function peerDiscovery(
  init: PeerDiscoveryInit = {}
): (components: PeerDiscoveryComponents) => PeerDiscovery {
  return (components) => new PeerDiscoveryImpl({ ...DISCOVERY_DEFAULTS, ...init }, components)
}

class PeerDiscoveryImpl implements PeerDiscovery {
  readonly #init: Required<PeerDiscoveryInit>
  readonly #components: PeerDiscoveryComponents
  readonly #self: PeerIdText
  readonly #book: AddressBook
  /** Given by `addBootstrapNode`; part of every round of Bootstrap. */
  readonly #bootstrapAddresses = new Map<string, PeerIdText>()
  readonly #cleanups: Array<() => unknown> = []
  readonly #background = new Set<Promise<void>>()
  #transition: Promise<void> = Promise.resolve()
  /** Aborted by `stop`; undefined when not running. */
  #running: AbortController | undefined
  #dialsPlanned = false
  #roundUnderWay = false
  /** Rounds in a row after which there were still too few connections. */
  #fruitlessRounds = 0
  #roundDueMs = Number.POSITIVE_INFINITY
  #cancelDials = (): void => {}
  #cancelRound = (): void => {}

  constructor(init: Required<PeerDiscoveryInit>, components: PeerDiscoveryComponents) {
    this.#init = init
    this.#components = components
    this.#self = peerIdText(components.peerId)
    this.#book = new AddressBook(
      { self: this.#self, maxPeers: init.maxKnownPeers, maxAddressesPerPeer: init.maxAddressesPerPeer },
      {
        peerStore: components.peerStore,
        clock: components.clock,
        connected: () => this.#connected(),
        acceptAddress: components.acceptAddress ?? (() => true),
        logger: components.logger
      }
    )
  }

  start(): Promise<void> {
    return this.#afterTransition(async () => {
      if (this.#running !== undefined) return
      this.#running = new AbortController()
      try {
        await this.#book.load()
        this.#listen()
        for (const peerId of this.#connected()) this.#onConnect(peerId)
        for (const strategy of this.#components.strategies) {
          const silence = strategy.onPeer?.((peer) => this.#report(peer, strategy.name))
          if (silence !== undefined) this.#cleanups.push(silence)
          await strategy.start()
          this.#cleanups.push(() => strategy.stop())
        }
      } catch (error) {
        await this.#stop()
        throw error
      }
      this.#planDials()
      this.#runRound()
    })
  }

  stop(): Promise<void> {
    return this.#afterTransition(() => this.#stop())
  }

  async discover({ signal }: AbortOptions = {}): Promise<DiscoveredPeer[]> {
    const signals = [signal, this.#running?.signal].filter((one) => one !== undefined)
    await this.#book.load()
    return this.#discover(AbortSignal.any(signals))
  }

  async addPeer(address: string, method: DiscoveryMethod = 'Manual'): Promise<DiscoveredPeer> {
    const parsed = parsePeerAddress(address)
    if (parsed.peerId === this.#self)
      throw new InvalidAddressError(address, 'it is the one of this peer itself')
    await this.#book.load()
    const peer = this.#report({ peerId: parsed.peerId, addresses: [parsed.address] }, method)
    if (peer === undefined) throw new InvalidAddressError(address, 'this peer is set up not to take it')
    await this.#book.saved()
    return this.#book.describe(peer)
  }

  async addBootstrapNode(address: string): Promise<void> {
    const parsed = parsePeerAddress(address)
    // A list of bootstrap nodes is often the same for all peers, those in the list included.
    if (parsed.peerId === this.#self) return
    this.#bootstrapAddresses.set(parsed.address, parsed.peerId)
    await this.#book.load()
    this.#report({ peerId: parsed.peerId, addresses: [parsed.address] }, 'Bootstrap')
    await this.#book.saved()
  }

  async updatePeer(peerId: PeerIdText): Promise<void> {
    await this.#book.load()
    const peer = this.#book.get(peerId)
    if (peer === undefined) return
    this.#book.seen(peer)
    await this.#book.saved()
  }

  async removePeer(peerId: PeerIdText): Promise<void> {
    await this.#book.load()
    for (const [address, bootstrapPeer] of this.#bootstrapAddresses) {
      if (bootstrapPeer === peerId) this.#bootstrapAddresses.delete(address)
    }
    this.#book.remove(peerId)
    await this.#book.saved()
  }

  async removeStalePeers(maxAgeMs: number): Promise<number> {
    await this.#book.load()
    this.#markConnected()
    const oldestMs = this.#components.clock.now() - maxAgeMs
    const stale = [...this.#book.values()].filter(({ lastSeenMs }) => lastSeenMs < oldestMs)
    for (const { peerId } of stale) this.#book.remove(peerId)
    await this.#book.saved()
    return stale.length
  }

  async getPeers(): Promise<DiscoveredPeer[]> {
    await this.#book.load()
    this.#markConnected()
    return [...this.#book.values()].map((peer) => this.#book.describe(peer))
  }

  /** One start or stop at a time, in the order they were asked for. */
  #afterTransition(step: () => Promise<void>): Promise<void> {
    const done = this.#transition.then(step)
    this.#transition = done.catch(() => {})
    return done
  }

  async #stop(): Promise<void> {
    if (this.#running === undefined) return
    this.#running.abort(new DOMException('Discovery has stopped', 'AbortError'))
    this.#running = undefined
    this.#cancelDials()
    this.#cancelRound()
    this.#roundDueMs = Number.POSITIVE_INFINITY
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      try {
        await cleanup()
      } catch (error) {
        this.#components.logger?.warn(PART, 'a strategy did not stop cleanly', { error: String(error) })
      }
    }
    await Promise.all(this.#background)
    this.#markConnected()
    await this.#book.flush()
  }

  #listen(): void {
    const { events } = this.#components
    const onConnect = (event: CustomEvent<PeerId>): void => this.#onConnect(peerIdText(event.detail))
    const onDisconnect = (event: CustomEvent<PeerId>): void => this.#onDisconnect(peerIdText(event.detail))
    const onClose = (): void => this.#planDials()
    const onUpdate = (event: CustomEvent<PeerUpdate>): void => {
      if (this.#book.update(event.detail)) this.#planDials()
    }
    events.addEventListener('peer:connect', onConnect)
    events.addEventListener('peer:disconnect', onDisconnect)
    events.addEventListener('connection:close', onClose)
    events.addEventListener('peer:update', onUpdate)
    this.#cleanups.push(() => {
      events.removeEventListener('peer:connect', onConnect)
      events.removeEventListener('peer:disconnect', onDisconnect)
      events.removeEventListener('connection:close', onClose)
      events.removeEventListener('peer:update', onUpdate)
    })
  }

  #onConnect(peerId: PeerIdText): void {
    const peer = this.#book.get(peerId) ?? this.#book.add(peerId, [], 'Incoming')
    if (peer === undefined) return
    peer.met = true
    peer.connectedAtMs = this.#components.clock.now()
    this.#book.seen(peer)
  }

  #onDisconnect(peerId: PeerIdText): void {
    const peer = this.#book.get(peerId)
    const nowMs = this.#components.clock.now()
    if (peer?.connectedAtMs !== undefined) {
      peer.failures = failuresAfterConnection(peer.failures, nowMs - peer.connectedAtMs)
      peer.lastAttemptMs = nowMs
      peer.connectedAtMs = undefined
      this.#book.seen(peer)
    }
    this.#planDials()
    const left = this.#connected().size
    // Just fallen below, or alone: rounds that had become rare start anew.
    if ((left === 0 || left === this.#init.minPeers - 1) && !this.#roundUnderWay) {
      this.#fruitlessRounds = 0
      this.#scheduleRound()
    }
  }

  #connected(): Set<PeerIdText> {
    const open = this.#components.connectionManager.getConnections().filter(({ status }) => status === 'open')
    return new Set(open.map(({ remotePeer }) => peerIdText(remotePeer)))
  }

  #markConnected(): void {
    for (const peerId of this.#connected()) {
      const peer = this.#book.get(peerId)
      if (peer !== undefined) this.#book.seen(peer)
    }
  }

  #report(
    { peerId, addresses }: { peerId: PeerIdText; addresses: string[] },
    method: DiscoveryMethod
  ): KnownPeer | undefined {
    const peer = this.#book.add(peerId, addresses, method)
    if (peer !== undefined) this.#planDials()
    return peer
  }

  /** Looks whom to dial once everything that happens now has happened: one look for a burst of reports. */
  #planDials(): void {
    if (this.#dialsPlanned) return
    this.#dialsPlanned = true
    queueMicrotask(() => {
      this.#dialsPlanned = false
      if (this.#running !== undefined) this.#dialDue(this.#running.signal)
    })
  }

  #dialDue(signal: AbortSignal): void {
    const { clock } = this.#components
    this.#cancelDials()
    const { dial, nextLookMs } = planDials({
      ...this.#init,
      nowMs: clock.now(),
      self: this.#self,
      candidates: this.#book.values().filter((peer) => this.#book.addressesOf(peer).length > 0),
      connected: this.#connected()
    })
    for (const peerId of dial) {
      const peer = this.#book.get(peerId)
      if (peer !== undefined) this.#inBackground(this.#dial(peer, signal))
    }
    if (nextLookMs !== undefined) {
      this.#cancelDials = clock.schedule(() => this.#planDials(), nextLookMs - clock.now())
    }
  }

  async #dial(peer: KnownPeer, signal: AbortSignal): Promise<void> {
    const { clock, connectionManager, logger } = this.#components
    const { failures } = peer
    peer.dialing = true
    try {
      const addresses = this.#book.addressesOf(peer).map((address) => multiaddr(address))
      await withDeadline(clock, { timeoutMs: this.#init.dialTimeoutMs, signal }, (dialSignal) =>
        connectionManager.openConnection(addresses, { signal: dialSignal })
      )
    } catch (error) {
      logger?.debug(PART, 'a peer could not be dialled', { peerId: peer.peerId, error: String(error) })
    } finally {
      peer.dialing = false
    }
    if (signal.aborted) return
    // A connection that was closed again at once has been counted by its end.
    if (peer.failures === failures && !this.#connected().has(peer.peerId)) {
      peer.failures += 1
      peer.lastAttemptMs = clock.now()
    }
    this.#planDials()
  }

  #runRound(): void {
    const signal = this.#running?.signal
    if (signal === undefined) return
    this.#roundUnderWay = true
    this.#roundDueMs = Number.POSITIVE_INFINITY
    const round = this.#discover(signal).then(
      () => {},
      () => {}
    )
    this.#inBackground(
      round.then(() => {
        this.#roundUnderWay = false
        this.#markConnected()
        if (!signal.aborted) this.#scheduleRound()
      })
    )
  }

  /** Never later than it was scheduled before: peers that come and go could put it off for ever. */
  #scheduleRound(): void {
    const { clock } = this.#components
    const { minPeers, retryBaseMs, retryIntervalMs } = this.#init
    this.#fruitlessRounds = this.#connected().size < minPeers ? this.#fruitlessRounds + 1 : 0
    const delayMs =
      this.#fruitlessRounds === 0
        ? retryIntervalMs
        : backoffMs(this.#fruitlessRounds, retryBaseMs, retryIntervalMs, this.#self)
    const dueMs = clock.now() + delayMs
    if (this.#roundDueMs <= dueMs) return
    this.#cancelRound()
    this.#roundDueMs = dueMs
    this.#cancelRound = clock.schedule(() => this.#runRound(), delayMs)
  }

  async #discover(signal: AbortSignal): Promise<DiscoveredPeer[]> {
    signal.throwIfAborted()
    const found = new Map<PeerIdText, DiscoveredPeer>()
    const take = (peer: { peerId: PeerIdText; addresses: string[] }, method: DiscoveryMethod): void => {
      const known = this.#report(peer, method)
      if (known !== undefined) found.set(known.peerId, this.#book.describe(known))
    }
    for (const [address, peerId] of this.#bootstrapAddresses)
      take({ peerId, addresses: [address] }, 'Bootstrap')
    const { clock, logger, strategies } = this.#components
    const asked = strategies.map(async (strategy) => {
      try {
        await withDeadline(clock, { timeoutMs: this.#init.roundTimeoutMs, signal }, async (roundSignal) => {
          let reports = 0
          for await (const peer of itemsUntilAborted(
            strategy.discover({ signal: roundSignal }),
            roundSignal
          )) {
            take(peer, strategy.name)
            reports += 1
            if (reports === this.#init.maxKnownPeers) return
          }
        })
      } catch (error) {
        signal.throwIfAborted()
        logger?.debug(PART, 'a round failed', { method: strategy.name, error: String(error) })
      }
    })
    await Promise.all(asked)
    return [...found.values()]
  }

  #inBackground(work: Promise<void>): void {
    this.#background.add(work)
    void work.finally(() => this.#background.delete(work))
  }
}
