import { signRelease } from '@registry/identity'
import { describeContent, makeRelease, type ReleaseInput, seededBytes, seededOwner } from '@registry/testing'
import type { AttestationInput, OwnerIdentity, Package } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { type LonePeer, lonePeer } from './lone-peer.ts'

async function peerWith(name: string, ...versions: readonly string[]): Promise<LonePeer> {
  const peer = await lonePeer()
  for (const version of versions) {
    const files = { 'package.json': JSON.stringify({ name, version }) }
    await peer.registry.publish({ kind: 'files', files })
  }
  peer.behaviour.calls.length = 0
  return peer
}

/** Puts a release of another owner into the catalogue, its content at another peer. */
async function arrive(peer: LonePeer, owner: OwnerIdentity, fields: ReleaseInput): Promise<string> {
  const bytes = seededBytes(JSON.stringify(fields), 100)
  const { cid, size, integrity } = describeContent(bytes)
  const release = makeRelease({ owner: owner.id, content: cid, size, integrity, ...fields })
  await peer.store.catalogue.ingest([owner.inception, await signRelease(release, owner.signer)])
  peer.behaviour.contentRouter.remote.set(cid, bytes)
  return integrity
}

const versionsOf = (packages: readonly Package[]): string[] => packages.map(({ version }) => version)

describe('a tag', () => {
  it('names a version, moves, and goes again', async () => {
    const { registry, owner, behaviour } = await peerWith('kit', '1.0.0', '1.1.0')
    const receipt = await registry.tag('kit', 'beta', '1.0.0')
    expect(receipt).toMatchObject({ owner: owner.id, name: 'kit', versions: ['1.0.0'] })
    expect(receipt.ids).toHaveLength(1)
    expect(behaviour.calls).toEqual(['announce'])
    expect(await registry.metadata('kit@beta')).toMatchObject({ version: '1.0.0' })
    await registry.tag('kit', 'beta', '1.1.0')
    expect(await registry.metadata('kit@beta')).toMatchObject({ version: '1.1.0' })
    expect((await registry.get('kit@beta'))?.package.version).toBe('1.1.0')
    await registry.tag('kit', 'beta', null)
    expect(await registry.metadata('kit@beta')).toBeUndefined()
    expect(await registry.exists('kit@beta')).toBe(false)
  })

  it('latest decides what a bare name means, and what a range prefers', async () => {
    const { registry } = await peerWith('kit', '1.0.0', '1.1.0', '1.2.0', '2.0.0')
    await registry.tag('kit', 'latest', '1.1.0')
    for (const reference of ['kit', 'kit@latest', 'kit@*', 'kit@^1.0.0']) {
      expect(await registry.metadata(reference), reference).toMatchObject({ version: '1.1.0' })
    }
    expect(await registry.metadata('kit@^2')).toMatchObject({ version: '2.0.0' })
    await registry.tag('kit', 'latest', null)
    expect(await registry.metadata('kit')).toMatchObject({ version: '2.0.0' })
    expect((await registry.details('kit'))?.distTags).toEqual({ latest: '2.0.0' })
  })

  it('leads to versions that are there, and is one that is there', async () => {
    const { registry } = await peerWith('kit', '1.0.0')
    await expect(registry.tag('kit', 'beta', '9.0.0')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      message: 'kit@9.0.0 is not known to this peer; there is 1.0.0',
      details: { versions: ['1.0.0'] }
    })
    await expect(registry.tag('kit', 'gamma', null)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      details: { tags: ['latest'] }
    })
    await expect(registry.tag('kit', '^1', '1.0.0')).rejects.toMatchObject({ code: 'ERR_INVALID_VALUE' })
    await expect(registry.tag('kit', 'beta', '^1')).rejects.toMatchObject({ code: 'ERR_INVALID_VERSION' })
    await expect(registry.tag('kit@1.0.0', 'beta', '1.0.0')).rejects.toMatchObject({
      code: 'ERR_INVALID_REFERENCE'
    })
    // What every object has is no tag.
    expect(await registry.exists('kit@constructor')).toBe(false)
  })
})

