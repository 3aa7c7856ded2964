import { expect, it } from 'vitest'
import * as identity from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(identity).sort()).toEqual([
    'AmbiguousNameError',
    'BadSignatureError',
    'CorruptKeyError',
    'InvalidRecordError',
    'KeyFileError',
    'OwnerUnknownError',
    'authorizeRecord',
    'checkRecord',
    'createOwner',
    'createSigner',
    'decodeEnvelope',
    'encodeEnvelope',
    'generatePrivateKey',
    'loadOrCreateKeyFile',
    'loadOrCreateOwner',
    'ownerIdOf',
    'readRecord',
    'recordIdOf',
    'resolveOwner',
    'signAttestation',
    'signRelease',
    'signStatement',
    'signingOwnerOf',
    'verifyRecord'
  ])
})
