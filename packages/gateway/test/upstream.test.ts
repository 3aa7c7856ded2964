import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describeContent } from '@registry/testing'
import type { DocumentKey, PeerIdText } from '@registry/types'
import { describe, expect, it, onTestFinished } from 'vitest'
import { originOf, parseOriginRule } from '../src/upstream/origins.ts'
import { type Served, seededOwner, serve } from './serve.ts'

const MANIFEST = { name: 'theirs', version: '1.0.0' }
const ABBREVIATED = { accept: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8' }

/** A peer and, behind it, another registry on loopback, from which all comes but what is of `@ours`. */
async function pair(): Promise<{ peer: Served; other: Served }> {
  const other = await serve()
  const peer = await serve({ origins: ['@ours/* peers', `* ${other.url}/`] })
  return { peer, other }
}

/** A registry that answers this document and these bytes. */
async function registryOf(document: (url: string) => unknown, bytes: Uint8Array): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url?.endsWith('.tgz')) response.end(bytes)
    else {
      const answer = document(url)
      response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return url
}

const documentWith = (dist: (url: string) => object) => (url: string) => ({
  name: 'theirs',
  'dist-tags': { latest: '1.0.0' },
  versions: { '1.0.0': { name: 'theirs', version: '1.0.0', dist: dist(url) } }
})

/** What the neighbour says that it keeps of the document of `theirs`. */
async function mirrored(
  peer: Served,
  other: Served,
  { askedAtMs = peer.clock.now(), document }: { askedAtMs?: number; document?: string } = {}
): Promise<void> {
  const answer = await other.ask('/theirs', { headers: ABBREVIATED })
  const bytes = Buffer.from(document ?? answer.text)
  const content = describeContent(bytes)
  const key = { registry: other.url, name: 'theirs', form: 'abbreviated' }
  peer.behaviour.contentRouter.remote.set(content.cid, bytes)
  peer.behaviour.theirDocuments.set(JSON.stringify(key), {
    content,
    etag: String(answer.headers.etag),
    askedAtMs
  })
}

describe('where a name comes from', () => {
  const rules = [
    '@acme/* peers',
    'acme-*-kit peers',
    'exact peers',
    '@*/x https://x.example/',
    '* https://all.example/npm/'
  ]
  const of = (name: string): string =>
    String(
      originOf(
        rules.map((rule) => parseOriginRule(rule)),
        name
      )
    )

  it.each([
    ['@acme/a', 'peers'],
    ['@acme', 'https://all.example/npm/'],
    ['acme-web-kit', 'peers'],
    ['acme-kit', 'https://all.example/npm/'],
    ['exact', 'peers'],
    ['exactly', 'https://all.example/npm/'],
    ['@b/x', 'https://x.example/'],
    ['react', 'https://all.example/npm/']
  ])('is decided by the first rule that fits: %s from %s', (name, origin) => {
    expect(of(name)).toBe(origin)
  })

  it('is the peers when a name has its owner in it, or no rule fits', async () => {
    expect(of(`@${(await seededOwner('me')).id}/react`)).toBe('peers')
    expect(originOf([], 'react')).toBe('peers')
  })

  it.each(['', 'peers', '* nowhere', '* ftp://x.example', 'a b c', `${'x'.repeat(300)} peers`])(
    'is no rule: %j',
    (rule) => {
      expect(() => parseOriginRule(rule)).toThrow('must be a pattern')
    }
  )
})

