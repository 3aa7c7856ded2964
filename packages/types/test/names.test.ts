import fc from 'fast-check'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import { describe, expect, it } from 'vitest'
import {
  compareVersions,
  formatPackageReference,
  isOwnerId,
  isRegistryError,
  type OwnerId,
  type PackageName,
  type PackageReference,
  parseContentId,
  parseOwnerId,
  parsePackageName,
  parsePackageReference,
  parseRecordId,
  parseVersion,
  tarballFileName,
  type Version
} from '../src/index.ts'

const OWNER = 'bafyreiehtzycbc27fbm22yehmx5qi2c3arovlbvb22jd66nf6tqnfl2xfq' as OwnerId
const CONTENT = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

function fault(code: `ERR_${string}`): object {
  return expect.toSatisfy((error: unknown) => isRegistryError(error, code))
}

/** Whether a parser gives what it was given, or refuses with this code; anything else is a failure of the property. */
function passesOrFails(parse: (value: unknown) => unknown, value: unknown, code: `ERR_${string}`): boolean {
  try {
    return parse(value) === value
  } catch (error) {
    return isRegistryError(error, code)
  }
}

function passes(parse: (value: unknown) => unknown, value: unknown): boolean {
  try {
    parse(value)
    return true
  } catch {
    return false
  }
}

/** Whether multiformats reads a CID of this codec, or of another one that the same parser takes, and writes it so. */
function isCidLike(text: string, codec: number): boolean {
  try {
    const cid = CID.parse(text)
    const codecs = codec === 0x71 ? [0x71] : [0x55, 0x70]
    const { code, size } = cid.multihash
    return (
      cid.version === 1 &&
      codecs.includes(cid.code) &&
      code === 0x12 &&
      size === 32 &&
      cid.toString() === text
    )
  } catch {
    return false
  }
}

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string())
const ownerId = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((digest) => CID.createV1(0x71, create(0x12, digest)).toString() as OwnerId)
const identifier = fc.stringMatching(/^[0-9A-Za-z-]{1,8}$/)
const number = fc.oneof(fc.nat({ max: 3 }), fc.maxSafeNat())
const versionText = fc
  .record({
    core: fc.tuple(number, number, number),
    pre: fc.array(
      identifier.filter((text) => !/^0\d+$/.test(text)),
      { maxLength: 3 }
    ),
    build: fc.array(fc.oneof(identifier, fc.constantFrom('1', '01', '001')), { maxLength: 3 })
  })
  .map(({ core, pre, build }) => {
    const tail = `${pre.length === 0 ? '' : `-${pre.join('.')}`}${build.length === 0 ? '' : `+${build.join('.')}`}`
    return `${core.join('.')}${tail}`
  })
const nameText = fc.oneof(
  fc.constantFrom('hello', 'a', 'left-pad', '@scope/name', '@s-1/n.m_o', 'io.ggen.pack'),
  fc.stringMatching(/^[a-z][a-z0-9-]{2,20}x$/)
)

