import { recordIdOf, signRelease, signStatement } from '@registry/identity'
import { type OwnerIdentity, parseVersion, type RegistryStore, type StatementFact } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { makeRelease, makeStatement, type ReleaseInput, seededBytes, seededOwner } from '../seeded.ts'
import { blobStoreContract } from './blob-store-contract.ts'
import { catalogueContract } from './catalogue-contract.ts'
import { type Contract, rejection, type StoreOptions, type StoreSubject, streamOf } from './contract.ts'
import { outboxContract } from './outbox-contract.ts'

/** What every `RegistryStore` does: the contracts of its three parts, and publishing through all of them at once. */
export function registryStoreContract({ name, create }: Contract<StoreSubject, StoreOptions>): void {
  catalogueContract({
    name,
    create: async () => {
      const subject = await create({})
      return {
        catalogue: subject.store.catalogue,
        clock: subject.clock,
        [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose]()
      }
    }
  })
  blobStoreContract({
    name,
    create: async (options) => {
      const subject = await create(options)
      return {
        blobs: subject.store.blobs,
        damageBlock: (cid) => subject.damageBlock(cid),
        [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose]()
      }
    }
  })
  outboxContract({ name, create: () => create({}) })

  describe(`registry store contract: ${name}`, () => {
    it('publishes record, content and duty to announce together', async () => {
      await using subject = await create({})
      const { store } = subject
      const { envelopes, id, owner } = await prepared(store, {})
      const published = await store.publish(envelopes)
      expect(published).toEqual([id])
      expect(store.catalogue.has(id)).toBe(true)
      expect(store.catalogue.has(recordIdOf(owner.inception))).toBe(true)
      expect(store.outbox.due({ nowMs: subject.clock.now(), limit: 10 }).map(({ record }) => record)).toEqual(
        [id]
      )
    })

    it('tells of a published release as of any other', async () => {
      await using subject = await create({})
      const { store } = subject
      const sequences: number[] = []
      store.catalogue.onChange((sequence) => sequences.push(sequence))
      const { envelopes } = await prepared(store, {})
      await store.publish(envelopes)
      expect(sequences).toEqual([1])
      expect(store.catalogue.changes({ after: 0, limit: 10 })).toMatchObject([
        { sequence: 1, type: 'NewPackage' }
      ])
    })

    it('pins what was published', async () => {
      await using subject = await create({ quotaBytes: 100_000 })
      const { store } = subject
      const bytes = seededBytes('content', 60_000)
      const { cid, size, integrity } = await store.blobs.add(streamOf(bytes))
      const owner = await seededOwner(0)
      const release = makeRelease({ content: cid, size, integrity, owner: owner.id })
      await store.publish([owner.inception, await signRelease(release, owner.signer)])
      const more = store.blobs.add(streamOf(seededBytes('more', 60_000)))
      expect(await rejection(more)).toMatchObject({ code: 'ERR_QUOTA_EXCEEDED' })
      expect(store.blobs.has(cid)).toBe(true)
    })

    it('lets go of the content of a version that is unpublished, and burns its number', async () => {
      await using subject = await create({})
      const { store } = subject
      const { owner, envelopes } = await prepared(store, {})
      await store.publish(envelopes)
      const fact: StatementFact = { field: 'unpublish', version: parseVersion('1.0.0'), reason: '' }
      await store.publish([await signStatement(makeStatement({ fact }), owner.signer)])
      const other = await prepared(store, { description: 'Another one' })
      const again = await unchangedBy(store, () => store.publish(other.envelopes))
      expect(again).toMatchObject({ code: 'ERR_VERSION_EXISTS' })
    })

    it('refuses a statement when another of its field holds', async () => {
      await using subject = await create({})
      const { store } = subject
      const { owner, envelopes } = await prepared(store, {})
      const statement = (tag: string, seq: number): Promise<Uint8Array> =>
        signStatement(
          makeStatement({ seq, fact: { field: 'dist-tag', tag, version: parseVersion('1.0.0') } }),
          owner.signer
        )
      await store.publish(envelopes)
      await store.publish([await statement('next', 2)])
      const stale = await statement('next', 1)
      expect(await unchangedBy(store, () => store.publish([stale]))).toMatchObject({
        code: 'ERR_STALE_STATEMENT'
      })
      await store.publish([await statement('beta', 1)])
    })

    it('refuses a version published before, also with the same content', async () => {
      await using subject = await create({})
      const { store } = subject
      const first = await prepared(store, {})
      await store.publish(first.envelopes)
      const other = await prepared(store, { description: 'Another one' })
      const again = await unchangedBy(store, () => store.publish(other.envelopes))
      expect(again).toMatchObject({ code: 'ERR_VERSION_EXISTS' })
    })

    it('changes nothing when the content is not stored', async () => {
      await using subject = await create({})
      const { store } = subject
      const owner = await seededOwner(0)
      const envelope = await signRelease(makeRelease({ owner: owner.id }), owner.signer)
      const error = await unchangedBy(store, () => store.publish([owner.inception, envelope]))
      expect(error).toMatchObject({ code: 'ERR_NOT_STORED' })
    })

    it('changes nothing when one of several records is refused', async () => {
      await using subject = await create({})
      const { store } = subject
      const good = await prepared(store, {})
      const stranger = await seededOwner('stranger')
      await store.blobs.add(streamOf(seededBytes('example@2.0.0', 64)))
      const forged = await signRelease(
        makeRelease({ owner: good.owner.id, version: '2.0.0' }),
        stranger.signer
      )
      const error = await unchangedBy(store, () => store.publish([...good.envelopes, forged]))
      expect(error).toMatchObject({ code: 'ERR_BAD_SIGNATURE' })
      const orphan = await unchangedBy(store, () => store.publish(good.envelopes.slice(1)))
      expect(orphan).toMatchObject({ code: 'ERR_OWNER_UNKNOWN' })
      await store.publish(good.envelopes)
    })

    it('can be started and stopped twice', async () => {
      await using subject = await create({})
      await subject.store.start()
      await subject.store.stop()
      await subject.store.stop()
    })
  })
}

interface Prepared {
  owner: OwnerIdentity
  id: ReturnType<typeof recordIdOf>
  /** The owner's inception and the release, whose content is in the store. */
  envelopes: Uint8Array[]
}

async function prepared(store: RegistryStore, input: ReleaseInput): Promise<Prepared> {
  const owner = await seededOwner(0)
  const release = makeRelease({ ...input, owner: owner.id })
  await store.blobs.add(streamOf(seededBytes(`${release.name}@${release.version}`, 64)))
  const envelope = await signRelease(release, owner.signer)
  return { owner, id: recordIdOf(envelope), envelopes: [owner.inception, envelope] }
}

/** What the publish rejected with, after a look that it left nothing behind. */
async function unchangedBy(store: RegistryStore, publish: () => Promise<unknown>): Promise<unknown> {
  const state = (): unknown => [
    store.catalogue.summary(),
    store.catalogue.counts(),
    store.catalogue.sequence,
    store.outbox.size
  ]
  const before = state()
  const error = await rejection(publish())
  expect(state()).toEqual(before)
  return error
}
