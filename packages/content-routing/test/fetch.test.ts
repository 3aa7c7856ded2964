import { code as DAG_PB, encode } from '@ipld/dag-pb'
import { type ContentBlocks, contentBlocks, seededBytes, seededPeerId } from '@registry/testing'
import {
  type BlobInfo,
  type FetchProgress,
  PROTOCOL_LIMITS,
  parseContentId,
  RegistryError
} from '@registry/types'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { describe, expect, it } from 'vitest'
import { infoOf, never, World } from './world.ts'

const { chunkBytes } = PROTOCOL_LIMITS
const SMALL = contentBlocks(seededBytes('small', 5000))
/** A root and ten leaves. */
const LARGE = contentBlocks(seededBytes('large', 10 * chunkBytes - 3))

async function bytesOf(world: World, content: BlobInfo): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of world.blobs.read(content.cid)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A content whose root node is made of these links, whatever the record says of it. */
async function contentOf(
  node: Uint8Array,
  size: number,
  blocks: Iterable<[string, Uint8Array]> = []
): Promise<ContentBlocks> {
  const cid = parseContentId(CID.createV1(DAG_PB, await sha256.digest(node)).toString())
  return { cid, size, integrity: LARGE.integrity, blocks: new Map([[cid, node], ...blocks]) }
}

