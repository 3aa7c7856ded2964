import { existsSync, readdirSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { manifestEntry, publicationOf, type Served, seededOwner, serve, tarball } from './serve.ts'

const MANIFEST = { name: 'example', version: '1.0.0' }

/** The document as a client has it before it changes it. */
// biome-ignore lint/suspicious/noExplicitAny: the document is changed as clients do
async function read(peer: Served, name = 'example'): Promise<any> {
  return (await peer.ask(`/${name}?write=true`)).json
}

describe('publishing', () => {
  it('keeps the very bytes that were sent', async () => {
    const { write, ask, url } = await serve()
    const bytes = tarball(manifestEntry(MANIFEST), { path: 'package/index.js', content: 'x'.repeat(5000) })
    const document = publicationOf(MANIFEST, bytes)
    expect((await write('PUT', '/example', document)).json).toMatchObject({ ok: true, id: 'example' })
    const { dist } = (await ask('/example')).json.versions['1.0.0']
    expect(dist).toMatchObject({
      integrity: document.versions['1.0.0']?.dist.integrity,
      shasum: document.versions['1.0.0']?.dist.shasum
    })
    const answer = await ask(dist.tarball.slice(url.length))
    expect(answer.bytes.equals(bytes)).toBe(true)
    expect(answer.headers['content-length']).toBe(String(bytes.length))
  })

  it('takes a document in whatever order its parts stand, and compressed', async () => {
    const { write, ask, token } = await serve()
    const { _attachments, ...rest } = publicationOf(MANIFEST, tarball(manifestEntry(MANIFEST)))
    expect((await write('PUT', '/example', { _attachments, ...rest })).status).toBe(201)
    const next = { ...MANIFEST, version: '1.0.1' }
    const document = publicationOf(next, tarball(manifestEntry(next)))
    const escaped = JSON.stringify(document).replaceAll('/', '\\/')
    const answer = await ask('/example', {
      method: 'PUT',
      token,
      body: gzipSync(escaped),
      headers: { 'content-encoding': 'gzip' }
    })
    expect(answer.status).toBe(201)
  })

  it('receives a large tarball in a file, and leaves nothing of it behind', async () => {
    const { publish, ask, uploadDir, url } = await serve()
    const noise = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * at * 31 + (at >> 3)) % 251))
    const entries = [{ path: 'package/noise', content: noise }]
    expect((await publish(MANIFEST, { entries })).status).toBe(201)
    const { dist } = (await ask('/example')).json.versions['1.0.0']
    expect(
      (await ask(dist.tarball.slice(url.length))).bytes.equals(tarball(manifestEntry(MANIFEST), ...entries))
    ).toBe(true)
    expect(existsSync(uploadDir) ? readdirSync(uploadDir) : []).toEqual([])
  })

  it('is for who has a token, and refuses before it has read the package', async () => {
    const { ask, token, registry } = await serve()
    const body = publicationOf(MANIFEST, tarball(manifestEntry(MANIFEST)))
    for (const given of [undefined, 'p2pr_wrong', `${token}x`, `p2pr_${'A'.repeat(43)}`]) {
      const answer = await ask('/example', {
        method: 'PUT',
        body,
        ...(given === undefined ? {} : { token: given })
      })
      expect([answer.status, answer.json.error]).toEqual([401, expect.stringContaining('registry login')])
    }
    const basic = `Basic ${Buffer.from(`anybody:${token}`).toString('base64')}`
    expect((await ask('/example', { method: 'PUT', body, headers: { authorization: basic } })).status).toBe(
      201
    )
    expect(await registry.exists('example@1.0.0')).toBe(true)
  })

  it('refuses a version that is there, in the words that npm knows', async () => {
    const { publish } = await serve()
    await publish(MANIFEST)
    const answer = await publish(MANIFEST)
    expect(answer.status).toBe(403)
    expect(answer.json.error).toBe('You cannot publish over the previously published versions: 1.0.0')
  })

  it('refuses a name that means somebody else’s package here', async () => {
    const { arrive, publish, registry } = await serve()
    const other = await seededOwner('other')
    await arrive(other, { name: 'example', version: '5.0.0' })
    const answer = await publish(MANIFEST)
    expect([answer.status, answer.json.error]).toEqual([403, expect.stringContaining(`@${other.id}`)])
    expect(await registry.listVersions('example')).toHaveLength(1)
  })

  it('lets the tag name the version, and leaves the latest alone when another tag was meant', async () => {
    const { publish, ask } = await serve()
    await publish(MANIFEST)
    await publish({ ...MANIFEST, version: '2.0.0' }, { tag: 'next' })
    const tags = async (): Promise<unknown> => (await ask('/-/package/example/dist-tags')).json
    expect(await tags()).toEqual({ latest: '1.0.0', next: '2.0.0' })
    await publish({ ...MANIFEST, version: '1.5.0' })
    expect(await tags()).toEqual({ latest: '1.5.0', next: '2.0.0' })
    await publish({ ...MANIFEST, version: '0.9.0' }, { tag: 'old' })
    expect(await tags()).toEqual({ latest: '1.5.0', next: '2.0.0', old: '0.9.0' })
  })

  it.each<[string, Parameters<Served['publish']>[1], number, string]>([
    [
      'another sha512',
      {
        change: (d) =>
          Object.assign(d.versions['1.0.0']?.dist ?? {}, { integrity: `sha512-${'A'.repeat(86)}==` })
      },
      400,
      'sha512-'
    ],
    [
      'another sha1',
      { change: (d) => Object.assign(d.versions['1.0.0']?.dist ?? {}, { shasum: '0'.repeat(40) }) },
      400,
      'sha1'
    ],
    [
      'another length',
      { change: (d) => Object.assign(Object.values(d._attachments)[0] ?? {}, { length: 1 }) },
      400,
      'bytes'
    ],
    ['another name', { change: (d) => Object.assign(d, { name: 'other' }) }, 400, 'other'],
    [
      'another version in the manifest',
      { change: (d) => Object.assign(d.versions['1.0.0'] ?? {}, { version: '1.0.1' }) },
      400,
      '1.0.1'
    ],
    ['two versions', { change: (d) => Object.assign(d.versions, { '2.0.0': {} }) }, 400, 'one version'],
    ['no version', { change: (d) => Object.assign(d, { versions: {} }) }, 400, 'one version'],
    ['a version that is none', { change: (d) => Object.assign(d, { versions: { one: {} } }) }, 400, 'SemVer'],
    [
      'a tag for another version',
      { change: (d) => Object.assign(d, { 'dist-tags': { latest: '9.0.0' } }) },
      400,
      'tag'
    ],
    [
      'a tag that is a range',
      { change: (d) => Object.assign(d, { 'dist-tags': { '1.x': '1.0.0' } }) },
      400,
      'tag'
    ],
    ['restricted access', { change: (d) => Object.assign(d, { access: 'restricted' }) }, 403, 'everybody'],
    [
      'what is no base64',
      { change: (d) => Object.assign(Object.values(d._attachments)[0] ?? {}, { data: '!!!!' }) },
      400,
      'base64'
    ],
    [
      'what is no tarball',
      { change: (d) => Object.assign(d._attachments, { 'example-1.0.0.tgz': { data: 'AAAA' } }) },
      400,
      'sha1'
    ],
    [
      'two tarballs',
      { change: (d) => Object.assign(d._attachments, { 'b.tgz': { data: 'AAAA' } }) },
      400,
      'More than one'
    ],
    ['a path that leads out', { entries: [{ path: 'package/../../evil', content: 'x' }] }, 422, 'evil'],
    ['a link', { entries: [{ path: 'package/link', type: '2', link: '/etc/passwd' }] }, 422, 'link']
  ])('refuses %s, and stores nothing', async (_, options, status, words) => {
    const { publish, registry, store, uploadDir } = await serve()
    const answer = await publish(MANIFEST, options)
    expect([answer.status, answer.json.error]).toEqual([status, expect.stringContaining(words)])
    expect(await registry.exists('example')).toBe(false)
    expect(store.blobs.usage().blobs).toBe(0)
    expect(existsSync(uploadDir) ? readdirSync(uploadDir) : []).toEqual([])
  })

  it('refuses a tarball of another package than the document says', async () => {
    const { write, registry } = await serve()
    const document = publicationOf(MANIFEST, tarball(manifestEntry({ ...MANIFEST, name: 'lodash' })))
    const answer = await write('PUT', '/example', document)
    expect([answer.status, answer.json.error]).toEqual([422, expect.stringContaining('lodash@1.0.0')])
    expect(await registry.exists('lodash')).toBe(false)
  })

  it('bounds the tarball, the document, and the depth of the document', async () => {
    const { write, ask, token } = await serve({ maxPackageBytes: 2000, maxDocumentBytes: 5000 })
    const large = publicationOf(MANIFEST, new Uint8Array(2001))
    expect((await write('PUT', '/example', large)).status).toBe(413)
    const long = { ...publicationOf(MANIFEST, tarball(manifestEntry(MANIFEST))), readme: 'x'.repeat(5000) }
    expect((await write('PUT', '/example', long)).status).toBe(413)
    const deep = `{"a":${'['.repeat(200)}${']'.repeat(200)}}`
    expect((await ask('/example', { method: 'PUT', token, body: deep })).status).toBe(413)
    const bomb = gzipSync(JSON.stringify({ a: 'x'.repeat(1_000_000) }))
    const zipped = { method: 'PUT', token, body: bomb, headers: { 'content-encoding': 'gzip' } }
    expect((await ask('/example', zipped)).status).toBe(413)
  })

  it.each(['', '{', 'null', '[]', '"text"', '{"versions":5}'])('takes %j for no document', async (body) => {
    const { ask, token } = await serve()
    const answer = await ask('/example', { method: 'PUT', token, body })
    expect([400, 404]).toContain(answer.status)
  })
})

