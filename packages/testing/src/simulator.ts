import { createHash } from 'node:crypto'

export interface SimulatorInit {
  /** Of everything that is left to chance: the same seed gives the same run. */
  seed: number
  peers: number
  /** One way; each link has a delay of its own between these, and each message up to `jitterMs` more. */
  minLatencyMs: number
  maxLatencyMs: number
  jitterMs: number
  /** Share of the messages that never arrive. */
  lossRate: number
}

/** One simulated peer: reacts to what happens to it, at once and in virtual time. */
export interface SimulatedPeer<Message> {
  /** It has begun to run, the first time or again after a crash; what it knew before is up to whoever made it. */
  started(): void
  linked(peer: number): void
  unlinked(peer: number): void
  received(from: number, message: Message): void
}

/** What a simulated peer can do and see. */
export interface SimulatedHost<Message> {
  /** From 0 to `peers` − 1. */
  readonly id: number
  now(): number
  /** Numbers from 0 to below 1, of this peer's own seed. */
  random(): number
  /** Peers it is linked with now, in ascending order. */
  links(): readonly number[]
  /** Lost without a word when the link is gone before it arrives, or by chance. */
  send(to: number, message: Message): void
  /** Runs `task` unless the peer crashes first. Returns how to cancel it. */
  after(delayMs: number, task: () => void): () => void
}

/** A network of peers in virtual time; no thread, clock or source of chance but its own. */
export interface Simulator {
  readonly nowMs: number
  /** Of all that was delivered, lost, linked and unlinked so far, in order: 64 hexadecimal digits. */
  trace(): string
  readonly delivered: number
  link(a: number, b: number): void
  unlink(a: number, b: number): void
  /** Ends every link between peers of different groups, and remembers them for `heal`. */
  partition(groupOf: (peer: number) => number): void
  /** Makes the links again that `partition` ended, but for peers that are down. */
  heal(): void
  /** Ends a peer, its links and all it waits for. */
  crash(peer: number): void
  /** Starts a crashed peer again, without links. */
  restart(peer: number): void
  isUp(peer: number): boolean
  /** Lets the time pass up to `untilMs`, or until `done`, looked at whenever the time has moved on. */
  run(untilMs: number, done?: () => boolean): void
}

interface Event {
  atMs: number
  /** Breaks ties, so that the order is total. */
  order: number
  act: () => void
}

/**
 * A discrete-event simulation. Every peer runs what `createPeer` makes of its host: typically a policy of the registry,
 * whose effects it turns into messages and timers.
 */
export function simulator<Message>(
  init: SimulatorInit,
  createPeer: (host: SimulatedHost<Message>) => SimulatedPeer<Message>
): Simulator {
  return new EventSimulator(init, createPeer)
}

class EventSimulator<Message> implements Simulator {
  readonly #init: SimulatorInit
  readonly #random: () => number
  readonly #events = new EventQueue()
  readonly #peers: Array<SimulatedPeer<Message>> = []
  /** By peer: those it is linked with, and the one-way delay of the link. */
  readonly #links: Array<Map<number, number>> = []
  /** Counts the lives of a peer; absent while it is down. What was begun in an earlier life is void. */
  readonly #lives: number[] = []
  readonly #up: boolean[] = []
  readonly #parted: Array<[number, number]> = []
  readonly #trace = createHash('sha256')
  #order = 0
  #delivered = 0
  #nowMs = 0

