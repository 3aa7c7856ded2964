import { recordIdOf } from '@registry/identity'
import { sketch } from '@registry/reconciliation'
import { memoryStore, seededBytes, seededOwner } from '@registry/testing'
import { type Catalogue, type CatalogueSummary, type RecordId, RegistryError } from '@registry/types'
import fc from 'fast-check'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { signedRelease, worldRecords } from './fixtures.ts'
import { allIds, type InProcessPeer, inProcessPeer } from './in-process-peer.ts'

/** Many releases of one owner, the owner first. */
let many: Uint8Array[]
let world: Uint8Array[]
/** With 1,500 of them. */
let rich: Catalogue

beforeAll(async () => {
  const signed = await Promise.all(
    Array.from({ length: 2200 }, (_, number) => signedRelease({ name: `package-${number}` }, 'many'))
  )
  many = [signed[0]?.records[0] ?? new Uint8Array(), ...signed.map(({ records }) => records[1])]
  world = await worldRecords(3, 2)
  rich = inProcessPeer().catalogue
  await rich.ingest(many.slice(0, 1500))
})

async function unionOf(...peers: InProcessPeer[]): Promise<CatalogueSummary> {
  const { catalogue } = memoryStore()({ clock: peers[0]?.clock ?? inProcessPeer().clock })
  for (const peer of peers) {
    await catalogue.ingest(allIds(peer.catalogue).map((id) => peer.catalogue.record(id) ?? new Uint8Array()))
  }
  return catalogue.summary()
}

async function pair(
  first: readonly Uint8Array[],
  second: readonly Uint8Array[],
  options?: Parameters<typeof inProcessPeer>[0]
): Promise<[InProcessPeer, InProcessPeer]> {
  const peers: [InProcessPeer, InProcessPeer] = [inProcessPeer(options), inProcessPeer(options)]
  await peers[0].catalogue.ingest(first)
  await peers[1].catalogue.ingest(second)
  return peers
}

/** Nothing is ever lost, so two catalogues that are the same are the union of what they were. */
const expectSame = (...[first, ...others]: InProcessPeer[]): void => {
  for (const { catalogue } of others) expect(catalogue.summary()).toEqual(first?.catalogue.summary())
}

