import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { seededOwner, serve } from './serve.ts'

const ABBREVIATED = { accept: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*' }

const MANIFEST = {
  name: 'example',
  version: '1.0.0',
  description: 'An example',
  keywords: ['a', 'b'],
  license: 'MIT',
  author: 'Ada <ada@example.org>',
  repository: { type: 'git', url: 'git+https://example.org/repo.git' },
  homepage: 'https://example.org',
  dependencies: { x: '^1' },
  optionalDependencies: { y: '^2' },
  peerDependencies: { react: '>=18' },
  peerDependenciesMeta: { react: { optional: true } },
  bundleDependencies: ['x'],
  bin: './cli.js',
  engines: { node: '>=22' },
  os: ['linux'],
  cpu: ['x64'],
  scripts: { postinstall: 'node build.js' }
}

describe('the document of a package', () => {
  it('has in short all that an installation needs', async () => {
    const { publish, ask, registry, url } = await serve()
    expect((await publish(MANIFEST)).status).toBe(201)
    const answer = await ask('/example', { headers: ABBREVIATED })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/vnd.npm.install-v1+json')
    const { versions, modified, ...rest } = answer.json
    expect(rest).toEqual({
      _rev: expect.stringMatching(/^1-/),
      name: 'example',
      'dist-tags': { latest: '1.0.0' }
    })
    expect(new Date(modified).toISOString()).toBe(modified)
    expect(versions).toEqual({
      '1.0.0': {
        name: 'example',
        version: '1.0.0',
        dependencies: { x: '^1' },
        optionalDependencies: { y: '^2' },
        peerDependencies: { react: '>=18' },
        peerDependenciesMeta: { react: { optional: true } },
        bundleDependencies: ['x'],
        bin: { example: 'cli.js' },
        engines: { node: '>=22' },
        os: ['linux'],
        cpu: ['x64'],
        hasInstallScript: true,
        dist: {
          tarball: `${url}/@${registry.owner}/example/-/example-1.0.0.tgz`,
          integrity: expect.stringMatching(/^sha512-/),
          shasum: expect.stringMatching(/^[0-9a-f]{40}$/),
          fileCount: 1,
          unpackedSize: expect.any(Number)
        }
      }
    })
  })

  it('has in full what people look at besides', async () => {
    const { publish, ask, registry, clock } = await serve()
    await publish(MANIFEST)
    const { json, headers } = await ask('/example')
    expect(headers['content-type']).toBe('application/json')
    const time = new Date(clock.now()).toISOString()
    expect(json).toMatchObject({
      _id: 'example',
      description: 'An example',
      keywords: ['a', 'b'],
      license: 'MIT',
      author: { name: 'Ada', email: 'ada@example.org' },
      repository: { type: 'git', url: 'git+https://example.org/repo.git' },
      homepage: 'https://example.org',
      maintainers: [{ name: registry.owner, email: `${registry.owner}@owner.invalid` }],
      time: { created: time, modified: time, '1.0.0': time },
      versions: {
        '1.0.0': { _id: 'example@1.0.0', description: 'An example', _npmUser: { name: registry.owner } }
      }
    })
  })

  it('dates a version by when this peer first saw it, whatever its publisher claims', async () => {
    const { arrive, ask, clock } = await serve()
    const firstSeen = new Date(clock.now()).toISOString()
    await arrive(await seededOwner('other'), MANIFEST)
    expect((await ask('/example')).json.time['1.0.0']).toBe(firstSeen)
  })

  it.each(['/@scope%2fname', '/@scope%2Fname', '/@scope/name', '/%40scope%2fname'])(
    'is found as %s',
    async (path) => {
      const { publish, ask, registry, url } = await serve()
      await publish({ name: '@scope/name', version: '1.0.0' })
      const { json } = await ask(path, { headers: ABBREVIATED })
      expect(json.name).toBe('@scope/name')
      expect(json.versions['1.0.0'].dist.tarball).toBe(
        `${url}/@${registry.owner}/scope__name/-/scope__name-1.0.0.tgz`
      )
    }
  )

  it('is found under its owner too, and a scoped package there with its scope before two underscores', async () => {
    const { publish, ask, registry, url } = await serve()
    await publish({ name: 'plain', version: '1.0.0' })
    await publish({ name: '@scope/name', version: '1.0.0' })
    for (const name of ['plain', 'scope__name']) {
      const owned = `@${registry.owner}/${name}`
      const { json } = await ask(`/${owned}`, { headers: ABBREVIATED })
      expect(json.name).toBe(owned)
      const { tarball } = json.versions['1.0.0'].dist
      expect(tarball).toBe(`${url}/${owned}/-/${name}-1.0.0.tgz`)
      expect((await ask(tarball.slice(url.length))).status).toBe(200)
    }
  })

  it('is told from the one before by its tag, so that it need not be sent again', async () => {
    const { publish, ask } = await serve()
    await publish(MANIFEST)
    const first = await ask('/example')
    const etag = first.headers.etag ?? ''
    const again = await ask('/example', { headers: { 'if-none-match': etag } })
    expect([again.status, again.text]).toEqual([304, ''])
    await publish({ ...MANIFEST, version: '1.1.0' })
    const changed = await ask('/example', { headers: { 'if-none-match': etag } })
    expect(changed.status).toBe(200)
    expect(changed.json['dist-tags']).toEqual({ latest: '1.1.0' })
    expect(changed.headers.vary).toBe('accept, accept-encoding')
  })

  it('is sent compressed to whom takes that', async () => {
    const { publish, ask } = await serve()
    await publish({ ...MANIFEST, description: 'long '.repeat(500) })
    const plain = await ask('/example')
    const zipped = await ask('/example', { headers: { 'accept-encoding': 'br, gzip' } })
    expect(zipped.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(zipped.bytes).equals(plain.bytes)).toBe(true)
    const brotli = await ask('/example', { headers: { 'accept-encoding': 'gzip;q=0, br' } })
    expect(brotli.headers['content-encoding']).toBe('br')
    expect(brotliDecompressSync(brotli.bytes).equals(plain.bytes)).toBe(true)
  })

  it('is not sent to whom asks for its head', async () => {
    const { publish, ask } = await serve()
    await publish(MANIFEST)
    const whole = await ask('/example')
    const head = await ask('/example', { method: 'HEAD' })
    expect([head.status, head.text, head.headers['content-length']]).toEqual([
      200,
      '',
      whole.headers['content-length']
    ])
  })

  it('changes with the news of another peer', async () => {
    const { arrive, ask } = await serve()
    const other = await seededOwner('other')
    await arrive(other, MANIFEST)
    expect(Object.keys((await ask('/example')).json.versions)).toEqual(['1.0.0'])
    await arrive(other, { ...MANIFEST, version: '2.0.0' })
    expect(Object.keys((await ask('/example')).json.versions).sort()).toEqual(['1.0.0', '2.0.0'])
  })

  it('changes also in a flood of news, of which most is passed over', async () => {
    const { arrive, ask, clock } = await serve({ documentMaxAgeMs: 1_000_000 })
    const other = await seededOwner('other')
    await arrive(other, MANIFEST)
    await ask('/example')
    for (let number = 0; number < 210; number++)
      await arrive(other, { name: `flood-${number}`, version: '1.0.0' })
    await arrive(other, { ...MANIFEST, version: '2.0.0' })
    await ask('/flood-209')
    await clock.advance(1000)
    expect(Object.keys((await ask('/example')).json.versions).sort()).toEqual(['1.0.0', '2.0.0'])
    await arrive(other, { ...MANIFEST, version: '3.0.0' })
    expect(Object.keys((await ask('/example')).json.versions)).toHaveLength(3)
  })

  it('leaves out what its owner took back, what was signed twice, and what npm cannot install', async () => {
    const { arrive, publish, registry, ask } = await serve()
    await publish(MANIFEST)
    await publish({ ...MANIFEST, version: '2.0.0' })
    await registry.yank('example@2.0.0', 'broken')
    expect((await ask('/example')).json).toMatchObject({ 'dist-tags': { latest: '1.0.0' } })
    expect((await ask('/example/-/example-2.0.0.tgz')).status).toBe(200)

    const other = await seededOwner('other')
    await arrive(other, { name: 'twice', version: '1.0.0' })
    await arrive(other, { name: 'twice', version: '1.0.0', description: 'another' })
    expect((await ask('/twice')).status).toBe(404)

    await registry.publish({
      kind: 'files',
      files: { 'registry.toml': '[package]\nname = "pack"\nversion = "1.0.0"' }
    })
    const pack = await ask('/pack')
    expect([pack.status, pack.json.error]).toEqual([404, expect.stringContaining('registry get pack@1.0.0')])
  })

  it('tells of a version alone, by number or tag', async () => {
    const { publish, ask } = await serve()
    await publish(MANIFEST)
    await publish({ ...MANIFEST, version: '2.0.0-beta.1' }, { tag: 'next' })
    expect((await ask('/example/1.0.0')).json).toMatchObject({ version: '1.0.0', _id: 'example@1.0.0' })
    expect((await ask('/example/latest')).json).toMatchObject({ version: '1.0.0' })
    expect((await ask('/example/next')).json).toMatchObject({ version: '2.0.0-beta.1' })
    expect((await ask('/example/3.0.0')).status).toBe(404)
  })
})

describe('a name', () => {
  it('that nobody has is not found at once, with an error that npm prints', async () => {
    const { ask } = await serve()
    await ask('/warm-up')
    const startedAt = performance.now()
    const answer = await ask('/@scope%2fno-such-thing', { headers: ABBREVIATED })
    // A look at the clock, since the promise is one of time: several times what it takes on a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(100)
    expect([answer.status, answer.json.error]).toEqual([
      404,
      '@scope/no-such-thing is not known to this peer'
    ])
  })

  it('that two owners have is refused, and the owners are named', async () => {
    const { arrive, ask } = await serve()
    const [one, two] = [await seededOwner('one'), await seededOwner('two')]
    await arrive(one, MANIFEST)
    await arrive(two, MANIFEST)
    const answer = await ask('/example')
    expect(answer.status).toBe(422)
    for (const { id } of [one, two]) expect(answer.json.error).toContain(`@${id}/example`)
    expect((await ask(`/@${one.id}/example`)).status).toBe(200)
  })

  it.each(['/UPPER', '/%E0%A4%A', '/a//b', '/..', '/a/../b', '/.hidden', `/${'x'.repeat(300)}`])(
    'that cannot be one is refused: %s',
    async (path) => {
      const { ask } = await serve()
      const answer = await ask(path)
      expect([400, 404]).toContain(answer.status)
      expect(answer.json.error).toEqual(expect.any(String))
    }
  )
})