  constructor(init: SimulatorInit, createPeer: (host: SimulatedHost<Message>) => SimulatedPeer<Message>) {
    this.#init = init
    this.#random = randomOf(init.seed)
    for (let id = 0; id < init.peers; id++) {
      this.#links.push(new Map())
      this.#lives.push(0)
      this.#up.push(true)
    }
    for (let id = 0; id < init.peers; id++) this.#peers.push(createPeer(this.#host(id)))
    for (const peer of this.#peers) peer.started()
  }

  get nowMs(): number {
    return this.#nowMs
  }

  get delivered(): number {
    return this.#delivered
  }

  trace(): string {
    return this.#trace.copy().digest('hex')
  }

  link(a: number, b: number): void {
    if (a === b || !this.isUp(a) || !this.isUp(b) || this.#links[a]?.has(b)) return
    const { minLatencyMs, maxLatencyMs } = this.#init
    const latencyMs = minLatencyMs + this.#random() * (maxLatencyMs - minLatencyMs)
    this.#links[a]?.set(b, latencyMs)
    this.#links[b]?.set(a, latencyMs)
    this.#note('link', a, b)
    this.#peers[a]?.linked(b)
    this.#peers[b]?.linked(a)
  }

  unlink(a: number, b: number): void {
    if (!this.#links[a]?.delete(b)) return
    this.#links[b]?.delete(a)
    this.#note('unlink', a, b)
    if (this.isUp(a)) this.#peers[a]?.unlinked(b)
    if (this.isUp(b)) this.#peers[b]?.unlinked(a)
  }

  partition(groupOf: (peer: number) => number): void {
    for (const [a, links] of this.#links.entries()) {
      for (const b of [...links.keys()]) {
        if (groupOf(a) === groupOf(b)) continue
        this.#parted.push([a, b])
        this.unlink(a, b)
      }
    }
  }

  heal(): void {
    for (const [a, b] of this.#parted.splice(0)) this.link(a, b)
  }

  crash(peer: number): void {
    this.#up[peer] = false
    this.#lives[peer] = (this.#lives[peer] ?? 0) + 1
    for (const other of [...(this.#links[peer]?.keys() ?? [])]) this.unlink(peer, other)
  }

  restart(peer: number): void {
    if (this.isUp(peer)) return
    this.#up[peer] = true
    this.#peers[peer]?.started()
  }

  isUp(peer: number): boolean {
    return this.#up[peer] === true
  }

  run(untilMs: number, done: () => boolean = () => false): void {
    for (let event = this.#events.peek(); event !== undefined; event = this.#events.peek()) {
      if (event.atMs > untilMs) break
      const moved = event.atMs > this.#nowMs
      this.#nowMs = event.atMs
      if (moved && done()) return
      this.#events.pop()
      event.act()
    }
    if (done()) return
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  #host(id: number): SimulatedHost<Message> {
    return {
      id,
      now: () => this.#nowMs,
      random: randomOf(this.#init.seed ^ Math.imul(id + 1, 0x9e3779b1)),
      links: () => [...(this.#links[id]?.keys() ?? [])].sort((a, b) => a - b),
      send: (to, message) => this.#send(id, to, message),
      after: (delayMs, task) => {
        const life = this.#lives[id]
        let cancelled = false
        this.#at(this.#nowMs + Math.max(0, delayMs), () => {
          if (!cancelled && this.#lives[id] === life) task()
        })
        return () => {
          cancelled = true
        }
      }
    }
  }

  #send(from: number, to: number, message: Message): void {
    const latencyMs = this.#links[from]?.get(to)
    if (latencyMs === undefined) return
    const lost = this.#random() < this.#init.lossRate
    const delayMs = latencyMs + this.#random() * this.#init.jitterMs
    const life = this.#lives[to]
    this.#at(this.#nowMs + delayMs, () => {
      const arrives = !lost && this.#links[from]?.has(to) === true && this.#lives[to] === life
      this.#note(arrives ? 'deliver' : 'lose', from, to)
      if (!arrives) return
      this.#delivered += 1
      this.#peers[to]?.received(from, message)
    })
  }

  #at(atMs: number, act: () => void): void {
    this.#order += 1
    this.#events.push({ atMs, order: this.#order, act })
  }

  #note(what: string, a: number, b: number): void {
    this.#trace.update(`${this.#nowMs} ${what} ${a} ${b}\n`)
  }
}

/** A binary heap: the earliest event first, of those at one time the one made first. */
class EventQueue {
  readonly #heap: Event[] = []

  peek(): Event | undefined {
    return this.#heap[0]
  }

  push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]
      if (parent === undefined || !isBefore(event, parent)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = event
  }

  pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      if (left === undefined) break
      const isLeft = right === undefined || isBefore(left, right)
      const child = isLeft ? left : right
      if (!isBefore(child, last)) break
      heap[at] = child
      at = 2 * at + (isLeft ? 1 : 2)
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