describe('deprecating', () => {
  it('is a document with other texts, of one version or of all', async () => {
    const peer = await serve()
    for (const version of ['1.0.0', '1.1.0', '2.0.0']) await peer.publish({ ...MANIFEST, version })
    const deprecated = async (): Promise<unknown[]> =>
      ['1.0.0', '1.1.0', '2.0.0'].map((version) => document.versions[version].deprecated)
    let document = await read(peer)
    document.versions['1.0.0'].deprecated = 'too old'
    expect((await peer.write('PUT', '/example', document)).status).toBe(201)
    document = await read(peer)
    expect(await deprecated()).toEqual(['too old', undefined, undefined])
    for (const version of Object.keys(document.versions)) document.versions[version].deprecated = 'gone'
    await peer.write('PUT', '/example', document)
    document = await read(peer)
    expect(await deprecated()).toEqual(['gone', 'gone', 'gone'])
    for (const version of Object.keys(document.versions)) document.versions[version].deprecated = ''
    await peer.write('PUT', '/example', document)
    document = await read(peer)
    expect(await deprecated()).toEqual([undefined, undefined, undefined])
  })

  it('changes nothing else that the document may say', async () => {
    const peer = await serve()
    await peer.publish(MANIFEST)
    const document = await read(peer)
    document.versions = {}
    document['dist-tags'] = { latest: '9.0.0' }
    expect((await peer.write('PUT', '/example', document)).status).toBe(201)
    expect(await read(peer)).toMatchObject({ 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': {} } })
  })

  it('refuses stars and other maintainers in words', async () => {
    const peer = await serve()
    await peer.publish(MANIFEST)
    const stars = await peer.write('PUT', '/example', { users: { me: true } })
    expect([stars.status, stars.json.error]).toEqual([403, expect.stringContaining('Stars')])
    const maintainers = [...(await read(peer)).maintainers, { name: 'eve', email: 'eve@example.org' }]
    const { _rev } = await read(peer)
    const owners = await peer.write('PUT', `/example/-rev/${_rev}`, { _rev, maintainers })
    expect([owners.status, owners.json.error]).toEqual([403, expect.stringContaining('key')])
  })

  it('is for the owner', async () => {
    const peer = await serve()
    const other = await seededOwner('other')
    await peer.arrive(other, MANIFEST)
    const answer = await peer.write('PUT', '/example', await read(peer))
    expect([answer.status, answer.json.error]).toEqual([403, expect.stringContaining(other.id)])
    expect((await peer.write('PUT', '/-/package/example/dist-tags/stable', '"1.0.0"')).status).toBe(403)
    expect((await peer.write('PUT', `/@${other.id}%2fexample`, await read(peer))).status).toBe(403)
  })
})

describe('unpublishing', () => {
  it('takes one version away as npm does it, and burns its number', async () => {
    const peer = await serve()
    for (const version of ['1.0.0', '1.1.0']) await peer.publish({ ...MANIFEST, version })
    const document = await read(peer)
    const { tarball: address } = document.versions['1.1.0'].dist
    delete document.versions['1.1.0']
    document['dist-tags'] = { latest: '1.0.0' }
    expect((await peer.write('PUT', `/example/-rev/${document._rev}`, document)).status).toBe(201)
    const { _rev, versions } = await read(peer)
    expect(Object.keys(versions)).toEqual(['1.0.0'])
    const path = address.slice(peer.url.length)
    expect((await peer.write('DELETE', `${path}/-rev/${_rev}`)).status).toBe(200)
    expect((await peer.ask(path)).status).toBe(404)
    expect((await peer.publish({ ...MANIFEST, version: '1.1.0' })).status).toBe(403)
  })

  it('refuses a document that has changed since it was read', async () => {
    const peer = await serve()
    await peer.publish(MANIFEST)
    const document = await read(peer)
    await peer.publish({ ...MANIFEST, version: '1.1.0' })
    const answer = await peer.write('PUT', `/example/-rev/${document._rev}`, document)
    expect([answer.status, answer.json.error]).toEqual([409, expect.stringContaining('once more')])
    expect((await peer.write('DELETE', `/example/-rev/${document._rev}`)).status).toBe(409)
    expect(Object.keys((await read(peer)).versions)).toHaveLength(2)
  })

  it('takes the whole package away', async () => {
    const peer = await serve()
    for (const version of ['1.0.0', '1.1.0']) await peer.publish({ ...MANIFEST, version })
    const { _rev } = await read(peer)
    expect((await peer.write('DELETE', `/example/-rev/${_rev}`)).status).toBe(200)
    expect((await peer.ask('/example')).status).toBe(404)
  })

  it('is for who has a token', async () => {
    const peer = await serve()
    await peer.publish(MANIFEST)
    const { _rev } = await read(peer)
    expect((await peer.ask(`/example/-rev/${_rev}`, { method: 'DELETE' })).status).toBe(401)
    expect((await peer.ask(`/example/-/example-1.0.0.tgz/-rev/${_rev}`, { method: 'DELETE' })).status).toBe(
      401
    )
    expect((await peer.ask('/example')).status).toBe(200)
  })
})

describe('dist-tags', () => {
  it('are listed, set and taken away', async () => {
    const { publish, write, ask } = await serve()
    await publish({ name: '@scope/name', version: '1.0.0' })
    await publish({ name: '@scope/name', version: '1.1.0' })
    const path = '/-/package/@scope%2fname/dist-tags'
    expect((await write('PUT', `${path}/stable`, '"1.0.0"')).status).toBe(201)
    expect((await ask(path)).json).toEqual({ latest: '1.1.0', stable: '1.0.0' })
    expect((await write('DELETE', `${path}/stable`)).status).toBe(200)
    expect((await ask(path)).json).toEqual({ latest: '1.1.0' })
    expect((await ask('/@scope%2fname')).json['dist-tags']).toEqual({ latest: '1.1.0' })
  })

  it('name no version that is not there, and the latest is always one of them', async () => {
    const { publish, write, ask } = await serve()
    await publish(MANIFEST)
    expect((await write('PUT', '/-/package/example/dist-tags/stable', '"3.0.0"')).status).toBe(404)
    expect((await write('PUT', '/-/package/example/dist-tags/stable', '{}')).status).toBe(400)
    expect((await write('DELETE', '/-/package/example/dist-tags/none')).status).toBe(404)
    expect((await write('DELETE', '/-/package/example/dist-tags/latest')).status).toBe(403)
    expect((await ask('/-/package/none/dist-tags')).status).toBe(404)
    expect(
      (await ask('/-/package/example/dist-tags/stable', { method: 'PUT', body: '"1.0.0"' })).status
    ).toBe(401)
  })
})
