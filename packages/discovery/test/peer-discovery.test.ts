import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { manualClock, seededPeerId } from '@registry/testing'
import type { PeerIdText } from '@registry/types'
import { describe, expect, it, vi } from 'vitest'
import { addressOf, Told, World, type WorldOptions } from './world.ts'

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const PEERS = Array.from({ length: 12 }, (_, index) => seededPeerId(index))
const [ALICE, BOB, CAROL, DAVE] = PEERS as [PeerIdText, PeerIdText, PeerIdText, PeerIdText]

/** A started world with strategies on its own clock. */
async function start(
  options: WorldOptions & { bootstrap?: PeerIdText[]; dht?: PeerIdText[] } = {}
): Promise<{ world: World; bootstrap: Told; dht: Told; mdns: Told } & AsyncDisposable> {
  const { bootstrap: nodes = [], dht: found = [], ...rest } = options
  const clock = manualClock()
  const bootstrap = new Told('Bootstrap', clock, nodes)
  const dht = new Told('DHT', clock, found)
  const mdns = new Told('MDNS', clock)
  const world = await World.create({ ...rest, clock, strategies: [bootstrap, dht, mdns] })
  world.clock = clock
  await world.discovery.start()
  return { world, bootstrap, dht, mdns, [Symbol.asyncDispose]: () => world.discovery.stop() }
}

describe('the minimum of connections', () => {
  it('is reached at once from what the first round finds', async () => {
    await using peers = await start({ bootstrap: PEERS.slice(0, 5), init: { minPeers: 3 } })
    await peers.world.clock.advance(0)
    expect(peers.world.connected.length).toBeGreaterThanOrEqual(3)
  })

  it('makes a peer be dialled at once that is heard of while there are too few', async () => {
    await using peers = await start({ init: { minPeers: 1 } })
    await peers.world.clock.advance(10 * MINUTE_MS)
    peers.mdns.report(ALICE)
    await peers.world.clock.advance(0)
    expect(peers.world.connected).toEqual([ALICE])
    peers.mdns.report(BOB)
    await peers.world.clock.advance(10 * MINUTE_MS)
    expect(peers.world.connected).toEqual([ALICE])
  })

  it('counts peers that connected by themselves', async () => {
    await using peers = await start({ init: { minPeers: 2 } })
    peers.world.connect(ALICE)
    peers.world.connect(BOB)
    peers.mdns.report(CAROL)
    await peers.world.clock.advance(MINUTE_MS)
    expect(peers.world.dials).toEqual([])
    expect(await peers.world.discovery.getPeers()).toContainEqual({
      peerId: ALICE,
      addresses: [],
      method: 'Incoming',
      lastSeenMs: peers.world.clock.now()
    })
  })

  it('is recovered within a second when every connection is lost and the peers are still there', async () => {
    await using peers = await start({ bootstrap: PEERS.slice(0, 3), init: { minPeers: 3 } })
    const { world } = peers
    await world.clock.advance(HOUR_MS)
    expect(world.connected).toHaveLength(3)
    world.lose(...world.connected)
    await world.clock.advance(SECOND_MS)
    expect(world.connected).toHaveLength(3)
  })

  it('is sought at a pace that falls to the ceiling while nobody answers, and reached when they are back', async () => {
    await using peers = await start({
      bootstrap: [ALICE, BOB],
      init: { minPeers: 2, retryIntervalMs: MINUTE_MS }
    })
    const { world, bootstrap, dht } = peers
    await world.clock.advance(HOUR_MS)
    world.everybody = 'no'
    world.dials.length = 0
    dht.roundsAtMs.length = 0
    const lostMs = world.clock.now()
    world.lose(ALICE, BOB)
    await world.clock.advance(HOUR_MS)
    const waits = world.dialsOf(ALICE).map((atMs, index, all) => atMs - (all[index - 1] ?? lostMs))
    expect(waits[0]).toBeLessThanOrEqual(SECOND_MS)
    expect(waits[1]).toBeLessThanOrEqual(2 * SECOND_MS)
    expect(Math.max(...waits)).toBeLessThanOrEqual(MINUTE_MS)
    expect(waits.length).toBeGreaterThan(60)
    expect(waits.length).toBeLessThan(140)
    expect(dht.roundsAtMs.length).toBeLessThan(140)
    expect((dht.roundsAtMs[0] ?? 0) - lostMs).toBeLessThanOrEqual(SECOND_MS)
    expect(bootstrap.roundsAtMs.length).toBeGreaterThan(dht.roundsAtMs.length)
    world.everybody = 'yes'
    await world.clock.advance(MINUTE_MS)
    expect(world.connected).toHaveLength(2)
  })

  it('does not hammer a peer that answers and hangs up', async () => {
    await using peers = await start({ bootstrap: [ALICE] })
    peers.world.answers.set(ALICE, 'then hangs up')
    await peers.world.clock.advance(HOUR_MS)
    expect(peers.world.dialsOf(ALICE).length).toBeLessThan(35)
    expect(peers.world.dialsOf(ALICE).length).toBeGreaterThan(10)
  })

  it('gives up a dial that is not answered, and goes on with others', async () => {
    await using peers = await start({
      bootstrap: PEERS,
      init: { minPeers: 1, maxConcurrentDials: 2, dialTimeoutMs: 5 * SECOND_MS }
    })
    const { world } = peers
    for (const peerId of PEERS) world.answers.set(peerId, peerId === PEERS.at(-1) ? 'yes' : 'never')
    await world.clock.advance(MINUTE_MS)
    expect(world.connected).toEqual([PEERS.at(-1)])
    expect(world.maxDialing).toBe(2)
  })

  it('never dials above maxConnections', async () => {
    await using peers = await start({ bootstrap: PEERS, init: { minPeers: 10, maxConnections: 3 } })
    await peers.world.clock.advance(HOUR_MS)
    expect(peers.world.connected).toHaveLength(3)
  })

  it('still finds its way to a bootstrap peer when others gave it connections enough', async () => {
    await using peers = await start({ bootstrap: [ALICE], init: { minPeers: 2 } })
    const { world } = peers
    world.answers.set(ALICE, 'no')
    await world.clock.advance(MINUTE_MS)
    for (const peerId of [BOB, CAROL, DAVE]) world.connect(peerId)
    await world.clock.advance(MINUTE_MS)
    world.answers.set(ALICE, 'yes')
    await world.clock.advance(10 * MINUTE_MS)
    expect(world.connected).toContain(ALICE)
  })

  it('looks for peers every retryIntervalMs when it has enough', async () => {
    await using peers = await start({
      bootstrap: [ALICE],
      init: { minPeers: 1, retryIntervalMs: 10 * MINUTE_MS }
    })
    await peers.world.clock.advance(HOUR_MS)
    expect(peers.dht.roundsAtMs).toHaveLength(7)
  })

  it('is sought with rounds though others come and go all the time', async () => {
    await using peers = await start({ init: { minPeers: 1 } })
    const { world, dht } = peers
    for (let time = 0; time < 200; time += 1) {
      world.connect(ALICE)
      world.lose(ALICE)
      await world.clock.advance(100)
    }
    expect(dht.roundsAtMs.length).toBeGreaterThan(15)
    expect(dht.roundsAtMs.length).toBeLessThan(45)
  })

  it('begins with a pause of retryBaseMs', async () => {
    await using peers = await start({ init: { retryBaseMs: 20 * SECOND_MS } })
    await peers.world.clock.advance(9 * SECOND_MS)
    expect(peers.dht.roundsAtMs).toHaveLength(1)
    await peers.world.clock.advance(12 * SECOND_MS)
    expect(peers.dht.roundsAtMs).toHaveLength(2)
  })
})

