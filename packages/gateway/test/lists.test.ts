import { gzipSync } from 'node:zlib'
import { signAttestation } from '@registry/identity'
import { makeAttestation } from '@registry/testing'
import { parsePackageName } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { seededOwner, serve } from './serve.ts'

describe('searching', () => {
  it('answers as npm has it', async () => {
    const { publish, ask, registry, url } = await serve()
    await publish({
      name: 'left-pad',
      version: '1.0.0',
      description: 'pads strings',
      keywords: ['string'],
      license: 'MIT'
    })
    await publish({ name: 'other', version: '0.1.0' })
    const { json } = await ask('/-/v1/search?text=left-pad&size=20')
    const user = { username: registry.owner, email: `${registry.owner}@owner.invalid` }
    expect(json).toMatchObject({
      total: 1,
      objects: [
        {
          package: {
            name: 'left-pad',
            scope: 'unscoped',
            version: '1.0.0',
            description: 'pads strings',
            keywords: ['string'],
            license: 'MIT',
            links: { npm: `${url}/left-pad` },
            publisher: user,
            maintainers: [user]
          },
          score: { final: 1, detail: {} },
          searchScore: expect.any(Number)
        }
      ]
    })
  })

  it('reads the qualifiers of npm', async () => {
    const { publish, ask, registry } = await serve()
    await publish({ name: '@scope/one', version: '1.0.0', keywords: ['k'] })
    await publish({ name: 'two', version: '0.1.0', keywords: ['k'] })
    const names = async (text: string): Promise<string[]> => {
      const { json } = await ask(`/-/v1/search?text=${encodeURIComponent(text)}`)
      return json.objects.map((one: { package: { name: string } }) => one.package.name).sort()
    }
    expect(await names('keywords:k')).toEqual(['@scope/one', 'two'])
    expect(await names('keywords:k not:unstable')).toEqual(['@scope/one'])
    expect(await names('scope:scope')).toEqual(['@scope/one'])
    expect(await names(`maintainer:${registry.owner} two`)).toEqual(['two'])
    expect(await names('keywords:none')).toEqual([])
  })

  it('goes on where the page before ended', async () => {
    const { publish, ask } = await serve()
    for (let number = 0; number < 5; number++)
      await publish({ name: `pad-${number}`, version: '1.0.0', keywords: ['pad'] })
    const names: string[] = []
    for (const from of [0, 2, 4, 6]) {
      const { json } = await ask(`/-/v1/search?text=keywords:pad&size=2&from=${from}`)
      expect(json.total).toBe(5)
      names.push(...json.objects.map((one: { package: { name: string } }) => one.package.name))
    }
    expect(new Set(names).size).toBe(5)
    expect(names).toHaveLength(5)
    expect((await ask('/-/v1/search?text=a&from=-1')).status).toBe(400)
  })

  it('names a package with its owner where the short name does not do', async () => {
    const { arrive, ask } = await serve()
    const [one, two] = [await seededOwner('one'), await seededOwner('two')]
    for (const owner of [one, two]) await arrive(owner, { name: '@scope/name', version: '1.0.0' })
    const { json } = await ask('/-/v1/search?text=name')
    const names = json.objects.map((found: { package: { name: string } }) => found.package.name).sort()
    expect(names).toEqual([`@${one.id}/scope__name`, `@${two.id}/scope__name`].sort())
  })
})

