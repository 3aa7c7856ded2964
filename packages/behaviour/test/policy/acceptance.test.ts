import { BadSignatureError, InvalidRecordError, OwnerUnknownError, recordIdOf } from '@registry/identity'
import { seededBytes, seededOwnerId } from '@registry/testing'
import { type IngestOutcome, type PeerIdText, RegistryError } from '@registry/types'
import { expect, it } from 'vitest'
import { acceptance } from '../../src/index.ts'

const from = 'peer' as PeerIdText
const id = recordIdOf(seededBytes('a record'))
const accepted: IngestOutcome = { status: 'accepted', id }
const known: IngestOutcome = { status: 'known', id }
const refused = (error: RegistryError): IngestOutcome => ({ status: 'refused', error })
const policy = () => acceptance({ recordsPerSecondPerPeer: 10, maxPeers: 10 })

it('looks at a message within the rate', () => {
  expect(policy().handle({ type: 'received', from, unknown: 2 }, 0)).toEqual({ verdict: 'ingest' })
})

it('rejects what is no message, and blames who passed it on', () => {
  expect(policy().handle({ type: 'received', from, unknown: undefined }, 0)).toEqual({
    verdict: 'reject',
    conduct: 'forged'
  })
})

it('ignores what is over the rate, without blame, and looks again later', () => {
  const accept = policy()
  for (let times = 0; times < 10; times++) accept.handle({ type: 'received', from, unknown: 2 }, 0)
  expect(accept.handle({ type: 'received', from, unknown: 2 }, 0)).toEqual({ verdict: 'ignore' })
  expect(accept.handle({ type: 'received', from, unknown: 2 }, 200)).toEqual({ verdict: 'ingest' })
})

it('takes no share for records that are known', () => {
  const accept = policy()
  for (let times = 0; times < 1000; times++) {
    expect(accept.handle({ type: 'received', from, unknown: 0 }, 0).verdict).toBe('ingest')
  }
})

it('accepts, and passes on, what was stored or known', () => {
  expect(policy().handle({ type: 'ingested', from, outcomes: [known, accepted] }, 0)).toEqual({
    verdict: 'accept',
    conduct: 'good'
  })
  expect(policy().handle({ type: 'ingested', from, outcomes: [known, known] }, 0)).toEqual({
    verdict: 'accept'
  })
})

it.each([new InvalidRecordError('too long'), new BadSignatureError(seededOwnerId(1), 'another key')])(
  'rejects a message with a record that can never be valid: $code',
  (error) => {
    expect(policy().handle({ type: 'ingested', from, outcomes: [accepted, refused(error)] }, 0)).toEqual({
      verdict: 'reject',
      conduct: 'forged'
    })
  }
)

it.each([new OwnerUnknownError(seededOwnerId(1)), new RegistryError('ERR_STORAGE', 'The disk is full')])(
  'ignores a message that the sender may not be to blame for: $code',
  (error) => {
    expect(policy().handle({ type: 'ingested', from, outcomes: [refused(error)] }, 0)).toEqual({
      verdict: 'ignore'
    })
  }
)

it('passes on what is valid and not kept here, or does not hold any more', () => {
  const outcomes = [{ status: 'passed' }, { status: 'superseded' }] as const
  expect(policy().handle({ type: 'ingested', from, outcomes }, 0)).toEqual({ verdict: 'accept' })
})
