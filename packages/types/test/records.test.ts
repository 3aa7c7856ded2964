import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isRegistryError,
  type OwnerDocument,
  parseAttestation,
  parseContentId,
  parseEnvelope,
  parseOwnerDocument,
  parseRecordId,
  parseRelease,
  parseStatement,
  parseVersion,
  RECORD_KINDS,
  type Release,
  type ReleaseRecord,
  type StatementFact,
  statementField,
  toPackage
} from '../src/index.ts'

const OWNER = 'bafyreiehtzycbc27fbm22yehmx5qi2c3arovlbvb22jd66nf6tqnfl2xfq'
const FIELDS = {
  owner: OWNER,
  name: '@scope/name',
  version: '26.8.18+dfcm.1',
  description: 'Does things',
  category: 'tools',
  tags: ['web'],
  keywords: ['fast', 'small'],
  authors: ['Ada', 'Bob'],
  dependencies: { semver: '^7.0.0' },
  platforms: ['linux'],
  features: { color: 'on' },
  size: 1000,
  unpackedSize: 4000,
  fileCount: 3,
  content: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
  integrity: `sha512-${Buffer.alloc(64, 7).toString('base64')}`,
  manifest: { file: 'package.json', sha256: 'ab'.repeat(32) },
  claimedAtMs: 1_767_225_600_000
}
const OPTIONAL = {
  license: 'MIT',
  repository: 'https://code.example/name',
  homepage: 'https://name.example',
  runtimeVersion: '>=22'
}
const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)

function codeOf(parse: () => unknown): string {
  try {
    parse()
    return 'none'
  } catch (error) {
    return isRegistryError(error) ? error.code : `not typed: ${error}`
  }
}

describe('a release', () => {
  it('is read with and without what may be absent', () => {
    expect(parseRelease(FIELDS)).toEqual(FIELDS)
    expect(parseRelease({ ...FIELDS, ...OPTIONAL })).toEqual({ ...FIELDS, ...OPTIONAL })
  })

  it('leaves out what it does not know, and is the same when read again', () => {
    const release = parseRelease({ ...FIELDS, more: 1, manifest: { ...FIELDS.manifest, more: 1 } })
    expect(release).toEqual(FIELDS)
    expect(parseRelease(release)).toEqual(release)
  })

  it.each(Object.keys(FIELDS))('is refused without %s', (field) => {
    const { [field]: _, ...rest }: Record<string, unknown> = FIELDS
    expect(codeOf(() => parseRelease(rest))).toMatch(/^ERR_INVALID_(VALUE|NAME|VERSION)$/)
  })

  it.each([
    ['owner', 'ada'],
    ['name', 'Not A Name'],
    ['version', '1.0'],
    ['description', 'd'.repeat(16_385)],
    ['description', '\udfff'],
    ['category', 'c'.repeat(65)],
    ['tags', Array.from({ length: 65 }, () => 't')],
    ['tags', ['t'.repeat(257)]],
    ['keywords', 'fast'],
    ['authors', [1]],
    ['license', null],
    ['homepage', 'h'.repeat(1025)],
    ['dependencies', ['semver']],
    ['dependencies', { semver: 7 }],
    ['dependencies', { ['n'.repeat(257)]: '1' }],
    ['features', Object.fromEntries(Array.from({ length: 257 }, (_, index) => [index, '']))],
    ['size', 512 * 1024 * 1024 + 1],
    ['size', -1],
    ['unpackedSize', 1.5],
    ['fileCount', '1'],
    ['content', OWNER],
    ['integrity', `sha512-${Buffer.alloc(63).toString('base64')}`],
    ['integrity', `sha512-${'A'.repeat(85)}B==`],
    ['integrity', `sha1-${Buffer.alloc(64).toString('base64')}`],
    ['manifest', { file: 'package.json', sha256: 'AB'.repeat(32) }],
    ['manifest', { sha256: 'ab'.repeat(32) }],
    ['claimedAtMs', Number.NaN]
  ])('is refused when %s is %j', (field, value) => {
    expect(codeOf(() => parseRelease({ ...FIELDS, [field]: value }))).toMatch(
      /^ERR_INVALID_(VALUE|NAME|VERSION)$/
    )
  })

  it('keeps special keys of its maps as data', () => {
    const dependencies = JSON.parse('{"__proto__":"1","constructor":"2"}')
    const release = parseRelease({ ...FIELDS, dependencies })
    expect(Object.entries(release.dependencies)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2']
    ])
    expect(parseRelease({ ...FIELDS, dependencies: {} }).dependencies.toString).toBeUndefined()
  })

  it('is no view into what it was read from', () => {
    const fields = structuredClone(FIELDS)
    const release = parseRelease(fields)
    fields.tags.push('later')
    fields.dependencies.semver = '*'
    expect(release).toEqual(FIELDS)
  })
})

