import { describe, expect, it } from 'vitest'
import { seededOwner, serve } from './serve.ts'

const ABBREVIATED = { accept: 'application/vnd.npm.install-v1+json' }
const { id: ADA } = await seededOwner('ada')

describe('the names of a project', () => {
  it.each([
    '',
    'kit',
    'kit@',
    `@${ADA}`,
    'kit@somebody',
    `kit@${ADA}@`,
    `kit@${ADA},`,
    `kit@${ADA},kit@${ADA}`,
    `@${ADA}%2fkit@${ADA}`,
    `%ff@${ADA}`,
    `..@${ADA}`
  ])('are refused as %s', async (text) => {
    const { ask } = await serve()
    const { status, json } = await ask(`/~/${text}/kit`)
    expect([status, json.code]).toEqual([400, 'ERR_INVALID_PROJECT_NAMES'])
  })
})

describe('a name under the names of a project', () => {
  it('means what they say, whatever the peer makes of it', async () => {
    const { ask, arrive, publish, registry, url } = await serve()
    const [ada, bob] = [await seededOwner('ada'), await seededOwner('bob')]
    await arrive(ada, { name: 'kit', version: '1.0.0' })
    await arrive(bob, { name: 'kit', version: '2.0.0' })
    await publish({ name: '@acme/log', version: '1.0.0' })
    expect((await ask('/kit')).status).toBe(422)
    for (const [owner, version] of [
      [ada.id, '1.0.0'],
      [bob.id, '2.0.0']
    ]) {
      const prefix = `/~/kit@${owner},@acme%2flog@${registry.owner}`
      const { json } = await ask(`${prefix}/kit`, { headers: ABBREVIATED })
      expect([json.name, Object.keys(json.versions)]).toEqual(['kit', [version]])
      // A lockfile has it, and stays as it is when another name is added.
      const { tarball } = json.versions[String(version)].dist
      expect(tarball).toBe(`${url}/@${owner}/kit/-/kit-${version}.tgz`)
      expect((await ask(`${prefix}/kit/-/kit-${version}.tgz`)).status).toBe(200)
      expect((await ask(`${prefix}/kit/latest`)).json.version).toBe(version)
      expect((await ask(`${prefix}/-/package/kit/dist-tags`)).json).toEqual({ latest: version })
      expect((await ask(`${prefix}/@acme%2flog`)).json.name).toBe('@acme/log')
    }
  })

  it('is not asked of another registry when they name its owner', async () => {
    const { ask, arrive } = await serve({ origins: ['* http://127.0.0.1:1/'], upstreamTimeoutMs: 50 })
    const ada = await seededOwner('ada')
    await arrive(ada, { name: 'kit', version: '1.0.0' })
    expect((await ask(`/~/kit@${ada.id}/kit`)).json.name).toBe('kit')
    expect((await ask('/kit')).status).toBe(503)
  })

  it('is published by the owner they name, and by nobody else', async () => {
    const { arrive, publish, write, registry } = await serve()
    const ada = await seededOwner('ada')
    await arrive(ada, { name: 'kit', version: '1.0.0' })
    expect((await publish({ name: 'kit', version: '3.0.0' })).json.code).toBe('ERR_NAME_TAKEN')
    const refused = await write('PUT', `/~/kit@${ada.id}/kit`, {})
    expect([refused.status, refused.json.code]).toEqual([403, 'ERR_NAME_TAKEN'])
    const own = await publish({ name: 'kit', version: '3.0.0' }, { prefix: `/~/kit@${registry.owner}` })
    expect(own.status).toBe(201)
    expect((await registry.metadata(`@${registry.owner}/kit`))?.version).toBe('3.0.0')
  })

  it('is audited as what they say', async () => {
    const { ask, arrive, registry } = await serve()
    const [ada, bob] = [await seededOwner('ada'), await seededOwner('bob')]
    for (const owner of [ada, bob]) await arrive(owner, { name: 'kit', version: '1.0.0' })
    await registry.attest(`@${bob.id}/kit`, { claim: 'advisory', severity: 'high', text: 'it bites' })
    const audit = async (owner: string): Promise<unknown> =>
      (
        await ask(`/~/kit@${owner}/-/npm/v1/security/advisories/bulk`, {
          method: 'POST',
          body: { kit: ['1.0.0'] }
        })
      ).json
    expect(await audit(ada.id)).toEqual({})
    expect(await audit(bob.id)).toMatchObject({ kit: [{ title: 'it bites', severity: 'high' }] })
  })
})
