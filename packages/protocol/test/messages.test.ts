import { encode } from '@ipld/dag-cbor'
import { makeRelease, seededBytes } from '@registry/testing'
import {
  type CatalogueComparison,
  type CatalogueScope,
  InvalidValueError,
  isRegistryError,
  PROTOCOL_LIMITS,
  type PushStatus,
  Query,
  type ReleaseKey,
  SEARCH_SORTS,
  type SnapshotCursor,
  type SymbolChunk
} from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCid, recordIdOfDigest } from '../src/cid.ts'
import { ANNOUNCE_HOLDINGS, BLOCK, DOCUMENT, HOLDINGS, LOCATE } from '../src/content.ts'
import { frameLength } from '../src/frame-decoder.ts'
import {
  GET_PACKAGE,
  LOOKUP,
  LOOKUP_NAME,
  type NameParams,
  PUBLISH_PACKAGE,
  SEARCH_PACKAGES
} from '../src/lookup.ts'
import { encodeMessage, parseRequest, parseResponse } from '../src/message.ts'
import type { Method, ProtocolShape } from '../src/method.ts'
import {
  COMPARE,
  EXCHANGE_RECORDS,
  HOLDS_CATALOGUE,
  RECONCILE,
  RECORD_IDS,
  type RecordExchange,
  type RecordIdsParams,
  SYMBOLS,
  type SymbolRange
} from '../src/reconcile.ts'
import { SNAPSHOT, SNAPSHOT_PAGE } from '../src/snapshot.ts'
import { EXAMPLES } from './golden.ts'

const release = makeRelease()
const firstId = recordIdOfDigest(new Uint8Array(32))
const lastId = recordIdOfDigest(new Uint8Array(32).fill(255))
const bytes = fc.uint8Array({ maxLength: 100 })
const envelopes = fc.array(bytes, { maxLength: 5 })
const digests = fc.uint8Array({ minLength: 32, maxLength: 32 })
const recordIds = fc.uniqueArray(digests.map(recordIdOfDigest), { minLength: 1, maxLength: 20 })
const contentIds = fc.array(fc.constant(release.content), { minLength: 1, maxLength: 20 })
const integrities = fc
  .uint8Array({ minLength: 64, maxLength: 64 })
  .map((hash) => `sha512-${Buffer.from(hash).toString('base64')}`)
const contents = fc.record({
  cid: fc.constant(release.content),
  size: fc.nat(PROTOCOL_LIMITS.maxPackageBytes),
  integrity: integrities
})
const documentKeys = fc.record({
  registry: fc.webUrl(),
  name: fc.constantFrom('kit', '@acme/kit'),
  form: fc.constantFrom('abbreviated' as const, 'full' as const)
})
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const texts = fc.array(text, { maxLength: 8 })
const counts = fc.maxSafeNat()
const shards = fc
  .nat(PROTOCOL_LIMITS.maxShardBits)
  .chain((bits) => fc.record({ bits: fc.constant(bits), index: fc.nat(2 ** bits - 1) }))
const scopes: fc.Arbitrary<CatalogueScope> = fc.oneof(
  fc.constant<CatalogueScope>({ kind: 'all' }),
  fc.constant<CatalogueScope>({ kind: 'owners' }),
  shards.map((shard): CatalogueScope => ({ kind: 'shard', ...shard })),
  fc.constant<CatalogueScope>({ kind: 'owner', owner: release.owner })
)
const chunks = fc.record({ fingerprint: digests, records: counts, symbols: bytes })
const statuses = fc.constantFrom<PushStatus>('accepted', 'known', 'superseded', 'refused')

