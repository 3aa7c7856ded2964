import { encode } from '@ipld/dag-cbor'
import { makeRelease, seededBytes, seededOwnerId } from '@registry/testing'
import { isRegistryError, Query, type RecordId, type ReleaseKey } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ANNOUNCE_HOLDINGS, BLOCK, HOLDINGS } from '../src/content.ts'
import { GET_PACKAGE, PUBLISH_PACKAGE, SEARCH_PACKAGES } from '../src/lookup.ts'
import { encodeMessage, parseRequest, parseResponse } from '../src/message.ts'
import type { Method } from '../src/method.ts'
import { CATALOGUE_SUMMARY, RECORD_IDS, RECORDS } from '../src/sync.ts'
import { EXAMPLES } from './golden.ts'

const release = makeRelease()
const ids = [1, 2, 3].map((seed) => seededOwnerId(seed) as string as RecordId)
const bytes = fc.uint8Array({ maxLength: 100 })
const envelopes = fc.array(bytes, { maxLength: 5 })
const recordId = fc.constantFrom(...ids)
const recordIds = fc.array(recordId, { minLength: 1, maxLength: 20 })
const contentIds = fc.array(fc.constant(release.content), { minLength: 1, maxLength: 20 })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })

/** Each method with what it may be asked and may answer. */
const METHODS = [
  law(
    GET_PACKAGE,
    fc.constant<ReleaseKey>({ owner: release.owner, name: release.name, version: release.version }),
    envelopes
  ),
  law(
    SEARCH_PACKAGES,
    fc
      .tuple(fc.array(text), fc.array(text), fc.option(text), fc.integer({ min: 20, max: 100 }))
      .map(
        ([keywords, tags, category, limit]) =>
          new Query(keywords, { tags, limit, ...(category === null ? {} : { category }) })
      ),
    fc.array(fc.record({ envelopes, score: fc.double({ noNaN: true, noDefaultInfinity: true }) }), {
      maxLength: 20
    })
  ),
  law(PUBLISH_PACKAGE, fc.array(bytes, { minLength: 2, maxLength: 2 }), fc.constant(['known', 'refused'])),
  law(
    CATALOGUE_SUMMARY,
    fc.constant(null),
    fc.record({
      fingerprint: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      records: fc.nat()
    })
  ),
  law(
    RECORD_IDS,
    fc.record(
      {
        kind: fc.constantFrom('owner', 'release'),
        after: recordId,
        limit: fc.integer({ min: 20, max: 2048 })
      },
      { requiredKeys: ['kind', 'limit'] }
    ),
    fc.record({ ids: recordIds, next: recordId }, { requiredKeys: ['ids'] })
  ),
  law(RECORDS, fc.array(recordId, { minLength: 5, maxLength: 20 }), envelopes),
  law(BLOCK, fc.constant(release.content), bytes),
  law(
    HOLDINGS,
    fc.record(
      { after: fc.constant(release.content), limit: fc.integer({ min: 20, max: 1024 }) },
      { requiredKeys: ['limit'] }
    ),
    fc.record({ cids: contentIds, next: fc.constant(release.content) }, { requiredKeys: ['cids'] })
  ),
  law(ANNOUNCE_HOLDINGS, contentIds, fc.constant(null))
]

interface Law {
  name: string
  /** Parameters and result come out as they went in. */
  roundTrip: () => void
  /** Whatever is parsed, the parsers answer or refuse. */
  withstands: (value: unknown) => void
}

function law<Params, Result>(
  method: Method<Params, Result>,
  params: fc.Arbitrary<unknown>,
  result: fc.Arbitrary<unknown>
): Law {
  return {
    name: method.name,
    roundTrip: () => {
      const property = fc.property(params, result, (asked, answered) => {
        const request = parseRequest(
          encodeMessage({ id: 1, method: method.name, params: method.encodeParams(asked as Params) })
        )
        const parsed = method.parseParams(request.params)
        expect(parsed).toEqual(asked)
        const response = parseResponse(
          encodeMessage({ id: 1, status: 'ok', result: method.encodeResult(answered as Result, parsed) })
        )
        if (response.status !== 'ok') throw new Error('unreachable')
        expect(plain(method.parseResult(response.result, parsed))).toEqual(plain(answered))
      })
      fc.assert(property, { numRuns: 50 })
    },
    withstands: (value) => {
      fc.assert(
        fc.property(params, (asked) => {
          refusesTyped(() => method.parseParams(value))
          refusesTyped(() => method.parseResult(value, asked as Params))
        }),
        { numRuns: 1 }
      )
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

describe.each(METHODS)('$name', ({ roundTrip, withstands }) => {
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
        'cid'
      ),
      values
    )
    fc.assert(fc.property(shapes, withstands), { numRuns: 200 })
  })
})

