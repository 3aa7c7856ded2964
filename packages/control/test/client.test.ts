import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { seededOwnerId } from '@registry/testing'
import { type Package, type PackageUpdate, Query } from '@registry/types'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ControlClient, controlClient, notFoundError } from '../src/index.ts'
import { COMPLETE } from './memory-registry.ts'
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

  it('searches by pages, with facets and reasons where they are asked for', async () => {
    for (const name of ['a-kit', 'b-kit', 'c-kit']) await client.publish(packageOf(name, '1.0.0'))
    const query = { keywords: ['kit'], limit: 2, facets: true, explain: true }
    const first = await client.searchPage(query)
    expect(first).toEqual(await peer.registry.searchPage(query))
    expect(first).toMatchObject({ total: 3, completeness: COMPLETE, facets: { category: [{ count: 3 }] } })
    const rest = await client.searchPage({ keywords: ['kit'], limit: 2, after: first.next ?? '' })
    expect(rest.results.map((result) => result.package.name)).toEqual(['c-kit'])
    expect(rest.next).toBeUndefined()
  })

  it('carries what is stated of packages, and shows all that is known of one', async () => {
    await client.publish(packageOf('kit', '1.0.0'))
    const receipt = await client.tag('kit', 'beta', '1.0.0')
    expect(receipt).toMatchObject({ owner: seededOwnerId(0), name: 'kit', versions: ['1.0.0'] })
    await client.deprecate('kit', 'old')
    await client.deprecate('kit', null)
    await client.yank('kit', '')
    await client.yank('kit', null)
    await client.unpublish('kit')
    await client.readme('kit', new Uint8Array([0xff, 0, 10]))
    await client.readme('kit', null)
    const advisory = { claim: 'advisory', severity: 'high', text: 'beware', versions: '<2' } as const
    await client.attest('kit', { ...advisory, url: 'https://example.org' })
    expect(peer.registry.stated).toEqual([
      { reference: 'kit', tag: 'beta', version: '1.0.0' },
      { reference: 'kit', message: 'old' },
      { reference: 'kit', message: null },
      { reference: 'kit', reason: '' },
      { reference: 'kit', reason: null },
      { reference: 'kit', unpublished: '' },
      { reference: 'kit', content: new Uint8Array([0xff, 0, 10]) },
      { reference: 'kit', content: null },
      { reference: 'kit', ...advisory, url: 'https://example.org' }
    ])
    expect(await client.details('kit')).toEqual(await peer.registry.details('kit'))
    expect(await client.details('nothing')).toBeUndefined()
    expect(await client.readmeOf('kit')).toEqual(await peer.registry.readmeOf('kit'))
    expect(await client.readmeOf('nothing')).toBeUndefined()
    expect(await refusal(client.yank('other', null))).toMatchObject({
      code: 'ERR_NOT_OWNER',
      hint: 'Attest.'
    })
  })

  it('takes a readme as large as one may be', async () => {
    await client.publish(packageOf('kit', '1.0.0'))
    const content = new Uint8Array(1024 * 1024).fill(0xff)
    await client.readme('kit', content)
    expect(peer.registry.stated).toEqual([{ reference: 'kit', content }])
  })

  it('writes and reads catalogue files, and tells how far it is', async () => {
    await client.publish(packageOf('kit', '1.0.0'))
    const path = join(peer.home, 'catalogue.car')
    const steps: unknown[] = []
    const onProgress = (step: unknown): unknown => steps.push(step)
    const report = await client.exportCatalogue(path, { onProgress })
    expect(report).toMatchObject({ path, records: 1 })
    expect(await client.importCatalogue(path, { onProgress })).toEqual({
      ...report,
      accepted: 1,
      known: 0,
      superseded: 0,
      refused: 0
    })
    expect(steps).toEqual([
      { records: 1, total: 1 },
      { records: 1, total: 1 }
    ])
    await writeFile(path, '{}')
    expect(await refusal(client.importCatalogue(path))).toMatchObject({ code: 'ERR_INVALID_CATALOGUE_FILE' })
    expect(await refusal(client.exportCatalogue('catalogue.car'))).toMatchObject({
      code: 'ERR_INVALID_VALUE'
    })
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

describe('what is not there', () => {
  it('is told with the versions there are, or with names that are like it', async () => {
    await client.publish(packageOf('hunspell', '1.0.0'))
    await client.publish(packageOf('hunspell', '1.1.0'))
    expect(await notFoundError(client, 'hunspell@9')).toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: 'hunspell@9 is not known to this peer; there is 1.1.0, 1.0.0',
      details: { versions: ['1.1.0', '1.0.0'] }
    })
    expect(await notFoundError(client, 'hunspel')).toMatchObject({
      message: 'hunspel is not known to this peer',
      hint: 'Did you mean hunspell? Else: registry sync'
    })
    expect((await notFoundError(client, 'nothing')).hint).toContain('Check the spelling')
  })

  it('is told so to whoever asks without the client, too', async () => {
    await client.publish(packageOf('hunspell', '1.0.0'))
    const headers = { authorization: `Bearer ${peer.token}` }
    for (const path of ['metadata', 'get', 'content', 'details']) {
      const { status, body } = await peer.raw(path, { headers, body: '{"reference":"hunspell@9"}' })
      expect([status, JSON.parse(body).details.versions], path).toEqual([404, ['1.0.0']])
    }
  })
})

describe('getting a package', () => {
  it('of the very content that a lock names', async () => {
    const { integrity } = await client.publish(packageOf('kit', '1.0.0'))
    const fetched = await client.get('kit', { integrity })
    expect(fetched).toMatchObject({ package: { integrity }, completeness: COMPLETE })
    expect((await bytesOf(fetched?.content() ?? packageOf('', ''))).length).toBeGreaterThan(0)
    const other = await refusal(client.get('kit', { integrity: 'sha512-other' }))
    expect(other).toMatchObject({ code: 'ERR_INTEGRITY_MISMATCH' })
  })

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
