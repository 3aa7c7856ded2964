import { readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { seededOwnerId } from '@registry/testing'
import { type Package, type PackageUpdate, Query } from '@registry/types'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ControlClient, controlClient } from '../src/index.ts'
import { packageOf, SETTINGS, type Served, serve } from './serve.ts'

const PEER = '/ip4/127.0.0.1/tcp/4801/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

let peer: Served
let client: ControlClient

beforeEach(async () => {
  peer = await serve()
  client = controlClient(peer)
})
afterEach(() => peer.close())

async function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error
  )
}

describe('a peer over its control interface', () => {
  it('is the same registry as the peer itself', async () => {
    const receipt = await client.publish(packageOf('kit', '1.0.0', { category: 'web', tags: ['css'] }))
    await client.publish(packageOf('kit', '1.1.0', { description: 'newer' }))
    await client.publish(packageOf('other', '0.1.0'))
    expect(receipt).toMatchObject({ owner: seededOwnerId(0), name: 'kit', version: '1.0.0' })

    const { registry } = peer
    const query = new Query(['kit']).withLimit(5)
    expect(await client.search(query)).toEqual(await registry.search(query))
    expect(await client.search({ category: 'web', tags: ['css'] })).toHaveLength(1)
    expect(await client.metadata('kit')).toEqual(await registry.metadata('kit'))
    expect(await client.getVersion('kit', '1.0.0')).toEqual(await registry.getVersion('kit', '1.0.0'))
    expect(await client.listVersions('kit')).toEqual(await registry.listVersions('kit'))
    expect(await client.exists('kit@1.0.0')).toBe(true)
    expect(await client.exists('kit@2.0.0')).toBe(false)
    expect(await client.status()).toEqual(await registry.status())
    expect(await client.config()).toEqual(SETTINGS)
    expect(await client.sync()).toBe(3)
    await client.ping()
  })

  it('answers what does not exist with undefined', async () => {
    expect(await client.metadata('nothing')).toBeUndefined()
    expect(await client.getVersion('nothing', '1.0.0')).toBeUndefined()
    expect(await client.get('nothing')).toBeUndefined()
    expect(await client.listVersions('nothing')).toEqual([])
  })

  it('lists in pages', async () => {
    for (const name of ['a', 'b', 'c']) await client.publish(packageOf(name, '1.0.0'))
    const first = await client.list({ limit: 2 })
    expect(first.map(({ name }) => name)).toEqual(['a', 'b'])
    const last = first.at(-1)
    const rest = last === undefined ? [] : await client.list({ after: last, limit: 2 })
    expect(rest.map(({ name }) => name)).toEqual(['c'])
  })

  it('knows, connects and disconnects peers', async () => {
    peer.registry.reachable.add(PEER)
    const connected = await client.connect(PEER)
    expect(await client.peers()).toEqual([connected])
    expect(await client.knownPeers()).toEqual(await peer.registry.knownPeers())
    expect(await client.disconnect(connected.peerId)).toBe(true)
    expect(await client.disconnect(connected.peerId)).toBe(false)
    await client.addBootstrapNode(PEER)
    expect(peer.registry.bootstrapNodes).toEqual([PEER])
  })

  it('brings the errors of the peer as they were', async () => {
    await client.publish(packageOf('kit', '1.0.0'))
    expect(await refusal(client.publish(packageOf('kit', '1.0.0')))).toMatchObject({
      code: 'ERR_VERSION_EXISTS',
      message: 'kit@1.0.0 is published already',
      retryable: false,
      hint: 'Raise the version.'
    })
    await client.publish(packageOf('gone', '1.0.0'))
    // The head of this answer was sent before the error came.
    expect(await refusal(client.get('gone'))).toMatchObject({ code: 'ERR_NO_PROVIDERS', retryable: true })
    await peer.registry.stop()
    expect(await refusal(client.status())).toMatchObject({ code: 'ERR_NOT_RUNNING' })
  })
})

describe('getting a package', () => {
  const filler = 'x'.repeat(3_000_000)

  it('streams it byte for byte, after telling of its progress', async () => {
    await client.publish(packageOf('large', '1.0.0', { filler }))
    const stages: string[] = []
    const fetched = await client.get('large', { onProgress: ({ stage }) => stages.push(stage) })
    expect(stages).toEqual(['resolved', 'fetching'])
    const expected = await bytesOf(packageOf('large', '1.0.0', { filler }))
    expect(expected.equals(await bytesOf(fetched?.content() ?? packageOf('', '')))).toBe(true)
    // A second reading asks again.
    expect(expected.equals(await bytesOf(fetched?.content() ?? packageOf('', '')))).toBe(true)
  })

  it('refuses bytes that are not those the owner signed', async () => {
    const { cid } = await client.publish(packageOf('damaged', '1.0.0'))
    const fetched = await client.get('damaged')
    peer.registry.damage(cid)
    expect(await refusal(bytesOf(fetched?.content() ?? packageOf('', '')))).toMatchObject({
      code: 'ERR_HASH_MISMATCH'
    })
  })

  it('can stop half-way, and leaves the peer as it was', async () => {
    await client.publish(packageOf('large', '1.0.0', { filler }))
    const fetched = await client.get('large')
    for await (const chunk of fetched?.content() ?? []) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect((await client.status()).releases).toBe(1)
  })
})

