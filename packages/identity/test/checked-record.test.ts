import { isRegistryError, type OwnerDocument, type OwnerId } from '@registry/types'
import { expect, it } from 'vitest'
import {
  authorizeRecord,
  checkRecord,
  createOwner,
  createSigner,
  signAttestation,
  signRelease,
  signStatement,
  verifyRecord
} from '../src/index.ts'
import { exampleAttestation, exampleRelease, exampleStatement } from './golden.ts'

type Documents = (id: OwnerId) => OwnerDocument | undefined

const signers = [1, 2].map((fill) => createSigner(new Uint8Array(32).fill(fill)))

function verdict(check: () => unknown): unknown {
  try {
    return check()
  } catch (error) {
    if (!isRegistryError(error)) throw error
    return error.toJSON()
  }
}

/** As it comes from another thread. */
function inTwoParts(bytes: Uint8Array, documents: Documents): unknown {
  return verdict(() => authorizeRecord(structuredClone(checkRecord(bytes)), documents))
}

it('says the same in two parts as at once, of sound, foreign and damaged records of every kind', async () => {
  const [signer, other] = signers
  if (signer === undefined || other === undefined) expect.fail('no signers')
  const owner = await createOwner(signer, new Uint8Array(16))
  const release = exampleRelease(owner.id)
  const records = [
    owner.inception,
    await signRelease(release, signer),
    await signRelease(release, other),
    await signStatement(exampleStatement(owner.id), signer),
    await signAttestation(exampleAttestation(owner.id), signer)
  ]
  const document: OwnerDocument = { keys: [signer.publicKey], threshold: 1, nonce: new Uint8Array(16) }
  const anyOf: Documents[] = [
    () => document,
    () => ({ ...document, keys: [other.publicKey] }),
    () => undefined
  ]
  const seen = new Set<unknown>()
  for (const bytes of records) {
    const damaged = [bytes.with(bytes.length - 1, 1), bytes.with(9, 0), bytes.subarray(1), bytes.with(-70, 0)]
    for (const documents of anyOf) {
      for (const given of [bytes, ...damaged]) {
        const atOnce = verdict(() => verifyRecord(given, documents))
        expect(inTwoParts(given, documents)).toEqual(atOnce)
        seen.add(typeof atOnce === 'object' && atOnce !== null && 'code' in atOnce ? atOnce.code : 'passed')
      }
    }
  }
  expect([...seen].toSorted()).toEqual([
    'ERR_BAD_SIGNATURE',
    'ERR_INVALID_RECORD',
    'ERR_OWNER_UNKNOWN',
    'passed'
  ])
})