describe('a round', () => {
  it('ends after roundTimeoutMs with what was found, though a strategy hangs', async () => {
    await using peers = await start({ dht: [ALICE], init: { roundTimeoutMs: 3 * SECOND_MS } })
    const { world, dht } = peers
    await world.clock.advance(MINUTE_MS)
    dht.hangs = true
    const startMs = world.clock.now()
    let endMs = 0
    const found = world.discovery.discover().finally(() => {
      endMs = world.clock.now()
    })
    await world.clock.advance(MINUTE_MS)
    expect((await found).map(({ peerId }) => peerId)).toEqual([ALICE])
    expect(endMs - startMs).toBe(3 * SECOND_MS)
  })

  it('dials a bootstrap node that was added while running, and reports it from then on', async () => {
    await using peers = await start({ init: { minPeers: 1 } })
    const { world } = peers
    await world.discovery.addBootstrapNode(addressOf(ALICE))
    await world.clock.advance(0)
    expect(world.connected).toEqual([ALICE])
    expect(await world.discovery.discover()).toMatchObject([{ peerId: ALICE, method: 'Bootstrap' }])
    await world.discovery.removePeer(ALICE)
    expect(await world.discovery.discover()).toEqual([])
  })

  it('passes over its own address in a list of bootstrap nodes', async () => {
    await using peers = await start()
    await peers.world.discovery.addBootstrapNode(addressOf(peers.world.self))
    expect(await peers.world.discovery.discover()).toEqual([])
    await expect(peers.world.discovery.addPeer(addressOf(peers.world.self))).rejects.toMatchObject({
      code: 'ERR_INVALID_ADDRESS',
      details: { reason: 'it is the one of this peer itself' }
    })
  })
})

