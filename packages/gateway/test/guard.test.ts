import { describe, expect, it } from 'vitest'
import { serve } from './serve.ts'

describe('who may ask', () => {
  it.each(['evil.example', 'evil.example:80', '10.0.0.1:PORT', '127.0.0.1.evil.example', '[::2]:PORT'])(
    'refuses the Host %j, which a page elsewhere may have made to lead here',
    async (host) => {
      const { ask, port } = await serve()
      const answer = await ask('/-/ping', { headers: { host: host.replace('PORT', String(port)) } })
      expect([answer.status, answer.json.code]).toEqual([421, 'ERR_HOST_REFUSED'])
    }
  )

  it.each(['localhost', '127.0.0.1:1', '[::1]:4873', 'LOCALHOST:4873'])(
    'takes %s for itself, and writes addresses of tarballs with it',
    async (host) => {
      const { ask, publish, registry } = await serve()
      await publish({ name: 'a', version: '1.0.0' })
      const { json } = await ask('/a', { headers: { host } })
      expect(json.versions['1.0.0'].dist.tarball).toBe(`http://${host}/@${registry.owner}/a/-/a-1.0.0.tgz`)
    }
  )

  it('goes by its public address where it has one', async () => {
    const { ask, publish, registry } = await serve({ publicUrl: 'https://packages.example.org/npm/' })
    await publish({ name: 'a', version: '1.0.0' })
    for (const headers of [{ host: 'packages.example.org' }, {}]) {
      const { json } = await ask('/a', { headers })
      expect(json.versions['1.0.0'].dist.tarball).toBe(
        `https://packages.example.org/npm/@${registry.owner}/a/-/a-1.0.0.tgz`
      )
    }
    const headers = { host: 'packages.example.org', origin: 'https://packages.example.org' }
    expect((await ask('/-/ping', { headers })).status).toBe(200)
  })

  it('refuses pages of other sites, and lets none read an answer', async () => {
    const { ask, url } = await serve()
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1:1']) {
      const answer = await ask('/-/ping', { headers: { origin } })
      expect([answer.status, answer.json.code]).toEqual([403, 'ERR_ORIGIN_REFUSED'])
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    }
    expect((await ask('/-/ping', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403)
    const own = await ask('/-/ping', { headers: { origin: url, 'sec-fetch-site': 'same-origin' } })
    expect(own.status).toBe(200)
    expect(own.headers).not.toHaveProperty('access-control-allow-origin')
  })
})

describe('what may be asked', () => {
  it('refuses a method that a path does not have, and names those that it has', async () => {
    const { ask } = await serve()
    for (const [method, path, allow] of [
      ['POST', '/example', 'GET, PUT'],
      ['OPTIONS', '/example', 'GET, PUT'],
      ['PUT', '/-/v1/search', 'GET'],
      ['GET', '/-/npm/v1/security/advisories/bulk', 'POST'],
      ['PATCH', '/example/-/example-1.0.0.tgz', 'GET, DELETE']
    ] as const) {
      const answer = await ask(path, { method })
      expect([answer.status, answer.headers.allow]).toEqual([405, allow])
    }
  })

  it.each([
    '/-/nothing',
    '/-/v1/nothing',
    '/-/org/a/package',
    '/-/npm/v1/attestations/a@1.0.0',
    '/a/-/b/c/d',
    '/@scope',
    '/-/package/a/trust',
    '/downloads/range/last-week/a'
  ])('finds nothing under %s', async (path) => {
    const { ask } = await serve()
    const answer = await ask(path)
    expect(answer.status).toBe(404)
    expect(answer.json.error).toEqual(expect.any(String))
  })

  it('says that the peer is not running, once it is not', async () => {
    const { ask, registry, warnings } = await serve()
    await registry.stop()
    const answer = await ask('/example')
    expect([answer.status, answer.json.code]).toEqual([503, 'ERR_NOT_RUNNING'])
    expect(warnings).toEqual([])
  })
})