/** Each method with what it may be asked, and what it may answer to that. */
const METHODS = [
  law(
    GET_PACKAGE,
    fc.constant<ReleaseKey>({ owner: release.owner, name: release.name, version: release.version }),
    () => envelopes
  ),
  law(
    LOOKUP_NAME,
    fc.record({
      name: fc.constant(release.name),
      owner: fc.option(fc.constant(release.owner), { nil: undefined })
    }),
    () => envelopes
  ),
  law(
    SEARCH_PACKAGES,
    fc
      .record(
        {
          phrases: texts,
          category: text,
          tags: texts,
          owner: fc.constant(release.owner),
          license: text,
          labels: texts,
          limit: fc.integer({ min: 20, max: 100 }),
          minDownloads: counts,
          sort: fc.constantFrom(...SEARCH_SORTS)
        },
        { requiredKeys: [] }
      )
      .chain((options) => texts.map((keywords) => new Query(keywords, options))),
    () =>
      fc.array(fc.record({ envelopes, score: fc.double({ noNaN: true, noDefaultInfinity: true }) }), {
        maxLength: 20
      })
  ),
  law(PUBLISH_PACKAGE, envelopes, ({ length }) =>
    fc.array(statuses, { minLength: length, maxLength: length })
  ),
  law(HOLDS_CATALOGUE, fc.constant(null), () =>
    fc.oneof(
      fc.constantFrom({ mode: 'full' as const }, { mode: 'light' as const }),
      fc
        .nat(PROTOCOL_LIMITS.maxShardBits)
        .chain((bits) =>
          fc
            .uniqueArray(fc.nat(2 ** bits - 1), { maxLength: 50 })
            .map((some) => ({ mode: 'shards' as const, bits, shards: some.toSorted((a, b) => a - b) }))
        )
    )
  ),
  law(
    COMPARE,
    fc.record({
      scope: scopes,
      summary: fc.record({ fingerprint: digests, records: counts }),
      probes: fc.uint8Array({ maxLength: 64 })
    }),
    () =>
      fc.oneof(
        fc.constant({ status: 'equal' as const }),
        fc
          .tuple(chunks, fc.nat(65_536))
          .map(([chunk, count]) => ({ ...chunk, status: 'different' as const, from: 0, count }))
      )
  ),
  law(
    SYMBOLS,
    scopes.chain((scope) =>
      fc
        .nat(65_536)
        .chain((from) => fc.nat(65_536 - from).map((count): SymbolRange => ({ scope, from, count })))
    ),
    ({ from, count }) =>
      fc.tuple(chunks, fc.nat(count)).map(([chunk, some]): SymbolChunk => ({ ...chunk, from, count: some }))
  ),
  law(
    EXCHANGE_RECORDS,
    fc.record({
      want: fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { maxLength: 20 }),
      give: envelopes
    }),
    ({ want, give }) =>
      fc.record({
        records: fc.array(bytes, { maxLength: want.length }),
        given: fc.array(statuses, { minLength: give.length, maxLength: give.length })
      })
  ),
  law(
    RECORD_IDS,
    fc.record(
      { scope: scopes, after: fc.constant(firstId), limit: fc.integer({ min: 20, max: 2048 }) },
      { requiredKeys: ['scope', 'limit'] }
    ),
    () => fc.record({ ids: recordIds, next: fc.constant(lastId) }, { requiredKeys: ['ids'] })
  ),
  law(
    SNAPSHOT_PAGE,
    fc.record(
      {
        scope: scopes,
        after: fc.record({ kind: fc.constantFrom('owner' as const, 'release' as const), digest: digests })
      },
      { requiredKeys: ['scope'] }
    ),
    () =>
      fc.record(
        {
          records: fc.array(bytes, { minLength: 1, maxLength: 5 }),
          next: fc.record({
            kind: fc.constantFrom('statement' as const, 'attestation' as const),
            digest: digests
          })
        },
        { requiredKeys: ['records'] }
      )
  ),
  law(BLOCK, fc.constant(release.content), () => bytes),
  law(
    HOLDINGS,
    fc.record(
      { after: fc.constant(release.content), limit: fc.integer({ min: 20, max: 1024 }) },
      { requiredKeys: ['limit'] }
    ),
    () => fc.record({ cids: contentIds, next: fc.constant(release.content) }, { requiredKeys: ['cids'] })
  ),
  law(LOCATE, integrities, (integrity) => contents.map((content) => ({ ...content, integrity }))),
  law(DOCUMENT, documentKeys, () =>
    fc.record({ content: contents, etag: fc.string({ maxLength: 256 }), askedAtMs: fc.maxSafeNat() })
  ),
  law(ANNOUNCE_HOLDINGS, contentIds, () => fc.constant(null))
]

interface Law {
  name: string
  /** Parameters and result come out as they went in. */
  roundTrip: () => void
  /** Whatever is parsed, the parsers answer or refuse. */
  withstands: (value: unknown) => void
  /** A message cut off or with a byte changed is another one, or it is refused. */
  withstandsDamage: () => void
}