describe('a deprecation', () => {
  it('marks every version that fits, and is taken back from those that have it', async () => {
    const { registry } = await peerWith('kit', '1.0.0', '1.1.0', '2.0.0', '2.1.0-beta.1')
    const receipt = await registry.deprecate('kit@1', 'use 2')
    expect(receipt.versions).toEqual(['1.1.0', '1.0.0'])
    expect(receipt.ids).toHaveLength(2)
    expect(await registry.metadata('kit@1.0.0')).toMatchObject({ deprecated: 'use 2' })
    expect((await registry.listVersions('kit')).map(({ deprecated }) => deprecated)).toEqual([
      undefined,
      undefined,
      'use 2',
      'use 2'
    ])
    expect((await registry.deprecate('kit', null)).versions).toEqual(['1.1.0', '1.0.0'])
    expect((await registry.metadata('kit@1.0.0'))?.deprecated).toBeUndefined()
    expect((await registry.deprecate('kit', 'all of it')).versions).toHaveLength(4)
  })

  it('that says nothing new is not signed again, nor announced', async () => {
    const { registry, behaviour, store } = await peerWith('kit', '1.0.0')
    await registry.deprecate('kit', 'old')
    behaviour.calls.length = 0
    const { records } = store.catalogue.summary()
    expect(await registry.deprecate('kit', 'old')).toMatchObject({ ids: [], versions: [] })
    expect(store.catalogue.summary().records).toBe(records)
    expect(behaviour.calls).toEqual([])
  })

  it('does not keep a version back, and lets a range prefer another', async () => {
    const { registry } = await peerWith('kit', '1.0.0', '1.1.0', '2.0.0')
    await registry.deprecate('kit@1.1.0', 'leaks')
    expect(await registry.metadata('kit@^1')).toMatchObject({ version: '1.0.0' })
    await registry.deprecate('kit@1.0.0', 'too')
    expect((await registry.get('kit@^1'))?.package).toMatchObject({ version: '1.1.0', deprecated: 'leaks' })
  })

  it('has a length that a record has room for', async () => {
    const { registry } = await peerWith('kit', '1.0.0')
    await expect(registry.deprecate('kit', 'x'.repeat(1025))).rejects.toMatchObject({
      code: 'ERR_INVALID_VALUE'
    })
    await expect(registry.deprecate('kit@^7', 'x')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })
})

describe('a yanked version', () => {
  it('is what no range, tag or bare name means, and is given when it is named exactly', async () => {
    const { registry } = await peerWith('kit', '1.0.0', '1.1.0')
    await registry.tag('kit', 'beta', '1.1.0')
    expect((await registry.yank('kit@1.1.0', 'broken')).versions).toEqual(['1.1.0'])
    for (const reference of ['kit', 'kit@^1', 'kit@>=1.0.0']) {
      expect(await registry.metadata(reference), reference).toMatchObject({ version: '1.0.0' })
    }
    expect(await registry.metadata('kit@beta')).toBeUndefined()
    expect((await registry.get('kit@1.1.0'))?.package).toMatchObject({ yanked: 'broken' })
    expect((await registry.listVersions('kit')).map(({ yanked }) => yanked)).toEqual(['broken', undefined])
    await registry.yank('kit@1.1.0', null)
    expect(await registry.metadata('kit')).toMatchObject({ version: '1.1.0' })
  })

  it('that is the last one leaves the package to be looked at, not to be got', async () => {
    const { registry } = await peerWith('kit', '1.0.0')
    await registry.yank('kit', '')
    expect(await registry.get('kit')).toBeUndefined()
    expect(await registry.details('kit')).toMatchObject({ package: { version: '1.0.0', yanked: '' } })
    expect(await registry.details('kit@^1')).toBeUndefined()
  })
})

describe('an unpublished version', () => {
  it('is gone, and its number is never used again', async () => {
    const { registry, store } = await peerWith('kit', '1.0.0', '1.1.0')
    const { cid } = (await registry.metadata('kit@1.1.0')) ?? {}
    expect(await registry.unpublish('kit@1.1.0', 'a secret was in it')).toMatchObject({ versions: ['1.1.0'] })
    expect(await registry.metadata('kit@1.1.0')).toBeUndefined()
    expect(await registry.metadata('kit')).toMatchObject({ version: '1.0.0' })
    expect(versionsOf(await registry.listVersions('kit'))).toEqual(['1.0.0'])
    expect(await registry.details('kit')).toMatchObject({ unpublished: ['1.1.0'] })
    const files = { 'package.json': '{"name":"kit","version":"1.1.0"}', more: 'of it' }
    await expect(registry.publish({ kind: 'files', files })).rejects.toMatchObject({
      code: 'ERR_VERSION_EXISTS'
    })
    expect(store.blobs.usage().blobs).toBe(2)
    expect(store.blobs.list({ limit: 9 }).map((blob) => blob.cid)).toContain(cid)
    await expect(registry.unpublish('kit@1.1.0')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })

  it('takes the package with it when it was the last', async () => {
    const { registry } = await peerWith('kit', '1.0.0')
    await registry.unpublish('kit@1.0.0')
    expect(await registry.details('kit')).toBeUndefined()
    expect(await registry.listVersions('kit')).toEqual([])
    expect(await registry.search({ keywords: ['kit'] })).toEqual([])
  })

  it('is named exactly', async () => {
    const { registry } = await peerWith('kit', '1.0.0')
    for (const reference of ['kit', 'kit@^1', 'kit@latest', 'kit@1']) {
      await expect(registry.unpublish(reference), reference).rejects.toMatchObject({
        code: 'ERR_INVALID_REFERENCE'
      })
    }
    expect(await registry.exists('kit@1.0.0')).toBe(true)
  })
})

describe('a readme', () => {
  it('is stored with its package, replaced, and taken away', async () => {
    const { registry } = await peerWith('kit', '1.0.0')
    const text = new TextEncoder().encode('# Kit\n')
    expect(await registry.readme('kit', text)).toMatchObject({ versions: [] })
    const first = (await registry.details('kit'))?.readme
    expect(first).toEqual(describeContent(text))
    expect(new TextDecoder().decode(await registry.readmeOf('kit'))).toBe('# Kit\n')
    expect((await registry.readme('kit', text)).ids).toEqual([])
    await registry.readme('kit', new TextEncoder().encode('# Another\n'))
    expect(new TextDecoder().decode(await registry.readmeOf('kit@1.0.0'))).toBe('# Another\n')
    await registry.readme('kit', null)
    expect((await registry.details('kit'))?.readme).toBeUndefined()
    expect(await registry.readmeOf('kit')).toBeUndefined()
    expect(await registry.readmeOf('nothing')).toBeUndefined()
    expect((await registry.readme('kit', null)).ids).toEqual([])
  })

  it('has at most 1 MiB', async () => {
    const { registry } = await peerWith('kit', '1.0.0')
    await expect(registry.readme('kit', new Uint8Array(1024 * 1024 + 1))).rejects.toMatchObject({
      code: 'ERR_TOO_LARGE'
    })
    await registry.readme('kit', new Uint8Array(1024 * 1024))
  })
})

describe('a statement', () => {
  it('is for the own packages alone, whoever else has the name', async () => {
    const peer = await peerWith('kit', '1.0.0')
    const { registry, owner } = peer
    const ada = await seededOwner('ada')
    await arrive(peer, ada, { name: 'kit', version: '5.0.0' })
    await arrive(peer, ada, { name: 'tool' })
    for (const call of [
      () => registry.deprecate('tool', 'x'),
      () => registry.yank(`@${ada.id}/kit@5.0.0`, 'x'),
      () => registry.tag('tool', 'beta', '1.0.0'),
      () => registry.unpublish('tool@1.0.0'),
      () => registry.readme('tool', null)
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'ERR_NOT_OWNER',
        hint: expect.stringContaining(owner.id),
        details: { owners: [ada.id] }
      })
    }
    await expect(registry.deprecate('nothing', 'x')).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    await expect(registry.deprecate(`@${ada.id}/nothing`, 'x')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND'
    })
    // The name alone can only mean the own one here.
    expect(await registry.deprecate('kit', 'mine')).toMatchObject({ owner: owner.id, versions: ['1.0.0'] })
  })

  it('counts on from the one before, and those made at once take turns', async () => {
    const { registry, store, owner } = await peerWith('kit', '1.0.0', '1.1.0')
    const versions = ['1.0.0', '1.1.0', '1.0.0', '1.1.0']
    await Promise.all(versions.map((version) => registry.tag('kit', 'beta', version)))
    const { name } = (await registry.metadata('kit')) ?? {}
    if (name === undefined) throw new Error('it is gone')
    expect(store.catalogue.statementSeq(owner.id, name, 'dist-tag beta')).toBe(4)
    expect(await registry.metadata('kit@beta')).toMatchObject({ version: '1.1.0' })
    await registry.deprecate('kit@1.0.0', 'a').then(() => registry.deprecate('kit@1.0.0', 'b'))
    expect(store.catalogue.statementSeq(owner.id, name, 'deprecation 1.0.0')).toBe(2)
  })

  it('waits in the outbox until others have it', async () => {
    const { registry, store } = await peerWith('kit', '1.0.0')
    const before = store.outbox.size
    await registry.yank('kit@1.0.0', '')
    expect(store.outbox.size).toBe(before + 1)
  })
})

