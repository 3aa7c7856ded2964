import { encode } from '@ipld/dag-cbor'
import type { Stream } from '@libp2p/interface'
import { describeContent, makeRelease, refusingHandlers, seededBytes } from '@registry/testing'
import { type CatalogueHoldings, PROTOCOL_LIMITS, RegistryError } from '@registry/types'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BLOCK, CONTENT } from '../src/content.ts'
import { FrameDecoder, frameLength } from '../src/frame-decoder.ts'
import { MAX_ANSWERED_BYTES, PACKAGE_PROTOCOL_DEFAULTS, packageProtocol } from '../src/index.ts'
import { LOOKUP } from '../src/lookup.ts'
import { encodeMessage, parseResponse, type ResponseMessage } from '../src/message.ts'
import { MAX_UNANSWERED_BYTES, type ProtocolShape } from '../src/method.ts'
import { RECONCILE } from '../src/reconcile.ts'
import { SNAPSHOT } from '../src/snapshot.ts'
import { type Peer, type PeerOptions, startPeers } from './peers.ts'

const RECONCILE_ID = '/p2p-registry/test/reconcile/1.0.0'
const CONTENT_ID = '/p2p-registry/test/content/1.0.0'
const LOOKUP_ID = '/p2p-registry/test/lookup/1.0.0'
const { requestTimeoutMs, idleTimeoutMs } = PACKAGE_PROTOCOL_DEFAULTS
const { cid: CID } = describeContent(seededBytes('content'))
const FULL: CatalogueHoldings = { mode: 'full' }

/** A peer that answers as told and one that asks, connected. */
async function pair(answering: PeerOptions = {}, asking: PeerOptions = {}): Promise<[Peer, Peer]> {
  const peers = await startPeers(answering, asking)
  onTestFinished(async () => {
    for (const peer of peers) await peer[Symbol.asyncDispose]()
  })
  const [answerer, asker] = peers
  if (answerer === undefined || asker === undefined) throw new Error('unreachable')
  return [answerer, asker]
}

function streamsOf(peer: Peer, protocol: string): Stream[] {
  return peer.node
    .getConnections()
    .flatMap(({ streams }) => streams.filter((one) => one.protocol === protocol))
}

function framed(message: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([frameLength(message.length), message]))
}

function request(id: number, method: string, params: unknown = null): Uint8Array {
  return framed(encodeMessage({ id, method, params }))
}

/** The answers that come on a raw stream, and its end. */
function listen(stream: Stream): { next(): Promise<ResponseMessage>; ended: Promise<void> } {
  const decoder = new FrameDecoder(2 ** 21)
  const waiting: Array<(response: ResponseMessage) => void> = []
  const ready: ResponseMessage[] = []
  stream.addEventListener('message', ({ data }) => {
    decoder.push(data.subarray())
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      const response = parseResponse(frame)
      const take = waiting.shift()
      if (take === undefined) ready.push(response)
      else take(response)
    }
  })
  return {
    next: () => {
      const response = ready.shift()
      return response === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(response)
    },
    ended: closed(stream)
  }
}

function closed(stream: Stream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.status !== 'open') resolve()
    stream.addEventListener('close', () => resolve())
    stream.addEventListener('remoteCloseWrite', () => resolve())
  })
}

