import {
  type CatalogueScope,
  type ComparisonAnswer,
  type ContentId,
  type PackageProtocol,
  type PackageProtocolHandlers,
  type PeerIdText,
  PROTOCOL_LIMITS,
  parsePackageName,
  parseVersion,
  Query,
  type RecordId,
  RegistryError,
  type SnapshotCursor,
  type TrafficMeter
} from '@registry/types'
import { describe, expect, it } from 'vitest'
import { describeContent } from '../content.ts'
import type { ManualClock } from '../manual-clock.ts'
import { seededBytes, seededOwnerId, seededPeerId } from '../seeded.ts'
import { type Contract, rejection } from './contract.ts'

export interface PackageProtocolOptions {
  /** What the asked peer answers with. */
  handlers: PackageProtocolHandlers
  admit: (peerId: PeerIdText, method: string) => boolean
  requestTimeoutMs: number
}

/** Two started peers of one network, of which the one can reach the other. */
export interface PackageProtocolSubject extends AsyncDisposable {
  /** Of the peer that asks. */
  protocol: PackageProtocol
  askerId: PeerIdText
  /** The peer that is asked. */
  peerId: PeerIdText
  /** Of the peer that asks. */
  clock: ManualClock
  /** Ends every connection between the two. A later request may open one. */
  disconnect(): Promise<void>
}

const TIMEOUT_MS = 1000
const KEY = {
  owner: seededOwnerId(0),
  name: parsePackageName('@scope/example'),
  version: parseVersion('1.0.0-beta.1+build.2')
}
/** Any CIDs of their kinds. */
const RECORD_IDS = [1, 2, 3].map((seed) => seededOwnerId(seed) as string as RecordId)
const CONTENT_IDS = [64, 2 * PROTOCOL_LIMITS.chunkBytes].map((length) => cidOf(length))

const SCOPES: CatalogueScope[] = [
  { kind: 'all' },
  { kind: 'owners' },
  { kind: 'shard', bits: 0, index: 0 },
  { kind: 'shard', bits: PROTOCOL_LIMITS.maxShardBits, index: 2 ** PROTOCOL_LIMITS.maxShardBits - 1 },
  { kind: 'owner', owner: seededOwnerId(7) }
]
const SUMMARY = { fingerprint: seededBytes('fingerprint'), records: 123_456_789 }
const COMPARISON = { scope: { kind: 'all' }, summary: SUMMARY, probes: seededBytes('probes', 40) } as const

