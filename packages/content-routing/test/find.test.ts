import { contentBlocks, seededBytes } from '@registry/testing'
import { type BlobInfo, PROTOCOL_LIMITS } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { infoOf, World } from './world.ts'

const SMALL = contentBlocks(seededBytes('small', 1000))
const LARGE = contentBlocks(seededBytes('large', 3 * PROTOCOL_LIMITS.chunkBytes + 7))
const MAX_BYTES = 16 * 1024 ** 2

/** Says of every integrity that it is this content. */
const claims =
  (content: BlobInfo) =>
  (integrity: string): BlobInfo => ({ ...content, integrity })

function find(world: World, integrity: string, maxBytes = MAX_BYTES): Promise<BlobInfo | undefined> {
  return world.until(world.router.find(integrity, { maxBytes }))
}

describe('a content that no record tells of', () => {
  it.each([SMALL, LARGE])('is got by its integrity from a connected peer', async (content) => {
    await using world = new World({}, { askConnected: true })
    world.provider('ada', content, { located: claims(infoOf(content)) })
    expect(await find(world, content.integrity)).toEqual(infoOf(content))
    expect(world.blobs.find(content.integrity)).toEqual(infoOf(content))
  })

  it('is not asked for when it is here', async () => {
    await using world = new World({}, { askConnected: true })
    const { cid } = await world.blobs.add(ReadableStream.from([seededBytes('small', 1000)]))
    expect((await find(world, SMALL.integrity))?.cid).toBe(cid)
    expect(world.requests).toEqual([])
  })

  it('is nowhere when nobody says that he has it, or says so in time', async () => {
    await using world = new World({ locateTimeoutMs: 200 }, { askConnected: true })
    expect(await find(world, SMALL.integrity)).toBeUndefined()
    world.provider('ada', SMALL, { located: () => undefined })
    world.provider('bob', SMALL, { located: () => 'never' })
    const startedMs = world.clock.now()
    expect(await find(world, SMALL.integrity)).toBeUndefined()
    expect(world.clock.now() - startedMs).toBeLessThanOrEqual(210)
  })

  it('is got from whoever has it, whatever others say, and who said wrong loses reputation', async () => {
    await using world = new World({}, { askConnected: true, dht: false })
    const liar = world.provider('liar', LARGE, { located: claims(infoOf(LARGE)) })
    const boaster = world.provider('boaster', contentBlocks(new Uint8Array()), {
      located: claims({ ...infoOf(SMALL), size: 999 })
    })
    world.provider('ada', SMALL, { located: claims(infoOf(SMALL)) })
    expect(await find(world, SMALL.integrity)).toEqual(infoOf(SMALL))
    expect(world.blobs.find(LARGE.integrity)).toBeUndefined()
    expect(world.blobs.list({ limit: 9 })).toHaveLength(1)
    expect(world.router.reputation(boaster.peerId)).toBeLessThan(50)
    expect(world.requestsTo(liar).length).toBeGreaterThan(0)
  })

  it('is not taken when it is larger than is allowed', async () => {
    await using world = new World({}, { askConnected: true })
    world.provider('ada', LARGE, { located: claims(infoOf(LARGE)) })
    expect(await find(world, LARGE.integrity, 1000)).toBeUndefined()
    expect(world.requests).toEqual([])
  })

  it('is not asked of who took another for it, until some time has passed', async () => {
    await using world = new World({}, { askConnected: true, dht: false })
    let asked = 0
    world.provider('liar', LARGE, {
      located: (integrity) => {
        asked += 1
        return { ...infoOf(LARGE), integrity }
      }
    })
    for (const seed of ['a', 'b', 'c']) {
      expect(await find(world, contentBlocks(seededBytes(seed)).integrity)).toBeUndefined()
    }
    expect(asked).toBe(1)
    await world.clock.advance(600_000)
    await find(world, SMALL.integrity)
    expect(asked).toBe(2)
  })

  it('is given up with its caller', async () => {
    await using world = new World({}, { askConnected: true })
    world.provider('ada', SMALL, { located: () => 'never' })
    const enough = new AbortController()
    const finding = world.router.find(SMALL.integrity, { maxBytes: MAX_BYTES, signal: enough.signal })
    enough.abort(new Error('enough'))
    expect(await world.rejection(finding)).toMatchObject({ message: 'enough' })
  })
})
