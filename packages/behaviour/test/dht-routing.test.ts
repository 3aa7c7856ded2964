import { manualClock } from '@registry/testing'
import { describe, expect, it } from 'vitest'
import { publish } from './fixtures.ts'
import { eventually, memoryPeer, untilReleases } from './peers.ts'

describe('the DHT', () => {
  it('that no other peer takes part in has provided nothing', async () => {
    const a = await memoryPeer()
    const { content } = await publish(a.store)
    await expect(a.behaviour.contentRouter.provide(content.cid)).rejects.toMatchObject({
      code: 'ERR_NOT_PROVIDED',
      retryable: true
    })
  })

  it('of clients alone has provided nothing', async () => {
    const init = { dht: { server: false } }
    const [a, b] = await Promise.all([memoryPeer({ init }), memoryPeer({ init })])
    const { content } = await publish(a.store)
    await a.behaviour.connect(b.address())
    await a.behaviour.settled()
    await expect(a.behaviour.contentRouter.provide(content.cid)).rejects.toMatchObject({
      code: 'ERR_NOT_PROVIDED'
    })
  })

  it('keeps who provides what, and says so', async () => {
    const [a, b] = await Promise.all([memoryPeer(), memoryPeer()])
    await a.behaviour.connect(b.address())
    const { content } = await publish(a.store)
    a.behaviour.announce()
    await untilReleases(b, 1)
    await eventually(() => expect(a.store.outbox.size).toBe(0))
    b.behaviour.contentRouter.removeProvider(content.cid, a.behaviour.peerId)
    const found = await Array.fromAsync(b.behaviour.contentRouter.findProviders(content.cid))
    expect(found).toMatchObject([{ peerId: a.behaviour.peerId }])
    expect(await b.behaviour.stats()).toMatchObject({ dhtQuerySuccessRate: 1, cacheHitRate: 0 })
  })

  it('is told of what waits as soon as there is anybody in it, and where a provider can be dialled', async () => {
    const clock = manualClock()
    const [a, b, c] = await Promise.all([memoryPeer({ clock }), memoryPeer(), memoryPeer()])
    const { content } = await publish(a.store)
    a.behaviour.announce()
    await a.behaviour.settled()
    await c.behaviour.connect(b.address())
    await a.behaviour.connect(b.address())
    // The clock stands still: nothing is tried again for having waited.
    await eventually(() => expect(a.store.outbox.size).toBe(0))
    await c.behaviour.contentRouter.fetch(content)
    expect(c.store.blobs.has(content.cid)).toBe(true)
  })

  it('gives up an announcement after the time for a query', async () => {
    const clock = manualClock()
    const a = await memoryPeer({ clock, init: { dht: { queryTimeoutMs: 5000 } } })
    const { content } = await publish(a.store)
    await a.behaviour.settled()
    expect(await a.behaviour.contentRouter.provide(content.cid).catch((error) => error.code)).toBe(
      'ERR_NOT_PROVIDED'
    )
  })

  it('forgets who provides what after the time that such a record lives', async () => {
    const clock = manualClock()
    const b = await memoryPeer({ clock, init: { dht: { enabled: false, providerRecordTtlMs: 5000 } } })
    const a = await memoryPeer({ init: { dht: { enabled: false } } })
    const { content } = await publish(a.store)
    await b.behaviour.connect(a.address())
    await b.behaviour.settled()
    expect(await b.behaviour.stats()).toMatchObject({ providerRecords: 1 })
    await clock.advance(5000)
    expect(await b.behaviour.stats()).toMatchObject({ providerRecords: 0 })
    expect(b.behaviour.contentRouter.providerCount(content.cid)).toBe(0)
  })

  it('is remembered for as many contents as there is room for', async () => {
    const b = await memoryPeer({ init: { dht: { enabled: false, cacheSize: 2 } } })
    const a = await memoryPeer({ init: { dht: { enabled: false } } })
    for (const name of ['one', 'two', 'three']) await publish(a.store, { name })
    await b.behaviour.connect(a.address())
    await b.behaviour.settled()
    expect(await b.behaviour.stats()).toMatchObject({ providerRecords: 2 })
  })
})