describe('a fetch from several providers', () => {
  it('gets 20 MB from three of which one lies, each block once from the honest, and drops the liar', async () => {
    await using world = new World()
    const bytes = seededBytes('twenty megabytes', 20_000_000)
    const content = contentBlocks(bytes)
    const alice = world.provider('alice', content, { delayMs: 20 })
    const bob = world.provider('bob', content, { delayMs: 30 })
    const liar = world.provider('liar', content, {
      delayMs: 5,
      answer: (_, block) => block?.with(0, block[0] === 0 ? 1 : 0)
    })
    expect(await world.fetch(content)).toEqual(infoOf(content))
    expect(Buffer.compare(await bytesOf(world, content), bytes)).toBe(0)
    const honest = [...world.requestsTo(alice), ...world.requestsTo(bob)].map(({ cid }) => cid)
    expect(new Set(honest).size).toBe(honest.length)
    expect(world.requestsTo(alice).length).toBeGreaterThan(4)
    expect(world.requestsTo(bob).length).toBeGreaterThan(4)
    expect(world.requestsTo(liar).length).toBeLessThanOrEqual(4)
    expect(world.router.reputation(liar.peerId)).toBeLessThan(50)
    expect(world.router.bestProvider(content.cid)?.peerId).not.toBe(liar.peerId)
    expect(world.router.providerCount(content.cid)).toBe(2)
  })

  it('asks at most three at once, and has at most four blocks on their way from each', async () => {
    await using world = new World()
    for (const name of ['alice', 'bob', 'carol', 'dave', 'erin']) world.provider(name, LARGE)
    await world.fetch(LARGE)
    expect(world.maxAskedAtOnce).toBe(3)
    expect(Math.max(...world.maxInFlight.values())).toBeLessThanOrEqual(4)
  })

  it('asks those with the best reputation', async () => {
    await using world = new World()
    const names = ['alice', 'bob', 'carol', 'dave', 'erin']
    const providers = names.map((name) => world.provider(name, LARGE))
    const [alice, , carol, , erin] = providers
    for (const good of [alice, carol, erin]) {
      if (good !== undefined)
        world.router.updateProviderReputation(good.peerId, { success: true, latencyMs: 10 })
    }
    await world.fetch(LARGE)
    const asked = providers.map((provider) => world.requestsTo(provider).length > 0)
    expect(asked).toEqual([true, false, true, false, true])
  })

  it('asks one alone for a content of one block', async () => {
    await using world = new World()
    for (const name of ['alice', 'bob', 'carol']) world.provider(name, SMALL)
    await world.fetch(SMALL)
    expect(world.requests).toHaveLength(1)
  })

  it('gives more blocks to the faster', async () => {
    await using world = new World()
    const fast = world.provider('fast', LARGE, { delayMs: 10 })
    const slow = world.provider('slow', LARGE, { delayMs: 400 })
    await world.fetch(LARGE)
    expect(world.requestsTo(fast).length).toBeGreaterThan(world.requestsTo(slow).length)
  })

  it('gives the blocks of a provider that vanishes to another at once', async () => {
    await using world = new World()
    const vanishing = world.provider('vanishing', LARGE)
    const staying = world.provider('staying', LARGE)
    world.router.updateProviderReputation(vanishing.peerId, { success: true, latencyMs: 1 })
    const before = world.router.reputation(vanishing.peerId)
    vanishing.answer = (_, block) => {
      if (world.requestsTo(vanishing).length > 3) throw new Error('The connection was closed')
      return block
    }
    const startMs = world.clock.now()
    await world.fetch(LARGE)
    expect(world.clock.now() - startMs).toBeLessThan(500)
    expect(world.requestsTo(staying).length).toBeGreaterThan(0)
    expect(world.router.reputation(vanishing.peerId)).toBeLessThan(before + 10)
    expect(world.router.reputation(vanishing.peerId)).toBeLessThan(world.router.reputation(staying.peerId))
  })

  it('asks a provider again after a rest when it is the only one', async () => {
    await using world = new World()
    const alone = world.provider('alone', SMALL)
    alone.answer = (_, block) => {
      if (world.requests.length < 3) throw new Error('The stream was reset')
      return block
    }
    await world.fetch(SMALL)
    const [first, second, third] = world.requests.map(({ atMs }) => atMs)
    expect(world.requests).toHaveLength(3)
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(500)
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(1000)
  })

  it('does not think less of a provider that is busy', async () => {
    await using world = new World()
    const busy = world.provider('busy', SMALL)
    busy.answer = (_, block) => {
      if (world.requests.length < 6) throw new RegistryError('ERR_PEER_BUSY', 'busy', { retryable: true })
      return block
    }
    await world.until(world.router.fetch(infoOf(SMALL)))
    expect(world.requests).toHaveLength(6)
    expect(world.router.reputation(busy.peerId)).toBeGreaterThan(50)
  })

  it('asks a second provider for a block that is late, and takes the first answer', async () => {
    await using world = new World()
    const slow = world.provider('slow', SMALL, { delayMs: 9000 })
    world.router.updateProviderReputation(slow.peerId, { success: true, latencyMs: 1 })
    const other = world.provider('other', SMALL, { delayMs: 30 })
    const startMs = world.clock.now()
    await world.fetch(SMALL)
    expect(world.requests.map(({ peerId, atMs }) => [peerId, atMs - startMs])).toEqual([
      [slow.peerId, 0],
      [other.peerId, 1000]
    ])
    expect(world.clock.now() - startMs).toBeLessThan(1100)
    expect(world.clock.pending).toBe(0)
  })

  it('waits three times as long as is usual for a provider before it asks a second one', async () => {
    await using world = new World()
    const steady = world.provider('steady', LARGE, { delayMs: 900 })
    world.router.updateProviderReputation(steady.peerId, { success: true, latencyMs: 1 })
    await world.fetch(LARGE)
    const cids = world.requests.map(({ cid }) => cid)
    expect(new Set(cids).size).toBe(cids.length)
  })

  it('gets round a provider that takes every block and gives none', async () => {
    await using world = new World()
    const hanging = world.provider('hanging', LARGE, { answer: () => never() })
    world.router.updateProviderReputation(hanging.peerId, { success: true, latencyMs: 1 })
    world.provider('good', LARGE)
    const startMs = world.clock.now()
    await world.fetch(LARGE)
    expect(world.clock.now() - startMs).toBeLessThan(5000)
    expect(world.router.reputation(hanging.peerId)).toBeLessThan(
      world.router.reputation(seededPeerId('good'))
    )
  })

  it('looks further when all it found first have failed', async () => {
    await using world = new World()
    for (const name of ['a', 'b', 'c']) {
      world.provider(name, SMALL, {
        answer: () => {
          throw new Error('gone')
        }
      })
    }
    const far = world.provider('far', SMALL)
    world.router.removeProvider(SMALL.cid, far.peerId)
    world.dht.findProviders = async function* () {
      yield far.peerId
    }
    await world.fetch(SMALL)
    expect(world.requestsTo(far)).toHaveLength(1)
  })
})

