import { type Simulator, type SimulatorInit, simulator } from '@registry/testing'
import { describe, expect, it } from 'vitest'
import { type Disk, INTERVAL_MS, type Message, type Records, simulatedPeer } from './simulated-peer.ts'

const PEERS = 1000
/** Links that each peer makes; it has about twice as many, as in a gossip mesh of six. */
const DEGREE = 3
const INIT: SimulatorInit = {
  seed: 1,
  peers: PEERS,
  minLatencyMs: 15,
  maxLatencyMs: 35,
  jitterMs: 5,
  lossRate: 0.01
}

interface Network {
  simulator: Simulator
  disks: Disk[]
  /** Virtual ms from publication to each peer's knowing, of every record. */
  delaysMs: number[]
  /** By this peer, or the next one that is up. */
  publish(peer: number): void
  /** Links a peer to random others that are up. */
  join(peer: number): void
  chance(below: number): number
  /** All that was published is on every peer that is up. */
  converged(): boolean
  /** Lets the time pass until all peers have converged; how long that took, ms. */
  converge(limitMs: number): number
}

function network(init: Partial<SimulatorInit> = {}): Network {
  const settings = { ...INIT, ...init }
  const disks: Disk[] = []
  const peers: Array<ReturnType<typeof simulatedPeer>> = []
  const publishedAtMs: number[] = []
  const delaysMs: number[] = []
  let all: Records = 0n
  let random = (): number => 0

  const simulated = simulator<Message>(settings, (host) => {
    const disk: Disk = { records: 0n }
    disks.push(disk)
    if (host.id === 0) random = host.random
    const peer = simulatedPeer(host, disk, (fresh) => {
      for (const [record, atMs] of publishedAtMs.entries()) {
        if ((fresh >> BigInt(record)) & 1n) delaysMs.push(host.now() - atMs)
      }
    })
    peers.push(peer)
    return peer
  })
  const chance = (below: number): number => Math.floor(random() * below)
  const converged = (): boolean =>
    disks.every(({ records }, peer) => !simulated.isUp(peer) || records === all)
  const made: Network = {
    simulator: simulated,
    disks,
    delaysMs,
    chance,
    converged,
    publish(near) {
      let peer = near
      while (!simulated.isUp(peer)) peer = (peer + 1) % settings.peers
      const record = 1n << BigInt(publishedAtMs.length)
      publishedAtMs.push(simulated.nowMs)
      all |= record
      peers[peer]?.publish(record)
    },
    join(peer) {
      for (let link = 0; link < DEGREE; link++) simulated.link(peer, chance(settings.peers))
    },
    converge(limitMs) {
      const startMs = simulated.nowMs
      let nextLookMs = startMs
      simulated.run(startMs + limitMs, () => {
        if (simulated.nowMs < nextLookMs) return false
        nextLookMs = simulated.nowMs + 100
        return converged()
      })
      return simulated.nowMs - startMs
    }
  }
  for (let peer = 0; peer < settings.peers; peer++) made.join(peer)
  return made
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN
}

describe('a network of 1,000 simulated peers', () => {
  it('shows what is published to 95 of 100 peers within 300 ms, with a loss of 1 % and round trips of 50 ms', () => {
    const net = network()
    net.converge(INTERVAL_MS)
    for (let record = 0; record < 50; record++) {
      net.publish(net.chance(PEERS))
      net.simulator.run(net.simulator.nowMs + 200)
    }
    expect(net.converge(4 * INTERVAL_MS)).toBeLessThan(4 * INTERVAL_MS)
    expect(net.delaysMs).toHaveLength(50 * PEERS)
    expect(percentile(net.delaysMs, 0.95)).toBeLessThan(300)
  })

  it('converges after every partition, both sides having published', () => {
    const net = network({ seed: 2 })
    for (let round = 0; round < 3; round++) {
      const groups = 2 + round
      net.simulator.partition((peer) => peer % groups)
      for (let record = 0; record < 10; record++) net.publish(net.chance(PEERS))
      net.simulator.run(net.simulator.nowMs + 5000)
      expect(net.converged()).toBe(false)
      net.simulator.heal()
      expect(net.converge(2 * INTERVAL_MS)).toBeLessThan(2 * INTERVAL_MS)
    }
  })

  it('converges by comparing alone when most of the gossip is lost', () => {
    const net = network({ seed: 3, lossRate: 0.3 })
    net.converge(INTERVAL_MS)
    for (let record = 0; record < 20; record++) net.publish(net.chance(PEERS))
    expect(net.converge(10 * INTERVAL_MS)).toBeLessThan(10 * INTERVAL_MS)
  })

  it('converges while peers come and go, and tells those who were away what they missed', () => {
    const net = network({ seed: 4 })
    const down: number[] = []
    for (let second = 0; second < 60; second++) {
      const gone = net.chance(PEERS)
      net.simulator.crash(gone)
      down.push(gone)
      net.publish(net.chance(PEERS))
      const back = down.length > 20 ? down.shift() : undefined
      if (back !== undefined) {
        net.simulator.restart(back)
        net.join(back)
      }
      net.simulator.run(net.simulator.nowMs + 1000)
    }
    for (const back of down) {
      net.simulator.restart(back)
      net.join(back)
    }
    expect(net.converge(3 * INTERVAL_MS)).toBeLessThan(3 * INTERVAL_MS)
  })

  it('runs the same way for the same seed', () => {
    const traceOf = (seed: number): string => {
      const net = network({ seed, peers: 200 })
      for (let record = 0; record < 5; record++) net.publish(net.chance(200))
      net.simulator.partition((peer) => peer % 2)
      net.simulator.run(10_000)
      net.simulator.heal()
      net.converge(INTERVAL_MS)
      return net.simulator.trace()
    }
    expect(traceOf(5)).toBe(traceOf(5))
    expect(traceOf(5)).not.toBe(traceOf(6))
  })
})