describe('bounds', () => {
  it.each<[string, () => unknown]>([
    [
      'more IDs in a page than asked for',
      () => RECORD_IDS.parseResult(RECORD_IDS.encodeResult({ ids }, page(3)), page(2))
    ],
    ['an endless page', () => RECORD_IDS.parseResult({ ids: [], next: cidOf() }, page(3))],
    ['an endless page of holdings', () => HOLDINGS.parseResult({ cids: [], next: cidOf() }, { limit: 3 })],
    ['more records than asked for', () => RECORDS.parseResult([bytesOf(1), bytesOf(1)], ids.slice(0, 1))],
    ['a record above 64 KiB', () => RECORDS.parseResult([bytesOf(65_537)], ids)],
    ['a block above its limit', () => BLOCK.parseResult(bytesOf(1_179_649), release.content)],
    ['a block of a CID with another codec', () => BLOCK.parseParams({ cid: cidOf() })],
    [
      'a record ID of a content',
      () => RECORDS.parseParams(ANNOUNCE_HOLDINGS.encodeParams([release.content]))
    ],
    [
      'more hits than asked for',
      () => SEARCH_PACKAGES.parseResult([hit(), hit()], new Query([], { limit: 1 }))
    ],
    ['a score that is no number', () => SEARCH_PACKAGES.parseResult([{ ...hit(), score: '1' }], new Query())],
    ['fewer outcomes than records', () => PUBLISH_PACKAGE.parseResult(['known'], [bytesOf(1), bytesOf(1)])],
    ['an outcome that does not exist', () => PUBLISH_PACKAGE.parseResult(['maybe'], [bytesOf(1)])],
    [
      'a fingerprint of 31 bytes',
      () => CATALOGUE_SUMMARY.parseResult({ fingerprint: bytesOf(31), records: 1 }, null)
    ],
    ['a page of 2049 IDs', () => RECORD_IDS.encodeParams(page(2049))],
    ['2049 records', () => RECORDS.encodeParams(Array.from({ length: 2049 }, () => ids[0] ?? fail()))],
    ['a page of 1025 holdings', () => HOLDINGS.encodeParams({ limit: 1025 })],
    [
      '257 announced contents',
      () => ANNOUNCE_HOLDINGS.encodeParams(Array.from({ length: 257 }, () => release.content))
    ],
    ['257 pushed records', () => PUBLISH_PACKAGE.encodeParams(Array.from({ length: 257 }, () => bytesOf(1)))],
    ['a block of no CID', () => BLOCK.encodeParams('nonsense')]
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
    const big = { envelopes: [bytesOf(60_000), bytesOf(60_000)], score: 1 }
    const hits = SEARCH_PACKAGES.encodeResult(
      Array.from({ length: 20 }, () => big),
      new Query()
    )
    expect(hits).toHaveLength(4)
    const records = RECORDS.encodeResult(
      Array.from({ length: 20 }, () => bytesOf(60_000)),
      ids
    )
    expect(records).toHaveLength(8)
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
              expect(error).toBeInstanceOf(Error)
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

function page(limit: number): { kind: 'owner'; limit: number } {
  return { kind: 'owner', limit }
}

function bytesOf(length: number): Uint8Array {
  return seededBytes('bytes', length)
}

function hit(): { envelopes: Uint8Array[]; score: number } {
  return { envelopes: [], score: 1 }
}

/** A CID of dag-cbor, as it stands in a decoded message. */
function cidOf(): unknown {
  const params = RECORD_IDS.encodeParams({ kind: 'owner', limit: 1, after: ids[0] ?? fail() })
  return (params as { after: unknown }).after
}

function fail(): never {
  throw new Error('unreachable')
}