/** What every `PackageProtocol` does. */
export function packageProtocolContract({
  name,
  create
}: Contract<PackageProtocolSubject, PackageProtocolOptions>): void {
  /** The subject, and what its handlers were called with. */
  const start = async (
    answers: Partial<PackageProtocolHandlers> = {},
    admit: PackageProtocolOptions['admit'] = () => true
  ): Promise<PackageProtocolSubject & { calls: unknown[][] }> => {
    const calls: unknown[][] = []
    const handlers = recording({ ...emptyHandlers, ...answers }, calls)
    const subject = await create({ handlers, admit, requestTimeoutMs: TIMEOUT_MS })
    return { ...subject, calls, [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose]() }
  }

  describe(`package protocol contract: ${name}`, () => {
    it('asks for a package and gets the envelopes', async () => {
      const envelopes = [seededBytes(1, 300), seededBytes(2, 60_000)]
      await using subject = await start({ getPackage: async () => envelopes })
      expect(await subject.protocol.getPackage(subject.peerId, KEY)).toEqual(envelopes)
      expect(subject.calls).toEqual([['getPackage', subject.askerId, KEY]])
    })

    it('is told that a package or a block is not there', async () => {
      await using subject = await start()
      expect(await subject.protocol.getPackage(subject.peerId, KEY)).toBeUndefined()
      expect(await subject.protocol.block(subject.peerId, CONTENT_IDS[0] ?? '')).toBeUndefined()
    })

    it('asks for all of a name, of one owner or of all', async () => {
      const envelopes = [seededBytes(1, 300), seededBytes(2, 60_000)]
      await using subject = await start({ lookupName: async () => envelopes })
      const { protocol, peerId, askerId, calls } = subject
      expect(await protocol.lookupName(peerId, KEY.name, KEY.owner)).toEqual(envelopes)
      expect(await protocol.lookupName(peerId, KEY.name, undefined)).toEqual(envelopes)
      expect(calls).toEqual([
        ['lookupName', askerId, KEY.name, KEY.owner],
        ['lookupName', askerId, KEY.name, undefined]
      ])
    })

    it('brings as much of a name as fits a message', async () => {
      const envelopes = Array.from({ length: 2000 }, (_, seed) => seededBytes(seed, 400))
      await using subject = await start({ lookupName: async () => envelopes })
      const received = await subject.protocol.lookupName(subject.peerId, KEY.name, undefined)
      expect(received.length).toBeGreaterThan(500)
      expect(received).toEqual(envelopes.slice(0, received.length))
    })

    it('carries a query and its hits', async () => {
      const hits = [
        { envelopes: [seededBytes(1, 100), seededBytes(2, 900), seededBytes(3, 200)], score: 17.5 },
        { envelopes: [], score: 0 }
      ]
      await using subject = await start({ searchPackages: async () => hits })
      const query = new Query(['tea', '茶'], {
        phrases: ['green tea'],
        category: 'tools',
        tags: ['a'],
        owner: KEY.owner,
        license: 'MIT',
        labels: ['hot'],
        limit: 7,
        minDownloads: 2,
        sort: 'updated'
      })
      expect(await subject.protocol.searchPackages(subject.peerId, query)).toEqual(hits)
      expect(subject.calls).toEqual([['searchPackages', subject.askerId, query]])
    })

    it('keeps to itself what of a query the hits of another peer cannot answer', async () => {
      await using subject = await start()
      const { protocol, peerId, askerId } = subject
      await protocol.searchPackages(
        peerId,
        new Query(['tea'], { after: 'a place in the index here', facets: true, explain: true })
      )
      expect(subject.calls).toEqual([['searchPackages', askerId, new Query(['tea'])]])
    })

    it('answers with at most as many hits as were asked for', async () => {
      await using subject = await start({
        searchPackages: async () => Array.from({ length: 500 }, () => ({ envelopes: [], score: 1 }))
      })
      const { protocol, peerId } = subject
      expect(await protocol.searchPackages(peerId, new Query([], { limit: 3 }))).toHaveLength(3)
      expect(
        (await protocol.searchPackages(peerId, new Query([], { limit: 1000 }))).length
      ).toBeLessThanOrEqual(100)
    })

    it('pushes records and learns what became of each', async () => {
      await using subject = await start({
        publishPackage: async () => ['accepted', 'known', 'superseded', 'refused']
      })
      const envelopes = [1, 2, 3, 4].map((seed) => seededBytes(seed, 1000))
      const statuses = await subject.protocol.publishPackage(subject.peerId, envelopes)
      expect(statuses).toEqual(['accepted', 'known', 'superseded', 'refused'])
      expect(subject.calls).toEqual([['publishPackage', subject.askerId, envelopes]])
    })

    it.each([
      { mode: 'full' } as const,
      { mode: 'light' } as const,
      { mode: 'shards', bits: 3, shards: [0, 5, 7] } as const,
      { mode: 'shards', bits: 0, shards: [] } as const
    ])('is told what of the catalogue a peer holds: %j', async (holdings) => {
      await using subject = await start({
        holdsCatalogue: async () =>
          holdings.mode === 'shards' ? { ...holdings, shards: [...holdings.shards] } : holdings
      })
      expect(await subject.protocol.holdsCatalogue(subject.peerId)).toEqual(holdings)
    })

    it('compares scopes of every kind', async () => {
      const answers: ComparisonAnswer[] = [
        { status: 'equal' },
        { status: 'absent' },
        {
          status: 'different',
          fingerprint: seededBytes('other'),
          records: 7,
          from: 0,
          count: 300,
          symbols: seededBytes('symbols', 7000)
        }
      ]
      let asked = 0
      await using subject = await start({
        compare: async () => answers[asked++ % answers.length] ?? { status: 'equal' }
      })
      const { protocol, peerId, askerId, calls } = subject
      const comparisons = SCOPES.map((scope) => ({ ...COMPARISON, scope }))
      for (const [index, comparison] of comparisons.entries()) {
        expect(await protocol.compare(peerId, comparison)).toEqual(answers[index % answers.length])
      }
      expect(calls).toEqual(comparisons.map((comparison) => ['compare', askerId, comparison]))
    })

    it('finds two catalogues equal in one round trip of at most 200 bytes', async () => {
      await using subject = await start()
      const { protocol, peerId } = subject
      for (const scope of SCOPES) {
        const meter = newMeter()
        await protocol.compare(peerId, { ...COMPARISON, scope }, { meter })
        expect(meter.roundTrips).toBe(1)
        expect(meter.sentBytes).toBeGreaterThan(COMPARISON.probes.length)
        expect(meter.sentBytes + meter.receivedBytes).toBeLessThanOrEqual(200)
      }
    })

    it('asks for further symbols, and takes fewer than it asked for', async () => {
      const chunk = {
        fingerprint: seededBytes('other'),
        records: 7,
        symbols: seededBytes('symbols', 500_000)
      }
      await using subject = await start({
        symbols: async (_from, { from }) => ({ ...chunk, from, count: 20_000 })
      })
      const { protocol, peerId, askerId, calls } = subject
      const range = { scope: SCOPES[3] ?? { kind: 'all' }, from: 512, count: 65_024 }
      expect(await protocol.symbols(peerId, range)).toEqual({ ...chunk, from: 512, count: 20_000 })
      expect(calls).toEqual([['symbols', askerId, range]])
    })

    it('exchanges records, fewer than asked for when they do not fit one message', async () => {
      const records = Array.from({ length: 20 }, (_, seed) => seededBytes(seed, 60_000))
      const want = Array.from({ length: 1024 }, (_, seed) => seededBytes(`short ${seed}`, 16))
      const give = Array.from({ length: 256 }, (_, seed) => seededBytes(seed, 768))
      await using subject = await start({
        exchangeRecords: async () => ({
          records,
          given: give.map((_, index) => (index % 2 === 0 ? 'accepted' : 'superseded'))
        })
      })
      const { protocol, peerId, askerId, calls } = subject
      const { records: received, given } = await protocol.exchangeRecords(peerId, { want, give })
      expect(calls).toEqual([['exchangeRecords', askerId, { want, give }]])
      expect(received.length).toBeGreaterThan(0)
      expect(received.length).toBeLessThan(20)
      expect(received).toEqual(records.slice(0, received.length))
      expect(given.slice(0, 3)).toEqual(['accepted', 'superseded', 'accepted'])
      expect(given).toHaveLength(256)
    })

    it('pages through the record IDs of a scope', async () => {
      const [first, second] = RECORD_IDS
      if (first === undefined || second === undefined) throw new Error('unreachable')
      const pages = [{ ids: RECORD_IDS, next: second }, { ids: [] }]
      await using subject = await start({
        recordIds: async (_from, { after }) => (after === undefined ? pages[0] : pages[1]) ?? { ids: [] }
      })
      const { protocol, peerId } = subject
      const asked = [
        { scope: { kind: 'all' } as const, limit: 3 },
        { scope: { kind: 'owner', owner: KEY.owner } as const, after: first, limit: 2048 }
      ]
      for (const [index, page] of asked.entries()) {
        expect(await protocol.recordIds(peerId, page)).toEqual(pages[index])
      }
      expect(subject.calls.map(([, , page]) => page)).toEqual(asked)
    })

    it('pages through a snapshot', async () => {
      const next: SnapshotCursor = { kind: 'release', digest: seededBytes('cursor') }
      const pages = [
        {
          records: Array.from({ length: 8 }, (_, seed) => seededBytes(seed, PROTOCOL_LIMITS.maxRecordBytes)),
          next
        },
        { records: [] }
      ]
      await using subject = await start({
        snapshot: async (_from, { after }) => (after === undefined ? pages[0] : pages[1]) ?? { records: [] }
      })
      const { protocol, peerId, askerId, calls } = subject
      expect(await protocol.snapshot(peerId, { scope: { kind: 'all' } })).toEqual(pages[0])
      const scope = { kind: 'shard', bits: 2, index: 3 } as const
      expect(await protocol.snapshot(peerId, { scope, after: next })).toEqual(pages[1])
      expect(calls).toEqual([
        ['snapshot', askerId, { scope: { kind: 'all' } }],
        ['snapshot', askerId, { scope, after: next }]
      ])
    })

    it('counts into a meter what an exchange costs, also one that fails', async () => {
      const block = seededBytes('block', 100_000)
      await using subject = await start({
        block: async () => block,
        getPackage: async () => {
          throw new RegistryError('ERR_STORAGE', 'the disk is full')
        }
      })
      const { protocol, peerId } = subject
      const meter = newMeter()
      await protocol.block(peerId, CONTENT_IDS[0] ?? '', { meter })
      expect(meter.roundTrips).toBe(1)
      expect(meter.receivedBytes).toBeGreaterThan(block.length)
      expect(meter.receivedBytes).toBeLessThan(block.length + 200)
      const { receivedBytes, sentBytes } = meter
      await rejection(protocol.getPackage(peerId, KEY, { meter }))
      expect(meter.roundTrips).toBe(2)
      expect(meter.sentBytes).toBeGreaterThan(sentBytes)
      expect(meter.receivedBytes).toBeGreaterThan(receivedBytes)
      const after = { ...meter }
      await rejection(protocol.holdings(peerId, { limit: 1025 }, { meter }))
      expect(meter).toEqual(after)
    })

    it('fetches blocks, the largest there is among them', async () => {
      const block = seededBytes('block', PROTOCOL_LIMITS.maxBlockBytes)
      await using subject = await start({ block: async () => block })
      const blocks = await Promise.all(CONTENT_IDS.map((cid) => subject.protocol.block(subject.peerId, cid)))
      for (const received of blocks) expect(Buffer.compare(received ?? new Uint8Array(), block)).toBe(0)
      expect(subject.calls.map(([, , cid]) => cid)).toEqual(CONTENT_IDS)
    })

    it('pages through what a peer holds and announces what this one does', async () => {
      const [first] = CONTENT_IDS
      if (first === undefined) throw new Error('unreachable')
      const page = { cids: CONTENT_IDS, next: first }
      await using subject = await start({ holdings: async () => page })
      const { protocol, peerId } = subject
      expect(await protocol.holdings(peerId, { after: first, limit: 2 })).toEqual(page)
      expect(await protocol.announceHoldings(peerId, CONTENT_IDS)).toBeUndefined()
      expect(subject.calls).toEqual([
        ['holdings', subject.askerId, { after: first, limit: 2 }],
        ['announceHoldings', subject.askerId, CONTENT_IDS]
      ])
    })

    it('locates a content by its integrity, and a document of another registry by its name', async () => {
      const content = describeContent(seededBytes('content'))
      const kept = { content, etag: '"1"', askedAtMs: 5 }
      const key = { registry: 'https://registry.example.org', name: '@acme/kit', form: 'full' as const }
      await using subject = await start({
        locate: async (_from, integrity) => (integrity === content.integrity ? content : undefined),
        document: async (_from, { name }) => (name === key.name ? kept : undefined)
      })
      const { protocol, peerId } = subject
      const other = describeContent(seededBytes('other')).integrity
      expect(await protocol.locate(peerId, content.integrity)).toEqual(content)
      expect(await protocol.locate(peerId, other)).toBeUndefined()
      expect(await protocol.document(peerId, key)).toEqual(kept)
      expect(await protocol.document(peerId, { ...key, name: 'kit' })).toBeUndefined()
      expect(subject.calls.map(([method]) => method)).toEqual(['locate', 'locate', 'document', 'document'])
    })

    it('takes no other content for the one that it asks for', async () => {
      const [one, other] = ['one', 'other'].map((seed) => describeContent(seededBytes(seed)))
      if (one === undefined || other === undefined) throw new Error('unreachable')
      await using subject = await start({ locate: async () => other })
      const error = await rejection(subject.protocol.locate(subject.peerId, one.integrity))
      expect(error).toMatchObject({ code: 'ERR_PROTOCOL' })
    })

    it('gives each of many requests at once its own answer', async () => {
      await using subject = await start({
        recordIds: async (_from, { limit }) => ({ ids: RECORD_IDS.slice(0, limit % 4) })
      })
      const { protocol, peerId } = subject
      const pages = await Promise.all(
        Array.from({ length: 200 }, (_, limit) =>
          protocol.recordIds(peerId, { scope: { kind: 'owners' }, limit })
        )
      )
      expect(pages.map(({ ids }) => ids.length)).toEqual(pages.map((_, limit) => limit % 4))
      expect(protocol.requestLatencies().count).toBeGreaterThanOrEqual(200)
    })

    it('learns the code of a failure there and nothing else', async () => {
      await using subject = await start({
        getPackage: async () => {
          throw new RegistryError('ERR_STORAGE', 'the disk at /secret/path is full')
        },
        block: async () => {
          throw new TypeError('secret')
        }
      })
      const { protocol, peerId } = subject
      const failure = await rejection(protocol.getPackage(peerId, KEY))
      expect(failure).toMatchObject({ code: 'ERR_REMOTE', details: { code: 'ERR_STORAGE' } })
      const internal = await rejection(protocol.block(peerId, CONTENT_IDS[0] ?? ''))
      expect(internal).toMatchObject({ code: 'ERR_REMOTE' })
      for (const error of [failure, internal]) expect(JSON.stringify(error)).not.toContain('secret')
    })

    it('is sent away, to try again, by a peer that does not admit it or is busy', async () => {
      const admitted: unknown[] = []
      await using subject = await start(
        {
          getPackage: async () => {
            throw new RegistryError('ERR_PEER_BUSY', 'not now', { retryable: true })
          }
        },
        (peerId, method) => {
          admitted.push([peerId, method])
          return method !== 'holdsCatalogue'
        }
      )
      const { protocol, peerId, askerId } = subject
      const busy = { code: 'ERR_PEER_BUSY', retryable: true }
      expect(await rejection(protocol.holdsCatalogue(peerId))).toMatchObject(busy)
      expect(await rejection(protocol.getPackage(peerId, KEY))).toMatchObject(busy)
      expect(admitted).toEqual([
        [askerId, 'holdsCatalogue'],
        [askerId, 'getPackage']
      ])
      expect(subject.calls.map(([method]) => method)).toEqual(['getPackage'])
    })

    it('gives a request up after its time, and can ask again', async () => {
      const gate = Promise.withResolvers<undefined>()
      const asked = Promise.withResolvers<void>()
      await using subject = await start({
        getPackage: async () => {
          asked.resolve()
          return gate.promise
        },
        block: async () => seededBytes('block')
      })
      const { protocol, peerId, clock } = subject
      const request = rejection(protocol.getPackage(peerId, KEY))
      await asked.promise
      await clock.advance(TIMEOUT_MS)
      expect(await request).toMatchObject({ code: 'ERR_REQUEST_TIMEOUT', retryable: true })
      gate.resolve(undefined)
      expect(await protocol.getPackage(peerId, KEY)).toBeUndefined()
    })

    it('ends one request by its signal and leaves the others alone', async () => {
      const gate = Promise.withResolvers<undefined>()
      const asked = Promise.withResolvers<void>()
      await using subject = await start({
        getPackage: async () => {
          asked.resolve()
          return gate.promise
        }
      })
      const { protocol, peerId } = subject
      const controller = new AbortController()
      const reason = new Error('no longer wanted')
      const given = rejection(protocol.getPackage(peerId, KEY, { signal: controller.signal }))
      const kept = protocol.getPackage(peerId, KEY)
      await asked.promise
      controller.abort(reason)
      expect(await given).toBe(reason)
      gate.resolve(undefined)
      expect(await kept).toBeUndefined()
      const late = protocol.getPackage(peerId, KEY, { signal: AbortSignal.abort(reason) })
      expect(await rejection(late)).toBe(reason)
    })

    it('fails what waits when the connection is lost, and connects for the next request', async () => {
      const gate = Promise.withResolvers<undefined>()
      const asked = Promise.withResolvers<void>()
      await using subject = await start({
        getPackage: async () => {
          asked.resolve()
          return gate.promise
        },
        block: async () => seededBytes('block')
      })
      const { protocol, peerId } = subject
      const waiting = rejection(protocol.getPackage(peerId, KEY))
      await asked.promise
      await subject.disconnect()
      expect(await waiting).toMatchObject({ code: 'ERR_PEER_UNREACHABLE', retryable: true })
      gate.resolve(undefined)
      expect(await protocol.block(peerId, CONTENT_IDS[0] ?? '')).toEqual(seededBytes('block'))
    })

    it('cannot reach a peer that nobody has heard of', async () => {
      await using subject = await start()
      const request = subject.protocol.holdsCatalogue(seededPeerId('nobody'))
      expect(await rejection(request)).toMatchObject({ code: 'ERR_PEER_UNREACHABLE', retryable: true })
    })

    it('asks for no more than the protocol allows', async () => {
      await using subject = await start()
      const { protocol, peerId } = subject
      const many = Array.from({ length: 257 }, () => cidOf(64))
      const shortId = new Uint8Array(16)
      for (const request of [
        protocol.recordIds(peerId, { scope: { kind: 'owners' }, limit: 2049 }),
        protocol.compare(peerId, { ...COMPARISON, probes: new Uint8Array(65) }),
        protocol.compare(peerId, { ...COMPARISON, scope: { kind: 'shard', bits: 2, index: 4 } }),
        protocol.symbols(peerId, { scope: { kind: 'all' }, from: 65_536, count: 1 }),
        protocol.exchangeRecords(peerId, { want: Array.from({ length: 1025 }, () => shortId), give: [] }),
        protocol.exchangeRecords(peerId, { want: [new Uint8Array(32)], give: [] }),
        protocol.exchangeRecords(peerId, { want: [], give: Array.from({ length: 257 }, () => shortId) }),
        protocol.exchangeRecords(peerId, {
          want: [],
          give: Array.from({ length: 4 }, () => new Uint8Array(49_153))
        }),
        protocol.snapshot(peerId, {
          scope: { kind: 'all' },
          after: { kind: 'owner', digest: new Uint8Array(31) }
        }),
        protocol.holdings(peerId, { limit: 1025 }),
        protocol.announceHoldings(peerId, many),
        protocol.publishPackage(peerId, [new Uint8Array(PROTOCOL_LIMITS.maxRecordBytes + 1)])
      ]) {
        expect(await rejection(request)).toMatchObject({ code: 'ERR_INVALID_VALUE' })
      }
      expect(subject.calls).toEqual([])
    })

    it('ends what waits when it stops, asks nothing after, and can be started again', async () => {
      const asked = Promise.withResolvers<void>()
      const gate = Promise.withResolvers<undefined>()
      await using subject = await start({
        getPackage: async () => {
          asked.resolve()
          return gate.promise
        }
      })
      const { protocol, peerId, clock } = subject
      await protocol.start()
      const waiting = rejection(protocol.getPackage(peerId, KEY))
      await asked.promise
      await protocol.stop()
      await protocol.stop()
      expect(await waiting).toBeInstanceOf(Error)
      expect(await rejection(protocol.getPackage(peerId, KEY))).toBeInstanceOf(Error)
      expect(clock.pending).toBe(0)
      gate.resolve(undefined)
      await protocol.start()
      expect(await protocol.getPackage(peerId, KEY)).toBeUndefined()
    })
  })
}

