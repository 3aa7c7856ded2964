import { readFileSync } from 'node:fs'
import { encode } from '@ipld/dag-cbor'
import {
  type Envelope,
  isRegistryError,
  type OwnerDocument,
  type OwnerId,
  PROTOCOL_LIMITS,
  type RecordKind,
  type Release,
  type Signer
} from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signedBytes } from '../src/envelope.ts'
import {
  createOwner,
  createSigner,
  decodeEnvelope,
  encodeEnvelope,
  ownerIdOf,
  recordIdOf,
  signRelease,
  verifyRecord
} from '../src/index.ts'
import {
  exampleRelease,
  KEY,
  NONCE,
  OWNER_ENVELOPE,
  OWNER_ID,
  OWNER_RECORD_ID,
  RELEASE_ENVELOPE,
  RELEASE_RECORD_ID
} from './golden.ts'

const signers = [1, 2, 3].map((fill) => createSigner(new Uint8Array(32).fill(fill)))
const [first, second, third] = signers as [Signer, Signer, Signer]
const nobody = (): undefined => undefined

function fault(code: `ERR_${string}`, reason?: RegExp): object {
  return expect.toSatisfy(
    (error: unknown) =>
      isRegistryError(error, code) && (reason === undefined || reason.test(String(error.details.reason)))
  )
}

/** A record signed by these, whether or not it is valid. */
async function sealed(kind: RecordKind, payload: Uint8Array, by: readonly Signer[]): Promise<Uint8Array> {
  const message = signedBytes(kind, payload)
  const signatures = by.map(async ({ publicKey, sign }) => ({
    key: publicKey,
    signature: await sign(message)
  }))
  return encode({ kind, payload, signatures: sorted(await Promise.all(signatures)) })
}

function sorted(signatures: Envelope['signatures']): Envelope['signatures'] {
  return signatures.toSorted((a, b) => Buffer.compare(a.key, b.key))
}

function shared(threshold: number): { document: OwnerDocument; owner: OwnerId } {
  const document = { keys: [first.publicKey, second.publicKey], threshold, nonce: new Uint8Array(16) }
  return { document, owner: ownerIdOf(document) }
}