function law<Params, Result>(
  method: Method<Params, Result>,
  params: fc.Arbitrary<Params>,
  resultOf: (params: Params) => fc.Arbitrary<Result>
): Law {
  const exchanges = params.chain((asked) =>
    fc.record({ asked: fc.constant(asked), answered: resultOf(asked) })
  )
  const requestOf = (asked: Params): Uint8Array =>
    encodeMessage({ id: 1, method: method.name, params: method.encodeParams(asked) })
  const responseOf = (answered: Result, asked: Params): Uint8Array =>
    encodeMessage({ id: 1, status: 'ok', result: method.encodeResult(answered, asked) })
  const readRequest = (frame: Uint8Array): Params => method.parseParams(parseRequest(frame).params)
  const readResponse = (frame: Uint8Array, asked: Params): Result => {
    const response = parseResponse(frame)
    if (response.status !== 'ok') throw new InvalidValueError('status', 'is another')
    return method.parseResult(response.result, asked)
  }
  return {
    name: method.name,
    roundTrip: () => {
      const property = fc.property(exchanges, ({ asked, answered }) => {
        const parsed = readRequest(requestOf(asked))
        expect(parsed).toEqual(asked)
        expect(plain(readResponse(responseOf(answered, parsed), parsed))).toEqual(plain(answered))
      })
      fc.assert(property, { numRuns: 50 })
    },
    withstands: (value) => {
      const [asked] = fc.sample(params, { numRuns: 1, seed: 1 })
      refusesTyped(() => method.parseParams(value))
      refusesTyped(() => method.parseResult(value, asked as Params))
    },
    withstandsDamage: () => {
      const property = fc.property(exchanges, fc.nat(), fc.nat(255), ({ asked, answered }, place, byte) => {
        for (const [frame, read] of [
          [requestOf(asked), readRequest],
          [responseOf(answered, asked), (bad: Uint8Array) => readResponse(bad, asked)]
        ] as const) {
          const at = place % frame.length
          expect(() => read(frame.subarray(0, at))).toThrow(InvalidValueError)
          const changed = frame.slice()
          changed[at] = byte
          refusesTyped(() => read(changed))
        }
      })
      fc.assert(property, { numRuns: 100 })
    }
  }
}

