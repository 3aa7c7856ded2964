import { sketch } from '@registry/reconciliation'
import { describeContent, manualClock, seededBytes } from '@registry/testing'
import { type ContentId, type PackageProtocolHandlers, Query } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { encodeGossipMessage } from '../src/index.ts'
import { recordsTopic, resolveInit } from '../src/init.ts'
import { publish, signedRelease } from './fixtures.ts'
import { eventually, memoryPeer, type RawPeer, rawPeer, type TestPeer, untilReleases } from './peers.ts'

const topic = recordsTopic(resolveInit({}))

/** The same record with another signature. */
const forge = (record: Uint8Array): Uint8Array => record.with(-1, (record.at(-1) ?? 0) ^ 1)

async function releases(count: number, seed: number): Promise<Uint8Array[]> {
  const signed = await Promise.all(
    Array.from({ length: count }, (_, number) => signedRelease({ name: `package-${number}` }, seed))
  )
  return signed.map(({ records: [, release] }) => release)
}

/** Connects, and waits until messages of the hostile peer would be heard. */
async function gossiping(raw: RawPeer, peer: TestPeer): Promise<(data: Uint8Array) => Promise<unknown>> {
  const { pubsub } = raw.node.libp2p.services
  const { promise, resolve } = Promise.withResolvers<void>()
  pubsub.addEventListener('subscription-change', () => resolve(), { once: true })
  pubsub.subscribe(topic)
  await peer.behaviour.connect(raw.address())
  await promise
  return (data) => pubsub.publish(topic, data)
}

const contentOf = (seed: string): ContentId => describeContent(seededBytes(seed)).cid

const reputationOf = (peer: TestPeer, raw: RawPeer): number | undefined =>
  peer.behaviour.peers().find(({ peerId }) => peerId === raw.peerId)?.reputation

describe('gossip', () => {
  it('that is forged is neither taken nor passed on, and costs who sent it', async () => {
    const [b, c, raw] = await Promise.all([memoryPeer(), memoryPeer(), rawPeer()])
    await b.behaviour.connect(c.address())
    const say = await gossiping(raw, b)
    await Promise.all([b.behaviour.settled(), c.behaviour.settled()])
    const before = reputationOf(b, raw) ?? 0
    const { records } = await signedRelease({ name: 'forged' }, 1)
    await say(encodeGossipMessage([records[0], forge(records[1])]))
    await eventually(() => expect(reputationOf(b, raw)).toBeLessThan(before))
    // What comes after it does arrive.
    await publish(b.store, { name: 'honest' })
    b.behaviour.announce()
    await untilReleases(c, 1)
    expect(b.store.catalogue.counts().releases).toBe(1)
    expect(c.store.catalogue.counts()).toMatchObject({ releases: 1, owners: 1 })
  })

  it('that is no message is refused, and its sender shut out when it goes on', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    const say = await gossiping(raw, b)
    for (let number = 0; number < 5; number++) await say(seededBytes(number))
    await eventually(() => expect(b.behaviour.peers()).toEqual([]))
    await expect(raw.protocol.holdsCatalogue(b.behaviour.peerId)).rejects.toMatchObject({
      code: 'ERR_PEER_UNREACHABLE'
    })
  })

  it('over the rate is ignored, and its records come by synchronisation', async () => {
    const clock = manualClock()
    const [b, raw] = await Promise.all([
      memoryPeer({ clock, init: { limits: { recordsPerSecondPerPeer: 2 } } }),
      rawPeer()
    ])
    const say = await gossiping(raw, b)
    await b.behaviour.settled()
    const { owner } = await signedRelease({}, 3)
    const flood = await releases(20, 3)
    for (const release of flood) {
      await raw.store.catalogue.ingest([owner.inception, release])
      await say(encodeGossipMessage([owner.inception, release]))
    }
    await untilReleases(b, 2)
    await b.behaviour.settled()
    expect(b.store.catalogue.counts().releases).toBeLessThan(5)
    expect(reputationOf(b, raw)).toBeGreaterThanOrEqual(50)
    await b.behaviour.sync(raw.peerId)
    expect(b.store.catalogue.counts().releases).toBe(20)
  })

  it('of a release whose owner is not known is ignored, without blame', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    const say = await gossiping(raw, b)
    const before = reputationOf(b, raw)
    const orphan = await signedRelease({}, 4)
    await say(encodeGossipMessage([orphan.records[1]]))
    const known = await signedRelease({}, 5)
    await say(encodeGossipMessage(known.records))
    await untilReleases(b, 1)
    await b.behaviour.settled()
    expect(b.store.catalogue.counts().releases).toBe(1)
    expect(reputationOf(b, raw)).toBeGreaterThanOrEqual(before ?? 100)
  })
})

