import { signAttestation, signRelease, signStatement } from '@registry/identity'
import {
  makeAttestation,
  makeRelease,
  makeStatement,
  type ReleaseInput,
  seededOwner
} from '@registry/testing'
import {
  type Catalogue,
  type PackageUpdate,
  parsePackageName,
  parseVersion,
  type RegistryStore,
  type Topic
} from '@registry/types'
import { describe, expect, it } from 'vitest'
import { follow } from '../src/updates.ts'
import { lonePeer } from './lone-peer.ts'

async function ingest(
  store: RegistryStore,
  seed: string,
  ...releases: readonly ReleaseInput[]
): Promise<void> {
  const owner = await seededOwner(seed)
  const envelopes = await Promise.all(
    releases.map((fields) => signRelease(makeRelease({ ...fields, owner: owner.id }), owner.signer))
  )
  await store.catalogue.ingest([owner.inception, ...envelopes])
}

async function take(updates: AsyncIterable<PackageUpdate>, count: number): Promise<PackageUpdate[]> {
  const taken: PackageUpdate[] = []
  if (count === 0) return taken
  for await (const update of updates) {
    taken.push(update)
    if (taken.length === count) break
  }
  return taken
}

const ids = (updates: readonly PackageUpdate[]): string[] => updates.map(({ packageId }) => packageId)

