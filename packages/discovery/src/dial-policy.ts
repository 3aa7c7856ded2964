import type { DiscoveryMethod, PeerIdText } from '@registry/types'

/** A connection that lasted this long was a good one; one that ended sooner counts as a failed attempt. */
const LASTING_CONNECTION_MS = 60_000
const HOUR_MS = 3_600_000

/** What is remembered of a peer to decide when to dial it. */
export interface DialCandidate {
  peerId: PeerIdText
  /** `Bootstrap` peers are ways into the network, given by a person. */
  method: DiscoveryMethod
  lastSeenMs: number
  /** Attempts in a row that led to no lasting connection. */
  failures: number
  /** When the last attempt or the last connection ended. */
  lastAttemptMs: number
  dialing: boolean
}

export interface DialInput {
  nowMs: number
  self: PeerIdText
  candidates: Iterable<DialCandidate>
  connected: ReadonlySet<PeerIdText>
  minPeers: number
  maxConnections: number
  maxConcurrentDials: number
  retryBaseMs: number
  retryIntervalMs: number
}

export interface DialPlan {
  /** Whom to dial now, best first. */
  dial: PeerIdText[]
  /** When a look will have something to do again if nothing else happens, ms since the epoch. */
  nextLookMs: number | undefined
}

/**
 * Whom to dial now. Below `minPeers` everybody known may be dialled, up to twice as many as are missing, because some
 * will not answer. With enough connections, only one bootstrap peer is still tried when none is connected: without it,
 * two groups that each have enough of themselves would never meet.
 *
 * Pure: the same input gives the same plan.
 */
export function planDials(input: DialInput): DialPlan {
  const { nowMs, connected, maxConnections, maxConcurrentDials } = input
  const waiting: Array<DialCandidate & { dueMs: number }> = []
  let dialing = 0
  let bootstrapInHand = false
  for (const candidate of input.candidates) {
    if (candidate.dialing) dialing += 1
    if (isBootstrap(candidate) && (candidate.dialing || connected.has(candidate.peerId)))
      bootstrapInHand = true
    if (candidate.dialing || candidate.peerId === input.self || connected.has(candidate.peerId)) continue
    waiting.push({ ...candidate, dueMs: dueMs(candidate, input) })
  }
  const missing = Math.min(input.minPeers, maxConnections) - connected.size
  const wanted = missing > 0 ? 2 * missing - dialing : bootstrapInHand ? 0 : 1
  const room = Math.min(wanted, maxConcurrentDials - dialing, maxConnections - connected.size - dialing)
  const eligible = missing > 0 ? waiting : wanted > 0 ? waiting.filter(isBootstrap) : []
  const bootstrapFirst = connected.size === 0
  const due = eligible
    .filter((candidate) => candidate.dueMs <= nowMs)
    .sort(
      (a, b) =>
        (bootstrapFirst ? Number(isBootstrap(b)) - Number(isBootstrap(a)) : 0) ||
        a.failures - b.failures ||
        hoursAgo(a, nowMs) - hoursAgo(b, nowMs) ||
        // Every peer has an order of its own, so that not all of them run to the same one.
        fraction(`${input.self} ${a.peerId}`) - fraction(`${input.self} ${b.peerId}`)
    )
  const later = eligible.map((candidate) => candidate.dueMs).filter((at) => at > nowMs)
  return {
    dial: due.slice(0, Math.max(0, room)).map(({ peerId }) => peerId),
    nextLookMs: later.length === 0 ? undefined : later.reduce((a, b) => Math.min(a, b))
  }
}

/** The failures to count after a connection ended: its length tells a broken line from a peer that throws us out. */
export function failuresAfterConnection(failures: number, connectedForMs: number): number {
  return connectedForMs >= LASTING_CONNECTION_MS ? 1 : failures + 1
}

/**
 * How long to wait after the `failures`-th failure in a row: doubles from `baseMs` up to `capMs`, of which between half
 * and all, as `seed` decides, so that peers that failed together do not come back together.
 */
export function backoffMs(failures: number, baseMs: number, capMs: number, seed: string): number {
  if (failures <= 0) return 0
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 52))
  return Math.round(full * (0.5 + 0.5 * fraction(`${seed} ${failures}`)))
}

function isBootstrap({ method }: DialCandidate): boolean {
  return method === 'Bootstrap'
}

function dueMs(candidate: DialCandidate, { self, retryBaseMs, retryIntervalMs }: DialInput): number {
  const waitMs = backoffMs(candidate.failures, retryBaseMs, retryIntervalMs, `${self} ${candidate.peerId}`)
  return candidate.failures === 0 ? 0 : candidate.lastAttemptMs + waitMs
}

function hoursAgo({ lastSeenMs }: DialCandidate, nowMs: number): number {
  return Math.floor(Math.max(0, nowMs - lastSeenMs) / HOUR_MS)
}

/** A number from 0 up to 1 that depends on the text alone (FNV-1a with the finalizer of MurmurHash3). */
function fraction(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