describe('subscribing', () => {
  it('hears what is published from then on, and of its topic only', async () => {
    await client.publish(packageOf('before', '1.0.0', { tags: ['css'] }))
    const heard: PackageUpdate[] = []
    const subscribed = Promise.withResolvers<void>()
    const listening = (async () => {
      const options = { onListening: subscribed.resolve }
      for await (const update of client.subscribe({ kind: 'tag', tag: 'css' }, options)) {
        heard.push(update)
        if (heard.length === 2) break
      }
    })()
    await subscribed.promise
    await client.publish(packageOf('kit', '1.0.0', { tags: ['css'] }))
    await client.publish(packageOf('else', '1.0.0'))
    await client.publish(packageOf('kit', '1.1.0', { tags: ['css'] }))
    await listening
    expect(heard.map(({ type, packageId }) => [type, packageId])).toEqual([
      ['NewPackage', 'kit@1.0.0'],
      ['NewVersion', 'kit@1.1.0']
    ])
  })

  it('goes on after a cursor, what was missed included', async () => {
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await client.publish(packageOf('kit', version))
    const { cursor } = await firstUpdate({ after: '0' })
    expect((await firstUpdate({ after: cursor })).packageId).toBe('kit@1.1.0')
  })

  it('ends when the peer stops', async () => {
    await client.publish(packageOf('kit', '1.0.0'))
    const updates = client.subscribe({ kind: 'all' }, { after: '0' })[Symbol.asyncIterator]()
    expect(await updates.next()).toMatchObject({ done: false })
    const end = updates.next()
    await peer.registry.stop()
    expect(await end).toMatchObject({ done: true })
  })

  async function firstUpdate(options: { after: string }): Promise<PackageUpdate> {
    for await (const update of client.subscribe({ kind: 'all' }, options)) return update
    throw new Error('nothing was heard')
  }
})

describe('aborting', () => {
  it('rejects with the reason, and ends the call on the peer', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    const connecting = refusal(client.connect(PEER, { signal: abort.signal }))
    await client.status()
    const ended = peer.registry.changed()
    abort.abort(reason)
    expect(await connecting).toBe(reason)
    await ended
    expect(peer.registry.reachable.has(PEER)).toBe(true)
  })

  it('leaves nothing of a package that was being sent', async () => {
    const abort = new AbortController()
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let sent = 0; ; sent++) {
        if (sent === 20) abort.abort(new Error('enough'))
        yield new Uint8Array(10_000)
      }
    }
    expect(await refusal(client.publish(endless(), { signal: abort.signal }))).toBe(abort.signal.reason)
    // The peer notices by itself that its caller went away.
    await expect.poll(() => readdirSync(peer.uploadDir), { timeout: 10_000 }).toEqual([])
    expect((await client.status()).releases).toBe(0)
  })

  it('hands on what went wrong in the source of a package', async () => {
    const fault = new Error('the disk is gone')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10)
      throw fault
    }
    expect(await refusal(client.publish(broken()))).toBe(fault)
  })

  it('refuses before it begins when the signal has aborted', async () => {
    const signal = AbortSignal.abort(new Error('before'))
    expect(await refusal(client.status({ signal }))).toBe(signal.reason)
  })
})

describe('a peer that is not there', () => {
  it('ends when it is told to, and then nobody answers', async () => {
    await client.shutdown()
    expect(peer.registry.isRunning).toBe(false)
    expect(await refusal(client.status())).toMatchObject({
      code: 'ERR_NO_PEER',
      message: `No peer is running at ${peer.url}`,
      hint: 'Start one: registry start'
    })
  })

  it('is told from one that breaks off, and from another program', async () => {
    const answers = [
      '',
      'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a"',
      'hello\r\n\r\n',
      'HTTP/1.1 200 OK\r\n\r\n{}'
    ]
    const codes: unknown[] = []
    for (const answer of answers) {
      const server = createServer((socket) => {
        socket.once('data', () => socket.end(answer))
        socket.on('error', () => {})
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      const error = await refusal(controlClient({ url: `http://127.0.0.1:${port}`, token: '' }).status())
      codes.push(error instanceof Error && 'code' in error ? error.code : error)
      await new Promise((resolve) => server.close(resolve))
    }
    expect(codes).toEqual([
      'ERR_CONNECTION_LOST',
      'ERR_CONNECTION_LOST',
      'ERR_UNREADABLE_ANSWER',
      'ERR_UNREADABLE_ANSWER'
    ])
  })

  it('reads no answer above its limit', async () => {
    await client.publish(packageOf('kit', '1.0.0', { description: 'x'.repeat(2000) }))
    const careful = controlClient({ ...peer, maxAnswerBytes: 2000 })
    expect(await refusal(careful.list())).toMatchObject({ code: 'ERR_UNREADABLE_ANSWER' })
    const small: Package[] = await controlClient({ ...peer, maxAnswerBytes: 5000 }).list()
    expect(small).toHaveLength(1)
  })
})