describe('an owner document', () => {
  const document: OwnerDocument = { keys: [key(1), key(2)], threshold: 2, nonce: new Uint8Array(16) }

  it('is read', () => {
    expect(parseOwnerDocument(document)).toEqual(document)
    expect(parseOwnerDocument({ ...document, threshold: 1, more: 1 })).toEqual({ ...document, threshold: 1 })
  })

  it.each([
    ['no key', { keys: [] }],
    ['a key twice', { keys: [key(1), key(1)] }],
    ['a short key', { keys: [new Uint8Array(31), key(1)] }],
    ['a key that is a list', { keys: [[...key(1)], key(2)] }],
    ['too many keys', { keys: Array.from({ length: 17 }, (_, index) => key(index)) }],
    ['a threshold of none', { threshold: 0 }],
    ['a threshold above its keys', { threshold: 3 }],
    ['a short nonce', { nonce: new Uint8Array(15) }]
  ])('is refused with %s', (_, change) => {
    expect(codeOf(() => parseOwnerDocument({ ...document, ...change }))).toBe('ERR_INVALID_VALUE')
  })
})

describe('an envelope', () => {
  const signature = { key: key(1), signature: new Uint8Array(64) }
  const envelope = { kind: 'owner', payload: new Uint8Array(3), signatures: [signature] }

  it.each([...RECORD_KINDS])('of kind %s is read', (kind) => {
    expect(parseEnvelope({ ...envelope, kind, more: 1 })).toEqual({ ...envelope, kind })
  })

  it.each([
    ['a kind that is not known', { kind: 'note' }],
    ['a payload that is no bytes', { payload: 'abc' }],
    ['a payload of more than 64 KiB', { payload: new Uint8Array(65_537) }],
    ['no signature', { signatures: [] }],
    ['too many signatures', { signatures: Array.from({ length: 17 }, () => signature) }],
    ['a short signature', { signatures: [{ ...signature, signature: new Uint8Array(63) }] }],
    ['a long key', { signatures: [{ ...signature, key: new Uint8Array(33) }] }]
  ])('is refused with %s', (_, change) => {
    expect(codeOf(() => parseEnvelope({ ...envelope, ...change }))).toBe('ERR_INVALID_VALUE')
  })
})

const README = { cid: parseContentId(FIELDS.content), size: 12, integrity: FIELDS.integrity }

describe('a statement', () => {
  const statement = { owner: OWNER, name: 'hello', seq: 1, claimedAtMs: 5 }
  const facts: StatementFact[] = [
    { field: 'dist-tag', tag: 'beta', version: parseVersion('1.0.0') },
    { field: 'dist-tag', tag: 'beta', version: null },
    { field: 'deprecation', version: parseVersion('1.0.0'), message: 'Use another' },
    { field: 'deprecation', version: parseVersion('1.0.0'), message: null },
    { field: 'yank', version: parseVersion('1.0.0'), reason: '' },
    { field: 'yank', version: parseVersion('1.0.0'), reason: null },
    { field: 'unpublish', version: parseVersion('1.0.0'), reason: 'A secret was in it' },
    { field: 'readme', content: README },
    { field: 'readme', content: null }
  ]

  it.each(facts)('that says %j is read, what is not known left out', (fact) => {
    expect(parseStatement({ ...statement, fact: { ...fact, more: 1 }, more: 1 })).toEqual({
      ...statement,
      fact
    })
  })

  it('is of one field with the others about the same thing alone', () => {
    expect(facts.map(statementField)).toEqual([
      'dist-tag beta',
      'dist-tag beta',
      'deprecation 1.0.0',
      'deprecation 1.0.0',
      'yank 1.0.0',
      'yank 1.0.0',
      'unpublish 1.0.0',
      'readme',
      'readme'
    ])
  })

  it.each([
    ['no place in order', { seq: 0 }],
    ['a fact of an unknown field', { fact: { field: 'price' } }],
    ['a tag that reads as a range', { fact: { field: 'dist-tag', tag: '1.x', version: null } }],
    ['a tag with a space', { fact: { field: 'dist-tag', tag: 'a b', version: null } }],
    ['an unpublish that is taken back', { fact: { field: 'unpublish', version: '1.0.0', reason: null } }],
    ['a message with a line break', { fact: { field: 'deprecation', version: '1.0.0', message: 'a\nb' } }],
    ['a reason that turns its direction', { fact: { field: 'yank', version: '1.0.0', reason: 'a\u202eb' } }],
    ['a readme of more than 1 MiB', { fact: { field: 'readme', content: { ...README, size: 1_048_577 } } }],
    ['a yank of a range', { fact: { field: 'yank', version: '^1.0.0', reason: '' } }],
    [
      'a message of 1,025 characters',
      { fact: { field: 'deprecation', version: '1.0.0', message: 'x'.repeat(1025) } }
    ]
  ])('is refused with %s', (_, change) => {
    expect(codeOf(() => parseStatement({ ...statement, fact: facts[0], ...change }))).toMatch(/^ERR_INVALID_/)
  })
})