/** Resolves once a condition holds, looking at every turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

/** Gives what should not happen the time to happen. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
}

function gate(): { open: () => void; passed: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { open: resolve, passed: promise }
}

describe('asking', () => {
  it('puts a thousand requests on one stream and matches each with its answer', async () => {
    const [answerer, asker] = await pair(
      {
        handlers: {
          block: async (_from, cid) => new TextEncoder().encode(cid)
        }
      },
      { init: { maxPendingRequests: 1000 } }
    )
    const cids = Array.from({ length: 1000 }, (_, index) => describeContent(seededBytes(index)).cid)
    const blocks = await Promise.all(cids.map((cid) => asker.protocol.block(answerer.id, cid)))
    expect(blocks.map((block) => new TextDecoder().decode(block))).toEqual(cids)
    expect(streamsOf(asker, CONTENT_ID)).toHaveLength(1)
    expect(asker.protocol.requestLatencies().count).toBe(1000)
  })

  it('refuses one request more than may wait, and takes it when one was answered', async () => {
    const { open, passed } = gate()
    const [answerer, asker] = await pair(
      { handlers: { holdsCatalogue: () => passed.then(() => FULL) } },
      { init: { maxPendingRequests: 2 } }
    )
    const first = [1, 2].map(() => asker.protocol.holdsCatalogue(answerer.id))
    await expect(asker.protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject({
      code: 'ERR_TOO_MANY_REQUESTS',
      retryable: true
    })
    open()
    await Promise.all(first)
    expect(await asker.protocol.holdsCatalogue(answerer.id)).toEqual(FULL)
  })

  it('keeps the place of a request that was given up until the peer has answered it', async () => {
    const { open, passed } = gate()
    let asked = 0
    const [answerer, asker] = await pair(
      {
        handlers: {
          holdsCatalogue: async () => {
            asked += 1
            await passed
            return FULL
          }
        }
      },
      { init: { maxPendingRequests: 1 } }
    )
    const controller = new AbortController()
    const given = asker.protocol.holdsCatalogue(answerer.id, { signal: controller.signal })
    await until(() => asked === 1)
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    const refused = { code: 'ERR_TOO_MANY_REQUESTS' }
    await expect(asker.protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject(refused)
    open()
    let holdings: unknown
    while (holdings === undefined) {
      await rest()
      holdings = await asker.protocol.holdsCatalogue(answerer.id).catch(() => undefined)
    }
    expect(holdings).toEqual(FULL)
    expect(asker.protocol.requestLatencies().count).toBe(1)
    expect(asker.misbehaviours).toEqual([])
  })

  it('never sends a request that was given up before there was a stream', async () => {
    let asked = 0
    const [answerer, asker] = await pair({
      handlers: {
        holdsCatalogue: async () => {
          asked += 1
          return FULL
        }
      }
    })
    const controller = new AbortController()
    const given = asker.protocol.holdsCatalogue(answerer.id, { signal: controller.signal })
    const kept = asker.protocol.holdsCatalogue(answerer.id)
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await kept
    expect(asked).toBe(1)
  })

  it('has no more bytes of requests unanswered than the credit allows', async () => {
    const { open, passed } = gate()
    const [answerer, asker] = await pair()
    const sizes: number[] = []
    let unanswered = 0
    let most = 0
    await answerer.impersonate(LOOKUP_ID, (stream) => {
      const decoder = new FrameDecoder(2 ** 20)
      stream.addEventListener('message', ({ data }) => {
        decoder.push(data.subarray())
        for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
          sizes.push(frame.length)
          unanswered += frame.length
          most = Math.max(most, unanswered)
          const id = sizes.length
          const { length } = frame
          passed.then(() => {
            unanswered -= length
            stream.send(framed(encodeMessage({ id, status: 'ok', result: Uint8Array.of(1, 1, 1) })))
          })
        }
      })
    })
    const envelopes = [1, 2, 3].map(() => new Uint8Array(60_000))
    const pushes = Array.from({ length: 20 }, () => asker.protocol.publishPackage(answerer.id, envelopes))
    const fitting = 5
    await until(() => sizes.length >= fitting)
    await rest()
    expect(sizes).toHaveLength(fitting)
    expect(fitting).toBe(Math.floor(MAX_UNANSWERED_BYTES / (sizes[0] ?? 1)))
    open()
    await Promise.all(pushes)
    expect(sizes.length).toBe(20)
    expect(most).toBeLessThanOrEqual(MAX_UNANSWERED_BYTES)
  })

  it('gives up a stream with the first request that is overdue, and opens another for the next', async () => {
    const { open, passed } = gate()
    const [answerer, asker] = await pair({
      handlers: { holdsCatalogue: () => passed.then(() => FULL) }
    })
    const late = asker.protocol.holdsCatalogue(answerer.id)
    const outcome = expect(late).rejects.toMatchObject({ code: 'ERR_REQUEST_TIMEOUT', retryable: true })
    await asker.clock.advance(requestTimeoutMs - 1)
    const younger = expect(asker.protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject({
      code: 'ERR_PEER_UNREACHABLE',
      retryable: true
    })
    await asker.clock.advance(1)
    await outcome
    await younger
    open()
    expect(await asker.protocol.holdsCatalogue(answerer.id)).toEqual(FULL)
  })

  it('counts the time it takes to connect, and then stops connecting', async () => {
    const [answerer, asker] = await pair()
    let dialling = true
    const protocol = packageProtocol({ network: 'test', requestTimeoutMs: 500 })({
      registrar: { handle: async () => {}, unhandle: async () => {} },
      connectionManager: {
        openConnection: (_peer, { signal } = {}) =>
          new Promise((_, reject) => {
            signal?.addEventListener('abort', () => {
              dialling = false
              reject(signal.reason)
            })
          })
      },
      handlers: refusingHandlers,
      clock: asker.clock
    })
    await protocol.start()
    const outcome = expect(protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject({
      code: 'ERR_REQUEST_TIMEOUT',
      details: { timeoutMs: 500 }
    })
    await asker.clock.advance(500)
    await outcome
    expect(dialling).toBe(false)
    await protocol.stop()
  })

  it('cannot ask a peer that stopped its protocols', async () => {
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: async () => FULL } })
    await asker.protocol.holdsCatalogue(answerer.id)
    await answerer.protocol.stop()
    await expect(asker.protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject({
      code: 'ERR_PEER_UNREACHABLE',
      retryable: true
    })
  })

  it('fails what waits when the peer goes away, at once', async () => {
    const { open, passed } = gate()
    let asked = 0
    const [answerer, asker] = await pair({
      handlers: {
        holdsCatalogue: () => {
          asked += 1
          return passed.then(() => FULL)
        }
      }
    })
    const requests = Array.from({ length: 3 }, () => asker.protocol.holdsCatalogue(answerer.id))
    const outcomes = Promise.allSettled(requests)
    await until(() => asked === 3)
    await answerer.node.stop()
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'ERR_PEER_UNREACHABLE', retryable: true, details: { method: 'holdsCatalogue' } }
      })
    }
    open()
  })

  it('does not talk with peers of another network', async () => {
    const [answerer, asker] = await pair(
      { handlers: { holdsCatalogue: async () => FULL } },
      { init: { network: 'another' } }
    )
    await expect(asker.protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject({
      code: 'ERR_PEER_UNREACHABLE'
    })
    await expect(answerer.protocol.holdsCatalogue(asker.id)).rejects.toMatchObject({
      code: 'ERR_PEER_UNREACHABLE'
    })
  })

  it('closes a stream that was unused for long, and opens another when it is needed', async () => {
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: async () => FULL } })
    await asker.protocol.holdsCatalogue(answerer.id)
    await asker.clock.advance(idleTimeoutMs - 1)
    expect(streamsOf(asker, RECONCILE_ID)).toHaveLength(1)
    await asker.protocol.holdsCatalogue(answerer.id)
    await asker.clock.advance(idleTimeoutMs - 1)
    expect(streamsOf(asker, RECONCILE_ID)).toHaveLength(1)
    await asker.clock.advance(1)
    await until(
      () => streamsOf(asker, RECONCILE_ID).length === 0 && streamsOf(answerer, RECONCILE_ID).length === 0
    )
    expect(await asker.protocol.holdsCatalogue(answerer.id)).toEqual(FULL)
    expect([...asker.misbehaviours, ...answerer.misbehaviours]).toEqual([])
  })

  it('counts into the meter of a request what was sent of it, and the answer while somebody waits', async () => {
    const { open, passed } = gate()
    let asked = 0
    const [answerer, asker] = await pair({
      handlers: {
        block: async () => {
          asked += 1
          await passed
          return seededBytes('block', 1000)
        }
      }
    })
    const [given, unsent, kept] = [1, 2, 3].map(() => ({ sentBytes: 0, receivedBytes: 0, roundTrips: 0 }))
    if (given === undefined || unsent === undefined || kept === undefined) throw new Error('unreachable')
    const controller = new AbortController()
    const { signal } = controller
    const early = new AbortController()
    const outcomes = Promise.allSettled([
      asker.protocol.block(answerer.id, CID, { meter: unsent, signal: early.signal }),
      asker.protocol.block(answerer.id, CID, { meter: given, signal })
    ])
    early.abort()
    const answered = asker.protocol.block(answerer.id, CID, { meter: kept })
    await until(() => asked === 2)
    controller.abort()
    await outcomes
    open()
    await answered
    const sentBytes = request(2, 'block', BLOCK.encodeParams(CID)).length
    const receivedBytes = framed(
      encodeMessage({ id: 2, status: 'ok', result: seededBytes('block', 1000) })
    ).length
    expect(unsent).toEqual({ sentBytes: 0, receivedBytes: 0, roundTrips: 0 })
    expect(given).toEqual({ sentBytes, receivedBytes: 0, roundTrips: 0 })
    expect(kept).toEqual({ sentBytes, receivedBytes, roundTrips: 1 })
  })

  it('leaves no timer behind when it stops', async () => {
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: async () => FULL } })
    await asker.protocol.holdsCatalogue(answerer.id)
    await asker.protocol.stop()
    expect(asker.clock.pending).toBe(0)
    await answerer.protocol.stop()
    expect(answerer.clock.pending).toBe(0)
  })

  describe('a peer that breaks the protocol', () => {
    /** An asker whose next requests are answered with these bytes. */
    async function answeredWith(bytes: Uint8Array): Promise<[Peer, Peer]> {
      const [answerer, asker] = await pair()
      for (const protocol of [RECONCILE_ID, CONTENT_ID]) {
        await answerer.impersonate(protocol, (stream) => {
          stream.addEventListener('message', () => stream.send(bytes), { once: true })
        })
      }
      return [answerer, asker]
    }

    it.each<[string, Uint8Array]>([
      ['a frame above the limit', frameLength(PROTOCOL_LIMITS.maxBlockBytes + 1025)],
      ['an empty frame', Uint8Array.of(0)],
      ['a frame that is no message', framed(seededBytes('garbage', 100))],
      ['a message that is no answer', framed(encode({ id: 1, status: 'maybe' }))],
      ['a message that is nested without end', framed(new Uint8Array(100_000).fill(0x81))]
    ])('is told from others by %s, and its stream ends', async (_, bytes) => {
      const [answerer, asker] = await answeredWith(bytes)
      await expect(asker.protocol.block(answerer.id, CID)).rejects.toMatchObject({
        code: 'ERR_PROTOCOL',
        retryable: false
      })
      expect(asker.misbehaviours).toMatchObject([{ peerId: answerer.id }])
      await until(() => streamsOf(asker, CONTENT_ID).length === 0)
    })

    it('is told from others by a result that is malformed, and its stream goes on', async () => {
      const answers = [
        encodeMessage({ id: 1, status: 'ok', result: 'whole' }),
        encodeMessage({ id: 2, status: 'ok', result: 'full' })
      ]
      const [answerer, asker] = await answeredWith(new Uint8Array(Buffer.concat(answers.map(framed))))
      const [first, second] = [1, 2].map(() => asker.protocol.holdsCatalogue(answerer.id))
      await expect(first).rejects.toMatchObject({ code: 'ERR_PROTOCOL' })
      expect(await second).toEqual(FULL)
      expect(asker.misbehaviours).toHaveLength(1)
      expect(streamsOf(asker, RECONCILE_ID)).toHaveLength(1)
    })

    it('is told from others by having no answer where there must be one', async () => {
      const [answerer, asker] = await answeredWith(framed(encodeMessage({ id: 1, status: 'not-found' })))
      await expect(asker.protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject({
        code: 'ERR_PROTOCOL'
      })
      expect(asker.misbehaviours).toHaveLength(1)
    })

    it('may answer what was not asked sixteen times, and no more', async () => {
      const stray = (id: number): Uint8Array => framed(encodeMessage({ id, status: 'busy' }))
      const answer = framed(encodeMessage({ id: 1, status: 'ok', result: 'full' }))
      const strays = (count: number): Uint8Array[] =>
        Array.from({ length: count }, (_, index) => stray(100 + index))
      const [patient, asker] = await answeredWith(new Uint8Array(Buffer.concat([...strays(16), answer])))
      expect(await asker.protocol.holdsCatalogue(patient.id)).toEqual(FULL)
      expect(asker.misbehaviours).toEqual([])
      const [flood, other] = await answeredWith(new Uint8Array(Buffer.concat([...strays(17), answer])))
      await expect(other.protocol.holdsCatalogue(flood.id)).rejects.toMatchObject({ code: 'ERR_PROTOCOL' })
      expect(other.misbehaviours).toHaveLength(1)
    })

    it('cannot answer a request that was not sent yet', async () => {
      const [answerer, asker] = await pair()
      const status = (id: number, byte: number): Uint8Array =>
        framed(encodeMessage({ id, status: 'ok', result: new Uint8Array(3).fill(byte) }))
      await answerer.impersonate(LOOKUP_ID, (stream) => {
        const decoder = new FrameDecoder(2 ** 20)
        let received = 0
        stream.addEventListener('message', ({ data }) => {
          decoder.push(data.subarray())
          for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
            received += 1
            // The credit is used up by five; the sixth waits to be sent.
            if (received === 5) {
              stream.send(status(6, 3))
              for (let id = 1; id <= 5; id++) stream.send(status(id, 1))
            }
            if (received === 6) stream.send(status(6, 0))
          }
        })
      })
      const envelopes = [1, 2, 3].map(() => new Uint8Array(60_000))
      const pushes = Array.from({ length: 6 }, () => asker.protocol.publishPackage(answerer.id, envelopes))
      expect((await Promise.all(pushes)).map(([first]) => first)).toEqual([
        'known',
        'known',
        'known',
        'known',
        'known',
        'accepted'
      ])
    })
  })
})

