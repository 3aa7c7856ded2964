import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededOwner } from '@registry/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openTokens } from '../src/index.ts'
import { serve } from './serve.ts'

describe('tokens', () => {
  async function tokens() {
    const folder = await mkdtemp(join(tmpdir(), 'registry-tokens-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const { id: owner } = await seededOwner('me')
    return { folder: join(folder, 'tokens'), opened: openTokens(join(folder, 'tokens')), owner }
  }

  it('are on disk as hashes, which only their user can read', async () => {
    const { folder, opened, owner } = await tokens()
    expect(await opened.list()).toEqual([])
    const token = await opened.create(owner, 'laptop', 7)
    const [name = ''] = await readdir(folder)
    expect(name).toMatch(/^[0-9a-f]{64}$/)
    const text = await readFile(join(folder, name), 'utf8')
    expect(text).not.toContain(token)
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect(await opened.find(token)).toEqual({ key: name, owner, label: 'laptop', createdAtMs: 7 })
  })

  it('are known to every process at once, until they are revoked', async () => {
    const { folder, opened, owner } = await tokens()
    const token = await opened.create(owner, 'laptop', 7)
    const elsewhere = openTokens(folder)
    expect(await elsewhere.find(token)).toMatchObject({ label: 'laptop' })
    const { key = '' } = (await elsewhere.find(token)) ?? {}
    expect(await elsewhere.revoke(key)).toBe(true)
    expect(await elsewhere.revoke(key)).toBe(false)
    expect(await opened.find(token)).toBeUndefined()
  })

  it('lead to no file but their own, and one that is damaged is none', async () => {
    const { folder, opened, owner } = await tokens()
    const token = await opened.create(owner, 'laptop', 7)
    for (const wrong of ['', '../owner.key', token.slice(1), `${token}A`]) {
      expect(await opened.find(wrong)).toBeUndefined()
      expect(await opened.revoke(wrong)).toBe(false)
    }
    const [name = ''] = await readdir(folder)
    await writeFile(join(folder, name), '{')
    expect(await opened.find(token)).toBeUndefined()
    expect(await opened.list()).toEqual([])
  })
})

describe('an account', () => {
  it('is the owner of the peer, for who has a token', async () => {
    const { write, ask, registry } = await serve()
    expect((await write('GET', '/-/whoami')).json).toEqual({ username: registry.owner })
    expect((await ask('/-/whoami')).status).toBe(401)
    expect((await write('GET', '/-/npm/v1/user')).json).toMatchObject({ name: registry.owner })
    const user = await ask(`/-/user/org.couchdb.user:${registry.owner}`)
    expect(user.json).toMatchObject({ name: registry.owner, email: `${registry.owner}@owner.invalid` })
  })

  it('has the packages of its owner, each of which everybody can read', async () => {
    const { publish, ask, registry } = await serve()
    await publish({ name: '@scope/name', version: '1.0.0' })
    expect((await ask(`/-/user/${registry.owner}/package`)).json).toEqual({ '@scope/name': 'write' })
    expect((await ask('/-/package/@scope%2fname/collaborators')).json).toEqual({ [registry.owner]: 'write' })
    expect((await ask('/-/package/@scope%2fname/visibility')).json).toEqual({ public: true })
    expect((await ask('/-/user/ada/package')).status).toBe(404)
  })

  it('is logged in to by the page, on which a token is shown, and given another once', async () => {
    const { ask, write, token, url } = await serve()
    const { json } = await ask('/-/v1/login', { method: 'POST', body: {} })
    const [page, done] = [json.loginUrl.slice(url.length), json.doneUrl.slice(url.length)]
    const html = await ask(page)
    expect(html.headers['content-type']).toContain('text/html')
    expect(html.headers['content-security-policy']).toContain("default-src 'none'")
    const waiting = await ask(done)
    expect([waiting.status, waiting.headers['retry-after']]).toEqual([202, '1'])
    expect((await ask(page, { method: 'POST', body: 'token=guess' })).status).toBe(401)
    expect((await ask(done)).status).toBe(202)
    expect((await ask(page, { method: 'POST', body: `token=${token}` })).status).toBe(200)
    const given = await ask(done)
    expect(given.json.token).not.toBe(token)
    expect((await ask('/-/whoami', { token: given.json.token })).status).toBe(200)
    expect((await ask(done)).status).toBe(404)
    expect((await write('GET', '/-/npm/v1/tokens')).json.objects).toHaveLength(2)
  })

  it('is not logged in to by a page of yesterday', async () => {
    const { ask, token, url, clock } = await serve()
    const { json } = await ask('/-/v1/login', { method: 'POST', body: {} })
    await clock.advance(11 * 60_000)
    const page = json.loginUrl.slice(url.length)
    expect((await ask(page, { method: 'POST', body: `token=${token}` })).status).toBe(404)
    expect((await ask('/-/v1/login/done/none')).status).toBe(404)
  })

  it('is logged in to as of old by a token for a password', async () => {
    const { ask, token } = await serve()
    const user = { name: 'ada', password: token, type: 'user' }
    const answer = await ask('/-/user/org.couchdb.user:ada', { method: 'PUT', body: user })
    expect(answer.status).toBe(201)
    expect((await ask('/-/whoami', { token: answer.json.token })).status).toBe(200)
    const wrong = await ask('/-/user/org.couchdb.user:ada', {
      method: 'PUT',
      body: { ...user, password: 'guess' }
    })
    expect([wrong.status, wrong.json.error]).toEqual([401, expect.stringContaining('registry login --print')])
  })

  it('is logged out of by its token', async () => {
    const { ask, token } = await serve()
    expect((await ask(`/-/user/token/${token}`, { method: 'DELETE' })).status).toBe(401)
    expect((await ask(`/-/user/token/${token}`, { method: 'DELETE', token })).status).toBe(200)
    expect((await ask('/-/whoami', { token })).status).toBe(401)
  })
})