describe('a fetch', () => {
  it('takes up what an aborted one left, with the bytes that were here counted at once', async () => {
    await using world = new World()
    const alice = world.provider('alice', LARGE)
    const controller = new AbortController()
    const reason = new Error('enough')
    const aborted = world.rejection(
      world.router.fetch(infoOf(LARGE), {
        signal: controller.signal,
        onProgress: ({ fetchedBytes }) => {
          if (fetchedBytes >= 3 * chunkBytes) controller.abort(reason)
        }
      })
    )
    expect(await aborted).toBe(reason)
    expect(world.clock.pending).toBe(0)
    const kept = [...LARGE.blocks.keys()].filter((cid) => world.blobs.hasBlock(cid))
    expect(kept.length).toBeGreaterThanOrEqual(4)
    world.requests.length = 0
    const progress: FetchProgress[] = []
    await world.until(world.router.fetch(infoOf(LARGE), { onProgress: (step) => progress.push(step) }))
    expect(world.requestsTo(alice).filter(({ cid }) => kept.includes(cid))).toEqual([])
    expect(world.requests).toHaveLength(LARGE.blocks.size - kept.length)
    expect(progress[0]?.fetchedBytes).toBeGreaterThanOrEqual(3 * chunkBytes)
    expect(progress.at(-1)?.fetchedBytes).toBe(LARGE.size)
  })

  it('needs nobody when every block is here', async () => {
    await using world = new World()
    for (const [cid, block] of LARGE.blocks) await world.blobs.putBlock(LARGE.cid, cid, block)
    expect(await world.fetch(LARGE)).toEqual(infoOf(LARGE))
    expect(world.requests).toEqual([])
  })

  it('is shared by those who want the same content, and one that leaves does not disturb the others', async () => {
    await using world = new World()
    world.provider('alice', LARGE)
    const controller = new AbortController()
    const reason = new Error('no longer wanted')
    const steps: FetchProgress[] = []
    const leaving = world.rejection(world.router.fetch(infoOf(LARGE), { signal: controller.signal }))
    const staying = world.router.fetch(infoOf(LARGE), { onProgress: (step) => steps.push(step) })
    await world.clock.advance(25)
    controller.abort(reason)
    expect(await leaving).toBe(reason)
    expect(await world.until(staying)).toEqual(infoOf(LARGE))
    expect(world.requests).toHaveLength(LARGE.blocks.size)
    expect(steps.at(-1)).toEqual({
      cid: LARGE.cid,
      fetchedBytes: LARGE.size,
      totalBytes: LARGE.size,
      providers: 1
    })
  })

  it('begins anew when the last one who wanted it has left', async () => {
    await using world = new World()
    world.provider('alice', LARGE)
    const controller = new AbortController()
    const leaving = world.rejection(world.router.fetch(infoOf(LARGE), { signal: controller.signal }))
    await world.clock.advance(15)
    controller.abort(new Error('no longer wanted'))
    expect(await world.fetch(LARGE)).toEqual(infoOf(LARGE))
    expect(await leaving).toMatchObject({ message: 'no longer wanted' })
  })

  it('does not fail with the other record when two records differ about one content', async () => {
    await using world = new World()
    world.provider('alice', SMALL)
    const lie = world.rejection(world.router.fetch({ ...infoOf(SMALL), integrity: LARGE.integrity }))
    const truth = world.router.fetch(infoOf(SMALL))
    expect(await lie).toMatchObject({ code: 'ERR_HASH_MISMATCH', retryable: false })
    expect(await world.until(truth)).toEqual(infoOf(SMALL))
    expect(await world.rejection(world.router.fetch({ ...infoOf(SMALL), size: 1 }))).toMatchObject({
      code: 'ERR_HASH_MISMATCH'
    })
  })

  it('waits for its turn while too many are under way', async () => {
    await using world = new World({ maxConcurrentFetches: 2 })
    const contents = ['one', 'two', 'three', 'four'].map((seed) => contentBlocks(seededBytes(seed, 100)))
    for (const content of contents) world.provider(`holder of ${content.cid}`, content, { delayMs: 100 })
    const all = Promise.all(contents.map((content) => world.router.fetch(infoOf(content))))
    await world.clock.advance(50)
    expect(world.requests).toHaveLength(2)
    const waiting = new AbortController()
    const left = world.rejection(world.router.fetch(infoOf(LARGE), { signal: waiting.signal }))
    waiting.abort(new Error('left the queue'))
    expect(await left).toMatchObject({ message: 'left the queue' })
    expect(await world.until(all)).toEqual(contents.map(infoOf))
    expect(world.maxAskedAtOnce).toBe(2)
  })

  it('provides in the background what it has got', async () => {
    await using world = new World()
    await world.router.start()
    world.provider('alice', SMALL)
    await world.fetch(SMALL)
    await world.clock.advance(0)
    expect(world.announced.map(({ cid }) => cid)).toEqual([SMALL.cid])
    expect(world.router.isLocalProvider(SMALL.cid)).toBe(true)
  })

  it('is not disturbed by a listener that throws', async () => {
    await using world = new World()
    const alice = world.provider('alice', SMALL)
    const fetched = world.router.fetch(infoOf(SMALL), {
      onProgress: () => {
        throw new Error('a bug of the caller')
      }
    })
    expect(await world.until(fetched)).toEqual(infoOf(SMALL))
    expect(world.router.reputation(alice.peerId)).toBeGreaterThan(50)
  })

  it('ends with ERR_NOT_RUNNING when the router stops', async () => {
    const world = new World()
    world.provider('alice', SMALL, { answer: () => never() })
    await world.router.start()
    const ended = world.rejection(world.router.fetch(infoOf(SMALL)))
    await world.clock.advance(10)
    await world.router.stop()
    expect(await ended).toMatchObject({ code: 'ERR_NOT_RUNNING' })
    expect(world.clock.pending).toBe(0)
  })

  it('gets a block again that turns out to be damaged when the content is put together', async () => {
    await using world = new World()
    world.provider('alice', LARGE)
    for (const [cid, block] of LARGE.blocks) await world.blobs.putBlock(LARGE.cid, cid, block)
    const [damaged = ''] = LARGE.blocks.keys()
    world.store.damageBlock(damaged)
    expect(await world.fetch(LARGE)).toEqual(infoOf(LARGE))
    expect(world.requests.map(({ cid }) => cid)).toEqual([damaged])
  })

  it('passes on that the disk is full, and blames no provider', async () => {
    await using world = new World({}, { quotaBytes: 100 })
    const alice = world.provider('alice', SMALL)
    expect(await world.rejection(world.router.fetch(infoOf(SMALL)))).toMatchObject({
      code: 'ERR_QUOTA_EXCEEDED'
    })
    expect(world.router.reputation(alice.peerId)).toBe(50)
    expect(world.clock.pending).toBe(0)
  })
})