describe('an attestation', () => {
  it('is about a package of anybody, and shown with it', async () => {
    const peer = await lonePeer()
    const { registry, owner } = peer
    const ada = await seededOwner('ada')
    for (const version of ['1.0.0', '1.1.0', '2.0.0']) await arrive(peer, ada, { name: 'tool', version })
    const receipt = await registry.attest('tool@^1', {
      claim: 'advisory',
      severity: 'high',
      text: 'reads what it should not',
      url: 'https://example.org/1'
    })
    expect(receipt).toMatchObject({ owner: ada.id, name: 'tool', versions: ['1.1.0', '1.0.0'] })
    expect((await registry.attest('tool', { claim: 'review', text: 'fine' })).versions).toEqual([])
    const explicit = await registry.attest('tool', { claim: 'review', versions: '<2', text: 'fine' })
    expect(explicit.versions).toEqual(['1.1.0', '1.0.0'])
    const attestations = (await registry.details('tool'))?.attestations ?? []
    expect(attestations.map(({ attestation }) => attestation)).toMatchObject([
      { issuer: owner.id, owner: ada.id, claim: 'advisory', versions: '^1', severity: 'high' },
      { claim: 'review', versions: '*' },
      { claim: 'review', versions: '<2' }
    ])
    expect(peer.behaviour.calls.filter((call) => call === 'announce')).toHaveLength(3)
  })

  it('is not signed again where it says the same', async () => {
    const peer = await lonePeer()
    await arrive(peer, await seededOwner('ada'), { name: 'tool' })
    const review: AttestationInput = { claim: 'review', text: 'fine' }
    expect((await peer.registry.attest('tool', review)).ids).toHaveLength(1)
    await peer.clock.advance(1000)
    expect((await peer.registry.attest('tool', review)).ids).toEqual([])
    expect((await peer.registry.attest('tool', { ...review, text: 'fine still' })).ids).not.toEqual([])
  })

  it('is about what there is', async () => {
    const peer = await lonePeer()
    const { registry } = peer
    const review = { claim: 'review', text: '' } as const
    await expect(registry.attest('nothing', review)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    const [ada, bob] = await Promise.all([seededOwner('ada'), seededOwner('bob')])
    await arrive(peer, ada, { name: 'tool' })
    await expect(registry.attest('tool@9', review)).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      details: { versions: ['1.0.0'] }
    })
    await expect(registry.attest('tool', { ...review, severity: 'low' })).rejects.toMatchObject({
      code: 'ERR_INVALID_VALUE'
    })
    await arrive(peer, bob, { name: 'tool' })
    await expect(registry.attest('tool', review)).rejects.toMatchObject({ code: 'ERR_AMBIGUOUS_NAME' })
  })
})