async function letTimePass(peer: InProcessPeer, until: Promise<unknown>): Promise<void> {
  let ended = false
  const end = (): void => {
    ended = true
  }
  until.then(end, end)
  while (!ended) {
    await peer.clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Counts the records that a peer gives to whoever asks for them. */
function handedOverBy(peer: InProcessPeer): () => number {
  const { exchangeRecords, snapshot } = peer.handlers
  let count = 0
  peer.handlers.exchangeRecords = async (...asked) => {
    const answer = await exchangeRecords(...asked)
    count += answer.records.length
    return answer
  }
  peer.handlers.snapshot = async (...asked) => {
    const page = await snapshot(...asked)
    count += page.records.length
    return page
  }
  return () => count
}

describe('a synchronisation', () => {
  it('of equal catalogues is one round trip', async () => {
    const [a, b] = await pair(world, world)
    expect(await a.sync(b)).toMatchObject({ received: 0, sent: 0, refused: 0, equal: true, roundTrips: 1 })
    expect(b.asked).toEqual(['compare'])
  })

  it('of some differences on both sides is two round trips, and makes both the union', async () => {
    const [a, b] = await pair(many.slice(0, 400), [...many.slice(0, 350), ...many.slice(400, 450)])
    const report = await a.sync(b)
    expect(report).toMatchObject({ received: 50, sent: 50, refused: 0, equal: true, roundTrips: 2 })
    expectSame(a, b)
    expect(b.asked).toEqual(['compare', 'exchangeRecords'])
  })

  it('of 100 differences takes at most 8 KiB beside the records', async () => {
    const [a, b] = await pair(many.slice(0, 900), [...many.slice(0, 850), ...many.slice(900, 950)])
    const recordBytes = [...many.slice(850, 950)].reduce((sum, { length }) => sum + length, 0)
    const { bytes, roundTrips } = await a.sync(b)
    expect(roundTrips).toBe(2)
    expect(bytes - recordBytes).toBeLessThan(8 * 1024)
  })

  it('leaves the other side to ask for more than it hands over', async () => {
    const [a, b] = await pair(many.slice(0, 700), many.slice(0, 100))
    expect(await a.sync(b)).toMatchObject({ received: 0, sent: 0, equal: false, ahead: false })
    expect(await b.sync(a)).toMatchObject({ received: 600, equal: true })
    expectSame(a, b)
  })

  it('hands over again what went before its owner', async () => {
    const [a, b] = await pair(many.slice(0, 400), [])
    // In the order of the sketch, which is none.
    expect(await a.sync(b)).toMatchObject({ sent: 400, equal: true })
    expectSame(a, b)
  })

  it('keeps the newer of two statements, whoever had it', async () => {
    const owner = await seededOwner('world 0')
    expect(owner.inception).toEqual(world[0])
    const [older, newer] = [world[2] ?? new Uint8Array(), world[3] ?? new Uint8Array()]
    const [a, b] = await pair([...world.slice(0, 2), older], [...world.slice(0, 2), newer])
    expect(await a.sync(b)).toMatchObject({ received: 1, sent: 0, refused: 0, equal: true })
    expectSame(a, b)
    expect(a.catalogue.has(recordIdOf(older))).toBe(false)
  })

  it('makes both the union, whatever each had', async () => {
    const subset = fc.array(fc.boolean(), { minLength: world.length, maxLength: world.length })
    const capacity = fc.constantFrom(undefined, 4, 16)
    await fc.assert(
      fc.asyncProperty(subset, subset, capacity, async (first, second, symbols) => {
        const [a, b] = await pair(
          world.filter((_, index) => first[index]),
          world.filter((_, index) => second[index]),
          symbols === undefined ? {} : { capacity: symbols }
        )
        const union = await unionOf(a, b)
        const { equal } = await a.sync(b)
        if (!equal) await b.sync(a)
        expectSame(a, b)
        expect(a.catalogue.summary()).toEqual(union)
        expect(await b.sync(a)).toMatchObject({ roundTrips: 1, equal: true })
      }),
      { numRuns: 60 }
    )
  })

  it('with several peers at once gets no record twice', async () => {
    const records = many.slice(0, 2000)
    const known = many.slice(0, 600)
    const a = inProcessPeer()
    await a.catalogue.ingest(known)
    const others = [inProcessPeer(), inProcessPeer(), inProcessPeer()]
    for (const other of others) await other.catalogue.ingest(records)
    const handedOver = others.map((other) => handedOverBy(other))
    await Promise.all(others.map((other) => a.sync(other)))
    expectSame(a, ...others)
    expect(handedOver.reduce((sum, count) => sum + count(), 0)).toBe(1400)
  })

  it('gets from another peer what one of several was asked for and does not give', async () => {
    const [a, b] = await pair([], many.slice(0, 900))
    const c = inProcessPeer()
    await c.catalogue.ingest(many.slice(0, 900))
    const gone = Promise.withResolvers<never>()
    b.handlers.exchangeRecords = () => gone.promise
    const first = a.sync(b)
    await vi.waitFor(() => expect(b.asked).toContain('exchangeRecords'))
    const second = a.sync(c)
    await vi.waitFor(() => expect(c.asked).toContain('exchangeRecords'))
    gone.reject(new RegistryError('ERR_PEER_UNREACHABLE', 'gone', { retryable: true }))
    await expect(first).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(await second).toMatchObject({ equal: true })
    expectSame(a, c)
  })

  it('waits where it asks more than the peer answers in a second, and goes on from there', async () => {
    const [a, b] = await pair([], world)
    const { exchangeRecords } = b.handlers
    let refusals = 2
    b.handlers.exchangeRecords = async (from, exchange) => {
      if (refusals-- > 0) throw new RegistryError('ERR_PEER_BUSY', 'not now', { retryable: true })
      return exchangeRecords(from, exchange)
    }
    const synchronised = a.sync(b)
    await letTimePass(a, synchronised)
    expect(await synchronised).toMatchObject({ equal: true })
    expectSame(a, b)
  })

  it('gives up on a peer that stays busy', async () => {
    const [a, b] = await pair([], world)
    b.handlers.exchangeRecords = async () => {
      throw new RegistryError('ERR_PEER_BUSY', 'not now', { retryable: true })
    }
    const synchronised = a.sync(b)
    await letTimePass(a, synchronised)
    await expect(synchronised).rejects.toMatchObject({ code: 'ERR_PEER_BUSY' })
    expect(b.asked.filter((method) => method === 'exchangeRecords')).toHaveLength(31)
  })

  it('is not over for a peer that takes no more for now', async () => {
    const [a, b] = await pair(many.slice(0, 20), [], { recordsPerSecond: 10 })
    await b.handlers.publishPackage(a.peerId, many.slice(0, 19))
    expect(await a.sync(b)).toMatchObject({ sent: 1, equal: true })
    await a.catalogue.ingest(many.slice(20, 30))
    expect(await a.sync(b)).toMatchObject({ sent: 0, equal: false, ahead: false })
    await b.clock.advance(1000)
    expect(await a.sync(b)).toMatchObject({ sent: 10, equal: true })
  })

  it('goes on until it has all, when fewer come than were asked for', async () => {
    const [a, b] = await pair([], many.slice(0, 20))
    const { exchangeRecords } = b.handlers
    b.handlers.exchangeRecords = async (from, { want, give }) =>
      exchangeRecords(from, { want: want.slice(0, 1), give })
    expect(await a.sync(b)).toMatchObject({ received: 20, equal: true })
    expectSame(a, b)
  })

  it('keeps what is good of a peer that also gives something bad', async () => {
    const [a, b] = await pair([], many.slice(0, 20))
    const { exchangeRecords } = b.handlers
    b.handlers.exchangeRecords = async (from, exchange) => {
      const { records, given } = await exchangeRecords(from, exchange)
      return { records: [...records.slice(1), seededBytes('no record', 100)], given }
    }
    expect(await a.sync(b)).toMatchObject({ equal: false, ahead: true })
    expect(a.catalogue.summary().records).toBeGreaterThan(0)
  })

  it('ends when it has cost enough bytes, keeps what came, and may be taken up again', async () => {
    const [a, b] = await pair([], many.slice(0, 900))
    await expect(a.sync(b, { maxBytes: 300_000 })).rejects.toMatchObject({
      code: 'ERR_SYNC_LIMIT',
      retryable: true,
      details: { limit: 'bytes' }
    })
    expect(await a.sync(b)).toMatchObject({ equal: true })
  })

  it('ends when it has taken enough time, and leaves no timer', async () => {
    const [a, b] = await pair(world, [])
    b.handlers.compare = () => new Promise(() => {})
    const { compare } = b.handlers
    const slow = Promise.withResolvers<never>()
    b.handlers.compare = async (...input) => Promise.race([compare(...input), slow.promise])
    const ended = expect(a.sync(b, { maxMs: 1000 })).rejects.toMatchObject({
      code: 'ERR_SYNC_LIMIT',
      retryable: true,
      details: { limit: 'time' }
    })
    await a.clock.advance(1000)
    slow.reject(new Error('too late'))
    await ended
    expect(a.clock.pending).toBe(0)
  })

  it('ends with the reason of its caller', async () => {
    const [a, b] = await pair(world, [])
    const controller = new AbortController()
    const { compare } = b.handlers
    b.handlers.compare = (...input) => {
      controller.abort(new Error('enough'))
      return compare(...input)
    }
    await expect(a.sync(b, {}, controller.signal)).rejects.toThrow('enough')
    expect(a.clock.pending).toBe(0)
  })
})

describe('catalogues that move', () => {
  it('here, while symbols come, are compared as they are then', async () => {
    const [a, b] = await pair(many.slice(0, 100), many.slice(0, 150))
    const { compare } = b.handlers
    b.handlers.compare = async (...input) => {
      await a.catalogue.ingest(many.slice(100, 120))
      return compare(...input)
    }
    expect(await a.sync(b)).toMatchObject({ received: 30, equal: true })
    expectSame(a, b)
  })

  it('there, while symbols are fetched, are fetched anew', async () => {
    const [a, b] = await pair(many.slice(0, 100), many.slice(0, 300))
    const { compare, symbols } = b.handlers
    b.handlers.compare = async (...input) => {
      const answer = await compare(...input)
      if (answer.status !== 'different') return answer
      return { ...answer, count: 8, symbols: b.catalogue.sketch({ kind: 'all' }).symbols(0, 8) }
    }
    let asked = 0
    b.handlers.symbols = async (...input) => {
      if (asked++ === 0) await b.catalogue.ingest(many.slice(300, 310))
      return symbols(...input)
    }
    expect(await a.sync(b)).toMatchObject({ received: 210, equal: true })
    expectSame(a, b)
  })

  it('there, without end, end the synchronisation, without blame', async () => {
    const [a, b] = await pair(many.slice(0, 100), many.slice(0, 300))
    let next = 300
    const { compare, symbols } = b.handlers
    b.handlers.compare = async (...input) => {
      const answer = await compare(...input)
      if (answer.status !== 'different') return answer
      return { ...answer, count: 2, symbols: b.catalogue.sketch({ kind: 'all' }).symbols(0, 2) }
    }
    b.handlers.symbols = async (from, range) => {
      await b.catalogue.ingest([many[next++] ?? new Uint8Array()])
      return symbols(from, { ...range, count: 8 })
    }
    expect(await a.sync(b)).toMatchObject({ equal: false, ahead: true, misled: false })
    expect(b.asked.filter((method) => method === 'compare').length).toBeLessThanOrEqual(6)
  })

  it('while all IDs are gone through, lose nothing', async () => {
    const [a, b] = await pair(many.slice(0, 300), [...many.slice(0, 1), ...many.slice(200, 600)], {
      capacity: 8
    })
    const { recordIds } = b.handlers
    let pages = 0
    b.handlers.recordIds = async (from, page) => {
      if (pages++ === 1) await b.catalogue.ingest(many.slice(600, 650))
      return recordIds(from, { ...page, limit: 100 })
    }
    await a.sync(b)
    await b.sync(a)
    await a.sync(b)
    expectSame(a, b)
    expect(a.catalogue.summary().records).toBe(650)
  })
})

describe('a cold start', () => {
  const pages = (peer: InProcessPeer): number => peer.asked.filter((method) => method === 'snapshot').length
  /** Pages of about a hundred records. */
  const inSmallPages = (peer: InProcessPeer): void => {
    peer.handlers.snapshot = async (_from, page) => peer.catalogue.snapshot({ ...page, maxBytes: 64 * 1024 })
  }

  it('takes a snapshot, then what is still different', async () => {
    const [a, b] = await pair([], many.slice(0, 1500))
    const { snapshot } = b.handlers
    b.handlers.snapshot = async (...input) => {
      const page = await snapshot(...input)
      if (page.next === undefined) await b.catalogue.ingest(many.slice(1500, 1510))
      return page
    }
    expect(await a.sync(b)).toMatchObject({ received: 1510, equal: true })
    expectSame(a, b)
  })

  it('that was interrupted goes on from another peer where it stopped', async () => {
    const [a, b, c] = [
      inProcessPeer(),
      inProcessPeer({ catalogue: rich }),
      inProcessPeer({ catalogue: rich })
    ]
    inSmallPages(b)
    inSmallPages(c)
    const { snapshot } = b.handlers
    let left = 8
    b.handlers.snapshot = async (...input) => {
      if (left-- === 0) throw new RegistryError('ERR_PEER_UNREACHABLE', 'gone', { retryable: true })
      return snapshot(...input)
    }
    await expect(a.sync(b)).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    expect(a.catalogue.summary().records).toBeGreaterThan(100)
    expect(await a.sync(c)).toMatchObject({ equal: true })
    const bytes = many.slice(0, 1500).reduce((sum, { length }) => sum + length, 0)
    expect(pages(c)).toBeLessThan(bytes / (64 * 1024) - 5)
    expectSame(a, c)
  })

  it('goes on after a restart from where its records thin out', async () => {
    const [a, b] = await pair([], many, { capacity: 256 })
    inSmallPages(b)
    const { records } = b.catalogue.snapshot({ scope: { kind: 'all' }, maxBytes: 2 ** 30 })
    await a.catalogue.ingest(records.slice(0, 1050))
    expect(await a.sync(b)).toMatchObject({ equal: true })
    expectSame(a, b)
    const bytes = records.reduce((sum, { length }) => sum + length, 0)
    expect(pages(b)).toBeLessThan((0.6 * bytes) / (64 * 1024))
  })

  it('takes one snapshot at a time, whoever else has one', async () => {
    const [a, b, c] = [
      inProcessPeer(),
      inProcessPeer({ catalogue: rich }),
      inProcessPeer({ catalogue: rich })
    ]
    const both = await Promise.all([a.sync(b), a.sync(c)])
    expect(pages(b) * pages(c)).toBe(0)
    expect(both.filter(({ equal }) => equal)).toHaveLength(1)
    expectSame(a, b)
  })

  it('ends its snapshot where most of it has come from another peer', async () => {
    const [a, b, c] = [
      inProcessPeer(),
      inProcessPeer({ catalogue: rich }),
      inProcessPeer({ catalogue: rich })
    ]
    inSmallPages(b)
    const { snapshot } = b.handlers
    b.handlers.snapshot = async (...input) => {
      const page = await snapshot(...input)
      if (pages(b) === 3) expect(await a.sync(c)).toMatchObject({ equal: true })
      return page
    }
    await a.catalogue.ingest(many.slice(0, 80))
    expect(await a.sync(b)).toMatchObject({ equal: true })
    expect(pages(b)).toBeLessThan(7)
    expectSame(a, b)
  })

  it('of the other side is waited for', async () => {
    const [a, b] = await pair(many.slice(0, 1200), world.slice(0, 1))
    expect(await a.sync(b)).toMatchObject({ received: 0, sent: 0, equal: false, ahead: false, roundTrips: 1 })
    expect(await b.sync(a)).toMatchObject({ sent: 1, equal: true })
    expectSame(a, b)
  })
})

describe('a peer that lies', () => {
  const blamed = (limit: string): object => ({ code: 'ERR_SYNC_LIMIT', retryable: false, details: { limit } })
  const short = (seed: number): Uint8Array => seededBytes(seed, 16)
  const claims = (records: number): CatalogueSummary => ({ fingerprint: seededBytes('lie'), records })

  /** Answers with the symbols of records that there are not. */
  function inventing(peer: InProcessPeer, count: number): void {
    const invented = sketch()
    for (let number = 0; number < count; number++) invented.add(short(number))
    peer.handlers.compare = async () => ({
      status: 'different',
      ...claims(count),
      from: 0,
      count: 64,
      symbols: invented.symbols(0, 64)
    })
    peer.handlers.symbols = async (_from, { from, count: asked }) => ({
      ...claims(count),
      from,
      count: asked,
      symbols: invented.symbols(from, asked)
    })
  }

  it('with bytes that are no symbols is found out', async () => {
    const [a, b] = await pair(world, [])
    b.handlers.compare = async () => ({
      status: 'different',
      ...claims(30),
      from: 0,
      count: 64,
      symbols: seededBytes('symbols', 1700)
    })
    await expect(a.sync(b)).rejects.toMatchObject(blamed('symbols'))
    expect(b.asked).toEqual(['compare'])
  })

  it('with a fingerprint that is not that of its symbols is found out', async () => {
    const [a, b] = await pair(world, world)
    const { compare } = b.handlers
    b.handlers.compare = async (from, comparison) => {
      const answer = await compare(from, { ...comparison, summary: claims(1) })
      return { ...answer, ...claims(comparison.summary.records) }
    }
    await expect(a.sync(b)).rejects.toMatchObject(blamed('symbols'))
  })

  it('with records that it does not give is left when it has cost some requests', async () => {
    const [a, b] = await pair(world, [])
    inventing(b, 500)
    await expect(a.sync(b)).rejects.toMatchObject(blamed('refused'))
    expect(b.asked.length).toBeLessThan(10)
  })

  it('with symbols without end is left to its IDs, and found out by them', async () => {
    const [a, b] = await pair(world.slice(0, 5), world)
    const { catalogue } = b
    let seed = 0
    const endless = (): ReturnType<typeof sketch> => {
      const made = sketch()
      for (let number = 0; number < 60_000; number++) made.add(short(++seed))
      return made
    }
    const set = endless()
    b.handlers.compare = async () => ({
      status: 'different',
      ...catalogue.summary(),
      from: 0,
      count: 64,
      symbols: set.symbols(0, 64)
    })
    b.handlers.symbols = async (_from, { from, count }) => ({
      ...catalogue.summary(),
      from,
      count,
      symbols: set.symbols(from, count)
    })
    const { misled } = await a.sync(b)
    expect(misled).toBe(true)
    expectSame(a, b)
    expect(b.asked.filter((method) => method === 'recordIds').length).toBeLessThan(3)
  })

  it('about how much differs is found out by its IDs', async () => {
    const [a, b] = await pair(world.slice(0, 5), world)
    const { compare } = b.handlers
    b.handlers.compare = async (...input) => {
      const answer = await compare(...input)
      if (answer.status !== 'different') return answer
      return { ...answer, count: 1, symbols: b.catalogue.sketch({ kind: 'all' }).symbols(0, 1) }
    }
    expect(await a.sync(b)).toMatchObject({ equal: true, misled: true })
    expectSame(a, b)
  })

  it('with records that nobody asked for is left', async () => {
    const [a, b] = await pair([], world)
    b.handlers.exchangeRecords = async () => ({
      records: Array.from({ length: 20 }, (_, number) => seededBytes(number)),
      given: []
    })
    await expect(a.sync(b)).rejects.toMatchObject(blamed('refused'))
  })

  it.each([
    ['over and over', (ids: RecordId[]) => ids],
    ['in no order', (ids: RecordId[]) => ids.toReversed()]
  ])('with IDs that come %s is found out', async (_how, listed) => {
    const [a, b] = await pair(world.slice(0, 5), world, { capacity: 2 })
    const ids = listed(allIds(b.catalogue))
    b.handlers.recordIds = async () => ({ ids, next: ids.at(-1) ?? recordIdOf(seededBytes(0)) })
    await expect(a.sync(b)).rejects.toMatchObject(blamed('ids'))
    expect(b.asked.filter((method) => method === 'recordIds').length).toBeLessThan(4)
  })

  it('with IDs without end of records that it does not give is left', async () => {
    const [a, b] = await pair(world.slice(0, 5), world, { capacity: 2 })
    const ids = Array.from({ length: 4000 }, (_, number) => recordIdOf(seededBytes(number)))
    const order = new Map(ids.map((id) => [id, allIdBytes(id)]))
    ids.sort((x, y) => Buffer.compare(order.get(x) ?? Buffer.alloc(0), order.get(y) ?? Buffer.alloc(0)))
    b.handlers.recordIds = async (_from, { after }) => {
      const at = after === undefined ? 0 : ids.indexOf(after) + 1
      const page = ids.slice(at, at + 100)
      return { ids: page, next: page.at(-1) ?? recordIdOf(seededBytes(0)) }
    }
    await expect(a.sync(b)).rejects.toMatchObject(blamed('refused'))
    expect(b.asked.length).toBeLessThan(30)
  })

  it.each<[string, (peer: InProcessPeer) => void]>([
    [
      'that loops',
      ({ handlers, catalogue }) => {
        handlers.snapshot = async (_from, { scope }) => ({
          ...catalogue.snapshot({ scope, maxBytes: 64 * 1024 }),
          next: { kind: 'release', digest: new Uint8Array(32) }
        })
      }
    ],
    [
      'that leads past what it has not told, so that the next peer would be asked for nothing',
      ({ handlers, catalogue }) => {
        handlers.snapshot = async (_from, { scope, after }) =>
          after === undefined
            ? {
                ...catalogue.snapshot({ scope, maxBytes: 64 * 1024 }),
                next: { kind: 'attestation', digest: new Uint8Array(32).fill(0xff) }
              }
            : { records: [] }
      }
    ],
    [
      'in no order',
      ({ handlers, catalogue }) => {
        handlers.snapshot = async (_from, { scope }) => {
          const { records } = catalogue.snapshot({ scope, maxBytes: 64 * 1024 })
          return { records: records.toReversed() }
        }
      }
    ],
    [
      'of empty pages',
      ({ handlers }) => {
        handlers.snapshot = async () => ({ records: [], next: { kind: 'owner', digest: new Uint8Array(32) } })
      }
    ],
    [
      'that has far fewer records than it says',
      ({ handlers, catalogue }) => {
        handlers.snapshot = async (_from, { scope }) => ({
          records: catalogue.snapshot({ scope, maxBytes: 64 * 1024 }).records
        })
      }
    ]
  ])('with a snapshot %s is found out', async (_what, lie) => {
    const [a, b] = [inProcessPeer(), inProcessPeer({ catalogue: rich })]
    lie(b)
    await expect(a.sync(b)).rejects.toMatchObject(blamed('snapshot'))
    expect(b.asked.length).toBeLessThan(10)
    // What it said of where to go on is not believed either.
    const honest = inProcessPeer({ catalogue: rich })
    expect(await a.sync(honest)).toMatchObject({ equal: true })
    expect(honest.asked.filter((method) => method === 'compare').length).toBeLessThan(3)
  })

  it('with a snapshot of what nobody can check is left', async () => {
    const [a, b] = [inProcessPeer(), inProcessPeer({ catalogue: rich })]
    b.handlers.snapshot = async () => ({ records: many.slice(1, 100).toSorted(byDigest) })
    await expect(a.sync(b)).rejects.toMatchObject(blamed('refused'))
  })
})

function allIdBytes(id: RecordId): Buffer {
  const digits = 'abcdefghijklmnopqrstuvwxyz234567'
  return Buffer.from([...id.slice(1)].map((digit) => digits.indexOf(digit)))
}

function byDigest(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(allIdBytes(recordIdOf(a)), allIdBytes(recordIdOf(b)))
}