describe('a fetch that cannot succeed', () => {
  it('says that nobody is known to have it', async () => {
    await using world = new World()
    expect(await world.rejection(world.router.fetch(infoOf(SMALL)))).toMatchObject({
      code: 'ERR_NO_PROVIDERS',
      retryable: true,
      details: { cid: SMALL.cid, asked: 0 }
    })
    expect(world.clock.pending).toBe(0)
  })

  it('asks connected peers at a venture when nobody is known to have it, and thinks no less of those without', async () => {
    await using world = new World({}, { askConnected: true })
    const holder = world.provider('holder', LARGE)
    const other = world.provider('other', SMALL)
    world.router.removeProvider(LARGE.cid, holder.peerId)
    expect(await world.fetch(LARGE)).toEqual(infoOf(LARGE))
    expect(world.router.reputation(other.peerId)).toBe(50)
    expect(world.router.reputation(holder.peerId)).toBeGreaterThan(50)
  })

  it('gets round a crowd of peers that only say they hold it', async () => {
    await using world = new World()
    const crowd = Array.from({ length: 20 }, (_, index) =>
      world.provider(`false-${index}`, LARGE, { blocks: new Map() })
    )
    const holder = world.provider('holder', LARGE)
    world.router.removeProvider(LARGE.cid, holder.peerId)
    for (const { peerId } of crowd) world.router.addProvider(LARGE.cid, peerId)
    world.dht.findProviders = async function* () {
      yield holder.peerId
    }
    expect(await world.fetch(LARGE)).toEqual(infoOf(LARGE))
  })

  it('says how many were asked, and forgets those that do not have what they were said to have', async () => {
    await using world = new World()
    world.provider('empty', SMALL, { blocks: new Map() })
    world.provider('liar', SMALL, { answer: () => seededBytes('a lie', 5000) })
    expect(await world.rejection(world.router.fetch(infoOf(SMALL)))).toMatchObject({
      code: 'ERR_NO_PROVIDERS',
      details: { asked: 2 }
    })
    expect(world.router.providerCount(SMALL.cid)).toBe(0)
  })

  it('does not take more bytes than a block may have', async () => {
    await using world = new World()
    const flooding = world.provider('flooding', SMALL, {
      answer: () => new Uint8Array(PROTOCOL_LIMITS.maxBlockBytes + 1)
    })
    expect(await world.rejection(world.router.fetch(infoOf(SMALL)))).toMatchObject({
      code: 'ERR_NO_PROVIDERS'
    })
    expect(world.router.reputation(flooding.peerId)).toBeLessThan(50)
  })

  it('gives up when nothing came for thirty seconds', async () => {
    await using world = new World({ blockTimeoutMs: 60_000 })
    world.provider('hanging', SMALL, { answer: () => never() })
    const startMs = world.clock.now()
    expect(await world.rejection(world.router.fetch(infoOf(SMALL)))).toMatchObject({
      code: 'ERR_FETCH_TIMEOUT',
      retryable: true
    })
    expect(world.clock.now() - startMs).toBe(30_000)
    expect(world.clock.pending).toBe(0)
  })

  it('drops a provider whose root is false, and takes the true one of another', async () => {
    await using world = new World()
    const lie = encode({ Links: [] })
    const liar = world.provider('liar', LARGE, { answer: (cid, block) => (cid === LARGE.cid ? lie : block) })
    world.router.updateProviderReputation(liar.peerId, { success: true, latencyMs: 1 })
    const honest = world.provider('honest', LARGE)
    await world.fetch(LARGE)
    expect(world.requestsTo(liar)).toHaveLength(1)
    expect(world.requestsTo(honest)).toHaveLength(LARGE.blocks.size)
  })

  const leaf = contentBlocks(seededBytes('leaf', chunkBytes))
  const linkTo = (content: BlobInfo): { Name: string; Tsize: number; Hash: CID } => ({
    Name: '',
    Tsize: content.size,
    Hash: CID.parse(content.cid)
  })
  it.each([
    ['links to too few chunks', encode({ Links: [linkTo(leaf)] }), 2 * chunkBytes],
    [
      'links to too many chunks',
      encode({ Links: [linkTo(leaf), linkTo(leaf), linkTo(leaf)] }),
      2 * chunkBytes
    ],
    ['gives one chunk two sizes', encode({ Links: [linkTo(leaf), linkTo(leaf)] }), 2 * chunkBytes - 1],
    ['links to another node', encode({ Links: [linkTo(leaf), linkTo(LARGE)] }), 2 * chunkBytes],
    ['has a chunk of another size', encode({ Links: [linkTo(leaf), linkTo(SMALL)] }), 2 * chunkBytes],
    ['is no node at all', seededBytes('garbage', 60), 2 * chunkBytes]
  ])(
    'says that the record is wrong when the genuine root %s, and blames no provider',
    async (_, node, size) => {
      await using world = new World()
      const content = await contentOf(node, size, [...leaf.blocks, ...SMALL.blocks])
      const alice = world.provider('alice', content)
      expect(await world.rejection(world.router.fetch(infoOf(content)))).toMatchObject({
        code: 'ERR_HASH_MISMATCH',
        retryable: false
      })
      expect(world.router.reputation(alice.peerId)).toBeGreaterThanOrEqual(50)
      expect([...content.blocks.keys()].filter((cid) => world.blobs.hasBlock(cid))).toEqual([])
      expect(world.clock.pending).toBe(0)
    }
  )

  it.each([
    ['a node for a small content', { ...infoOf(LARGE), size: 100 }],
    ['one block for a large content', { ...infoOf(SMALL), size: 2 * chunkBytes }],
    ['more bytes than a package may have', { ...infoOf(LARGE), size: PROTOCOL_LIMITS.maxPackageBytes + 1 }]
  ])('asks nobody when the record names %s', async (_, content) => {
    await using world = new World()
    world.provider('alice', { ...LARGE, ...content })
    expect(await world.rejection(world.router.fetch(content))).toMatchObject({ code: 'ERR_HASH_MISMATCH' })
    expect(world.requests).toEqual([])
  })
})