describe('a package of another registry', () => {
  it('is served as its own, with the addresses of this one', async () => {
    const { peer, other } = await pair()
    await other.publish({ ...MANIFEST, dependencies: { x: '1' } })
    for (const headers of [{}, ABBREVIATED]) {
      const { json } = await peer.ask('/theirs', { headers })
      expect(json.versions['1.0.0']).toMatchObject({
        dependencies: { x: '1' },
        dist: { tarball: `${peer.url}/theirs/-/theirs-1.0.0.tgz` }
      })
    }
    expect((await peer.ask('/theirs/latest')).json).toMatchObject({ version: '1.0.0' })
    expect((await peer.ask('/-/package/theirs/dist-tags')).json).toEqual({ latest: '1.0.0' })
    const original = await other.ask('/theirs/-/theirs-1.0.0.tgz')
    const tarball = await peer.ask('/theirs/-/theirs-1.0.0.tgz')
    expect(tarball.bytes.equals(original.bytes)).toBe(true)
    const part = await peer.ask('/theirs/-/theirs-1.0.0.tgz', { headers: { range: 'bytes=5-9' } })
    expect(part.bytes.equals(original.bytes.subarray(5, 10))).toBe(true)
    expect((await peer.ask('/nowhere')).status).toBe(404)
  })

  it('comes from there alone, whatever peers have of that name, and nothing is published under it', async () => {
    const { peer, other } = await pair()
    await other.publish(MANIFEST)
    await peer.arrive(await seededOwner('attacker'), { name: 'theirs', version: '99.0.0' })
    expect(Object.keys((await peer.ask('/theirs')).json.versions)).toEqual(['1.0.0'])
    expect((await peer.ask('/theirs/-/theirs-99.0.0.tgz')).status).toBe(404)
    const refused = await peer.publish(MANIFEST)
    expect([refused.status, refused.json.error]).toEqual([403, expect.stringContaining('gateway.origins')])

    await other.publish({ name: '@ours/kit', version: '99.0.0' })
    expect((await peer.ask('/@ours%2fkit')).status).toBe(404)
    expect((await peer.publish({ name: '@ours/kit', version: '1.0.0' })).status).toBe(201)
    expect(Object.keys((await peer.ask('/@ours%2fkit')).json.versions)).toEqual(['1.0.0'])
  })

  it('is there also while that registry is not', async () => {
    const { peer, other } = await pair()
    await other.publish(MANIFEST)
    await peer.ask('/theirs', { headers: ABBREVIATED })
    await peer.ask('/theirs/-/theirs-1.0.0.tgz')
    await other.close()
    await peer.clock.advance(3_600_000)
    expect((await peer.ask('/theirs', { headers: ABBREVIATED })).status).toBe(200)
    expect((await peer.ask('/theirs/-/theirs-1.0.0.tgz')).status).toBe(200)
    const unknown = await peer.ask('/never-asked')
    expect([unknown.status, unknown.json.code]).toEqual([503, 'ERR_UPSTREAM_UNAVAILABLE'])
  })

  it('is there without waiting each time, while that registry takes questions and answers none', async () => {
    let isSilent = false
    const questions = new EventEmitter()
    const server = createServer((request, response) => {
      if (isSilent) questions.emit('asked', request.url)
      else response.end(JSON.stringify(documentWith((base) => ({ tarball: `${base}/a.tgz` }))('http://x')))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close().closeAllConnections())
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const peer = await serve({ origins: [`* http://127.0.0.1:${port}/`] })
    for (const name of ['one', 'two']) expect((await peer.ask(`/${name}`)).status).toBe(200)

    isSilent = true
    await peer.clock.advance(61_000)
    const asked = once(questions, 'asked')
    const first = peer.ask('/one')
    await asked
    await peer.clock.advance(10_000)
    expect((await first).status).toBe(200)
    // Nobody is asked now, so no clock has to go on.
    expect((await peer.ask('/two')).status).toBe(200)
    expect((await peer.ask('/three')).json.error).toContain('a moment ago')

    isSilent = false
    await peer.clock.advance(30_000)
    expect((await peer.ask('/three')).status).toBe(200)
  })

  it('is asked for again after a while, and what changed is seen', async () => {
    const { peer, other } = await pair()
    await other.publish(MANIFEST)
    await peer.ask('/theirs')
    await other.publish({ ...MANIFEST, version: '1.1.0' })
    expect(Object.keys((await peer.ask('/theirs')).json.versions)).toEqual(['1.0.0'])
    await peer.clock.advance(61_000)
    expect(Object.keys((await peer.ask('/theirs')).json.versions).sort()).toEqual(['1.0.0', '1.1.0'])
  })

  it('is refused when its bytes have not the hash that its document says', async () => {
    const url = await registryOf(
      documentWith((base) => ({
        tarball: `${base}/theirs-1.0.0.tgz`,
        integrity: `sha512-${'A'.repeat(86)}==`
      })),
      Buffer.from('other bytes')
    )
    const peer = await serve({ origins: [`* ${url}`] })
    const answer = await peer.ask('/theirs/-/theirs-1.0.0.tgz')
    expect([answer.status, answer.json.code]).toEqual([502, 'ERR_UPSTREAM_MISMATCH'])
    expect(
      existsSync(peer.upstreamDir)
        ? readdirSync(peer.upstreamDir).filter((name) => name.includes('part'))
        : []
    ).toEqual([])
  })

  const nested = `${'['.repeat(200_000)}${']'.repeat(200_000)}`

  it.each([
    ['no map', 503, '[]'],
    ['versions that are no map', 503, '{"dist-tags":{},"versions":[]}'],
    ['tags that are no map', 503, '{"dist-tags":5,"versions":{}}'],
    ['no end to its depth', 503, `{"dist-tags":{},"versions":{},"readme":${nested}}`],
    ['half of itself only', 503, '{"dist-tags":{},"versions":{'],
    ['no versions, as when it was unpublished', 404, '{"name":"theirs","time":{"unpublished":{}}}'],
    ['a version that is none alone', 404, '{"dist-tags":{},"versions":{"1.0.0":5,"2.0.0":{"dist":{}}}}']
  ])('is refused when its document has %s, and the peer goes on', async (_, status, text) => {
    const url = await registryOf(() => text, new Uint8Array())
    const peer = await serve({ origins: [`* ${url}/`] })
    const paths = ['/theirs', '/theirs/1.0.0', '/theirs/-/theirs-1.0.0.tgz', '/-/package/theirs/dist-tags']
    for (const path of paths) expect([path, (await peer.ask(path)).status]).toEqual([path, status])
    expect(peer.warnings).toEqual([])
    expect((await peer.ask('/-/ping')).status).toBe(200)
  })

  it('has those of its versions that have the form of one', async () => {
    const dist = { tarball: 'http://127.0.0.1/theirs/-/theirs-1.0.0.tgz' }
    const versions = { '1.0.0': { version: '1.0.0', dist }, '1.0.1': { version: '1.0.1' }, '1.0.2': null }
    const url = await registryOf(() => ({ name: 'theirs', versions }), new Uint8Array())
    const peer = await serve({ origins: [`* ${url}/`] })
    const { json } = await peer.ask('/theirs')
    expect([Object.keys(json.versions), json['dist-tags']]).toEqual([['1.0.0'], {}])
  })

  it('makes this peer ask nobody but that registry', async () => {
    const secret = await registryOf(() => ({}), Buffer.from('secret'))
    const integrity = `sha512-${createHash('sha512').update('secret').digest('base64')}`
    const url = await registryOf(
      documentWith(() => ({ tarball: `${secret}/theirs-1.0.0.tgz`, integrity })),
      Buffer.from('')
    )
    const peer = await serve({ origins: [`* ${url}`] })
    expect((await peer.ask('/theirs/-/theirs-1.0.0.tgz')).status).toBe(503)
  })

  it('is got again when what was kept of it is damaged', async () => {
    const { peer, other } = await pair()
    await other.publish(MANIFEST)
    const path = '/theirs/-/theirs-1.0.0.tgz'
    const original = (await peer.ask(path)).bytes
    const [kept] = peer.store.blobs.list({ limit: 1 })
    peer.store.damageBlock(String(kept?.cid))
    expect((await peer.ask(path)).bytes.equals(original)).toBe(true)
  })

  it('is kept apart when its document has no sha512, and got again when that is damaged', async () => {
    const original = Buffer.from('a tarball from long ago')
    const shasum = createHash('sha1').update(original).digest('hex')
    const url = await registryOf(
      documentWith((base) => ({ tarball: `${base}/theirs-1.0.0.tgz`, shasum })),
      original
    )
    const peer = await serve({ origins: [`* ${url}`] })
    const path = '/theirs/-/theirs-1.0.0.tgz'
    expect((await peer.ask(path)).bytes.equals(original)).toBe(true)
    expect(peer.store.blobs.usage().blobs).toBe(0)
    const kept = readdirSync(peer.upstreamDir)
      .map((name) => join(peer.upstreamDir, name))
      .find((file) => readFileSync(file).equals(original))
    writeFileSync(kept ?? '', Buffer.from(original).fill(0, 10, 20))
    expect((await peer.ask(path)).status).toBe(502)
    expect((await peer.ask(path)).bytes.equals(original)).toBe(true)
  })

  it('makes room for others when the cache is full', async () => {
    const other = await serve()
    const noise = (seed: number): Uint8Array =>
      Buffer.from(Array.from({ length: 4000 }, (_, at) => (at * at * seed) % 251))
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    for (const [index, name] of names.entries()) {
      await other.publish(
        { name, version: '1.0.0' },
        { entries: [{ path: 'package/noise', content: noise(index + 7) }] }
      )
    }
    const peer = await serve({ origins: [`* ${other.url}`], upstreamCacheBytes: 10_000 })
    for (const name of names) expect((await peer.ask(`/${name}/-/${name}-1.0.0.tgz`)).status).toBe(200)
    const kept = readdirSync(peer.upstreamDir).map(
      (name) => readFileSync(join(peer.upstreamDir, name)).length
    )
    expect(kept.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(10_000)
  })

  it('is got from a peer that has it, and the registry is not asked for it', async () => {
    const { peer, other } = await pair()
    await other.publish(MANIFEST)
    const bytes = (await other.ask('/theirs/-/theirs-1.0.0.tgz')).bytes
    await peer.ask('/theirs', { headers: ABBREVIATED })
    peer.behaviour.contentRouter.remote.set(describeContent(bytes).cid, bytes)
    await other.close()
    expect((await peer.ask('/theirs/-/theirs-1.0.0.tgz')).bytes.equals(bytes)).toBe(true)
  })

  it('is audited there, and an installation does not wait when that registry is away', async () => {
    const { peer, other } = await pair()
    await other.publish(MANIFEST)
    await other.registry.attest('theirs', { claim: 'advisory', severity: 'high', text: 'Bad' })
    const ask = (): ReturnType<typeof peer.ask> =>
      peer.ask('/-/npm/v1/security/advisories/bulk', {
        method: 'POST',
        body: { theirs: ['1.0.0'], '@ours/x': ['1.0.0'] }
      })
    expect((await ask()).json).toMatchObject({ theirs: [{ title: 'Bad', severity: 'high' }] })
    await other.close()
    const silent = await ask()
    expect([silent.status, silent.json, silent.headers['npm-notice']]).toEqual([
      200,
      {},
      expect.stringContaining(other.url)
    ])
  })
})

describe('a document of another registry', () => {
  /** As `pair`, where the peer believes these peers. */
  async function pairWith(mirrors: readonly string[]): Promise<{ peer: Served; other: Served }> {
    const other = await serve()
    await other.publish(MANIFEST)
    return { other, peer: await serve({ mirrors, origins: [`* ${other.url}/`] }) }
  }

  const versions = async (peer: Served): Promise<string[] | number> => {
    const { status, json } = await peer.ask('/theirs', { headers: ABBREVIATED })
    return status === 200 ? Object.keys(json.versions) : status
  }

  it.each([['*'], ['12D3KooWLone']])(
    'is that of a mirror, and the registry is not asked: %s',
    async (mirror) => {
      const { peer, other } = await pairWith([mirror])
      await mirrored(peer, other)
      await other.close()
      expect(await versions(peer)).toEqual(['1.0.0'])
    }
  )

  it('is not asked of peers that are no mirrors', async () => {
    for (const mirrors of [[], ['12D3KooWOther']]) {
      const { peer, other } = await pairWith(mirrors)
      await mirrored(peer, other)
      await other.close()
      expect(await versions(peer)).toBe(503)
      expect(peer.behaviour.calls).not.toContain('document theirs')
    }
  })

  it('is asked of the registry when a mirror has not asked it of late, which confirms it or tells what is new', async () => {
    const { peer, other } = await pairWith(['*'])
    await mirrored(peer, other, { askedAtMs: peer.clock.now() - 61_000 })
    await other.publish({ ...MANIFEST, version: '1.1.0' })
    expect(await versions(peer)).toEqual(['1.1.0', '1.0.0'])
    const same = await pairWith(['*'])
    await mirrored(same.peer, same.other, { askedAtMs: 0 })
    expect(await versions(same.peer)).toEqual(['1.0.0'])
  })

  it('is that of a mirror, however old, when the registry is away, and is kept then', async () => {
    const { peer, other } = await pairWith(['*'])
    await mirrored(peer, other, { askedAtMs: 0 })
    await other.close()
    expect(await versions(peer)).toEqual(['1.0.0'])
    peer.behaviour.theirDocuments.clear()
    expect(await versions(peer)).toEqual(['1.0.0'])
  })

  it.each(['{', '[]', '"x"', '[['.repeat(10_000)])(
    'is not taken from a mirror that has none: %j',
    async (document) => {
      const { peer, other } = await pairWith(['*'])
      await mirrored(peer, other, { document })
      expect(await versions(peer)).toEqual(['1.0.0'])
      await other.close()
      await peer.clock.advance(61_000)
      expect(await versions(peer)).toEqual(['1.0.0'])
    }
  )

  it('does not stay for ever because the clock of a mirror goes ahead', async () => {
    const { peer, other } = await pairWith(['*'])
    await mirrored(peer, other, { askedAtMs: peer.clock.now() + 10 ** 12 })
    expect(await versions(peer)).toEqual(['1.0.0'])
    peer.behaviour.theirDocuments.clear()
    await other.publish({ ...MANIFEST, version: '1.1.0' })
    await peer.clock.advance(61_000)
    expect(await versions(peer)).toEqual(['1.1.0', '1.0.0'])
  })

  it('is given to mirrors, as it is kept, and to nobody else', async () => {
    const { peer, other } = await pairWith(['12D3KooWLone'])
    const key = { registry: other.url, name: 'theirs', form: 'abbreviated' as const }
    const ask = (from: string, asked: DocumentKey = key): unknown =>
      peer.behaviour.documents?.(from as PeerIdText, asked)
    expect(await ask('12D3KooWLone')).toBeUndefined()
    await versions(peer)
    const kept = await ask('12D3KooWLone')
    expect(kept).toMatchObject({ askedAtMs: peer.clock.now(), etag: expect.stringContaining('"') })
    const [blob] = peer.store.blobs.list({ limit: 9 })
    expect(kept).toMatchObject({ content: blob })
    expect(await ask('12D3KooWOther')).toBeUndefined()
    expect(await ask('12D3KooWLone', { ...key, registry: 'http://127.0.0.1:9' })).toBeUndefined()
    expect(await ask('12D3KooWLone', { ...key, form: 'full' })).toBeUndefined()
    expect(await ask('12D3KooWLone', { ...key, name: '../x' })).toBeUndefined()
  })
})
