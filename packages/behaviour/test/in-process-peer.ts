import { type Sketch, sketch } from '@registry/reconciliation'
import { type ManualClock, manualClock, memoryStore } from '@registry/testing'
import type {
  Catalogue,
  CatalogueHoldings,
  CatalogueScope,
  ExchangeOptions,
  PackageProtocol,
  PackageProtocolHandlers,
  PeerIdText,
  RegistryStore
} from '@registry/types'
import { acceptance } from '../src/index.ts'
import { type PeerSyncResult, peerSync } from '../src/peer-sync.ts'
import { protocolHandlers } from '../src/protocol-handlers.ts'
import { recordIntake } from '../src/record-intake.ts'
import { scopeQuota } from '../src/scope-quota.ts'
import { shortIdOf } from '../src/short-id.ts'
import type { SyncBudget } from '../src/sync-ledger.ts'

export const BUDGET: SyncBudget = {
  maxBytes: 64 * 1024 * 1024,
  maxMs: 60_000,
  maxRefused: 10,
  maxComparisons: 6
}

/** A peer that is asked without any bytes between, and that does nothing by itself. */
export interface InProcessPeer {
  peerId: PeerIdText
  store: RegistryStore
  catalogue: Catalogue
  holds: CatalogueHoldings
  /** What it answers; to be replaced. */
  handlers: PackageProtocolHandlers
  /** The methods it was asked, in order. */
  asked: string[]
  clock: ManualClock
  /** Synchronises with another one. */
  sync(other: InProcessPeer, budget?: Partial<SyncBudget>, signal?: AbortSignal): Promise<PeerSyncResult>
}

export interface InProcessPeerOptions {
  holds?: CatalogueHoldings
  /** Coded symbols of its sketches. */
  capacity?: number
  recordsPerSecond?: number
  /** One that is filled already. */
  catalogue?: Catalogue
}

let peers = 0

export function inProcessPeer({
  holds = { mode: 'full' },
  capacity,
  recordsPerSecond = 100_000,
  catalogue: filled
}: InProcessPeerOptions = {}): InProcessPeer {
  peers++
  const clock = manualClock()
  const stored = memoryStore()({ clock })
  const whole = filled ?? stored.catalogue
  const catalogue = capacity === undefined ? whole : withCapacity(whole, capacity)
  const store: RegistryStore = {
    catalogue,
    blobs: stored.blobs,
    outbox: stored.outbox,
    publish: (envelopes) => stored.publish(envelopes),
    start: async () => {},
    stop: async () => {}
  }
  const asked: string[] = []
  const handlers = protocolHandlers({
    store,
    contentRouter: { addProvider: () => {} },
    documents: async () => undefined,
    intake: recordIntake({
      catalogue,
      holds,
      acceptance: acceptance({ recordsPerSecondPerPeer: recordsPerSecond, maxPeers: 10 }),
      clock,
      onConduct: () => {}
    }),
    quota: scopeQuota({ holds, shardBits: 0, maxPeers: 10 })({ clock }),
    holds,
    relay: () => {},
    onCompared: () => {},
    onGiven: () => {}
  })
  const peerId = `peer-${peers}` as PeerIdText
  // By the peer that is asked.
  const others = new Map<PeerIdText, InProcessPeer>()
  const protocol = new Proxy({} as PackageProtocol, {
    get: (_, method) => {
      return async (to: PeerIdText, ...input: unknown[]) => {
        const options = input.pop() as ExchangeOptions
        options.signal?.throwIfAborted()
        const other = others.get(to)
        if (other === undefined || typeof method !== 'string') throw new Error('nobody is there')
        other.asked.push(method)
        const answer = await Reflect.get(other.handlers, method)(peerId, ...input)
        options.signal?.throwIfAborted()
        if (options.meter !== undefined) {
          options.meter.roundTrips++
          options.meter.sentBytes += bytesIn(input)
          options.meter.receivedBytes += bytesIn(answer)
        }
        return answer
      }
    }
  })
  let begin: { budget: SyncBudget; sync: ReturnType<ReturnType<typeof peerSync>> } | undefined
  return {
    peerId,
    store,
    catalogue,
    holds,
    handlers,
    asked,
    clock,
    async sync(other, overrides = {}, signal) {
      others.set(other.peerId, other)
      const budget = { ...BUDGET, ...overrides }
      // One for all with the same budget, as a peer has one.
      if (JSON.stringify(begin?.budget) !== JSON.stringify(budget)) {
        begin = { budget, sync: peerSync({ budget, holds })({ catalogue, protocol, clock }) }
      }
      if (begin === undefined) throw new Error('unreachable')
      const options = { holds: other.holds, ...(signal === undefined ? {} : { signal }) }
      return begin.sync(other.peerId, options).result
    }
  }
}

function bytesIn(value: unknown): number {
  if (value instanceof Uint8Array) return value.length
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum: number, item) => sum + bytesIn(item), 0)
}

/** The catalogue with sketches that decode no more than this. */
function withCapacity(catalogue: Catalogue, capacity: number): Catalogue {
  const sketchOf = (scope: CatalogueScope): Sketch => {
    const made = sketch({ capacity })
    for (const id of allIds(catalogue, scope)) made.add(shortIdOf(id))
    return made
  }
  return new Proxy(catalogue, {
    get: (target, property) => {
      if (property === 'sketch') return sketchOf
      const value = Reflect.get(target, property, target)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}

export function allIds(
  catalogue: Catalogue,
  scope: CatalogueScope = { kind: 'all' }
): ReturnType<Catalogue['recordIds']>['ids'] {
  return catalogue.recordIds({ scope, limit: Number.MAX_SAFE_INTEGER }).ids
}
