import { describe, expect, it } from 'vitest'
import { type SimulatedHost, type Simulator, type SimulatorInit, simulator } from '../src/index.ts'

const INIT: SimulatorInit = {
  seed: 1,
  peers: 50,
  minLatencyMs: 10,
  maxLatencyMs: 40,
  jitterMs: 5,
  lossRate: 0
}

/** Peers that pass on whatever they hear for the first time, and remember it over a crash. */
function gossips(init: Partial<SimulatorInit> = {}): {
  network: Simulator
  heard: Array<Set<string>>
  hosts: Array<SimulatedHost<string>>
} {
  const heard: Array<Set<string>> = []
  const hosts: Array<SimulatedHost<string>> = []
  const network = simulator<string>({ ...INIT, ...init }, (host) => {
    const known = new Set<string>()
    heard.push(known)
    hosts.push(host)
    return {
      started: () => {},
      linked: (peer) => {
        for (const news of known) host.send(peer, news)
      },
      unlinked: () => {},
      received: (_from, news) => {
        if (known.has(news)) return
        known.add(news)
        for (const peer of host.links()) host.send(peer, news)
      }
    }
  })
  return { network, heard, hosts }
}

function ring(network: Simulator, peers: number): void {
  for (let peer = 0; peer < peers; peer++) network.link(peer, (peer + 1) % peers)
}

function tell({ heard, hosts }: ReturnType<typeof gossips>, peer: number, news: string): void {
  heard[peer]?.add(news)
  for (const other of hosts[peer]?.links() ?? []) hosts[peer]?.send(other, news)
}

const knowing = (heard: ReadonlyArray<Set<string>>, news: string): number =>
  heard.filter((known) => known.has(news)).length

describe('the simulator', () => {
  it('delivers over each link after its delay, in virtual time', () => {
    const all = gossips({ minLatencyMs: 20, maxLatencyMs: 20, jitterMs: 0 })
    ring(all.network, 50)
    tell(all, 0, 'a')
    all.network.run(20 * 24)
    expect(knowing(all.heard, 'a')).toBe(49)
    all.network.run(20 * 25)
    expect(knowing(all.heard, 'a')).toBe(50)
    expect(all.network.nowMs).toBe(500)
  })

  it('stops as soon as what is waited for holds', () => {
    const all = gossips()
    ring(all.network, 50)
    tell(all, 0, 'a')
    all.network.run(60_000, () => knowing(all.heard, 'a') === 50)
    expect(knowing(all.heard, 'a')).toBe(50)
    expect(all.network.nowMs).toBeLessThan(25 * 45 + 1)
  })

  it('runs the same way for the same seed, and another for another', () => {
    const traceOf = (seed: number): string => {
      const all = gossips({ seed, lossRate: 0.1 })
      ring(all.network, 50)
      tell(all, 0, 'a')
      all.network.run(60_000)
      return all.network.trace()
    }
    expect(traceOf(7)).toBe(traceOf(7))
    expect(traceOf(7)).not.toBe(traceOf(8))
  })

  it('loses messages by chance', () => {
    const all = gossips({ lossRate: 1 })
    ring(all.network, 50)
    tell(all, 0, 'a')
    all.network.run(60_000)
    expect(knowing(all.heard, 'a')).toBe(1)
    expect(all.network.delivered).toBe(0)
  })

  it('keeps a partition apart until it is healed', () => {
    const all = gossips()
    ring(all.network, 50)
    all.network.partition((peer) => Number(peer < 25))
    tell(all, 0, 'a')
    all.network.run(60_000)
    expect(knowing(all.heard, 'a')).toBe(25)
    all.network.heal()
    all.network.run(120_000)
    expect(knowing(all.heard, 'a')).toBe(50)
  })

  it('voids the links, messages and timers of a peer that crashes, and starts it again', () => {
    const starts: number[] = []
    let rang = 0
    const hosts: Array<SimulatedHost<string>> = []
    const received: string[] = []
    const network = simulator<string>({ ...INIT, peers: 2 }, (host) => {
      hosts.push(host)
      return {
        started: () => starts.push(host.id),
        linked: () => {},
        unlinked: () => {},
        received: (_from, text) => received.push(text)
      }
    })
    network.link(0, 1)
    hosts[1]?.after(100, () => {
      rang += 1
    })
    hosts[0]?.send(1, 'lost')
    network.crash(1)
    expect(hosts[0]?.links()).toEqual([])
    network.restart(1)
    network.link(0, 1)
    hosts[0]?.send(1, 'heard')
    network.run(1000)
    expect({ starts, rang, received }).toEqual({ starts: [0, 1, 1], rang: 0, received: ['heard'] })
  })
})
