import { hash } from 'node:crypto'
import { seededBytes } from '@registry/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Fingerprint } from '../src/fingerprint.ts'
import { recordKeyOf } from '../src/record-key.ts'
import { runningStore } from './folder-store.ts'
import { signedBy } from './signed-records.ts'

/** From scratch, with whole numbers. */
function fingerprintOf(members: readonly Uint8Array[]): string {
  const sum = members.reduce((total, member) => {
    const digest = hash('sha256', Buffer.concat([Buffer.from('p2p-registry/fingerprint/1\0'), member]))
    return total + BigInt(`0x${digest}`)
  }, 0n)
  return (sum % 2n ** 256n).toString(16).padStart(64, '0')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

it('equals the one computed from scratch, whatever came and went before', () => {
  const member = fc.nat(40).map((seed) => seededBytes(seed))
  fc.assert(
    fc.property(fc.array(member), fc.array(member), (kept, gone) => {
      const fingerprint = new Fingerprint()
      for (const one of [...kept, ...gone]) fingerprint.add(one)
      // Also from where another one left off.
      const resumed = new Fingerprint(fingerprint.bytes())
      for (const one of gone.toReversed()) resumed.remove(one)
      expect(hex(resumed.bytes())).toBe(fingerprintOf(kept))
    })
  )
})

it('of a catalogue equals that of its record IDs, as they come and after a restart', async () => {
  const store = await runningStore()
  const { inception, releases } = await signedBy(0, ...['a', 'b', 'c'].map((name) => ({ name })))
  const fromScratch = (): string => {
    const { ids } = store.catalogue.recordIds({ scope: { kind: 'all' }, limit: 100 })
    return fingerprintOf(ids.map(recordKeyOf))
  }
  expect(hex(store.catalogue.summary().fingerprint)).toBe('00'.repeat(32))
  for (const record of [inception, ...releases]) {
    await store.catalogue.ingest([record])
    expect(hex(store.catalogue.summary().fingerprint)).toBe(fromScratch())
  }
  const before = store.catalogue.summary()
  await store.stop()
  await store.start()
  expect(store.catalogue.summary()).toEqual(before)
})