describe('a push', () => {
  it('is not made again and again for a peer that subscribes again and again', async () => {
    const clock = manualClock()
    let pushes = 0
    const [b, raw] = await Promise.all([
      memoryPeer({ clock, init: { dht: { enabled: false } } }),
      rawPeer({
        publishPackage: async (_, envelopes) => {
          pushes++
          return envelopes.map(() => 'refused')
        }
      })
    ])
    const say = await gossiping(raw, b)
    await publish(b.store, { name: 'unwanted' })
    b.behaviour.announce()
    await eventually(() => expect(pushes).toBeGreaterThan(0))
    await b.behaviour.settled()
    const before = pushes
    const { pubsub } = raw.node.libp2p.services
    for (let round = 0; round < 5; round++) {
      pubsub.unsubscribe(topic)
      pubsub.subscribe(topic)
    }
    // Heard by the same stream, so after all of that.
    await say(encodeGossipMessage((await signedRelease({}, 7)).records))
    await untilReleases(b, 2)
    await b.behaviour.settled()
    expect(pushes).toBe(before)
  })

  it('over the rate is refused, while another peer is served', async () => {
    const clock = manualClock()
    const b = await memoryPeer({ clock, init: { limits: { recordsPerSecondPerPeer: 10 } } })
    const [flood, honest] = await Promise.all([rawPeer(), rawPeer()])
    await Promise.all([b.behaviour.connect(flood.address()), b.behaviour.connect(honest.address())])
    const { owner } = await signedRelease({}, 1)
    const all = await releases(60, 1)
    const push = (raw: RawPeer, from: number, to: number): Promise<unknown> =>
      raw.protocol.publishPackage(b.behaviour.peerId, [owner.inception, ...all.slice(from, to)])
    await push(flood, 0, 19)
    await expect(push(flood, 19, 38)).rejects.toMatchObject({ code: 'ERR_PEER_BUSY' })
    expect(await push(honest, 50, 51)).toEqual(['known', 'accepted'])
    expect(b.store.catalogue.counts().releases).toBe(20)
    await clock.advance(2000)
    await push(flood, 19, 38)
    expect(b.store.catalogue.counts().releases).toBe(39)
  })

  it('is passed on to peers that its sender does not know', async () => {
    const [b, c, raw] = await Promise.all([memoryPeer(), memoryPeer(), rawPeer()])
    await b.behaviour.connect(c.address())
    await b.behaviour.connect(raw.address())
    await Promise.all([b.behaviour.settled(), c.behaviour.settled()])
    const { records } = await signedRelease()
    expect(await raw.protocol.publishPackage(b.behaviour.peerId, records)).toEqual(['accepted', 'accepted'])
    await untilReleases(c, 1)
  })

  it('says which records were refused, and costs a forger', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    await b.behaviour.connect(raw.address())
    const before = reputationOf(b, raw) ?? 0
    const { records } = await signedRelease()
    expect(
      await raw.protocol.publishPackage(b.behaviour.peerId, [records[0], forge(records[1]), records[1]])
    ).toEqual(['accepted', 'refused', 'accepted'])
    expect(reputationOf(b, raw)).toBeLessThan(before)
  })

  it('does not make its sender a provider of the content', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    await b.behaviour.connect(raw.address())
    const { records, release } = await signedRelease()
    await raw.protocol.publishPackage(b.behaviour.peerId, records)
    await b.behaviour.settled()
    expect(b.behaviour.contentRouter.providerCount(release.content)).toBe(0)
  })
})

