import type { SimulatedHost, SimulatedPeer } from '@registry/testing'
import type { PeerIdText } from '@registry/types'
import { type ReplicationInput, replication } from '../src/policy/replication.ts'

/** Records as a set of numbers, one bit each. */
export type Records = bigint

export type Message =
  | { type: 'gossip'; records: Records }
  | { type: 'compare'; session: number; records: Records }
  | { type: 'compared'; session: number; records: Records }
  | { type: 'exchange'; session: number; give: Records; want: Records }
  | { type: 'exchanged'; session: number; records: Records }

/** What a peer holds. It outlives a crash, as a disk does. */
export interface Disk {
  records: Records
}

export const INTERVAL_MS = 60_000
const SESSION_TIMEOUT_MS = 10_000

/**
 * A peer that runs the replication policy: it compares and exchanges when the policy says so, in messages that take time
 * and may be lost, and passes on by gossip what it hears first. Only the catalogue is a model.
 */
export function simulatedPeer(
  host: SimulatedHost<Message>,
  disk: Disk,
  onNews: (records: Records) => void
): SimulatedPeer<Message> & { publish(records: Records): void } {
  let policy = newPolicy()
  let sessions = 0
  let cancelWake = (): void => {}
  /** By session: the peer, what was held here when it began, and how to end its time limit. */
  const running = new Map<number, { peer: number; received: number; cancelLimit: () => void }>()

  function newPolicy(): ReturnType<typeof replication> {
    return replication({
      intervalMs: INTERVAL_MS,
      maxConcurrent: 4,
      firstRetryMs: 1000,
      spread: 3,
      maxRetryMs: 600_000,
      seed: Math.floor(host.random() * 2 ** 32)
    })
  }

  function handle(input: ReplicationInput): void {
    const { start, wakeAtMs } = policy.handle(input, host.now())
    for (const peerId of start) begin(Number(peerId))
    cancelWake()
    if (wakeAtMs !== undefined) cancelWake = host.after(wakeAtMs - host.now(), () => handle({ type: 'tick' }))
  }

  function begin(peer: number): void {
    sessions += 1
    const session = sessions
    const cancelLimit = host.after(SESSION_TIMEOUT_MS, () => end(session, 'failed'))
    running.set(session, { peer, received: 0, cancelLimit })
    host.send(peer, { type: 'compare', session, records: disk.records })
  }

  function end(session: number, outcome: 'equal' | 'different' | 'failed'): void {
    const ended = running.get(session)
    if (ended === undefined) return
    running.delete(session)
    ended.cancelLimit()
    handle({ type: 'finished', peerId: peerIdOf(ended.peer), outcome, received: ended.received })
  }

  function take(records: Records): Records {
    const fresh = records & ~disk.records
    disk.records |= fresh
    if (fresh !== 0n) onNews(fresh)
    return fresh
  }

  function gossip(records: Records, but?: number): void {
    for (const peer of host.links()) if (peer !== but) host.send(peer, { type: 'gossip', records })
  }

  return {
    started() {
      policy = newPolicy()
      running.clear()
      cancelWake = () => {}
    },
    linked: (peer) => handle({ type: 'connected', peerId: peerIdOf(peer) }),
    unlinked(peer) {
      for (const [session, one] of running) if (one.peer === peer) end(session, 'failed')
      handle({ type: 'disconnected', peerId: peerIdOf(peer) })
    },
    publish(records) {
      take(records)
      gossip(records)
    },
    received(from, message) {
      if (message.type === 'gossip') {
        const fresh = take(message.records)
        if (fresh !== 0n) gossip(fresh, from)
      } else if (message.type === 'compare') {
        const { session } = message
        host.send(from, { type: 'compared', session, records: disk.records })
        if (message.records !== disk.records) handle({ type: 'doubted', peerId: peerIdOf(from) })
      } else if (message.type === 'exchange') {
        if (take(message.give) !== 0n) handle({ type: 'given', peerId: peerIdOf(from) })
        host.send(from, { type: 'exchanged', session: message.session, records: message.want })
      } else {
        const session = running.get(message.session)
        if (session?.peer !== from) return
        if (message.type === 'exchanged') {
          session.received = take(message.records) === 0n ? 0 : 1
          end(message.session, 'equal')
        } else if (message.records === disk.records) end(message.session, 'equal')
        else {
          const give = disk.records & ~message.records
          const want = message.records & ~disk.records
          host.send(from, { type: 'exchange', session: message.session, give, want })
        }
      }
    }
  }
}

function peerIdOf(peer: number): PeerIdText {
  return String(peer) as PeerIdText
}
