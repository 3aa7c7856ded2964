import { existsSync, readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RawAnswer, type Served, serve } from './serve.ts'

let peer: Served

beforeEach(async () => {
  peer = await serve({ maxPackageBytes: 1000 })
})
afterEach(() => peer.close())

function codeOf({ status, body }: RawAnswer): [number | undefined, string] {
  return [status, JSON.parse(body).code]
}

const authorization = (): Record<string, string> => ({ authorization: `Bearer ${peer.token}` })

describe('who may call', () => {
  it('answers a ping without a token, and nothing else', async () => {
    expect(await peer.raw('ping', { method: 'GET' })).toMatchObject({
      status: 200,
      body: '{"registry":"p2p","version":1}\n'
    })
    expect(codeOf(await peer.raw('status'))).toEqual([401, 'ERR_UNAUTHORIZED'])
  })

  it('refuses a wrong token, also on a ping', async () => {
    const headers = { authorization: `Bearer ${peer.token.slice(1)}x` }
    expect(codeOf(await peer.raw('status', { headers }))).toEqual([401, 'ERR_UNAUTHORIZED'])
    expect(codeOf(await peer.raw('ping', { method: 'GET', headers }))).toEqual([401, 'ERR_UNAUTHORIZED'])
  })

  it.each([
    'evil.example',
    'evil.example:80',
    '127.0.0.1',
    '127.0.0.1:1',
    '10.0.0.1:PORT',
    '127.0.0.1.evil.example:PORT'
  ])('refuses the Host %s, which a page elsewhere may have made to lead here', async (host) => {
    const headers = { ...authorization(), host: host.replace('PORT', String(peer.port)) }
    expect(codeOf(await peer.raw('status', { headers }))).toEqual([421, 'ERR_HOST_REFUSED'])
  })

  it.each(['localhost:PORT', '127.0.0.1:PORT', '127.9.9.9:PORT', '[::1]:PORT'])(
    'takes %s for itself',
    async (host) => {
      const headers = { ...authorization(), host: host.replace('PORT', String(peer.port)) }
      expect((await peer.raw('status', { headers })).status).toBe(200)
    }
  )

  it('refuses pages of other sites, and allows none of them to read an answer', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      'http://127.0.0.1:1',
      `https://localhost:${peer.port}`
    ]) {
      const answer = await peer.raw('status', { headers: { ...authorization(), origin } })
      expect(codeOf(answer)).toEqual([403, 'ERR_ORIGIN_REFUSED'])
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    }
    const own = { ...authorization(), origin: `http://localhost:${peer.port}` }
    expect((await peer.raw('status', { headers: own })).status).toBe(200)
  })
})

describe('what may be called', () => {
  it('knows no path but its own, and one verb for each', async () => {
    for (const path of ['', 'nothing', 'constructor', 'status?x', '../v1/status']) {
      expect(codeOf(await peer.raw(path, { headers: authorization() }))).toEqual([404, 'ERR_UNKNOWN_METHOD'])
    }
    expect(codeOf(await peer.raw('status', { method: 'GET', headers: authorization() }))).toEqual([
      405,
      'ERR_WRONG_VERB'
    ])
  })

  it.each([
    ['search', '{"keywords":"no list"}'],
    ['search', '[]'],
    ['search', '{"limit":1001}'],
    ['search', '{"sort":"best"}'],
    ['search', '{"after":7}'],
    ['tag', '{"name":"kit","tag":"beta"}'],
    ['deprecate', '{"reference":"kit"}'],
    ['yank', '{"reference":"kit","reason":7}'],
    ['unpublish', '{"reference":"kit","reason":null}'],
    ['readme', '{"name":"kit","content":[]}'],
    ['readme', '{"name":"kit","content":"no base64!"}'],
    ['attest', '{"reference":"kit","attestation":{"claim":"gossip","text":""}}'],
    ['attest', '{"reference":"kit"}'],
    ['catalogue-export', '{"path":"relative"}'],
    ['catalogue-import', '{"path":"/with\\u0000zero"}'],
    ['get', '{"reference":"kit","integrity":7}'],
    ['metadata', '{}'],
    ['metadata', '{"reference":7}'],
    ['list', '{"after":{"owner":"nobody","name":"a"}}'],
    ['subscribe', '{"topic":{"kind":"weather"}}'],
    ['connect', 'not json']
  ])('refuses %s with %s', async (path, body) => {
    const answer = await peer.raw(path, { headers: authorization(), body })
    expect(codeOf(answer)).toEqual([400, 'ERR_INVALID_VALUE'])
  })

  it('reads at most 2 MiB of parameters, whether the length is told or not', async () => {
    const body = JSON.stringify({ reference: 'x'.repeat(2 * 1024 * 1024) })
    const told = await peer.raw('metadata', { headers: authorization(), body })
    expect(codeOf(told)).toEqual([413, 'ERR_TOO_LARGE'])
    const headers = { ...authorization(), 'transfer-encoding': 'chunked' }
    expect(codeOf(await peer.raw('metadata', { headers, body }))).toEqual([413, 'ERR_TOO_LARGE'])
  })

  it('receives no package above the limit, and keeps nothing of it', async () => {
    for (const more of [{}, { 'transfer-encoding': 'chunked' }]) {
      const headers = { ...authorization(), ...more }
      const answer = await peer.raw('publish', { headers, body: new Uint8Array(1001) })
      expect(codeOf(answer)).toEqual([413, 'ERR_TOO_LARGE'])
    }
    expect(existsSync(peer.uploadDir) ? readdirSync(peer.uploadDir) : []).toEqual([])
  })

  it('says that its disk is full', async () => {
    peer.registry.publish = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    }
    const answer = await peer.raw('publish', { headers: authorization(), body: '{}' })
    expect(codeOf(answer)).toEqual([507, 'ERR_STORAGE'])
    expect(answer.body).toContain('"hint":"Free some space')
  })

  it('tells nothing of a fault of its own, and writes it to the log', async () => {
    const answer = await peer.raw('publish', { headers: authorization(), body: 'secret and not JSON' })
    expect(codeOf(answer)).toEqual([500, 'ERR_INTERNAL'])
    expect(answer.body).not.toContain('secret')
    expect(peer.logged).toEqual([expect.stringContaining('secret')])
  })
})
