import { signRelease } from '@registry/identity'
import { makeRelease, type ReleaseInput, seededBytes, seededOwner } from '@registry/testing'
import type { RegistryStore } from '@registry/types'
import { expect, it } from 'vitest'
import { pieces, runningStore } from './folder-store.ts'

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
  expect(published.map(({ release }) => `${release.name}@${release.version}`)).toEqual([
    'a@1.0.0',
    'b@1.0.0',
    'a@1.1.0'
  ])
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
  expect(store.catalogue.changes({ after: 1, limit: 9 })).toMatchObject([
    { sequence: 2, firstOfPackage: false }
  ])
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