describe('an audit', () => {
  const text = 'Takes over the machine\nin all versions below 2'

  it('shows what owners that are listened to warn of', async () => {
    const advisor = await seededOwner('advisor')
    const { arrive, publish, registry, store, ask, url } = await serve()
    await publish({ name: 'mine', version: '1.0.0' })
    await arrive(await seededOwner('other'), { name: 'theirs', version: '1.0.0' })
    expect((await ask('/-/npm/v1/security/advisories/bulk', { method: 'POST', body: {} })).json).toEqual({})
    await registry.attest('mine', { claim: 'advisory', versions: '<2', severity: 'high', text })
    await registry.attest('theirs', { claim: 'review', text: 'fine' })
    const body = gzipSync(
      JSON.stringify({ mine: ['1.0.0'], theirs: ['1.0.0'], unknown: ['1.0.0'], 'no name!': ['1'] })
    )
    const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' }
    const { json } = await ask('/-/npm/v1/security/advisories/bulk', { method: 'POST', body, headers })
    expect(json).toEqual({
      mine: [
        {
          id: expect.any(Number),
          url: `${url}/mine`,
          title: 'Takes over the machine',
          severity: 'high',
          vulnerable_versions: '<2',
          cwe: [],
          cvss: { score: 0, vectorString: null }
        }
      ]
    })
    const warning = makeAttestation({
      issuer: advisor.id,
      owner: registry.owner,
      name: parsePackageName('mine'),
      claim: 'block',
      text: 'A trap'
    })
    await store.catalogue.ingest([advisor.inception, await signAttestation(warning, advisor.signer)])
    const titles = async (): Promise<string[]> => {
      const answer = await ask('/-/npm/v1/security/advisories/bulk', { method: 'POST', body, headers })
      return answer.json.mine.map((advisory: { title: string }) => advisory.title)
    }
    expect(await titles()).toEqual(['Takes over the machine'])
    await registry.follow(advisor.id)
    expect(await titles()).toEqual(['Takes over the machine', 'A trap'])
    await registry.unfollow(advisor.id)
    const fixed = { mine: ['2.0.0'] }
    expect((await ask('/-/npm/v1/security/advisories/bulk', { method: 'POST', body: fixed })).json).toEqual(
      {}
    )
  })

  it('answers older clients with a report of the tree', async () => {
    const { publish, registry, ask } = await serve()
    await publish({ name: 'mine', version: '1.0.0' })
    await registry.attest('mine', { claim: 'advisory', severity: 'low', text })
    const body = { dependencies: { '.': { dependencies: { mine: { version: '1.0.0' } } } } }
    for (const path of ['/-/npm/v1/security/audits/quick', '/-/npm/v1/security/audits']) {
      const { json } = await ask(path, { method: 'POST', body })
      expect(json.metadata).toMatchObject({ vulnerabilities: { low: 1, high: 0 }, totalDependencies: 1 })
      expect(Object.values(json.advisories)).toMatchObject([
        { module_name: 'mine', severity: 'low', findings: [{ version: '1.0.0' }] }
      ])
    }
  })

  it.each(['[]', '{"a":1}', '{"a":[1]}', '{', `{"a":${'['.repeat(200)}`])('refuses %j', async (body) => {
    const { ask } = await serve()
    expect([400, 413]).toContain(
      (await ask('/-/npm/v1/security/advisories/bulk', { method: 'POST', body })).status
    )
  })
})

describe('lists', () => {
  it('of packages come in pages', async () => {
    const { publish, ask } = await serve()
    for (const name of ['a', 'b', 'c']) await publish({ name, version: '1.0.0' })
    const first = (await ask('/-/all?limit=2')).json
    expect(first.packages.map(({ name }: { name: string }) => name)).toEqual(['a', 'b'])
    const second = (await ask(`/-/all?limit=2&after=${encodeURIComponent(first.next)}`)).json
    expect(second).toMatchObject({ packages: [{ name: 'c' }] })
    expect(second.next).toBeUndefined()
    expect((await ask('/-/all?after=nobody')).status).toBe(400)
  })

  it('of changes go on from where a mirror was', async () => {
    const { publish, write, ask } = await serve()
    await publish({ name: 'a', version: '1.0.0' })
    await publish({ name: 'b', version: '1.0.0' })
    const all = (await ask('/_changes?since=0')).json
    expect(all.results).toMatchObject([
      { id: 'a', type: 'NewPackage', changes: [{ rev: '1.0.0' }] },
      { id: 'b', type: 'NewPackage' }
    ])
    expect((await ask(`/_changes?since=${all.last_seq}`)).json).toEqual({
      results: [],
      last_seq: all.last_seq
    })
    await write('PUT', '/-/package/a/dist-tags/stable', '"1.0.0"')
    const news = (await ask(`/_changes?since=${all.last_seq}&limit=1`)).json
    expect(news.results).toMatchObject([{ id: 'a', type: 'MetadataUpdate' }])
    expect((await ask('/_changes?limit=1')).json.results).toHaveLength(1)
    expect((await ask('/_changes?since=nonsense')).status).toBe(400)
  })

  it('of downloads count those through this peer, and say so', async () => {
    const { publish, ask } = await serve()
    await publish({ name: 'a', version: '1.0.0' })
    await ask('/a/-/a-1.0.0.tgz')
    expect((await ask('/downloads/point/last-week/a')).json).toEqual({
      package: 'a',
      downloads: 1,
      counted: 'through this peer'
    })
    expect((await ask('/downloads/point/last-week/none')).status).toBe(404)
  })

  it('begin at the root', async () => {
    const { publish, ask } = await serve()
    await publish({ name: 'a', version: '1.0.0' })
    expect((await ask('/')).json).toEqual({ db_name: 'test', doc_count: 1 })
    expect((await ask('/-/ping')).json).toEqual({})
    expect((await ask('/-/ping?write=true')).status).toBe(200)
    expect((await ask('/-/npm/v1/keys')).json).toEqual({ keys: [] })
  })
})