describe('golden vectors', () => {
  it('give the owner ID, the record IDs and the bytes that the protocol document shows', async () => {
    const signer = createSigner(KEY)
    const owner = await createOwner(signer, NONCE)
    const release = await signRelease(exampleRelease(owner.id), signer)
    expect(owner.id).toBe(OWNER_ID)
    expect(Buffer.from(owner.inception).toString('hex')).toBe(OWNER_ENVELOPE)
    expect(recordIdOf(owner.inception)).toBe(OWNER_RECORD_ID)
    expect(Buffer.from(release).toString('hex')).toBe(RELEASE_ENVELOPE)
    expect(recordIdOf(release)).toBe(RELEASE_RECORD_ID)
  })

  it('stand in the protocol document', () => {
    const text = readFileSync(new URL('../../../docs/protocol/records.md', import.meta.url), 'utf8')
    for (const id of [OWNER_ID, OWNER_RECORD_ID, RELEASE_RECORD_ID]) expect(text).toContain(id)
    const dump = text.replaceAll(/ *#.*$/gm, '').replaceAll(/\s+/g, '')
    expect(dump).toContain(OWNER_ENVELOPE)
    expect(dump).toContain(RELEASE_ENVELOPE)
  })
})

describe('an owner record', () => {
  it('gives the document whose hash is the owner', async () => {
    const owner = await createOwner(first, NONCE)
    expect(verifyRecord(owner.inception, nobody)).toEqual({
      id: recordIdOf(owner.inception),
      kind: 'owner',
      owner: owner.id,
      document: { keys: [first.publicKey], threshold: 1, nonce: NONCE }
    })
  })

  it('is another owner with another key, and with another nonce', async () => {
    const ids = await Promise.all([
      createOwner(first, NONCE),
      createOwner(second, NONCE),
      createOwner(first, new Uint8Array(16)),
      createOwner(first),
      createOwner(first)
    ])
    expect(new Set(ids.map(({ id }) => id)).size).toBe(5)
    expect((await createOwner(first, NONCE)).id).toBe(ids[0]?.id)
  })

  it('is refused unless exactly the threshold of its own keys has signed', async () => {
    const { document, owner } = shared(2)
    const payload = encode(document)
    expect(verifyRecord(await sealed('owner', payload, [first, second]), nobody)).toMatchObject({ owner })
    for (const by of [[first], [second], [first, third], [first, second, third]]) {
      const bytes = await sealed('owner', payload, by)
      expect(() => verifyRecord(bytes, nobody)).toThrow(fault('ERR_BAD_SIGNATURE'))
    }
    const lower = await sealed('owner', encode(shared(1).document), [first, second])
    expect(() => verifyRecord(lower, nobody)).toThrow(fault('ERR_BAD_SIGNATURE', /not exactly 1/))
  })

  it('is refused with a key of small order, which anybody could sign with', async () => {
    const identity = new Uint8Array(32).with(0, 1)
    const document = { keys: [first.publicKey, identity], threshold: 1, nonce: NONCE }
    const bytes = await sealed('owner', encode(document), [first])
    expect(() => verifyRecord(bytes, nobody)).toThrow(fault('ERR_INVALID_RECORD', /small order/))
    expect(() => ownerIdOf(document)).toThrow(fault('ERR_INVALID_RECORD', /small order/))
  })

  it('is refused with a nonce of another length', async () => {
    await expect(createOwner(first, new Uint8Array(15))).rejects.toThrow(fault('ERR_INVALID_RECORD', /nonce/))
  })
})

describe('a release record', () => {
  it('gives the release that was signed', async () => {
    const { document, owner } = shared(1)
    const release = exampleRelease(owner)
    for (const signer of [first, second]) {
      const bytes = await signRelease(release, signer)
      expect(verifyRecord(bytes, (id) => (id === owner ? document : undefined))).toEqual({
        id: recordIdOf(bytes),
        kind: 'release',
        release
      })
    }
  })

  it('may pass later when its owner is not known yet', async () => {
    const bytes = await signRelease(exampleRelease(shared(1).owner), first)
    expect(() => verifyRecord(bytes, nobody)).toThrow(fault('ERR_OWNER_UNKNOWN'))
    expect(() => verifyRecord(bytes, nobody)).toThrow(expect.objectContaining({ retryable: true }))
  })

  it.each([1, 2])(
    'is refused unless exactly %i of its owner’s keys have signed, and nobody else',
    async (threshold) => {
      const { document, owner } = shared(threshold)
      const payload = encode(exampleRelease(owner))
      for (const by of [[first], [second], [third], [first, second], [first, third], [...signers]]) {
        const bytes = await sealed('release', payload, by)
        if (by.length === threshold && !by.includes(third)) verifyRecord(bytes, () => document)
        else expect(() => verifyRecord(bytes, () => document)).toThrow(fault('ERR_BAD_SIGNATURE'))
      }
    }
  )

  it('is refused when its signature was made for a record of another kind', async () => {
    const { document, owner } = shared(1)
    const payload = encode(exampleRelease(owner))
    const signature = await first.sign(signedBytes('owner', payload))
    const bytes = encodeEnvelope({
      kind: 'release',
      payload,
      signatures: [{ key: first.publicKey, signature }]
    })
    expect(() => verifyRecord(bytes, () => document)).toThrow(fault('ERR_BAD_SIGNATURE'))
  })

  it('is refused before it is signed when it is too large or out of bounds', async () => {
    const release = exampleRelease(shared(1).owner)
    const keywords = Array.from({ length: 64 }, () => 'k'.repeat(256))
    const features = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`${index}`, 'f'.repeat(1024)])
    )
    await expect(signRelease({ ...release, keywords, features }, first)).rejects.toThrow(
      fault('ERR_INVALID_RECORD', /bytes, more than the 65536 allowed/)
    )
    await expect(signRelease({ ...release, size: -1 }, first)).rejects.toThrow(
      fault('ERR_INVALID_RECORD', /size/)
    )
  })
})