describe('a subscription', () => {
  it('tells of what comes from the moment it was made, in order', async () => {
    const { registry, store, clock } = await lonePeer()
    await ingest(store, 'ada', { name: 'before' })
    const updates = registry.subscribe({ kind: 'all' })
    await ingest(store, 'ada', { name: 'a' }, { name: 'b' })
    const taking = take(updates, 4)
    await clock.advance(5)
    await ingest(store, 'ada', { name: 'a', version: '2.0.0' })
    await ingest(store, 'bob', { name: 'a' })
    const taken = await taking
    expect(ids(taken)).toEqual(['a@1.0.0', 'b@1.0.0', 'a@2.0.0', 'a@1.0.0'])
    expect(taken.map(({ type }) => type)).toEqual(['NewPackage', 'NewPackage', 'NewVersion', 'NewPackage'])
    expect(taken[2]).toMatchObject({
      timestamp: clock.now(),
      package: { id: 'a@2.0.0', updatedAtMs: clock.now() }
    })
  })

  it('goes on after a cursor without a loss or a repetition, over a restart too', async () => {
    const { registry, store } = await lonePeer()
    const updates = registry.subscribe({ kind: 'all' })
    await ingest(store, 'ada', ...Array.from({ length: 200 }, (_, index) => ({ name: `p${index}` })))
    const first = await take(updates, 70)
    const cursor = first.at(-1)?.cursor ?? ''
    await registry.stop()
    await ingest(store, 'ada', { name: 'meanwhile' })
    await registry.start()
    const rest = await take(registry.subscribe({ kind: 'all' }, { after: cursor }), 131)
    expect(ids([...first, ...rest])).toEqual([
      ...Array.from({ length: 200 }, (_, index) => `p${index}@1.0.0`),
      'meanwhile@1.0.0'
    ])
  })

  it('begins with all there ever was when it is told so', async () => {
    const { registry, store } = await lonePeer()
    await ingest(store, 'ada', { name: 'a' }, { name: 'a', version: '2.0.0' })
    const taken = await take(registry.subscribe({ kind: 'all' }, { after: 'start' }), 2)
    expect(ids(taken)).toEqual(['a@1.0.0', 'a@2.0.0'])
  })

  it('tells of everything that is said of a package, and what it is about', async () => {
    const { registry, store, owner } = await lonePeer()
    const updates = registry.subscribe({ kind: 'package', name: parsePackageName('kit') })
    const files = (version: string) => ({ 'package.json': JSON.stringify({ name: 'kit', version }) })
    for (const version of ['1.0.0', '1.1.0']) {
      await registry.publish({ kind: 'files', files: files(version) })
    }
    await registry.tag('kit', 'beta', '1.0.0')
    await registry.deprecate('kit@1.0.0', 'too old')
    await registry.deprecate('kit@1.0.0', null)
    await registry.yank('kit@1.1.0', 'broken')
    await registry.attest('kit', { claim: 'review', text: 'fine' })
    const rival = makeRelease({ owner: owner.id, name: 'kit', version: '1.0.0', description: 'another' })
    await store.catalogue.ingest([await signRelease(rival, owner.signer)])
    await registry.unpublish('kit@1.0.0')
    const taken = await take(updates, 8)
    expect(taken.map(({ type, packageId }) => `${type} ${packageId}`)).toEqual([
      'NewPackage kit@1.0.0',
      'NewVersion kit@1.1.0',
      'MetadataUpdate kit@1.0.0',
      // The deprecation is gone: the statement that takes it back stands in its place.
      'MetadataUpdate kit@1.0.0',
      'Yanked kit@1.1.0',
      expect.stringContaining('Attested kit@'),
      'Conflicted kit@1.0.0',
      'Unpublished kit@1.0.0'
    ])
    expect(taken[4]?.package).toMatchObject({ version: '1.1.0', yanked: 'broken' })
  })

  it('goes on after a change that another has taken the place of since', async () => {
    const { registry } = await lonePeer()
    const updates = registry.subscribe({ kind: 'all' })
    await registry.publish({ kind: 'files', files: { 'package.json': '{"name":"a","version":"1.0.0"}' } })
    await registry.deprecate('a@1.0.0', 'old')
    const [, deprecated] = await take(updates, 2)
    expect(deprecated?.type).toBe('Deprecated')
    await registry.deprecate('a@1.0.0', 'very old')
    await registry.yank('a@1.0.0', '')
    const rest = await take(registry.subscribe({ kind: 'all' }, { after: deprecated?.cursor ?? '' }), 2)
    expect(rest.map(({ type }) => type)).toEqual(['Deprecated', 'Yanked'])
  })

  it('hears of attestations by others as soon as the package is here', async () => {
    const { registry, store } = await lonePeer()
    const updates = registry.subscribe({ kind: 'all' })
    const [ada, eve] = await Promise.all([seededOwner('ada'), seededOwner('eve')])
    await ingest(store, 'ada', { name: 'tool' })
    const attestation = makeAttestation({ issuer: eve.id, owner: ada.id, name: 'tool', claim: 'block' })
    await store.catalogue.ingest([eve.inception, await signAttestation(attestation, eve.signer)])
    expect((await take(updates, 2)).map(({ type }) => type)).toEqual(['NewPackage', 'Attested'])
  })

  it('hears of its topic alone, and its cursor stands after what it left out', async () => {
    const { registry, store } = await lonePeer()
    const ada = await seededOwner('ada')
    const topics: Array<[Topic, string[]]> = [
      [{ kind: 'category', category: 'web' }, ['a@1.0.0', 'd@1.0.0']],
      [{ kind: 'tag', tag: 'rust' }, ['b@1.0.0', 'd@1.0.0']],
      [{ kind: 'owner', owner: ada.id }, ['a@1.0.0', 'b@1.0.0', 'c@1.0.0']],
      [{ kind: 'package', name: parsePackageName('c') }, ['c@1.0.0']]
    ]
    const subscriptions = topics.map(([topic]) => registry.subscribe(topic))
    await ingest(
      store,
      'ada',
      { name: 'a', category: 'web' },
      { name: 'b', tags: ['rust', 'x'] },
      { name: 'c' }
    )
    await ingest(store, 'bob', { name: 'd', category: 'web', tags: ['rust'] })
    for (const [index, updates] of subscriptions.entries()) {
      const expected = topics[index]?.[1] ?? []
      expect(ids(await take(updates, expected.length))).toEqual(expected)
    }
  })

  it('waits, and keeps nobody else waiting, when the newest release cannot be read', async () => {
    const { registry, store } = await lonePeer()
    const updates = registry.subscribe({ kind: 'all' })
    await ingest(store, 'ada', { name: 'damaged' })
    const { catalogue } = store
    const [damaged] = catalogue.changes({ after: 0, limit: 1 })
    const changes = catalogue.changes.bind(catalogue)
    catalogue.changes = (options) => changes(options).filter(({ sequence }) => sequence !== damaged?.sequence)
    const taking = take(updates, 1)
    await new Promise((resolve) => setImmediate(resolve))
    await ingest(store, 'ada', { name: 'sound' })
    expect(ids(await taking)).toEqual(['sound@1.0.0'])
  })

  it('ends when its signal aborts, while it waits or not, and listens no more', async () => {
    const { registry, store } = await lonePeer()
    const controller = new AbortController()
    const { signal } = controller
    const waiting = Array.fromAsync(registry.subscribe({ kind: 'all' }, { signal }))
    await ingest(store, 'ada', { name: 'a' })
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    expect(ids(await waiting)).toEqual(['a@1.0.0'])
    expect(await Array.fromAsync(registry.subscribe({ kind: 'all' }, { signal }))).toEqual([])
  })

  it('ends when the registry stops', async () => {
    const { registry } = await lonePeer()
    const ending = Array.fromAsync(registry.subscribe({ kind: 'all' }))
    await new Promise((resolve) => setImmediate(resolve))
    await registry.stop()
    expect(await ending).toEqual([])
  })

  it('refuses a cursor that marks nothing here', async () => {
    const [here, there] = [await lonePeer(), await lonePeer()]
    const updates = there.registry.subscribe({ kind: 'all' })
    await ingest(there.store, 'ada', { name: 'a' })
    await ingest(here.store, 'bob', { name: 'b' })
    const [foreign] = await take(updates, 1)
    for (const cursor of [
      foreign?.cursor ?? '',
      '',
      '1',
      'zzzz',
      `5-${'a'.repeat(16)}`,
      '-1',
      '1'.repeat(500)
    ]) {
      const following = take(here.registry.subscribe({ kind: 'all' }, { after: cursor }), 1)
      await expect(following).rejects.toMatchObject({ code: 'ERR_INVALID_CURSOR' })
    }
  })
})

it('looks but once at statements about versions that there are not', async () => {
  const { store } = await lonePeer()
  const { catalogue } = store
  const { id: owner, inception, signer } = await seededOwner('ada')
  const looked: number[] = []
  const watched: Pick<Catalogue, 'changes' | 'onChange' | 'sequence'> = {
    changes(options) {
      looked.push(options.after)
      return catalogue.changes(options)
    },
    onChange: (listener) => catalogue.onChange(listener),
    get sequence() {
      return catalogue.sequence
    }
  }
  const ending = new AbortController()
  const next = follow(watched, { kind: 'all' }, 0, ending.signal).next()
  await catalogue.ingest([inception])
  for (const number of [1, 2, 3]) {
    const version = parseVersion(`${number}.0.0`)
    const fact = { field: 'deprecation', version, message: 'Never made' } as const
    await catalogue.ingest([await signStatement(makeStatement({ owner, name: 'ghost', fact }), signer)])
  }
  await ingest(store, 'ada', { name: 'seen' })
  expect(await next).toMatchObject({ value: { sequence: 4 } })
  expect(looked.at(-1)).toBe(3)
  ending.abort()
})