describe('answering', () => {
  it('works on a bounded number of requests of a stream and makes the asker wait', async () => {
    const { open, passed } = gate()
    let working = 0
    let most = 0
    const [answerer, asker] = await pair({
      handlers: {
        publishPackage: async (_from, envelopes) => {
          working += 1
          most = Math.max(most, working)
          await passed
          working -= 1
          return envelopes.map(() => 'known')
        }
      }
    })
    const stream = await asker.open(answerer, LOOKUP_ID)
    const responses = listen(stream)
    const push = request(1, 'publishPackage', { envelopes: [new Uint8Array(60_000)] })
    const count = Math.floor(MAX_UNANSWERED_BYTES / push.length)
    for (let sent = 0; sent < count; sent++) stream.send(push)
    await until(() => working === 8)
    await rest()
    expect(most).toBe(8)
    open()
    for (let answered = 0; answered < count; answered++) expect((await responses.next()).status).toBe('ok')
    expect(most).toBe(8)
    expect(answerer.misbehaviours).toEqual([])
  })

  it.each<[ProtocolShape, string, unknown]>([
    [LOOKUP, 'lookupName', { name: 'example' }],
    [RECONCILE, 'holdsCatalogue', null],
    [SNAPSHOT, 'snapshot', { scope: null }],
    [CONTENT, 'block', BLOCK.encodeParams(CID)]
  ])('works on no more requests at once than $name allows', async (shape, method, params) => {
    const { open, passed } = gate()
    let working = 0
    const work = async (): Promise<never> => {
      working += 1
      await passed
      throw new RegistryError('ERR_REFUSED', 'enough')
    }
    const [answerer, asker] = await pair({
      handlers: { lookupName: work, holdsCatalogue: work, snapshot: work, block: work }
    })
    const stream = await asker.open(answerer, `/p2p-registry/test/${shape.name}/1.0.0`)
    const responses = listen(stream)
    for (let id = 1; id <= 20; id++) stream.send(request(id, method, params))
    await until(() => working === shape.maxConcurrentRequests)
    await rest()
    expect(working).toBe(shape.maxConcurrentRequests)
    open()
    for (let id = 1; id <= 20; id++) expect(await responses.next()).toMatchObject({ error: 'ERR_REFUSED' })
  })

  it('gives none of an answer that a handler made larger than the protocol allows', async () => {
    const symbols = new Uint8Array(MAX_ANSWERED_BYTES + 1)
    const chunk = { fingerprint: seededBytes('fingerprint'), records: 7, from: 0, count: 1, symbols }
    const [answerer, asker] = await pair({
      handlers: {
        symbols: async () => chunk,
        snapshot: async () => ({ records: Array.from({ length: 9 }, () => new Uint8Array(60_000)) })
      }
    })
    const scope = { kind: 'all' } as const
    for (const asked of [
      asker.protocol.symbols(answerer.id, { scope, from: 0, count: 1 }),
      asker.protocol.snapshot(answerer.id, { scope })
    ]) {
      await expect(asked).rejects.toMatchObject({
        code: 'ERR_REMOTE',
        details: { code: 'ERR_INVALID_VALUE' }
      })
    }
    expect(asker.misbehaviours).toEqual([])
  })

  it('keeps no more than twice the credit of a peer that asks without end', async () => {
    const { open, passed } = gate()
    let asked = 0
    const [answerer, asker] = await pair({
      handlers: {
        publishPackage: async () => {
          asked += 1
          await passed
          return ['known']
        }
      }
    })
    const stream = await asker.open(answerer, LOOKUP_ID)
    const push = request(1, 'publishPackage', { envelopes: [new Uint8Array(60_000)] })
    // Until the transport makes it wait, or the stream is ended.
    for (let sent = 0; sent < 300 && stream.status === 'open' && stream.send(push); sent++) {
      await rest()
      for (const { readBufferLength } of streamsOf(answerer, LOOKUP_ID)) {
        expect(readBufferLength).toBeLessThanOrEqual(2 * MAX_UNANSWERED_BYTES)
      }
    }
    await until(() => asked >= 8)
    await rest()
    expect(asked).toBe(8)
    expect(stream.status === 'open' ? stream.writableNeedsDrain : true).toBe(true)
    await asker.node.hangUp(answerer.node.peerId)
    open()
  })

  it('outlives a connection that is lost while it makes the asker wait', async () => {
    const { open, passed } = gate()
    let working = 0
    const handlers = {
      publishPackage: async () => {
        working += 1
        await passed
        return ['known' as const]
      },
      holdsCatalogue: async () => FULL
    }
    const [answerer, asker, other] = await startPeers({ handlers }, {}, {})
    if (answerer === undefined || asker === undefined || other === undefined) throw new Error('unreachable')
    onTestFinished(async () => {
      for (const peer of [asker, other, answerer]) await peer[Symbol.asyncDispose]()
    })
    const stream = await asker.open(answerer, LOOKUP_ID)
    const push = request(1, 'publishPackage', { envelopes: [new Uint8Array(60_000)] })
    for (let sent = 0; sent < 16; sent++) stream.send(push)
    await until(() => working === 8)
    await until(() => streamsOf(answerer, LOOKUP_ID).some(({ readStatus }) => readStatus === 'paused'))
    await asker.node.stop()
    open()
    expect(await other.protocol.holdsCatalogue(answerer.id)).toEqual(FULL)
  })

  it('gives no more answers to a peer that does not read them, and drops it after a time', async () => {
    let asked = 0
    const [answerer, asker] = await pair({
      handlers: {
        block: async () => {
          asked += 1
          return new Uint8Array(PROTOCOL_LIMITS.maxBlockBytes)
        }
      }
    })
    const stream = await asker.open(answerer, CONTENT_ID)
    stream.addEventListener('message', () => {})
    stream.pause()
    for (let id = 1; id <= 100; id++) stream.send(request(id, 'block', BLOCK.encodeParams(CID)))
    await until(() => asked >= 4)
    await rest()
    expect(asked).toBe(4)
    const [served] = streamsOf(answerer, CONTENT_ID)
    expect(served?.writeBufferLength).toBeLessThanOrEqual(64 * 1024)
    await answerer.clock.advance(requestTimeoutMs)
    await until(() => streamsOf(answerer, CONTENT_ID).length === 0)
    expect(asked).toBe(4)
  })

  it('goes on with a slow reader once it reads', async () => {
    const [answerer, asker] = await pair({
      handlers: { block: async () => seededBytes('block', PROTOCOL_LIMITS.maxBlockBytes) }
    })
    const stream = await asker.open(answerer, CONTENT_ID)
    const responses = listen(stream)
    stream.pause()
    for (let id = 1; id <= 20; id++) stream.send(request(id, 'block', BLOCK.encodeParams(CID)))
    await rest()
    stream.resume()
    const ids: number[] = []
    while (ids.length < 20) ids.push((await responses.next()).id)
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  it.each<[string, Uint8Array]>([
    ['a frame above the limit', frameLength(RECONCILE.maxRequestBytes + 1)],
    ['an empty frame', Uint8Array.of(0)],
    ['a frame that is no message', framed(seededBytes('garbage', 100))],
    ['a request without an id', framed(encode({ method: 'holdsCatalogue', params: null }))],
    ['a message that is nested without end', framed(new Uint8Array(100_000).fill(0x81))]
  ])('ends the stream on which comes %s, and no other', async (_, bytes) => {
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: async () => FULL } })
    const stream = await asker.open(answerer, RECONCILE_ID)
    const { ended } = listen(stream)
    stream.send(bytes)
    await ended
    expect(answerer.misbehaviours).toMatchObject([{ peerId: asker.id }])
    expect(await asker.protocol.holdsCatalogue(answerer.id)).toEqual(FULL)
  })

  it('refuses parameters out of bounds and methods it does not have, and goes on', async () => {
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: async () => FULL } })
    const stream = await asker.open(answerer, RECONCILE_ID)
    const responses = listen(stream)
    const answerTo = (bytes: Uint8Array): Promise<ResponseMessage> => {
      stream.send(bytes)
      return responses.next()
    }
    expect(await answerTo(request(1, 'recordIds', [null, 2049, null]))).toEqual({
      id: 1,
      status: 'error',
      error: 'ERR_BAD_REQUEST'
    })
    expect(await answerTo(request(2, 'constructor'))).toMatchObject({
      status: 'error',
      error: 'ERR_UNKNOWN_METHOD'
    })
    expect(await answerTo(request(3, 'block'))).toMatchObject({
      status: 'error',
      error: 'ERR_UNKNOWN_METHOD'
    })
    expect(await answerTo(request(4, 'holdsCatalogue'))).toEqual({ id: 4, status: 'ok', result: 'full' })
    expect(answerer.misbehaviours).toMatchObject([{ peerId: asker.id }])
  })

  it('tells of a handler that gives too much or nonsense no more than that it failed', async () => {
    const [answerer, asker] = await pair({
      handlers: {
        block: async () => new Uint8Array(PROTOCOL_LIMITS.maxBlockBytes + 1),
        getPackage: async () => Array.from({ length: 20 }, () => new Uint8Array(60_000)),
        searchPackages: async () => [{ envelopes: [], score: Number.NaN }]
      }
    })
    await expect(asker.protocol.block(answerer.id, CID)).rejects.toMatchObject({ code: 'ERR_REMOTE' })
    const { owner, name, version } = makeRelease()
    await expect(asker.protocol.getPackage(answerer.id, { owner, name, version })).rejects.toMatchObject({
      code: 'ERR_REMOTE'
    })
    const stream = await asker.open(answerer, LOOKUP_ID)
    const responses = listen(stream)
    stream.send(request(1, 'searchPackages', { keywords: [], tags: [], limit: 1 }))
    expect(await responses.next()).toEqual({ id: 1, status: 'error', error: 'ERR_INTERNAL' })
  })

  it('answers what it was asked before the asker closed its side', async () => {
    const { open, passed } = gate()
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: () => passed.then(() => FULL) } })
    const stream = await asker.open(answerer, RECONCILE_ID)
    const responses = listen(stream)
    for (let id = 1; id <= 6; id++) stream.send(request(id, 'holdsCatalogue'))
    await stream.close()
    open()
    for (let id = 1; id <= 6; id++) expect(await responses.next()).toMatchObject({ id, status: 'ok' })
    await responses.ended
    await until(() => streamsOf(answerer, RECONCILE_ID).length === 0)
  })

  it('ends a stream on which nothing is asked, later than the asker would', async () => {
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: async () => FULL } })
    const stream = await asker.open(answerer, RECONCILE_ID)
    const responses = listen(stream)
    stream.send(request(1, 'holdsCatalogue'))
    await responses.next()
    await answerer.clock.advance(idleTimeoutMs + requestTimeoutMs - 1)
    expect(streamsOf(answerer, RECONCILE_ID)).toHaveLength(1)
    await answerer.clock.advance(1)
    await responses.ended
    expect(answerer.misbehaviours).toEqual([])
  })

  it('allows a peer two streams of a protocol', async () => {
    const [answerer, asker] = await pair({ handlers: { holdsCatalogue: async () => FULL } })
    const streams = await Promise.all([1, 2].map(() => asker.open(answerer, RECONCILE_ID)))
    for (const stream of streams) {
      const responses = listen(stream)
      stream.send(request(1, 'holdsCatalogue'))
      await responses.next()
    }
    await expect(
      (async () => {
        const third = await asker.open(answerer, RECONCILE_ID)
        await closed(third)
        throw new Error('closed')
      })()
    ).rejects.toThrow()
  })

  it('waits for its handlers when it stops, also those of a stream that is gone', async () => {
    const { open, passed } = gate()
    let done = false
    let asked = false
    const [answerer, asker] = await pair({
      handlers: {
        holdsCatalogue: async () => {
          asked = true
          await passed
          done = true
          return FULL
        }
      }
    })
    const failed = asker.protocol.holdsCatalogue(answerer.id).catch((error: unknown) => error)
    await until(() => asked)
    await asker.node.hangUp(answerer.node.peerId)
    await until(() => streamsOf(answerer, RECONCILE_ID).length === 0)
    expect(await failed).toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
    let stopped = false
    const stop = answerer.protocol.stop().then(() => {
      stopped = true
    })
    await rest()
    expect(stopped).toBe(false)
    open()
    await stop
    expect(done).toBe(true)
  })
})

describe('starting', () => {
  it('takes back what it registered when it cannot register all', async () => {
    const [answerer] = await pair()
    const registered = new Set<string>()
    const protocol = packageProtocol({ network: 'test' })({
      registrar: {
        handle: async (name) => {
          if (name === CONTENT_ID) throw new Error('taken')
          registered.add(name)
        },
        unhandle: async (name) => {
          registered.delete(name)
        }
      },
      connectionManager: { openConnection: () => Promise.reject(new Error('unreachable')) },
      handlers: refusingHandlers,
      clock: answerer.clock
    })
    await expect(protocol.start()).rejects.toThrow('taken')
    expect(registered).toEqual(new Set())
    await expect(protocol.holdsCatalogue(answerer.id)).rejects.toMatchObject({ code: 'ERR_NOT_RUNNING' })
  })
})