function cidOf(length: number): ContentId {
  return describeContent(seededBytes('content', length)).cid
}

function newMeter(): TrafficMeter {
  return { sentBytes: 0, receivedBytes: 0, roundTrips: 0 }
}

const emptyHandlers: PackageProtocolHandlers = {
  getPackage: async () => undefined,
  lookupName: async () => [],
  searchPackages: async () => [],
  publishPackage: async () => [],
  holdsCatalogue: async () => ({ mode: 'full' }),
  compare: async () => ({ status: 'equal' }),
  symbols: async (_from, { from }) => ({
    ...SUMMARY,
    from,
    count: 0,
    symbols: new Uint8Array()
  }),
  exchangeRecords: async (_from, { give }) => ({ records: [], given: give.map(() => 'known') }),
  recordIds: async () => ({ ids: [] }),
  snapshot: async () => ({ records: [] }),
  block: async () => undefined,
  holdings: async () => ({ cids: [] }),
  locate: async () => undefined,
  document: async () => undefined,
  announceHoldings: async () => {}
}

/** The handlers, writing down every call as method, asker and parameters. */
function recording(handlers: PackageProtocolHandlers, calls: unknown[][]): PackageProtocolHandlers {
  return new Proxy(handlers, {
    get: (target, method: keyof PackageProtocolHandlers) => {
      const handle = target[method] as (...call: unknown[]) => Promise<unknown>
      return (...call: unknown[]): Promise<unknown> => {
        calls.push([method, ...call])
        return handle(...call)
      }
    }
  })
}