describe('an envelope', () => {
  const signature = fc.record({
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    signature: fc.uint8Array({ minLength: 64, maxLength: 64 })
  })
  const envelope: fc.Arbitrary<Envelope> = fc.record({
    kind: fc.constantFrom<RecordKind>('owner', 'release'),
    payload: fc.uint8Array({ maxLength: 300 }),
    signatures: fc.uniqueArray(signature, { minLength: 1, maxLength: 16, selector: ({ key }) => key.join() })
  })

  it('is read back as it was written, its signatures in the order of their keys', () => {
    fc.assert(
      fc.property(envelope, (value) => {
        const bytes = encodeEnvelope(value)
        const read = decodeEnvelope(bytes)
        expect(read).toEqual({ ...value, signatures: sorted(value.signatures) })
        expect(encodeEnvelope(read)).toEqual(bytes)
      })
    )
  })

  it('is refused with signatures in any other order, or with two of one key', () => {
    fc.assert(
      fc.property(envelope, ({ kind, payload, signatures }) => {
        fc.pre(signatures.length > 1)
        const backwards = encode({ kind, payload, signatures: sorted(signatures).toReversed() })
        expect(() => decodeEnvelope(backwards)).toThrow(fault('ERR_INVALID_RECORD', /order/))
        const twice = { kind, payload, signatures: [...signatures.slice(1), ...signatures.slice(-1)] }
        expect(() => encodeEnvelope(twice)).toThrow(fault('ERR_INVALID_RECORD', /distinct/))
      })
    )
  })

  it('is refused above 64 KiB, before it is decoded', () => {
    const bytes = new Uint8Array(PROTOCOL_LIMITS.maxRecordBytes + 1)
    expect(() => decodeEnvelope(bytes)).toThrow(fault('ERR_INVALID_RECORD', /65537 bytes/))
  })

  it('is refused with a field that is not known', () => {
    const value = { kind: 'owner', payload: NONCE, signatures: [{ key: KEY, signature: new Uint8Array(64) }] }
    expect(decodeEnvelope(encode(value))).toEqual(value)
    expect(() => decodeEnvelope(encode({ ...value, more: 1 }))).toThrow(
      fault('ERR_INVALID_RECORD', /not known/)
    )
    expect(() => decodeEnvelope(encode({ ...value, kind: 'other' }))).toThrow(
      fault('ERR_INVALID_RECORD', /kind/)
    )
    expect(() => decodeEnvelope(encode({ ...value, signatures: [] }))).toThrow(
      fault('ERR_INVALID_RECORD', /empty/)
    )
  })

  it.each([
    ['a length in more bytes than it needs', OWNER_ENVELOPE.replace('584b', '59004b')],
    ['its payload before its kind', OWNER_ENVELOPE.replace(/^a3(.{22})(.{170})/, 'a3$2$1')],
    ['a list of open end', OWNER_ENVELOPE.replace('81a2', '9fa2').concat('ff')],
    ['bytes after its end', OWNER_ENVELOPE.concat('00')],
    ['a field repeated', OWNER_ENVELOPE.replace(/^a3(.{22})/, 'a4$1$1')]
  ])('is refused with %s', (_, text) => {
    expect(text).not.toBe(OWNER_ENVELOPE)
    expect(() => decodeEnvelope(Buffer.from(text, 'hex'))).toThrow(fault('ERR_INVALID_RECORD'))
  })
})

describe('bytes from anywhere', () => {
  const codes = ['ERR_INVALID_RECORD', 'ERR_BAD_SIGNATURE', 'ERR_OWNER_UNKNOWN'] as const
  const goldenOwner = (bytes: Uint8Array): OwnerDocument => {
    const record = verifyRecord(bytes, nobody)
    if (record.kind !== 'owner') throw new TypeError('not an owner')
    return record.document
  }

  function refused(bytes: Uint8Array, ownerDocument: (id: OwnerId) => OwnerDocument | undefined): boolean {
    try {
      verifyRecord(bytes, ownerDocument)
      return false
    } catch (error) {
      return codes.some((code) => isRegistryError(error, code))
    }
  }

  it('are refused with a typed error for every single bit that differs from a record', () => {
    const owner = new Uint8Array(Buffer.from(OWNER_ENVELOPE, 'hex'))
    const release = new Uint8Array(Buffer.from(RELEASE_ENVELOPE, 'hex'))
    const document = goldenOwner(owner)
    for (const bytes of [owner, release]) {
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const flipped = bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit))
          if (!refused(flipped, () => document)) throw new Error(`bit ${bit} of byte ${at} was taken`)
        }
      }
    }
  })

  it('are refused with a typed error when cut short anywhere', () => {
    const release = new Uint8Array(Buffer.from(RELEASE_ENVELOPE, 'hex'))
    for (let length = 0; length < release.length; length++) {
      expect(refused(release.subarray(0, length), nobody)).toBe(true)
    }
  })

  it('are refused with a typed error when random, or nested as deep as they can be', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => refused(bytes, nobody)))
    for (const opening of [0x81, 0xa1, 0xd8, 0x9f, 0xc6]) {
      expect(refused(new Uint8Array(PROTOCOL_LIMITS.maxRecordBytes).fill(opening), nobody)).toBe(true)
    }
  })

  it('keep special keys of maps as plain data', async () => {
    const { document, owner } = shared(1)
    const dependencies: Record<string, string> = JSON.parse('{"__proto__":"1.0.0","constructor":"2.0.0"}')
    const bytes = await signRelease(exampleRelease(owner, { dependencies }), first)
    const record = verifyRecord(bytes, () => document)
    const release: Partial<Release> = record.kind === 'release' ? record.release : {}
    expect(Object.entries(release.dependencies ?? {})).toEqual(
      expect.arrayContaining([
        ['__proto__', '1.0.0'],
        ['constructor', '2.0.0']
      ])
    )
  })

  it('may be a Buffer or a view into a larger one', () => {
    const owner = Buffer.from(`ffff${OWNER_ENVELOPE}ffff`, 'hex').subarray(2, -2)
    const record = verifyRecord(owner, nobody)
    expect(record.id).toBe(OWNER_RECORD_ID)
    owner.fill(0)
    expect(record.kind === 'owner' && record.document.nonce).toEqual(NONCE)
  })
})