describe('requests', () => {
  it('over the rate are refused, while another peer is served', async () => {
    const clock = manualClock()
    const b = await memoryPeer({ clock, init: { limits: { requestsPerSecondPerPeer: 10 } } })
    const [flood, honest] = await Promise.all([rawPeer(), rawPeer()])
    await Promise.all([b.behaviour.connect(flood.address()), b.behaviour.connect(honest.address())])
    const ask = (raw: RawPeer): Promise<unknown> => raw.protocol.holdsCatalogue(b.behaviour.peerId)
    const answers = await Promise.allSettled(Array.from({ length: 30 }, () => ask(flood)))
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
    await ask(honest)
    await clock.advance(100)
    await ask(flood)
  })

  it('for pages cost what they take, so that few of them are answered', async () => {
    const clock = manualClock()
    const b = await memoryPeer({ clock, init: { limits: { requestsPerSecondPerPeer: 100 } } })
    const raw = await rawPeer()
    await b.behaviour.connect(raw.address())
    const page = { scope: { kind: 'all' }, limit: 2048 } as const
    const pages = await Promise.allSettled(
      Array.from({ length: 10 }, () => raw.protocol.recordIds(b.behaviour.peerId, page))
    )
    expect(pages.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
  })

  it('are answered from the catalogue and the contents', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    const { release, records, content } = await publish(b.store, { name: 'parser' })
    await b.behaviour.connect(raw.address())
    const { peerId } = b.behaviour
    const { owner, name, version } = release
    expect(await raw.protocol.getPackage(peerId, { owner, name, version })).toEqual(records)
    expect(await raw.protocol.searchPackages(peerId, new Query(['parser']))).toMatchObject([
      { envelopes: records }
    ])
    expect(await raw.protocol.holdings(peerId, { limit: 10 })).toEqual({ cids: [content.cid] })
    const block = await raw.protocol.block(peerId, content.cid)
    expect(block).toHaveLength(content.size)
    const missing = { owner, name, version: '9.9.9' as typeof version }
    expect(await raw.protocol.getPackage(peerId, missing)).toBeUndefined()
  })

  it('for many downloads choose among the best hits, and look at no more than those', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    const { release } = await publish(b.store, { name: 'parser' })
    await b.behaviour.connect(raw.address())
    const searched: Query[] = []
    const search = b.store.catalogue.search.bind(b.store.catalogue)
    b.store.catalogue.search = (query) => {
      searched.push(query)
      return search(query)
    }
    const wanted = new Query(['parser']).withMinDownloads(1)
    expect(await raw.protocol.searchPackages(b.behaviour.peerId, wanted)).toEqual([])
    b.store.catalogue.countDownload(release.owner, release.name)
    expect(await raw.protocol.searchPackages(b.behaviour.peerId, wanted)).toHaveLength(1)
    expect(searched.map(({ minDownloads }) => minDownloads)).toEqual([undefined, undefined])
  })

  it('tell in pages what this peer holds', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    for (const name of ['one', 'two', 'three']) await publish(b.store, { name })
    await b.behaviour.connect(raw.address())
    const first = await raw.protocol.holdings(b.behaviour.peerId, { limit: 2 })
    expect(first.cids).toHaveLength(2)
    if (first.next === undefined) throw new Error('there is a second page')
    const second = await raw.protocol.holdings(b.behaviour.peerId, { limit: 2, after: first.next })
    expect(second.next).toBeUndefined()
    const all = b.store.blobs.list({ limit: 10 }).map(({ cid }) => cid)
    expect([...first.cids, ...second.cids]).toEqual(all)
  })
})

