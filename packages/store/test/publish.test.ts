import { recordIdOf, signRelease } from '@registry/identity'
import { makeRelease, type ReleaseInput, seededBytes, seededOwner, seededOwnerId } from '@registry/testing'
import { type ContentId, parsePackageName, parseVersion, type RegistryStore } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { pieces, runningStore } from './folder-store.ts'
import { attested, stated } from './signed-records.ts'

async function prepared(store: RegistryStore, ...inputs: ReleaseInput[]): Promise<Uint8Array[]> {
  const owner = await seededOwner(0)
  const releases = inputs.map((input) => makeRelease({ ...input, owner: owner.id }))
  for (const { name, version } of releases)
    await store.blobs.add(pieces(seededBytes(`${name}@${version}`, 64)))
  return [
    owner.inception,
    ...(await Promise.all(releases.map((release) => signRelease(release, owner.signer))))
  ]
}

it('publishes many releases in one transaction', async () => {
  const store = await runningStore()
  const envelopes = await prepared(store, { name: 'a' }, { name: 'b' }, { name: 'a', version: '1.1.0' })
  const sequences: number[] = []
  store.catalogue.onChange((sequence) => sequences.push(sequence))
  const published = await store.publish(envelopes)
  expect(published).toEqual(envelopes.slice(1).map(recordIdOf))
  expect(store.outbox.size).toBe(3)
  expect(sequences).toEqual([3])
})

it('refuses the same release again, two of one version together, and one that came from elsewhere', async () => {
  const store = await runningStore()
  const first = await prepared(store, { name: 'a' })
  await store.publish(first)
  const exists = { code: 'ERR_VERSION_EXISTS', details: { name: 'a', version: '1.0.0' }, retryable: false }
  await expect(store.publish(first)).rejects.toMatchObject(exists)
  const twice = await prepared(store, { name: 'b' }, { name: 'b', description: 'another' })
  await expect(store.publish(twice)).rejects.toMatchObject({ code: 'ERR_VERSION_EXISTS' })
  const elsewhere = await prepared(store, { name: 'c' })
  await store.catalogue.ingest(elsewhere)
  await expect(store.publish(elsewhere)).rejects.toMatchObject({ code: 'ERR_VERSION_EXISTS' })
  expect(store.outbox.size).toBe(1)
  expect(store.catalogue.counts()).toEqual({ owners: 1, packages: 2, releases: 2 })
})

it('refuses a release whose size or integrity is not that of its content', async () => {
  const store = await runningStore()
  for (const wrong of [{ size: 65 }, { integrity: `sha512-${'A'.repeat(86)}==` }]) {
    const envelopes = await prepared(store, wrong)
    await expect(store.publish(envelopes)).rejects.toMatchObject({ code: 'ERR_HASH_MISMATCH' })
  }
  expect(store.catalogue.summary().records).toBe(0)
})

it('goes on with the numbers of its outbox and its sequence after a restart', async () => {
  const store = await runningStore()
  await store.publish(await prepared(store, { version: '1.0.0' }))
  const [entry] = store.outbox.due({ nowMs: store.clock.now(), limit: 1 })
  store.outbox.record(entry?.sequence ?? 0, { pushed: true, provided: true, nextAttemptMs: 0 })
  await store.stop()
  await store.start()
  await store.publish(await prepared(store, { version: '1.1.0' }))
  expect(store.outbox.due({ nowMs: store.clock.now(), limit: 9 })).toMatchObject([{ sequence: 2 }])
  expect(store.catalogue.changes({ after: 1, limit: 9 })).toMatchObject([{ sequence: 2, type: 'NewVersion' }])
})

it('does not let a listener that fails undo or hide what was accepted', async () => {
  const store = await runningStore()
  let heard = 0
  store.catalogue.onChange(() => {
    throw new Error('the listener fails')
  })
  store.catalogue.onChange(() => {
    heard += 1
  })
  await store.publish(await prepared(store, {}))
  expect(heard).toBe(1)
  expect(store.catalogue.counts().releases).toBe(1)
})