/** −0 travels as 0. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function refusesTyped(parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    expect(isRegistryError(error)).toBe(true)
  }
}

describe.each(METHODS)('$name', ({ roundTrip, withstands, withstandsDamage }) => {
  it('carries its parameters and its result unchanged', () => roundTrip())

  it('refuses anything else with a typed error', () => {
    const values = fc.anything({ withTypedArray: true, withNullPrototype: true, withBigInt: true })
    fc.assert(fc.property(values, withstands), { numRuns: 200 })
    const shapes = fc.dictionary(
      fc.constantFrom(
        'owner',
        'name',
        'version',
        'keywords',
        'limit',
        'envelopes',
        'ids',
        'cids',
        'next',
        'after',
        'kind',
        'cid',
        'scope',
        'records'
      ),
      values
    )
    fc.assert(fc.property(shapes, withstands), { numRuns: 200 })
    const tuples = fc.array(fc.oneof(values, bytes, counts, shards, fc.constant(null)), { maxLength: 5 })
    fc.assert(fc.property(tuples, withstands), { numRuns: 200 })
  })

  it('refuses a message that is cut off, and reads a changed one as another or refuses it', () =>
    withstandsDamage())
})

describe('bounds', () => {
  const all: CatalogueScope = { kind: 'all' }
  const page = (limit: number): RecordIdsParams => ({ scope: all, limit })
  const shortIds = (count: number): Uint8Array => new Uint8Array(16 * count)
  const many = (count: number, length: number): Uint8Array[] =>
    Array.from({ length: count }, () => bytesOf(length))
  const exchange = (want: number, give: number): RecordExchange => ({
    want: many(want, 16),
    give: many(give, 1)
  })
  const chunk = (count: number, symbols: number): unknown => [bytesOf(32), 7, count, bytesOf(symbols)]
  const range = { scope: all, from: 8, count: 4 }
  const cursor = (kind: string, byte: number): unknown => ({ kind, digest: new Uint8Array(32).fill(byte) })
  const after: SnapshotCursor = { kind: 'release', digest: new Uint8Array(32).fill(5) }

  it.each<[string, () => unknown]>([
    ['a block above its limit', () => BLOCK.parseResult(bytesOf(1_179_649), release.content)],
    ['a block of a CID with another codec', () => BLOCK.parseParams({ cid: ownerCid() })],
    ['a block of no CID', () => BLOCK.encodeParams('nonsense')],
    [
      'an endless page of holdings',
      () => HOLDINGS.parseResult({ cids: [], next: contentCid() }, { limit: 3 })
    ],
    ['a page of 1025 holdings', () => HOLDINGS.encodeParams({ limit: 1025 })],
    [
      '257 announced contents',
      () => ANNOUNCE_HOLDINGS.encodeParams(Array.from({ length: 257 }, () => release.content))
    ],
    [
      'more hits than asked for',
      () => SEARCH_PACKAGES.parseResult([hit(), hit()], new Query([], { limit: 1 }))
    ],
    ['a score that is no number', () => SEARCH_PACKAGES.parseResult([{ ...hit(), score: '1' }], new Query())],
    [
      'an owner to search for as text',
      () => SEARCH_PACKAGES.parseParams({ keywords: [], owner: release.owner })
    ],
    ['fewer outcomes than records', () => PUBLISH_PACKAGE.parseResult(Uint8Array.of(1), many(2, 1))],
    ['an outcome that does not exist', () => PUBLISH_PACKAGE.parseResult(Uint8Array.of(4), many(1, 1))],
    ['257 pushed records', () => PUBLISH_PACKAGE.encodeParams(many(257, 1))],
    ['a record above 64 KiB', () => PUBLISH_PACKAGE.parseParams({ envelopes: many(1, 65_537) })],
    ['1025 records of a name', () => LOOKUP_NAME.parseResult(many(1025, 1), nameOf())],
    ['more than 512 KiB of a name', () => LOOKUP_NAME.parseResult(many(9, 60_000), nameOf())],
    ['an unknown scope', () => COMPARE.parseParams(['every', bytesOf(32), 7, bytesOf(1)])],
    ['a shard of 2^13', () => COMPARE.parseParams([[13, 0], bytesOf(32), 7, bytesOf(1)])],
    ['a shard that is not there', () => COMPARE.parseParams([[2, 4], bytesOf(32), 7, bytesOf(1)])],
    ['a shard of three numbers', () => COMPARE.parseParams([[2, 3, 4], bytesOf(32), 7, bytesOf(1)])],
    ['a content as scope', () => COMPARE.parseParams([contentCid(), bytesOf(32), 7, bytesOf(1)])],
    ['a fingerprint of 31 bytes', () => COMPARE.parseParams([null, bytesOf(31), 7, bytesOf(1)])],
    ['65 bytes of probes', () => COMPARE.parseParams([null, bytesOf(32), 7, bytesOf(65)])],
    ['a comparison of five parts', () => COMPARE.parseParams([null, bytesOf(32), 7, bytesOf(1), 0])],
    ['more symbols than there are', () => COMPARE.parseResult(chunk(65_537, 1), comparisonOf(all))],
    ['more than 512 KiB of symbols', () => COMPARE.parseResult(chunk(9, 524_289), comparisonOf(all))],
    ['more symbols than asked for', () => SYMBOLS.parseResult(chunk(5, 1), range)],
    ['symbols behind the last', () => SYMBOLS.parseParams([null, 65_530, 7])],
    [
      'symbols from another place than asked for',
      () =>
        SYMBOLS.encodeResult(
          { fingerprint: bytesOf(32), records: 7, from: 0, count: 1, symbols: bytesOf(1) },
          range
        )
    ],
    ['a thousand and 25 wanted records', () => EXCHANGE_RECORDS.parseParams([shortIds(1025), []])],
    ['a short ID of 15 bytes', () => EXCHANGE_RECORDS.parseParams([bytesOf(31), []])],
    ['257 given records', () => EXCHANGE_RECORDS.parseParams([shortIds(0), many(257, 1)])],
    ['more than 192 KiB given', () => EXCHANGE_RECORDS.parseParams([shortIds(0), many(4, 49_153)])],
    [
      'more records than wanted',
      () => EXCHANGE_RECORDS.parseResult([many(2, 1), new Uint8Array()], exchange(1, 0))
    ],
    [
      'more than 512 KiB of records',
      () => EXCHANGE_RECORDS.parseResult([many(9, 60_000), new Uint8Array()], exchange(9, 0))
    ],
    [
      'an outcome of what was not given',
      () => EXCHANGE_RECORDS.parseResult([[], bytesOf(1)], exchange(0, 0))
    ],
    ['a page of 2049 IDs', () => RECORD_IDS.encodeParams(page(2049))],
    ['more IDs in a page than asked for', () => RECORD_IDS.parseResult([bytesOf(96), null], page(2))],
    ['a record ID of 31 bytes', () => RECORD_IDS.parseResult([bytesOf(31), null], page(2))],
    ['a record ID that is a content', () => RECORD_IDS.parseParams([null, 7, contentCid()])],
    ['an endless page', () => RECORD_IDS.parseResult([bytesOf(0), bytesOf(32)], page(2))],
    [
      'a page that leads back',
      () => RECORD_IDS.parseResult([bytesOf(32), bytesOf(32)], { ...page(2), after: lastId })
    ],
    ['shards that are not in order', () => HOLDS_CATALOGUE.parseResult([2, [1, 1]], null)],
    ['more shards than there are', () => HOLDS_CATALOGUE.parseResult([1, [0, 1, 2]], null)],
    ['a part of the catalogue without a name', () => HOLDS_CATALOGUE.parseResult('half', null)],
    [
      'a snapshot that leads back',
      () =>
        SNAPSHOT_PAGE.parseResult({ records: many(1, 1), next: cursor('owner', 9) }, { scope: all, after })
    ],
    [
      'a snapshot that stays where it is',
      () =>
        SNAPSHOT_PAGE.parseResult({ records: many(1, 1), next: cursor('release', 5) }, { scope: all, after })
    ],
    [
      'an endless snapshot',
      () => SNAPSHOT_PAGE.parseResult({ records: [], next: cursor('release', 9) }, { scope: all, after })
    ],
    [
      'a cursor of an unknown kind',
      () => SNAPSHOT_PAGE.parseParams({ scope: null, after: cursor('blob', 1) })
    ],
    ['a page above 512 KiB', () => SNAPSHOT_PAGE.parseResult({ records: many(9, 60_000) }, { scope: all })],
    ['a page of 4097 records', () => SNAPSHOT_PAGE.parseResult({ records: many(4097, 1) }, { scope: all })],
    ['a snapshot of no scope', () => SNAPSHOT_PAGE.parseParams({})]
  ])('refuses %s', (_, act) => {
    let error: unknown
    try {
      act()
    } catch (caught) {
      error = caught
    }
    expect(isRegistryError(error, 'ERR_INVALID_VALUE')).toBe(true)
  })

  it('leaves off hits and records that would not fit a message', () => {
    const big = { envelopes: many(2, 60_000), score: 1 }
    const hits = SEARCH_PACKAGES.encodeResult(
      Array.from({ length: 20 }, () => big),
      new Query()
    )
    expect(hits).toHaveLength(4)
    expect(LOOKUP_NAME.encodeResult(many(20, 60_000), nameOf())).toHaveLength(8)
    const [records] = EXCHANGE_RECORDS.encodeResult(
      { records: many(20, 60_000), given: [] },
      exchange(20, 0)
    ) as unknown[][]
    expect(records).toHaveLength(8)
  })

  it.each<[string, ProtocolShape, () => unknown]>([
    [
      'every hit there may be',
      LOOKUP,
      () =>
        SEARCH_PACKAGES.encodeResult(
          Array.from({ length: 100 }, () => ({ envelopes: many(256, 1), score: 0.1 })),
          new Query([], { limit: 100 })
        )
    ],
    ['a name of many records', LOOKUP, () => LOOKUP_NAME.encodeResult(many(1025, 512), nameOf())],
    [
      '1024 wanted records',
      RECONCILE,
      () => EXCHANGE_RECORDS.encodeResult({ records: many(1024, 512), given: [] }, exchange(1024, 0))
    ],
    [
      'all symbols',
      RECONCILE,
      () =>
        COMPARE.encodeResult(
          {
            status: 'different',
            fingerprint: bytesOf(32),
            records: 2 ** 53 - 1,
            from: 0,
            count: 65_536,
            symbols: bytesOf(524_288)
          },
          comparisonOf(all)
        )
    ],
    [
      'every shard',
      RECONCILE,
      () =>
        HOLDS_CATALOGUE.encodeResult(
          { mode: 'shards', bits: 8, shards: Array.from({ length: 256 }, (_, index) => index) },
          null
        )
    ],
    [
      'a page of 2048 IDs',
      RECONCILE,
      () =>
        RECORD_IDS.encodeResult(
          { ids: Array.from({ length: 2048 }, () => firstId), next: lastId },
          page(2048)
        )
    ],
    [
      'a page of 4096 records',
      SNAPSHOT,
      () => SNAPSHOT_PAGE.encodeResult({ records: many(4096, 128), next: after }, { scope: all })
    ]
  ])('has room in an answer for %s', (_, { maxResponseBytes }, encodeResult) => {
    const frame = encodeMessage({ id: 2 ** 53 - 1, status: 'ok', result: encodeResult() })
    expect(frame.length).toBeLessThanOrEqual(maxResponseBytes)
  })

  it('has room in a request for all that may be wanted and given at once', () => {
    const params = EXCHANGE_RECORDS.encodeParams({ want: many(1024, 16), give: many(256, 768) })
    const frame = encodeMessage({ id: 2 ** 53 - 1, method: 'exchangeRecords', params })
    expect(frame.length).toBeLessThanOrEqual(RECONCILE.maxRequestBytes)
  })

  it('has room in a request for any place in a snapshot', () => {
    const params = SNAPSHOT_PAGE.encodeParams({
      scope: { kind: 'owner', owner: release.owner },
      after: { ...after, kind: 'attestation' }
    })
    const frame = encodeMessage({ id: 2 ** 53 - 1, method: 'snapshot', params })
    expect(frame.length).toBeLessThanOrEqual(SNAPSHOT.maxRequestBytes)
  })

  it.each<[string, CatalogueScope]>([
    ['all', all],
    ['the owners', { kind: 'owners' }],
    ['a shard', { kind: 'shard', bits: 8, index: 255 }],
    ['an owner', { kind: 'owner', owner: release.owner }]
  ])('says in at most 200 bytes that %s is equal, however long a stream has been used', (_, scope) => {
    const id = 2 ** 32 - 1
    const params = COMPARE.encodeParams({ ...comparisonOf(scope), probes: bytesOf(40) })
    const messages = [
      encodeMessage({ id, method: COMPARE.name, params }),
      encodeMessage({
        id,
        status: 'ok',
        result: COMPARE.encodeResult({ status: 'equal' }, comparisonOf(scope))
      })
    ]
    const bytes = messages.reduce((sum, { length }) => sum + frameLength(length).length + length, 0)
    expect(bytes).toBeLessThanOrEqual(200)
  })
})

describe('messages', () => {
  it('refuse any byte changed or missing in an example, or read it as another message, but never fail otherwise', () => {
    for (const { title, frame } of Object.values(EXAMPLES).flat()) {
      const message = frame.subarray(1)
      const parse = title.endsWith('request') ? parseRequest : parseResponse
      fc.assert(
        fc.property(fc.nat(message.length - 1), fc.nat(255), fc.nat(message.length), (at, byte, end) => {
          const changed = message.slice()
          changed[at] = byte
          for (const bad of [changed, message.slice(0, end), changed.slice(0, end)]) {
            try {
              const { id } = parse(bad)
              expect(Number.isSafeInteger(id)).toBe(true)
            } catch (error) {
              expect(isRegistryError(error, 'ERR_INVALID_VALUE')).toBe(true)
            }
          }
        }),
        { numRuns: 100 }
      )
    }
  })

  it('refuse a message that is nested without end', () => {
    const nested = new Uint8Array(200_000).fill(0x81)
    expect(() => parseRequest(nested)).toThrow()
    expect(() => parseResponse(nested)).toThrow()
  })

  it.each([
    { id: 1, status: 'fine' },
    { id: -1, status: 'ok' },
    { id: 1.5, status: 'ok' },
    { status: 'ok' },
    { id: 1, status: 'error' },
    { id: 1, status: 'error', error: 'the disk is full' },
    { id: 1, status: 'error', error: `ERR_${'X'.repeat(61)}` },
    [],
    null
  ])('refuse the answer %j', (value) => {
    expect(() => parseResponse(encode(value))).toThrow()
  })

  it.each([
    { id: 1 },
    { id: 1, method: 7 },
    { method: 'block' },
    { id: 1, method: 'x'.repeat(65) },
    [],
    null
  ])('refuse the request %j', (value) => {
    expect(() => parseRequest(encode(value))).toThrow()
  })
})

const filler = seededBytes('bytes', 524_289)

function bytesOf(length: number): Uint8Array {
  return length <= filler.length ? filler.subarray(0, length) : seededBytes('bytes', length)
}

function hit(): { envelopes: Uint8Array[]; score: number } {
  return { envelopes: [], score: 1 }
}

function nameOf(): NameParams {
  return { name: release.name, owner: undefined }
}

function comparisonOf(scope: CatalogueScope): CatalogueComparison {
  return { scope, summary: { fingerprint: bytesOf(32), records: 1_000_000 }, probes: bytesOf(16) }
}

/** CIDs as they stand in a decoded message. */
function ownerCid(): unknown {
  return encodeCid(release.owner)
}

function contentCid(): unknown {
  return encodeCid(release.content)
}