describe('CIDs', () => {
  it('of owners, records and contents are taken in their one form', () => {
    expect(parseOwnerId(OWNER)).toBe(OWNER)
    expect(parseRecordId(OWNER)).toBe(OWNER)
    expect(parseContentId(CONTENT)).toBe(CONTENT)
    expect(isOwnerId(OWNER)).toBe(true)
  })

  it.each([
    ['in upper case', OWNER.toUpperCase()],
    ['in base58', CID.parse(OWNER).toString(base58btc)],
    ['of version 0', 'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n'],
    ['of a content', CONTENT],
    ['of another hash', CID.createV1(0x71, create(0x13, new Uint8Array(64))).toString()],
    ['of an identity hash', CID.createV1(0x71, create(0x00, new Uint8Array(32))).toString()],
    ['cut short', OWNER.slice(0, -1)],
    ['with trailing bits that count for nothing', `${OWNER.slice(0, -1)}r`],
    ['longer than a CID', `${OWNER}${'a'.repeat(100)}`],
    ['empty', ''],
    ['no text', 1]
  ])('are refused as an owner: %s', (_, value) => {
    expect(() => parseOwnerId(value)).toThrow(fault('ERR_INVALID_VALUE'))
    expect(isOwnerId(String(value))).toBe(false)
  })

  it('of a record are no content', () => {
    expect(() => parseContentId(OWNER)).toThrow(fault('ERR_INVALID_VALUE'))
    expect(() => parseRecordId(CONTENT)).toThrow(fault('ERR_INVALID_VALUE'))
  })

  it('name the place in the error', () => {
    expect(() => parseOwnerId('x', 'release.owner')).toThrow(/^release\.owner: must be a CID of its kind/)
  })

  it('are those that multiformats reads and writes alike, digit by digit', () => {
    const codecs: Array<[number, (value: unknown) => string]> = [
      [0x71, parseOwnerId],
      [0x55, parseContentId],
      [0x70, parseContentId]
    ]
    const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const digits = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz234567')
    fc.assert(
      fc.property(
        fc.constantFrom(...codecs),
        digest,
        fc.nat(58),
        digits,
        ([codec, parse], bytes, at, digit) => {
          const text = CID.createV1(codec, create(0x12, bytes)).toString()
          expect(parse(text)).toBe(text)
          const other = text.slice(0, at) + digit + text.slice(at + 1)
          expect(passes(parse, other)).toBe(isCidLike(other, codec) && other.length === text.length)
        }
      ),
      { numRuns: 2000 }
    )
  })

  it('are read or refused, whatever comes', () => {
    fc.assert(fc.property(ownerId, (id) => parseOwnerId(id) === id && isOwnerId(id)))
    fc.assert(
      fc.property(fc.oneof(anyText, fc.anything()), (it) =>
        passesOrFails(parseOwnerId, it, 'ERR_INVALID_VALUE')
      )
    )
  })
})

describe('a package name', () => {
  it.each(['hello', '@scope/name', 'a.b_c-d', '1password', 'x'.repeat(214)])('may be %s', (name) => {
    expect(parsePackageName(name)).toBe(name)
  })

  it.each([
    '',
    'Hello',
    '.hidden',
    '_private',
    'a b',
    'a/b',
    '@scope',
    '@scope/',
    '@/name',
    '../up',
    'node_modules',
    'http',
    'na%me',
    "it's",
    'x'.repeat(215),
    'lone\ud800',
    '名前',
    null,
    5
  ])('may not be %j', (name) => {
    expect(() => parsePackageName(name)).toThrow(fault('ERR_INVALID_NAME'))
  })

  it('may not read as the package of an owner', () => {
    expect(() => parsePackageName(`@${OWNER}/hello`)).toThrow(/owner/)
    expect(parsePackageName(`@${OWNER.slice(1)}/hello`)).toBe(`@${OWNER.slice(1)}/hello`)
  })

  it('is read or refused, whatever comes', () => {
    fc.assert(fc.property(nameText, (name) => parsePackageName(name) === name))
    fc.assert(
      fc.property(fc.oneof(anyText, fc.anything()), (it) =>
        passesOrFails(parsePackageName, it, 'ERR_INVALID_NAME')
      )
    )
  })
})

describe('a version', () => {
  it.each([
    '0.0.0',
    '1.2.3',
    '1.0.0-rc.1',
    '1.0.0-0.3.7',
    '1.0.0+20130313144700',
    '26.8.18+dfcm.1',
    '1.0.0-a+b.01'
  ])('may be %s', (version) => {
    expect(parseVersion(version)).toBe(version)
  })

  it.each([
    '',
    '1',
    '1.2',
    'v1.2.3',
    '=1.2.3',
    ' 1.2.3',
    '1.2.3 ',
    '01.2.3',
    '1.2.3-01',
    '1.2.3-',
    '1.2.3+',
    '1.2.3+a..b',
    '1.2.3.4',
    '1.2.x',
    'latest',
    `1.0.0-${'a'.repeat(123)}`,
    `${2 ** 53}.0.0`,
    null,
    { toString: 1 }
  ])('may not be %j', (version) => {
    expect(() => parseVersion(version)).toThrow(fault('ERR_INVALID_VERSION'))
  })

  it('is read or refused, whatever comes', () => {
    fc.assert(fc.property(versionText, (version) => parseVersion(version) === version))
    fc.assert(
      fc.property(fc.oneof(anyText, fc.anything()), (it) =>
        passesOrFails(parseVersion, it, 'ERR_INVALID_VERSION')
      )
    )
  })

  it('has its place by precedence, then by build metadata', () => {
    const sorted = [
      '0.9.0',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0',
      '1.0.0+01',
      '1.0.0+1',
      '1.0.0+dfcm.1',
      '1.0.0+dfcm.2',
      '1.0.1',
      '26.8.18',
      '26.8.18+dfcm.1'
    ] as Version[]
    expect(sorted.toReversed().sort(compareVersions)).toEqual(sorted)
  })

  it('stands in a total order', () => {
    const version = versionText.map(parseVersion)
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0)
        expect(compareVersions(a, b) === 0).toBe(a === b)
      })
    )
    fc.assert(
      fc.property(fc.array(version, { maxLength: 6 }), (versions) => {
        expect(versions.toReversed().sort(compareVersions)).toEqual(versions.toSorted(compareVersions))
      })
    )
  })
})

