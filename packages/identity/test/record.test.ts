import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { encode } from '@ipld/dag-cbor'
import {
  type Envelope,
  isRegistryError,
  type OwnerDocument,
  type OwnerId,
  PROTOCOL_LIMITS,
  RECORD_KINDS,
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
  readRecord,
  recordIdOf,
  signAttestation,
  signingOwnerOf,
  signRelease,
  signStatement,
  type VerifiedRecord,
  verifyRecord
} from '../src/index.ts'
import { anyAttestation, anyOwnerDocument, anyRelease, anyStatement } from './any-record.ts'
import {
  ATTESTATION_ENVELOPE,
  ATTESTATION_RECORD_ID,
  exampleAttestation,
  exampleRelease,
  exampleStatement,
  KEY,
  NONCE,
  OWNER_ENVELOPE,
  OWNER_ID,
  OWNER_RECORD_ID,
  RELEASE_ENVELOPE,
  RELEASE_RECORD_ID,
  STATEMENT_ENVELOPE,
  STATEMENT_RECORD_ID
} from './golden.ts'

const signers = [1, 2, 3].map((fill) => createSigner(new Uint8Array(32).fill(fill)))
const [first, second, third] = signers as [Signer, Signer, Signer]
const nobody = (): undefined => undefined
/** In the order of the kinds. */
const GOLDEN: ReadonlyArray<readonly [id: string, envelope: string]> = [
  [OWNER_RECORD_ID, OWNER_ENVELOPE],
  [RELEASE_RECORD_ID, RELEASE_ENVELOPE],
  [STATEMENT_RECORD_ID, STATEMENT_ENVELOPE],
  [ATTESTATION_RECORD_ID, ATTESTATION_ENVELOPE]
]

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
    expect(owner.id).toBe(OWNER_ID)
    const records = [
      owner.inception,
      await signRelease(exampleRelease(owner.id), signer),
      await signStatement(exampleStatement(owner.id), signer),
      await signAttestation(exampleAttestation(owner.id), signer)
    ]
    expect(records.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(
      GOLDEN.map(([, bytes]) => bytes)
    )
    expect(records.map(recordIdOf)).toEqual(GOLDEN.map(([id]) => id))
  })

  it('stand in the protocol document', () => {
    const text = readFileSync(new URL('../../../docs/protocol/records.md', import.meta.url), 'utf8')
    const dump = text.replaceAll(/ *#.*$/gm, '').replaceAll(/\s+/g, '')
    expect(text).toContain(OWNER_ID)
    for (const [id, bytes] of GOLDEN) {
      expect(text).toContain(`\`${id}\`, ${bytes.length / 2} bytes`)
      expect(dump).toContain(bytes)
    }
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
    const digest = new Uint8Array(hash('sha256', encode(release), 'buffer'))
    for (const signer of [first, second]) {
      const bytes = await signRelease(release, signer)
      expect(verifyRecord(bytes, (id) => (id === owner ? document : undefined))).toEqual({
        id: recordIdOf(bytes),
        kind: 'release',
        release,
        digest
      })
    }
  })

  it('may pass later when its owner is not known yet', async () => {
    const bytes = await signRelease(exampleRelease(shared(1).owner), first)
    expect(() => verifyRecord(bytes, nobody)).toThrow(fault('ERR_OWNER_UNKNOWN'))
    expect(() => verifyRecord(bytes, nobody)).toThrow(expect.objectContaining({ retryable: true }))
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

describe('a statement record', () => {
  it('gives the statement that was signed, and is checked against the document of its owner', async () => {
    const { document, owner } = shared(1)
    const statement = exampleStatement(owner)
    const bytes = await signStatement(statement, first)
    expect(verifyRecord(bytes, (id) => (id === owner ? document : undefined))).toEqual({
      id: recordIdOf(bytes),
      kind: 'statement',
      statement
    })
    expect(() => verifyRecord(bytes, nobody)).toThrow(fault('ERR_OWNER_UNKNOWN'))
  })

  it('is refused before it is signed when it says what no statement can', async () => {
    const statement = exampleStatement(shared(1).owner)
    const wrong = [
      { ...statement, seq: 0 },
      { ...statement, fact: { ...statement.fact, message: 'm'.repeat(1025) } },
      { ...statement, more: 1 }
    ]
    for (const value of wrong) {
      await expect(signStatement(value, first)).rejects.toThrow(fault('ERR_INVALID_RECORD'))
    }
  })
})

describe('an attestation record', () => {
  it('gives the attestation that was signed, and is checked against the document of its issuer', async () => {
    const { document, owner } = shared(1)
    const other = await createOwner(third, NONCE)
    const attestation = exampleAttestation(owner, { owner: other.id })
    const bytes = await signAttestation(attestation, second)
    expect(verifyRecord(bytes, (id) => (id === owner ? document : undefined))).toEqual({
      id: recordIdOf(bytes),
      kind: 'attestation',
      attestation
    })
    const otherDocument = (id: OwnerId): OwnerDocument | undefined =>
      id === other.id ? { keys: [third.publicKey], threshold: 1, nonce: NONCE } : undefined
    expect(() => verifyRecord(bytes, otherDocument)).toThrow(fault('ERR_OWNER_UNKNOWN'))
  })

  it('is refused before it is signed when it says what no attestation can', async () => {
    const attestation = exampleAttestation(shared(1).owner)
    const wrong = [
      { ...attestation, claim: 'review' as const },
      { ...attestation, versions: 'not a range' },
      { ...attestation, text: 't'.repeat(16_385) }
    ]
    for (const value of wrong) {
      await expect(signAttestation(value, first)).rejects.toThrow(fault('ERR_INVALID_RECORD'))
    }
  })
})

describe.each([
  ['release', exampleRelease],
  ['statement', exampleStatement],
  ['attestation', exampleAttestation]
] as const)('a record of kind %s', (kind, example) => {
  it.each([1, 2])(
    'is refused unless exactly %i of the keys have signed, and nobody else',
    async (threshold) => {
      const { document, owner } = shared(threshold)
      const payload = encode(example(owner))
      for (const by of [[first], [second], [third], [first, second], [first, third], [...signers]]) {
        const bytes = await sealed(kind, payload, by)
        if (by.length === threshold && !by.includes(third)) verifyRecord(bytes, () => document)
        else expect(() => verifyRecord(bytes, () => document)).toThrow(fault('ERR_BAD_SIGNATURE'))
      }
    }
  )

  it('is refused when its signature was made for a record of another kind', async () => {
    const { document, owner } = shared(1)
    const payload = encode(example(owner))
    for (const other of RECORD_KINDS) {
      const signature = await first.sign(signedBytes(other, payload))
      const bytes = encodeEnvelope({ kind, payload, signatures: [{ key: first.publicKey, signature }] })
      if (other === kind) expect(verifyRecord(bytes, () => document).kind).toBe(kind)
      else expect(() => verifyRecord(bytes, () => document)).toThrow(fault('ERR_BAD_SIGNATURE'))
    }
  })

  it('is refused when its payload is that of another kind', async () => {
    const { document, owner } = shared(1)
    const payloads = [document, exampleRelease(owner), exampleStatement(owner), exampleAttestation(owner)]
    for (const [index, payload] of payloads.entries()) {
      if (RECORD_KINDS[index] === kind) continue
      const bytes = await sealed(kind, encode(payload), [first])
      expect(() => verifyRecord(bytes, () => document)).toThrow(fault('ERR_INVALID_RECORD'))
    }
  })
})

describe('any record', () => {
  const { document, owner } = shared(1)

  async function roundTrip(bytes: Uint8Array): Promise<VerifiedRecord> {
    const record = verifyRecord(bytes, () => document)
    expect(readRecord(bytes)).toEqual(record)
    expect(decodeEnvelope(bytes).kind).toBe(record.kind)
    return record
  }

  it('is read back as the owner document that was signed', async () => {
    await fc.assert(
      fc.asyncProperty(anyOwnerDocument([first, second, third]), async ({ document, by }) => {
        const bytes = await sealed('owner', encode(document), by)
        expect(await roundTrip(bytes)).toMatchObject({ owner: ownerIdOf(document), document })
      }),
      { numRuns: 50 }
    )
  })

  it('is read back as the release that was signed', async () => {
    await fc.assert(
      fc.asyncProperty(anyRelease(owner), async (release) => {
        const record = await roundTrip(await signRelease(release, first))
        expect(record).toMatchObject({ kind: 'release', release })
        expect(signingOwnerOf(record)).toBe(owner)
      })
    )
  })

  it('is read back as the statement that was signed', async () => {
    await fc.assert(
      fc.asyncProperty(anyStatement(owner), async (statement) => {
        const record = await roundTrip(await signStatement(statement, first))
        expect(record).toMatchObject({ kind: 'statement', statement })
        expect(signingOwnerOf(record)).toBe(owner)
      })
    )
  })

  it('is read back as the attestation that was signed', async () => {
    await fc.assert(
      fc.asyncProperty(anyAttestation(owner), async (attestation) => {
        const record = await roundTrip(await signAttestation(attestation, first))
        expect(record).toMatchObject({ kind: 'attestation', attestation })
        expect(signingOwnerOf(record)).toBe(owner)
      })
    )
  })
})

describe('an envelope', () => {
  const signature = fc.record({
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    signature: fc.uint8Array({ minLength: 64, maxLength: 64 })
  })
  const envelope: fc.Arbitrary<Envelope> = fc.record({
    kind: fc.constantFrom(...RECORD_KINDS),
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
    const document = goldenOwner(Buffer.from(OWNER_ENVELOPE, 'hex'))
    for (const [, hex] of GOLDEN) {
      const bytes = new Uint8Array(Buffer.from(hex, 'hex'))
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const flipped = bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit))
          if (!refused(flipped, () => document)) throw new Error(`bit ${bit} of byte ${at} was taken`)
        }
      }
    }
  })

  it('are refused with a typed error when cut short anywhere', () => {
    const document = goldenOwner(Buffer.from(OWNER_ENVELOPE, 'hex'))
    for (const [, hex] of GOLDEN) {
      const bytes = Buffer.from(hex, 'hex')
      for (let length = 0; length < bytes.length; length++) {
        expect(refused(bytes.subarray(0, length), () => document)).toBe(true)
      }
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
