import {
  ADVISORY_SEVERITIES,
  ATTESTATION_CLAIMS,
  type Attestation,
  type OwnerDocument,
  type OwnerId,
  parseAttestation,
  parseRelease,
  parseStatement,
  type Release,
  type Signer,
  type Statement
} from '@registry/types'
import fc from 'fast-check'
import { exampleRelease } from './golden.ts'

const CONTENT = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const README = { cid: CONTENT, size: 12, integrity: `sha512-${Buffer.alloc(64).toString('base64')}` }

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const texts = fc.array(text, { maxLength: 5 })
const count = fc.maxSafeNat()
const version = fc
  .tuple(fc.nat(99), fc.nat(99), fc.nat(99), fc.constantFrom('', '-rc.1', '+build', '-0+01'))
  .map(([major, minor, patch, rest]) => `${major}.${minor}.${patch}${rest}`)
const name = fc.constantFrom('hello', 'a', '@scope/json-parser', 'x'.repeat(214))
const range = fc.constantFrom('*', '^1.0.0', '<1.0.1', '1.x || >=2.5.0 <3', '')

/** An owner document with some of these keys, and as many of them as must sign. */
export function anyOwnerDocument(
  signers: readonly Signer[]
): fc.Arbitrary<{ document: OwnerDocument; by: Signer[] }> {
  const nonce = fc.uint8Array({ minLength: 16, maxLength: 16 })
  return fc
    .tuple(fc.shuffledSubarray([...signers], { minLength: 1 }), nonce, fc.nat())
    .map(([among, nonce, share]) => {
      const threshold = 1 + (share % among.length)
      const keys = among.map(({ publicKey }) => publicKey)
      return { document: { keys, threshold, nonce }, by: among.slice(0, threshold) }
    })
}

export function anyRelease(owner: OwnerId): fc.Arbitrary<Release> {
  const fields = fc.record(
    {
      name,
      version,
      description: text,
      category: text,
      tags: texts,
      keywords: texts,
      authors: texts,
      platforms: texts,
      dependencies: fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true }),
      features: fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true }),
      unpackedSize: count,
      fileCount: count,
      claimedAtMs: count,
      license: text,
      repository: text,
      homepage: text,
      runtimeVersion: text
    },
    { requiredKeys: [] }
  )
  return fields.map((change) => parseRelease({ ...exampleRelease(owner), ...change }))
}

export function anyStatement(owner: OwnerId): fc.Arbitrary<Statement> {
  const nullable = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value)
  const fact = fc.oneof(
    fc.record({
      field: fc.constant('dist-tag'),
      tag: fc.constantFrom('latest', 'next', 'v1-lts', 'a.b_c'),
      version: nullable(version)
    }),
    fc.record({ field: fc.constant('deprecation'), version, message: nullable(text) }),
    fc.record({ field: fc.constant('yank'), version, reason: nullable(text) }),
    fc.record({ field: fc.constant('unpublish'), version, reason: text }),
    fc.record({ field: fc.constant('readme'), content: nullable(fc.constant(README)) })
  )
  const seq = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  return fc
    .record({ owner: fc.constant(owner), name, seq, fact, claimedAtMs: count })
    .map((value) => parseStatement(value))
}

export function anyAttestation(owner: OwnerId): fc.Arbitrary<Attestation> {
  const said = fc.record(
    { text: text.map((said) => `Said: ${said}`), versions: range, claimedAtMs: count, url: fc.webUrl() },
    { requiredKeys: ['text', 'versions', 'claimedAtMs'] }
  )
  const claim = fc.oneof(
    fc.record({ claim: fc.constantFrom(...ATTESTATION_CLAIMS) }),
    fc.record({ claim: fc.constant('advisory'), severity: fc.constantFrom(...ADVISORY_SEVERITIES) })
  )
  return fc
    .tuple(name, said, claim)
    .map(([about, rest, claimed]) =>
      parseAttestation({ issuer: owner, owner, name: about, ...rest, ...claimed })
    )
}