describe('a synchronisation', () => {
  /** Answers with the symbols of records that there are not. */
  const inventing = (): Partial<PackageProtocolHandlers> => {
    const invented = sketch()
    for (let number = 0; number < 500; number++) invented.add(seededBytes(number, 16))
    const claimed = { fingerprint: seededBytes('claimed'), records: 500 }
    return {
      compare: async () => ({
        status: 'different',
        ...claimed,
        from: 0,
        count: 1000,
        symbols: invented.symbols(0, 1000)
      })
    }
  }

  it('with a peer that tells of records that it does not give is ended, and the peer shut out', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer(inventing())])
    await b.behaviour.connect(raw.address())
    await b.behaviour.settled()
    await eventually(() => expect(b.behaviour.peers()).toEqual([]))
    expect(b.store.catalogue.summary().records).toBe(0)
  })

  it('says why it was ended to who asked for it', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    await b.behaviour.connect(raw.address())
    await b.behaviour.settled()
    Object.assign(raw.handlers, inventing())
    await expect(b.behaviour.sync(raw.peerId)).rejects.toMatchObject({
      code: 'ERR_SYNC_LIMIT',
      details: { peerId: raw.peerId, limit: 'refused' }
    })
  })

  it('costs a peer its good name whose symbols are not those of its records', async () => {
    const [b, raw] = await Promise.all([memoryPeer(), rawPeer()])
    await b.behaviour.connect(raw.address())
    await b.behaviour.settled()
    const before = reputationOf(b, raw) ?? 0
    const { owner } = await signedRelease({}, 8)
    await raw.store.catalogue.ingest([owner.inception])
    const { compare } = raw.handlers
    raw.handlers.compare = async (...input) => {
      const answer = await compare(...input)
      if (answer.status !== 'different') return answer
      // As a peer answers for which far too much differs.
      return { ...answer, count: 1, symbols: raw.store.catalogue.sketch({ kind: 'all' }).symbols(0, 1) }
    }
    expect(await b.behaviour.sync(raw.peerId)).toMatchObject([{ received: 1, refused: 0 }])
    expect(reputationOf(b, raw)).toBeLessThan(before)
  })

  it('that failed is tried again after a while', async () => {
    const clock = manualClock()
    const raw = await rawPeer()
    const { compare } = raw.handlers
    raw.handlers.compare = async () => {
      throw new Error('not now')
    }
    await raw.store.catalogue.ingest((await signedRelease()).records)
    const b = await memoryPeer({ clock })
    await b.behaviour.connect(raw.address())
    await b.behaviour.settled()
    expect(b.behaviour.peers()).toMatchObject([{ inSync: false, comparedAtMs: null }])
    raw.handlers.compare = compare
    await clock.advance(1000)
    await untilReleases(b, 1)
    await b.behaviour.settled()
    expect(b.behaviour.peers()).toMatchObject([{ inSync: true, comparedAtMs: clock.now() }])
  })
})

describe('holdings', () => {
  it('are asked for once a connection, however often the peer says anew what it is', async () => {
    let asked = 0
    const raw = await rawPeer({
      holdings: async () => {
        asked++
        return { cids: [] }
      }
    })
    const b = await memoryPeer()
    await b.behaviour.connect(raw.address())
    await eventually(() => expect(asked).toBe(1))
    const { libp2p } = raw.node
    await libp2p.peerStore.merge(libp2p.peerId, { metadata: { AgentVersion: Buffer.from('another') } })
    await libp2p.services.identifyPush.push()
    await eventually(() => expect(b.behaviour.peers()[0]?.agent).toBe('another'))
    await b.behaviour.sync(raw.peerId)
    await b.behaviour.settled()
    expect(asked).toBe(1)
  })

  it('of one peer are written down up to a bound', async () => {
    let pages = 0
    const raw = await rawPeer({
      holdings: async () => {
        pages++
        const cids = Array.from({ length: 1000 }, (_, number) => contentOf(`${pages} ${number}`))
        return { cids, next: contentOf(`${pages} next`) }
      }
    })
    const b = await memoryPeer({ init: { dht: { cacheSize: 2500 } } })
    await b.behaviour.connect(raw.address())
    await b.behaviour.settled()
    expect(pages).toBe(3)
  })
})