describe('options of a fetch', () => {
  it('fanOut bounds the providers asked at once', async () => {
    await using world = new World({ fanOut: 1 })
    for (const name of ['alice', 'bob', 'carol']) world.provider(name, LARGE)
    await world.fetch(LARGE)
    expect(world.maxAskedAtOnce).toBe(1)
  })

  it('windowBlocks bounds the blocks on their way from each', async () => {
    await using world = new World({ windowBlocks: 2 })
    world.provider('alice', LARGE)
    await world.fetch(LARGE)
    expect([...world.maxInFlight.values()]).toEqual([2])
  })

  it('hedgeAfterMs, blockTimeoutMs and fetchTimeoutMs say how long to wait', async () => {
    await using world = new World({ hedgeAfterMs: 200, blockTimeoutMs: 700, fetchTimeoutMs: 2000 })
    const slow = world.provider('slow', SMALL, { answer: () => never() })
    world.router.updateProviderReputation(slow.peerId, { success: true, latencyMs: 1 })
    const other = world.provider('other', SMALL, { answer: () => never() })
    const startMs = world.clock.now()
    expect(await world.rejection(world.router.fetch(infoOf(SMALL)))).toMatchObject({
      code: 'ERR_FETCH_TIMEOUT'
    })
    expect(world.clock.now() - startMs).toBe(2000)
    expect(world.requests.slice(0, 2).map(({ peerId, atMs }) => [peerId, atMs - startMs])).toEqual([
      [slow.peerId, 0],
      [other.peerId, 200]
    ])
    expect(world.requests[2]?.atMs).toBe(startMs + 1200)
  })
})