describe('a statement', () => {
  const version = parseVersion('1.0.0')

  it('is published with releases in one transaction, or nothing is', async () => {
    const store = await runningStore()
    const tag = await stated(0, { field: 'dist-tag', tag: 'next', version }, { name: 'a' })
    const good = await prepared(store, { name: 'a' })
    const [, bad = expect.fail()] = await prepared(store, { name: 'b', size: 65 })
    await expect(store.publish([...good, tag, bad])).rejects.toMatchObject({ code: 'ERR_HASH_MISMATCH' })
    expect(store.catalogue.summary().records).toBe(0)
    expect(store.catalogue.counts()).toEqual({ owners: 0, packages: 0, releases: 0 })
    expect(store.outbox.size).toBe(0)
    const published = await store.publish([tag, ...good])
    expect(published).toEqual([tag, ...good.slice(1)].map(recordIdOf))
    expect(store.outbox.due({ nowMs: store.clock.now(), limit: 9 }).map(({ record }) => record)).toEqual(
      published
    )
    expect(store.catalogue.counts()).toEqual({ owners: 1, packages: 1, releases: 1 })
  })

  it('is refused as stale with a seq that is taken, also by another in the same call', async () => {
    const store = await runningStore()
    const yank = (seq: number, reason: string | null): Promise<Uint8Array> =>
      stated(0, { field: 'yank', version, reason }, { seq })
    await store.publish([...(await prepared(store, {})), await yank(2, 'Broken')])
    const stale = { code: 'ERR_STALE_STATEMENT', retryable: true, details: { field: 'yank 1.0.0' } }
    for (const seqs of [[1], [2], [4, 3], [3, 4], [3, 3]]) {
      const batch = await Promise.all(seqs.map((seq, index) => yank(seq, `Reason ${index}`)))
      await expect(store.publish(batch)).rejects.toMatchObject(stale)
    }
    expect(store.outbox.size).toBe(2)
    expect(await store.publish([await yank(3, null)])).toHaveLength(1)
  })

  it('that unpublishes lets go of the content, and the number is never used again', async () => {
    const store = await runningStore({ quotaBytes: 150 })
    await store.publish(await prepared(store, {}))
    const { cid } = store.blobs.list({ limit: 1 })[0] ?? expect.fail()
    const large = seededBytes('large', 140)
    await expect(store.blobs.add(pieces(large))).rejects.toMatchObject({ code: 'ERR_QUOTA_EXCEEDED' })
    await store.publish([await stated(0, { field: 'unpublish', version, reason: '' })])
    await store.blobs.add(pieces(large))
    expect(store.blobs.has(cid)).toBe(false)
    await expect(store.publish(await prepared(store, { description: 'Again' }))).rejects.toMatchObject({
      code: 'ERR_VERSION_EXISTS',
      hint: expect.stringContaining('never used again')
    })
    const key = { owner: seededOwnerId(0), name: parsePackageName('example'), version }
    expect(store.catalogue.isUnpublished(key)).toBe(true)
  })

  it('that unpublishes keeps a content that another release published here has too, or that is pinned', async () => {
    const store = await runningStore({ quotaBytes: 150 })
    const content = await describeAdded(store)
    const owner = await seededOwner(0)
    const releases = await Promise.all(
      ['a', 'b'].map((name) => signRelease(makeRelease({ owner: owner.id, name, ...content }), owner.signer))
    )
    await store.publish([owner.inception, ...releases])
    const unpublish = (name: string): Promise<Uint8Array> =>
      stated(0, { field: 'unpublish', version, reason: '' }, { name })
    const crowd = (seed: string): Promise<unknown> => store.blobs.add(pieces(seededBytes(seed, 140)))
    await store.publish([await unpublish('a')])
    await expect(crowd('one')).rejects.toMatchObject({ code: 'ERR_QUOTA_EXCEEDED' })
    store.blobs.pin(content.content)
    // As when it was unpublished on another machine of the same owner.
    await store.catalogue.ingest([await unpublish('b')])
    await expect(crowd('two')).rejects.toMatchObject({ code: 'ERR_QUOTA_EXCEEDED' })
    store.blobs.unpin(content.content)
    await crowd('three')
    expect(store.blobs.has(content.content)).toBe(false)
  })

  it('and a release of one version are never published together once it is unpublished', async () => {
    const store = await runningStore()
    const unpublish = await stated(0, { field: 'unpublish', version, reason: '' })
    const release = await prepared(store, {})
    await expect(
      store.publish([...release.slice(0, 1), unpublish, ...release.slice(1)])
    ).rejects.toMatchObject({
      code: 'ERR_VERSION_EXISTS'
    })
    expect(store.catalogue.summary().records).toBe(0)
    await store.publish([...release, unpublish])
    expect(store.catalogue.counts()).toEqual({ owners: 1, packages: 0, releases: 0 })
  })
})

it('announces an attestation again when it is published again', async () => {
  const store = await runningStore()
  const owner = await seededOwner(0)
  const review = await attested(0)
  const id = recordIdOf(review)
  expect(await store.publish([owner.inception, review])).toEqual([id])
  expect(await store.publish([review])).toEqual([id])
  expect(store.outbox.size).toBe(2)
  expect(store.catalogue.summary().records).toBe(2)
})

async function describeAdded(
  store: RegistryStore
): Promise<{ content: ContentId; size: number; integrity: string }> {
  const { cid: content, size, integrity } = await store.blobs.add(pieces(seededBytes('shared', 64)))
  return { content, size, integrity }
}
