import { generateKeyPair } from '@libp2p/crypto/keys'
import { signAttestation, signStatement } from '@registry/identity'
import { manualClock } from '@registry/testing'
import type { ContentId } from '@registry/types'
import { describe, expect, it } from 'vitest'
import type { PeerKeyType } from '../src/index.ts'
import { publish, signedRelease } from './fixtures.ts'
import { eventually, memoryPeer, rawPeer, type TestPeer, untilReleases } from './peers.ts'

const read = async ({ store: { blobs } }: TestPeer, cid: ContentId): Promise<Buffer> =>
  Buffer.concat(await Array.fromAsync(blobs.read(cid)))

describe('two peers', () => {
  it('know of each other once connected', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    const met = await a.behaviour.connect(b.address())
    expect(met).toMatchObject({ peerId: b.behaviour.peerId, direction: 'outbound', agent: 'p2p-registry' })
    await a.behaviour.settled()
    await eventually(() => expect(b.behaviour.peers()).toMatchObject([{ peerId: a.behaviour.peerId }]))
    expect(a.behaviour.peers()).toMatchObject([{ peerId: b.behaviour.peerId, inSync: true }])
    expect(await a.behaviour.knownPeers()).toMatchObject([{ peerId: b.behaviour.peerId, method: 'Manual' }])
    expect(await a.behaviour.stats()).toMatchObject({ connectedPeers: 1, knownPeers: 1, gossipTopics: 1 })
  })

  it('have the same catalogue after connecting, whatever each had before', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    for (const name of ['one', 'two'])
      await a.store.catalogue.ingest((await signedRelease({ name }, 1)).records)
    await b.store.catalogue.ingest((await signedRelease({ name: 'three' }, 2)).records)
    await a.behaviour.connect(b.address())
    // The one that dialled does all there is to do.
    await a.behaviour.settled()
    expect(a.store.catalogue.counts().releases).toBe(3)
    expect(a.store.catalogue.summary()).toEqual(b.store.catalogue.summary())
    expect(a.behaviour.completeness()).toMatchObject({ state: 'agreed', agreeing: 1, compared: 1 })
    expect((await a.behaviour.stats()).syncing).toEqual([])
    const [report] = await b.behaviour.sync()
    expect(report).toMatchObject({ received: 0, sent: 0, roundTrips: 1 })
    expect(report?.bytes).toBeLessThanOrEqual(200)
    expect(b.behaviour.peers()).toMatchObject([{ inSync: true, holds: { mode: 'full' } }])
  })

  it('tell each other at once of what is published', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    await a.behaviour.connect(b.address())
    await Promise.all([a.behaviour.settled(), b.behaviour.settled()])
    await publish(a.store)
    a.behaviour.announce()
    await untilReleases(b, 1)
    await eventually(() => expect(a.store.outbox.size).toBe(0))
    expect(await a.behaviour.stats()).toMatchObject({ pendingAnnouncements: 0, gossipDeliveryRate: 1 })
  })

  it('tell each other of what an owner says of a release, and of what others say of it', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    await a.behaviour.connect(b.address())
    await Promise.all([a.behaviour.settled(), b.behaviour.settled()])
    const { owner, release } = await publish(a.store)
    const { name, version } = release
    const about = { owner: owner.id, name, claimedAtMs: 1 }
    const statements = await Promise.all(
      ['first', 'second'].map((message, index) =>
        signStatement(
          { ...about, seq: index + 1, fact: { field: 'deprecation', version, message } },
          owner.signer
        )
      )
    )
    // The first does not hold any more when it is to be announced.
    for (const statement of statements) await a.store.publish([statement])
    const attestation = { issuer: owner.id, claim: 'review', versions: '*', text: 'fine' } as const
    await a.store.publish([await signAttestation({ ...about, ...attestation }, owner.signer)])
    a.behaviour.announce()
    await eventually(() => expect(a.store.outbox.size).toBe(0))
    expect(b.store.catalogue.releases(owner.id, name)).toMatchObject([{ deprecated: 'second' }])
    expect(b.store.catalogue.attestations(owner.id, name)).toHaveLength(1)
  })

  it('tell each other at once of an owner who signs two releases of one version', async () => {
    const [a, b, c] = await Promise.all([memoryPeer(), memoryPeer(), memoryPeer()])
    await a.behaviour.connect(b.address())
    await a.behaviour.connect(c.address())
    await Promise.all([a, b, c].map(({ behaviour }) => behaviour.settled()))
    const [one, other] = [await signedRelease(), await signedRelease({ description: 'another one' })]
    // Nobody announces these.
    await a.store.catalogue.ingest(one.records)
    await a.store.catalogue.ingest(other.records)
    for (const { store } of [b, c]) {
      await eventually(() => {
        const { owner, name } = one.release
        expect(store.catalogue.releases(owner, name)).toMatchObject([
          { conflicted: true },
          { conflicted: true }
        ])
      })
    }
  })

  it('hear on connecting of what was published while each was alone', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    await publish(a.store)
    a.behaviour.announce()
    await a.behaviour.settled()
    expect(await a.behaviour.stats()).toMatchObject({ pendingAnnouncements: 1 })
    await b.behaviour.connect(a.address())
    await untilReleases(b, 1)
    await eventually(() => expect(a.store.outbox.size).toBe(0))
  })

  it('hand each other contents', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    const { content } = await publish(a.store)
    await b.behaviour.connect(a.address())
    await b.behaviour.settled()
    expect(b.behaviour.contentRouter.providerCount(content.cid)).toBe(1)
    await b.behaviour.contentRouter.fetch(content)
    expect(await read(b, content.cid)).toEqual(await read(a, content.cid))
    await b.behaviour.settled()
    expect(a.behaviour.contentRouter.providerCount(content.cid)).toBe(2)
  })

  it('tell each other of the contents they come to hold while connected', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    await b.behaviour.connect(a.address())
    await Promise.all([a.behaviour.settled(), b.behaviour.settled()])
    const { content } = await publish(a.store)
    await a.behaviour.settled()
    expect(b.behaviour.contentRouter.providerCount(content.cid)).toBe(1)
  })

  it('show how far a first synchronisation is, and that it is not to be relied on until then', async () => {
    const raw = await rawPeer()
    const signed = await Promise.all(
      Array.from({ length: 1100 }, (_, number) => signedRelease({ name: `package-${number}` }))
    )
    await raw.store.catalogue.ingest(signed.flatMap(({ records }) => records))
    const { snapshot } = raw.handlers
    const [second, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    raw.handlers.snapshot = async (...input) => {
      if (input[1].after !== undefined) {
        second.resolve()
        await goOn.promise
      }
      return snapshot(...input)
    }
    const b = await memoryPeer()
    await b.behaviour.connect(raw.address())
    await second.promise
    const { peerId } = raw
    const progress = { peerId, stage: 'snapshot', expected: 1101, received: expect.any(Number) }
    expect(await b.behaviour.stats()).toMatchObject({
      syncing: [progress],
      completeness: { state: 'behind', agreeing: 0, compared: 1 }
    })
    expect(b.behaviour.isPartial()).toBe(true)
    goOn.resolve()
    await b.behaviour.settled()
    expect(b.store.catalogue.counts().releases).toBe(1100)
    expect(await b.behaviour.stats()).toMatchObject({
      syncing: [],
      completeness: { state: 'agreed', agreeing: 1, compared: 1 }
    })
    expect(b.behaviour.isPartial()).toBe(false)
  })

  it('of different networks have nothing to say to each other', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer({ init: { network: { name: 'other' } } })])
    await publish(a.store)
    expect(await b.behaviour.connect(a.address())).toMatchObject({ otherNetwork: true })
    await Promise.all([a.behaviour.settled(), b.behaviour.settled()])
    expect(b.store.catalogue.counts().releases).toBe(0)
    await expect(b.behaviour.sync(a.behaviour.peerId)).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(b.behaviour.peers()).toMatchObject([{ peerId: a.behaviour.peerId, otherNetwork: true }])
    expect(await b.behaviour.stats()).toMatchObject({ connectedPeers: 0 })
  })

  it.each<PeerKeyType>(['Secp256k1', 'RSA'])(
    'understand each other with keys of type %s',
    async (keyType) => {
      const privateKey = await generateKeyPair(keyType === 'RSA' ? 'RSA' : 'secp256k1')
      const [a, b] = await Promise.all([memoryPeer({ privateKey }), memoryPeer()])
      await publish(a.store)
      await b.behaviour.connect(a.address())
      await untilReleases(b, 1)
    }
  )

  it('compare again in time, at the interval of synchronisation', async () => {
    const clock = manualClock()
    const [a, b] = await Promise.all([
      memoryPeer({ clock, init: { sync: { intervalMs: 5000 } } }),
      memoryPeer()
    ])
    await a.behaviour.connect(b.address())
    await Promise.all([a.behaviour.settled(), b.behaviour.settled()])
    const before = clock.now()
    expect(await a.behaviour.stats()).toMatchObject({ lastSyncedAtMs: before })
    await b.store.catalogue.ingest((await signedRelease()).records)
    await clock.advance(5000)
    await untilReleases(a, 1)
    await a.behaviour.settled()
    expect(await a.behaviour.stats()).toMatchObject({ lastSyncedAtMs: before + 5000 })
  })
})