describe('the address book', () => {
  it('survives a restart, with methods, addresses and the time each was seen', async () => {
    const first = await World.create({ init: { minPeers: 0 } })
    await first.discovery.start()
    await first.discovery.addPeer(addressOf(ALICE))
    await first.discovery.addPeer(addressOf(BOB, 1), 'MDNS')
    await first.discovery.addBootstrapNode(addressOf(CAROL))
    first.connect(DAVE)
    await first.clock.advance(HOUR_MS)
    await first.discovery.updatePeer(BOB)
    const before = await first.discovery.getPeers()
    await first.discovery.stop()
    await using second = await World.create({ datastore: first.datastore, init: { minPeers: 0 } })
    const after = await second.discovery.getPeers()
    expect(new Set(after)).toEqual(new Set(before))
    expect(after).toHaveLength(4)
    await second.discovery.start()
    await second.clock.advance(0)
    expect(second.connected).toEqual([CAROL])
  })

  it('survives a restart though libp2p has dropped the addresses by age, and puts them back', async () => {
    const first = await World.create()
    await first.discovery.addPeer(addressOf(ALICE))
    const aliceId = peerIdFromString(ALICE)
    await first.node.peerStore.patch(aliceId, { multiaddrs: [] })
    await using second = await World.create({ datastore: first.datastore, init: { minPeers: 0 } })
    expect(await second.discovery.getPeers()).toMatchObject([
      { peerId: ALICE, addresses: [addressOf(ALICE)] }
    ])
    await second.discovery.start()
    await second.clock.advance(0)
    const { addresses } = await second.node.peerStore.get(aliceId)
    expect(addresses.map((address) => address.multiaddr.toString())).toEqual(['/ip4/10.0.0.1/tcp/4001'])
  })

  it('keeps the addresses of a peer that is heard of all the time in the peer store, which drops them by age', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      await using peers = await start({ init: { minPeers: 0 } })
      for (let hour = 0; hour < 60; hour += 1) {
        peers.mdns.report(ALICE)
        await peers.world.clock.advance(HOUR_MS)
        vi.setSystemTime(Date.now() + HOUR_MS)
      }
      peers.mdns.report(ALICE)
      await peers.world.clock.advance(0)
      const { addresses } = await peers.world.node.peerStore.get(peerIdFromString(ALICE))
      expect(addresses).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  })

  it('leaves out a damaged entry and says so', async () => {
    const first = await World.create()
    await first.discovery.addPeer(addressOf(ALICE))
    await first.discovery.addPeer(addressOf(BOB))
    const metadata = { 'registry-discovery': new TextEncoder().encode('{"method":"Telepathy"}') }
    await first.node.peerStore.merge(peerIdFromString(ALICE), { metadata })
    await using second = await World.create({ datastore: first.datastore })
    expect(await second.known()).toEqual([BOB])
    expect(second.warnings).toEqual(['registry:discovery:address-book: a damaged entry was left out'])
  })

  it('holds a flood of peers in a bounded number of entries, and keeps those it has met', async () => {
    await using peers = await start({ init: { minPeers: 2, maxKnownPeers: 50 } })
    const { world, mdns } = peers
    await world.discovery.addPeer(addressOf(ALICE))
    mdns.report(CAROL)
    world.connect(BOB)
    world.connect(CAROL)
    await world.clock.advance(MINUTE_MS)
    world.lose(CAROL)
    world.everybody = 'no'
    for (let index = 0; index < 500; index += 1) mdns.report(seededPeerId(`flood ${index}`))
    await world.clock.advance(MINUTE_MS)
    const known = await world.known()
    expect(known).toHaveLength(50)
    expect(known).toEqual(expect.arrayContaining([ALICE, BOB, CAROL]))
    const stored = await world.node.peerStore.all()
    expect(stored.length).toBeLessThanOrEqual(51)
  })

  it('does not let peers that come uninvited push out those it found and met', async () => {
    await using peers = await start({ init: { minPeers: 1, maxKnownPeers: 20 } })
    const { world, mdns } = peers
    mdns.report(ALICE)
    await world.clock.advance(MINUTE_MS)
    world.everybody = 'no'
    world.lose(ALICE)
    for (let index = 0; index < 100; index += 1) {
      await world.clock.advance(SECOND_MS)
      const peerId = seededPeerId(`uninvited ${index}`)
      world.connect(peerId)
      world.lose(peerId)
    }
    const known = await world.known()
    expect(known).toHaveLength(20)
    expect(known).toContain(ALICE)
  })

  it('forgets the one heard of longest ago first', async () => {
    await using peers = await start({ init: { minPeers: 0, maxKnownPeers: 3 } })
    const { world, mdns } = peers
    for (const peerId of [ALICE, BOB, CAROL, ALICE, DAVE]) {
      mdns.report(peerId)
      await world.clock.advance(1)
    }
    expect(new Set(await world.known())).toEqual(new Set([CAROL, ALICE, DAVE]))
  })

  it('holds a bounded number of addresses of a peer, the newest, and never loses those given by a person', async () => {
    await using peers = await start({ init: { minPeers: 0, maxAddressesPerPeer: 4 } })
    const { world, mdns } = peers
    await world.discovery.addPeer(addressOf(ALICE, 1))
    for (let port = 2; port < 40; port += 1) mdns.report(ALICE, [addressOf(ALICE, port)])
    const [alice] = await world.discovery.getPeers()
    expect(alice?.addresses).toEqual([1, 39, 38, 37].map((port) => addressOf(ALICE, port)))
    expect(alice?.method).toBe('Manual')
  })

  it('takes no address that leads elsewhere, is none, or is filtered out; those of a person are always taken', async () => {
    await using peers = await start({
      init: { minPeers: 0 },
      acceptAddress: (_, address) => !address.startsWith('/ip4/10.')
    })
    const { world, mdns } = peers
    mdns.report(ALICE, ['nonsense', addressOf(BOB), addressOf(ALICE), '/ip4/203.0.113.1/tcp/1'])
    mdns.report(CAROL)
    mdns.report('nobody' as PeerIdText)
    await world.discovery.addPeer(addressOf(DAVE))
    expect(await world.discovery.getPeers()).toMatchObject([
      { peerId: ALICE, addresses: [`/ip4/203.0.113.1/tcp/1/p2p/${ALICE}`] },
      { peerId: DAVE, addresses: [addressOf(DAVE)] }
    ])
    await expect(world.discovery.addPeer(addressOf(CAROL), 'DHT')).rejects.toMatchObject({
      code: 'ERR_INVALID_ADDRESS'
    })
  })

  it('takes up the addresses that libp2p learns of a peer; what the peer signed replaces what others said', async () => {
    await using peers = await start({ init: { minPeers: 0 } })
    const { world, mdns } = peers
    const aliceId = peerIdFromString(ALICE)
    mdns.report(ALICE, [addressOf(ALICE, 1)])
    await world.node.peerStore.merge(aliceId, { multiaddrs: [multiaddr('/ip4/10.0.0.1/tcp/2')] })
    await world.clock.advance(0)
    const addresses = async (): Promise<string[]> => (await world.discovery.getPeers())[0]?.addresses ?? []
    expect(new Set(await addresses())).toEqual(new Set([addressOf(ALICE, 1), addressOf(ALICE, 2)]))
    await world.node.peerStore.patch(aliceId, {
      addresses: [{ multiaddr: multiaddr('/ip4/10.0.0.1/tcp/3'), isCertified: true }],
      peerRecordEnvelope: Uint8Array.of(1)
    })
    await world.clock.advance(0)
    expect(await addresses()).toEqual([addressOf(ALICE, 3)])
  })

  it('counts a connected peer as seen now, and one that left as seen when it left', async () => {
    await using peers = await start({ init: { minPeers: 0 } })
    const { world } = peers
    world.connect(ALICE)
    await world.clock.advance(HOUR_MS)
    expect(await world.discovery.getPeers()).toMatchObject([{ lastSeenMs: world.clock.now() }])
    const leftMs = world.clock.now()
    world.lose(ALICE)
    await world.clock.advance(HOUR_MS)
    expect(await world.discovery.getPeers()).toMatchObject([{ lastSeenMs: leftMs }])
    expect(await world.discovery.removeStalePeers(HOUR_MS - 1)).toBe(1)
    expect(await world.discovery.getPeers()).toEqual([])
  })

  it('forgets a removed peer on disk too', async () => {
    const first = await World.create()
    await first.discovery.addPeer(addressOf(ALICE))
    await first.discovery.removePeer(ALICE)
    await using second = await World.create({ datastore: first.datastore })
    expect(await second.known()).toEqual([])
    expect(await second.node.peerStore.has(peerIdFromString(ALICE))).toBe(false)
  })
})

describe('stopping', () => {
  it('ends dials and rounds under way, and dials nobody after', async () => {
    const peers = await start({ bootstrap: [ALICE] })
    const { world, dht, mdns } = peers
    world.everybody = 'never'
    dht.hangs = true
    await world.clock.advance(SECOND_MS)
    const dials = world.dials.length
    await world.discovery.stop()
    mdns.report(BOB)
    world.connect(CAROL)
    await world.clock.advance(HOUR_MS)
    expect(world.dials).toHaveLength(dials)
    expect(world.clock.pending).toBe(0)
  })

  it('may be followed by a start', async () => {
    const peers = await start({ bootstrap: [ALICE], init: { minPeers: 1 } })
    await peers.world.discovery.stop()
    await peers.world.discovery.start()
    await peers.world.clock.advance(0)
    expect(peers.world.connected).toEqual([ALICE])
    await peers.world.discovery.stop()
  })
})
