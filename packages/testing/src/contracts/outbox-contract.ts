import { recordIdOf, signAttestation, signRelease, signStatement } from '@registry/identity'
import type { RecordId, RegistryStore } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { describeContent } from '../content.ts'
import { makeAttestation, makeRelease, makeStatement, seededBytes, seededOwner } from '../seeded.ts'
import { type Contract, type StoreSubject, streamOf } from './contract.ts'

/** What every `Outbox` does; its entries come from `publish`. */
export function outboxContract({ name, create }: Contract<StoreSubject>): void {
  describe(`outbox contract: ${name}`, () => {
    it('holds one entry, due at once, for each release published', async () => {
      await using subject = await create()
      const { outbox } = subject.store
      const nowMs = subject.clock.now()
      expect(outbox.size).toBe(0)
      expect(outbox.nextDueMs()).toBeUndefined()
      const [first, second] = await publishVersions(subject.store, ['1.0.0', '1.1.0'])
      expect(outbox.size).toBe(2)
      expect(outbox.nextDueMs()).toBeLessThanOrEqual(nowMs)
      const due = outbox.due({ nowMs, limit: 10 })
      expect(due).toMatchObject([
        {
          record: first,
          content: describeContent(seededBytes('example@1.0.0', 64)).cid,
          attempts: 0,
          pushed: false,
          provided: false
        },
        {
          record: second,
          content: describeContent(seededBytes('example@1.1.0', 64)).cid,
          attempts: 0,
          pushed: false,
          provided: false
        }
      ])
      expect(due[1]?.sequence).toBeGreaterThan(due[0]?.sequence ?? Number.POSITIVE_INFINITY)
      expect(outbox.due({ nowMs, limit: 1 })).toEqual(due.slice(0, 1))
    })

    it('holds one entry without a content for each statement and attestation published', async () => {
      await using subject = await create()
      const { outbox } = subject.store
      await publishVersions(subject.store, ['1.0.0'])
      const { id: owner, signer } = await seededOwner(0)
      const statement = await signStatement(makeStatement(), signer)
      const attestation = await signAttestation(makeAttestation({ issuer: owner }), signer)
      expect(await subject.store.publish([statement, attestation])).toEqual([
        recordIdOf(statement),
        recordIdOf(attestation)
      ])
      const due = outbox.due({ nowMs: subject.clock.now(), limit: 10 })
      expect(due.slice(1)).toEqual([
        { sequence: 2, record: recordIdOf(statement), attempts: 0, pushed: false, provided: false },
        { sequence: 3, record: recordIdOf(attestation), attempts: 0, pushed: false, provided: false }
      ])
    })

    it('lets an entry rest until its next attempt and remembers what is done', async () => {
      await using subject = await create()
      const { outbox } = subject.store
      const nowMs = subject.clock.now()
      await publishVersions(subject.store, ['1.0.0'])
      const [entry] = outbox.due({ nowMs, limit: 1 })
      if (entry === undefined) throw new Error('Nothing is due')
      outbox.record(entry.sequence, { pushed: true, provided: false, nextAttemptMs: nowMs + 500 })
      expect(outbox.size).toBe(1)
      expect(outbox.nextDueMs()).toBe(nowMs + 500)
      expect(outbox.due({ nowMs: nowMs + 499, limit: 1 })).toEqual([])
      expect(outbox.due({ nowMs: nowMs + 500, limit: 1 })).toEqual([{ ...entry, attempts: 1, pushed: true }])
    })

    it('forgets an entry once both parts are done', async () => {
      await using subject = await create()
      const { outbox } = subject.store
      const nowMs = subject.clock.now()
      await publishVersions(subject.store, ['1.0.0', '1.1.0'])
      const [first, second] = outbox.due({ nowMs, limit: 2 })
      if (first === undefined || second === undefined) throw new Error('Two entries must be due')
      outbox.record(first.sequence, { pushed: true, provided: true, nextAttemptMs: nowMs })
      expect(outbox.due({ nowMs, limit: 2 })).toEqual([second])
      outbox.record(second.sequence, { pushed: true, provided: true, nextAttemptMs: nowMs })
      expect(outbox.size).toBe(0)
      expect(outbox.nextDueMs()).toBeUndefined()
    })

    it('ignores progress of an entry it does not have', async () => {
      await using subject = await create()
      const { outbox } = subject.store
      outbox.record(4711, { pushed: true, provided: false, nextAttemptMs: 0 })
      expect(outbox.size).toBe(0)
    })
  })
}

async function publishVersions(store: RegistryStore, versions: readonly string[]): Promise<RecordId[]> {
  const owner = await seededOwner(0)
  const envelopes = [owner.inception]
  for (const version of versions) {
    await store.blobs.add(streamOf(seededBytes(`example@${version}`, 64)))
    envelopes.push(await signRelease(makeRelease({ owner: owner.id, version }), owner.signer))
  }
  return store.publish(envelopes)
}