describe('an attestation', () => {
  const attestation = {
    issuer: OWNER,
    owner: OWNER,
    name: 'hello',
    claim: 'advisory',
    versions: '<2.0.0',
    severity: 'high',
    text: 'Reads beyond the end:\n\t1. by one',
    url: 'https://advisories.example/1',
    claimedAtMs: 5
  }

  it('is read', () => {
    expect(parseAttestation({ ...attestation, more: 1 })).toEqual(attestation)
    const { severity, url, ...least } = { ...attestation, claim: 'review', versions: '*' }
    expect(parseAttestation(least)).toEqual(least)
  })

  it.each([
    ['a claim that is not known', { claim: 'praise' }],
    ['versions that are no range', { versions: 'all of them' }],
    ['a severity that is not known', { severity: 'fatal' }],
    ['a severity of what is no advisory', { claim: 'review' }],
    ['a text that says nothing', { text: ' \n' }],
    ['a text with an escape sequence', { text: 'safe\u001b[2K' }],
    ['a text of more than 16 KiB', { text: 'x'.repeat(16_385) }],
    ['an address that a browser would run', { url: 'javascript:alert(1)' }]
  ])('is refused with %s', (_, change) => {
    expect(codeOf(() => parseAttestation({ ...attestation, ...change }))).toBe('ERR_INVALID_VALUE')
  })
})

it('refuses anything else with a typed error', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withTypedArray: true }), (value) => {
      for (const parse of [
        parseRelease,
        parseOwnerDocument,
        parseEnvelope,
        parseStatement,
        parseAttestation
      ]) {
        expect(codeOf(() => parse(value))).toMatch(/^ERR_INVALID_/)
      }
    })
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(FIELDS)),
      fc.anything({ withNullPrototype: true }),
      (field, value) => {
        expect(codeOf(() => parseRelease({ ...FIELDS, [field]: value }))).toMatch(/^(none|ERR_INVALID_\w+)$/)
      }
    )
  )
})

describe('a package as people see it', () => {
  const record = (change: Partial<ReleaseRecord> = {}, release: Partial<Release> = {}): ReleaseRecord => ({
    id: parseRecordId(OWNER),
    release: { ...parseRelease({ ...FIELDS, ...OPTIONAL }), ...release },
    firstSeenMs: 0,
    conflicted: false,
    unpublished: false,
    ...change
  })
  const facts = { downloads: 4, updatedAtMs: 9 }

  it('has what was signed, and what this peer knows', () => {
    expect(toPackage(record({ conflicted: true }), facts)).toEqual({
      id: '@scope/name@26.8.18+dfcm.1',
      owner: OWNER,
      name: '@scope/name',
      version: '26.8.18+dfcm.1',
      description: 'Does things',
      category: 'tools',
      tags: ['web'],
      author: 'Ada',
      license: 'MIT',
      repository: 'https://code.example/name',
      homepage: 'https://name.example',
      dependencies: { semver: '^7.0.0' },
      cid: FIELDS.content,
      integrity: FIELDS.integrity,
      size: 1000,
      unpackedSize: 4000,
      fileCount: 3,
      createdAtMs: FIELDS.claimedAtMs,
      updatedAtMs: 9,
      downloads: 4,
      conflicted: true,
      metadata: {
        keywords: ['fast', 'small'],
        maintainers: ['Ada', 'Bob'],
        features: { color: 'on' },
        platforms: ['linux'],
        runtimeVersion: '>=22'
      }
    })
  })

  it('is no older than this peer’s first sight of it, whatever its publisher claims', () => {
    expect(toPackage(record({ firstSeenMs: 5 }, { claimedAtMs: 3 }), facts).createdAtMs).toBe(5)
  })

  it('has no field for what its release leaves out', () => {
    const bare = toPackage({ ...record(), release: parseRelease({ ...FIELDS, authors: [] }) }, facts)
    for (const field of ['author', 'license', 'repository', 'homepage']) expect(field in bare).toBe(false)
    expect('runtimeVersion' in bare.metadata).toBe(false)
  })
})

describe('what a release says to npm', () => {
  const npm = {
    shasum: 'a'.repeat(40),
    peerDependencies: { react: '>=18' },
    bin: { tool: 'tool.js' },
    os: ['linux'],
    hasInstallScript: true
  }

  it('is part of the package, or absent', () => {
    expect(parseRelease({ ...FIELDS, npm }).npm).toEqual(npm)
    expect('npm' in parseRelease(FIELDS)).toBe(false)
  })

  it.each([
    ['npm.shasum', { shasum: 'A'.repeat(40) }],
    ['npm.bin', { bin: {} }],
    ['npm.os', { os: [] }],
    ['npm.hasInstallScript', { hasInstallScript: false }],
    ['npm.peerDependencies.react', { peerDependencies: { react: 1 } }]
  ])('has one form only: refuses another %s', (field, change) => {
    expect(() => parseRelease({ ...FIELDS, npm: { ...npm, ...change } })).toThrow(`release.${field}`)
  })
})