describe('a lock', () => {
  it('gets the content it pins, even of a version that is conflicted or yanked', async () => {
    const peer = await lonePeer()
    const { registry } = peer
    const ada = await seededOwner('ada')
    const one = await arrive(peer, ada, { name: 'two', description: 'one' })
    const other = await arrive(peer, ada, { name: 'two', description: 'other' })
    await expect(registry.get('two@1.0.0')).rejects.toMatchObject({ code: 'ERR_VERSION_CONFLICTED' })
    for (const integrity of [one, other]) {
      const got = await registry.get('two@1.0.0', { integrity })
      expect(got?.package).toMatchObject({ integrity, conflicted: true })
    }
    const absent = one.replace(/.{5}==$/, 'AAAAA==')
    await expect(registry.get('two@1.0.0', { integrity: absent })).rejects.toMatchObject({
      code: 'ERR_INTEGRITY_MISMATCH',
      details: { found: expect.arrayContaining([one, other]) }
    })
    expect(await registry.get('two@2.0.0', { integrity: one })).toBeUndefined()

    const own = await peer.registry.publish({
      kind: 'files',
      files: { 'package.json': '{"name":"kit","version":"1.0.0"}' }
    })
    await registry.yank('kit@1.0.0', '')
    expect(await registry.get('kit@^1')).toBeUndefined()
    expect((await registry.get('kit@^1', { integrity: own.integrity }))?.package.version).toBe('1.0.0')
  })
})

