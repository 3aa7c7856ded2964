import {
  type ContentId,
  type PackageProtocol,
  type PackageProtocolHandlers,
  type PeerIdText,
  PROTOCOL_LIMITS,
  parsePackageName,
  parseVersion,
  Query,
  type RecordId,
  RegistryError
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

    it('carries a query and its hits', async () => {
      const hits = [
        { envelopes: [seededBytes(1, 100), seededBytes(2, 900)], score: 17.5 },
        { envelopes: [], score: 0 }
      ]
      await using subject = await start({ searchPackages: async () => hits })
      const query = new Query(['tea', '茶'], { category: 'tools', tags: ['a'], limit: 7, minDownloads: 2 })
      expect(await subject.protocol.searchPackages(subject.peerId, query)).toEqual(hits)
      expect(subject.calls).toEqual([['searchPackages', subject.askerId, query]])
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
        publishPackage: async () => ['accepted', 'known', 'refused']
      })
      const envelopes = [1, 2, 3].map((seed) => seededBytes(seed, 1000))
      const statuses = await subject.protocol.publishPackage(subject.peerId, envelopes)
      expect(statuses).toEqual(['accepted', 'known', 'refused'])
      expect(subject.calls).toEqual([['publishPackage', subject.askerId, envelopes]])
    })

    it('carries the summary of a catalogue', async () => {
      const summary = { fingerprint: seededBytes('fingerprint'), records: 123_456_789 }
      await using subject = await start({ catalogueSummary: async () => summary })
      expect(await subject.protocol.catalogueSummary(subject.peerId)).toEqual(summary)
    })

    it('pages through record IDs', async () => {
      const [first, second] = RECORD_IDS
      if (first === undefined || second === undefined) throw new Error('unreachable')
      const pages = [{ ids: RECORD_IDS, next: second }, { ids: [] }]
      await using subject = await start({
        recordIds: async (_from, { after }) => (after === undefined ? pages[0] : pages[1]) ?? { ids: [] }
      })
      const { protocol, peerId } = subject
      expect(await protocol.recordIds(peerId, { kind: 'release', limit: 3 })).toEqual(pages[0])
      expect(await protocol.recordIds(peerId, { kind: 'owner', after: first, limit: 2048 })).toEqual(pages[1])
      expect(subject.calls.map(([, , page]) => page)).toEqual([
        { kind: 'release', limit: 3 },
        { kind: 'owner', after: first, limit: 2048 }
      ])
    })

    it('fetches records, fewer when they do not fit one message', async () => {
      const records = Array.from({ length: 20 }, (_, seed) => seededBytes(seed, 60_000))
      await using subject = await start({ records: async () => records })
      const ids = Array.from({ length: 20 }, (_, seed) => seededOwnerId(seed) as string as RecordId)
      const received = await subject.protocol.records(subject.peerId, ids)
      expect(subject.calls).toEqual([['records', subject.askerId, ids]])
      expect(received.length).toBeGreaterThan(0)
      expect(received.length).toBeLessThan(20)
      expect(received).toEqual(records.slice(0, received.length))
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

    it('gives each of many requests at once its own answer', async () => {
      await using subject = await start({
        catalogueSummary: async () => ({ fingerprint: new Uint8Array(32), records: 7 }),
        recordIds: async (_from, { limit }) => ({ ids: RECORD_IDS.slice(0, limit % 4) })
      })
      const { protocol, peerId } = subject
      const pages = await Promise.all(
        Array.from({ length: 200 }, (_, limit) => protocol.recordIds(peerId, { kind: 'owner', limit }))
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
          return method !== 'catalogueSummary'
        }
      )
      const { protocol, peerId, askerId } = subject
      const busy = { code: 'ERR_PEER_BUSY', retryable: true }
      expect(await rejection(protocol.catalogueSummary(peerId))).toMatchObject(busy)
      expect(await rejection(protocol.getPackage(peerId, KEY))).toMatchObject(busy)
      expect(admitted).toEqual([
        [askerId, 'catalogueSummary'],
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
      const request = subject.protocol.catalogueSummary(seededPeerId('nobody'))
      expect(await rejection(request)).toMatchObject({ code: 'ERR_PEER_UNREACHABLE', retryable: true })
    })

    it('asks for no more than the protocol allows', async () => {
      await using subject = await start()
      const { protocol, peerId } = subject
      const many = Array.from({ length: 257 }, () => cidOf(64))
      for (const request of [
        protocol.recordIds(peerId, { kind: 'owner', limit: 2049 }),
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

const emptyHandlers: PackageProtocolHandlers = {
  getPackage: async () => undefined,
  searchPackages: async () => [],
  publishPackage: async () => [],
  catalogueSummary: async () => ({ fingerprint: new Uint8Array(32), records: 0 }),
  recordIds: async () => ({ ids: [] }),
  records: async () => [],
  block: async () => undefined,
  holdings: async () => ({ cids: [] }),
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