describe('three peers in a line', () => {
  const line = async (): Promise<[TestPeer, TestPeer, TestPeer]> => {
    const [a, b, c] = await Promise.all([memoryPeer(), memoryPeer(), memoryPeer()])
    await b.behaviour.connect(a.address())
    await b.behaviour.connect(c.address())
    await Promise.all([a, b, c].map(({ behaviour }) => behaviour.settled()))
    return [a, b, c]
  }

  it('pass on what is published at one end, and the other end fetches it', async () => {
    const [a, , c] = await line()
    const { content, release } = await publish(a.store)
    a.behaviour.announce()
    await untilReleases(c, 1)
    expect(c.store.catalogue.releases(release.owner, release.name)).toMatchObject([{ release }])
    // Only the DHT can tell that the far end has it.
    await eventually(() => expect(a.store.outbox.size).toBe(0))
    await c.behaviour.contentRouter.fetch(content)
    expect(await read(c, content.cid)).toEqual(await read(a, content.cid))
  })

  it('pass on what came by synchronisation too, without waiting for the next round', async () => {
    const [a, b, c] = await Promise.all([memoryPeer(), memoryPeer(), memoryPeer()])
    await b.behaviour.connect(c.address())
    await Promise.all([b.behaviour.settled(), c.behaviour.settled()])
    for (const name of ['old', 'older'])
      await a.store.catalogue.ingest((await signedRelease({ name })).records)
    await b.behaviour.connect(a.address())
    await untilReleases(c, 2)
  })

  it('ask each other once for everything', async () => {
    const [a, b, c] = await line()
    await a.store.catalogue.ingest((await signedRelease({ name: 'left' })).records)
    await c.store.catalogue.ingest((await signedRelease({ name: 'right' })).records)
    const reports = await b.behaviour.sync()
    expect(reports.map(({ received }) => received).sort()).toEqual([1, 2])
    expect(b.store.catalogue.counts().releases).toBe(2)
  })
})

describe('twenty peers that know one of them', () => {
  it('all come to have what any of them publishes', async () => {
    // With a DHT each of them soon is connected to all others: nineteen times the work, and nothing more to see.
    const dht = { enabled: false }
    const first = await memoryPeer({ init: { dht } })
    const init = { dht, network: { minPeers: 4 }, bootstrap: { nodes: [first.address()] } }
    const peers = [first, ...(await Promise.all(Array.from({ length: 19 }, () => memoryPeer({ init }))))]
    await Promise.all(
      peers.map(async ({ store, behaviour }, number) => {
        await publish(store, { name: `package-${number}`, seed: number })
        behaviour.announce()
      })
    )
    await Promise.all(peers.map((peer) => untilReleases(peer, 20)))
    const summaries = new Set(
      peers.map(({ store: { catalogue } }) => Buffer.from(catalogue.summary().fingerprint).toString('hex'))
    )
    expect(summaries.size).toBe(1)
  })
})