describe('a peer that has but a part of the catalogue', () => {
  it('asks holders before it says that something is not there, and says how many answered', async () => {
    const peer = await lonePeer()
    const { registry, behaviour } = peer
    const ada = await seededOwner('ada')
    const release = await signRelease(makeRelease({ owner: ada.id, name: 'far' }), ada.signer)
    behaviour.elsewhere = [ada.inception, release]
    expect(await registry.metadata('far')).toMatchObject({ version: '1.0.0' })
    expect(await registry.metadata(`@${ada.id}/far`)).toMatchObject({ version: '1.0.0' })
    const { results, completeness } = await registry.searchPage({ keywords: ['far'] })
    expect(results).toHaveLength(1)
    expect(completeness).toMatchObject({ state: 'partial', askedHolders: 2 })
    expect((await registry.details('far'))?.completeness).toMatchObject({ askedHolders: 2 })
    expect(behaviour.calls).toEqual([
      'start',
      'look up far',
      `look up ${ada.id}/far`,
      'search far',
      'look up far'
    ])
  })

  it('is not what most peers are: those ask nobody', async () => {
    const { registry, behaviour } = await lonePeer()
    expect((await registry.searchPage({ keywords: ['far'] })).completeness).toMatchObject({
      state: 'agreed',
      askedHolders: 0
    })
    expect(await registry.get('far')).toBeUndefined()
    expect(behaviour.calls).toEqual(['start'])
  })
})

describe('a search', () => {
  it('comes in pages that have each package once, with facets and reasons when asked for', async () => {
    const peer = await lonePeer()
    const { registry } = peer
    const ada = await seededOwner('ada')
    for (let index = 0; index < 5; index++) {
      await arrive(peer, ada, { name: `web-${index}`, category: index < 2 ? 'web' : 'tools' })
    }
    const names: string[] = []
    let page = await registry.searchPage({ keywords: ['web'], limit: 2, facets: true, explain: true })
    expect(page.total).toBe(5)
    expect(page.facets?.category).toEqual(
      expect.arrayContaining([
        { value: 'tools', count: 3 },
        { value: 'web', count: 2 }
      ])
    )
    expect(page.results[0]?.explanation).toBeDefined()
    for (;;) {
      names.push(...page.results.map((result) => result.package.name))
      if (page.next === undefined) break
      page = await registry.searchPage({ keywords: ['web'], limit: 2, after: page.next })
    }
    expect(names.sort()).toEqual(['web-0', 'web-1', 'web-2', 'web-3', 'web-4'])
  })
})