describe('a reference', () => {
  it.each<[string, PackageReference]>([
    ['hello', { name: 'hello' as PackageName }],
    ['hello@1.0.0', { name: 'hello' as PackageName, range: '1.0.0' }],
    ['hello@^1 || >=3 <4', { name: 'hello' as PackageName, range: '^1 || >=3 <4' }],
    ['hello@26.8.18+dfcm.1', { name: 'hello' as PackageName, range: '26.8.18+dfcm.1' }],
    ['@scope/name', { name: '@scope/name' as PackageName }],
    ['hello@next', { name: 'hello' as PackageName, tag: 'next' }],
    ['@scope/name@*', { name: '@scope/name' as PackageName, range: '*' }],
    [`@${OWNER}/hello`, { owner: OWNER, name: 'hello' as PackageName }],
    [`@${OWNER}/hello@~1.2`, { owner: OWNER, name: 'hello' as PackageName, range: '~1.2' }],
    [`@${OWNER}/@scope/name@1.0.0`, { owner: OWNER, name: '@scope/name' as PackageName, range: '1.0.0' }]
  ])('%s is read, and written the same', (text, reference) => {
    expect(parsePackageReference(text)).toEqual(reference)
    expect(formatPackageReference(reference)).toBe(text)
  })

  it('to the latest release says no more than the name', () => {
    expect(parsePackageReference('hello@latest')).toEqual({ name: 'hello' })
  })

  it.each([
    '',
    '@',
    'hello@',
    'hello@not a tag',
    'hello@1@2',
    'Hello@1',
    `@${OWNER}`,
    `@${OWNER}/`,
    `@${OWNER}/@${OWNER}/x`,
    'a'.repeat(513),
    7
  ])('%j names no package', (text) => {
    expect(() => parsePackageReference(text)).toThrow(fault('ERR_INVALID_REFERENCE'))
  })

  it('is read back as it was written, or refused', () => {
    const range = fc.oneof(versionText, fc.constantFrom('*', '^1.0.0', '>=1 <2', '~0.1', '1.x'))
    fc.assert(
      fc.property(fc.option(ownerId), nameText, fc.option(range), (owner, name, written) => {
        const reference: PackageReference = { name: parsePackageName(name) }
        if (owner !== null) reference.owner = owner
        if (written !== null) reference.range = written
        expect(parsePackageReference(formatPackageReference(reference))).toEqual(reference)
      })
    )
    fc.assert(
      fc.property(fc.oneof(anyText, fc.anything()), (value) => {
        try {
          const reference = parsePackageReference(value)
          return [formatPackageReference(reference), `${formatPackageReference(reference)}@latest`].includes(
            String(value)
          )
        } catch (error) {
          return isRegistryError(error, 'ERR_INVALID_REFERENCE')
        }
      })
    )
  })
})

it('names a tarball as npm does', () => {
  expect(tarballFileName(parsePackageName('@scope/name'), parseVersion('1.0.0'))).toBe('scope-name-1.0.0.tgz')
  expect(tarballFileName(parsePackageName('hello'), parseVersion('1.0.0-rc.1'))).toBe('hello-1.0.0-rc.1.tgz')
})
