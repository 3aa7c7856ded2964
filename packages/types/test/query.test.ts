import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isRegistryError,
  parseOwnerId,
  parseQuery,
  parseSearchText,
  Query,
  type QueryOptions,
  SEARCH_SORTS
} from '../src/index.ts'

const OWNER = parseOwnerId('bafyreiehtzycbc27fbm22yehmx5qi2c3arovlbvb22jd66nf6tqnfl2xfq')

const options: fc.Arbitrary<QueryOptions> = fc.record(
  {
    keywords: fc.array(fc.string({ maxLength: 20 }), { maxLength: 32 }),
    category: fc.string({ maxLength: 20 }),
    tags: fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }),
    limit: fc.nat({ max: 1000 }),
    minDownloads: fc.maxSafeNat(),
    phrases: fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 3 }),
    owner: fc.constant(OWNER),
    license: fc.string({ maxLength: 20 }),
    labels: fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 3 }),
    sort: fc.constantFrom(...SEARCH_SORTS),
    after: fc.string({ maxLength: 20 }),
    facets: fc.boolean(),
    explain: fc.boolean()
  },
  { requiredKeys: [] }
)

describe('a query', () => {
  it('has a limit of 20 and nothing else unless told', () => {
    expect(new Query().toJSON()).toEqual({ keywords: [], tags: [], limit: 20 })
  })

  it('becomes another with each condition, and stays what it was', () => {
    const query = new Query(['web'])
    const narrowed = query.withCategory('tools').withTags(['fast']).withLimit(5).withMinDownloads(2)
    expect(narrowed.toJSON()).toEqual({
      keywords: ['web'],
      category: 'tools',
      tags: ['fast'],
      limit: 5,
      minDownloads: 2
    })
    expect(narrowed.withTags([]).toJSON()).toEqual({ ...narrowed.toJSON(), tags: [] })
    expect(query.toJSON()).toEqual({ keywords: ['web'], tags: [], limit: 20 })
  })

  it('cannot be changed, neither itself nor by the lists it was made of', () => {
    const keywords = ['web']
    const query = new Query(keywords, { tags: ['fast'] })
    keywords.push('later')
    expect(query.keywords).toEqual(['web'])
    expect(() => (query.keywords as string[]).push('x')).toThrow(TypeError)
    expect(() => (query.tags as string[]).pop()).toThrow(TypeError)
    expect(() => Object.assign(query, { limit: 1 })).toThrow(TypeError)
  })

  it('is the same after a journey as JSON', () => {
    fc.assert(
      fc.property(options, (some) => {
        const query = parseQuery(some)
        expect(parseQuery(JSON.parse(JSON.stringify(query)))).toEqual(query)
        expect(parseQuery(query)).toBe(query)
        expect(parseQuery({ ...query })).toEqual(query)
      })
    )
  })

  it.each([
    ['keywords', 'web'],
    ['keywords', null],
    ['keywords', Array.from({ length: 33 }, () => 'k')],
    ['keywords', ['k'.repeat(257)]],
    ['category', 1],
    ['tags', null],
    ['tags', ['\ud800']],
    ['limit', 1001],
    ['limit', -1],
    ['limit', '5'],
    ['minDownloads', 0.5]
  ])('is refused when %s is %j', (field, value) => {
    expect(() => parseQuery({ [field]: value })).toThrow(
      expect.toSatisfy((error: unknown) => isRegistryError(error, 'ERR_INVALID_VALUE'))
    )
  })

  it('of any other form is a typed error', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          return parseQuery(value) instanceof Query
        } catch (error) {
          return isRegistryError(error, 'ERR_INVALID_VALUE')
        }
      })
    )
  })
})

describe('a search as a person writes it', () => {
  it.each<[string, QueryOptions]>([
    ['', { keywords: [] }],
    ['  json   parser ', { keywords: ['json', 'parser'] }],
    ['"rate limit" http', { keywords: ['http'], phrases: ['rate limit'] }],
    ['category:tools tag:fast tag:small', { keywords: [], category: 'tools', tags: ['fast', 'small'] }],
    [
      `owner:${OWNER} license:MIT keyword:cli`,
      { keywords: [], owner: OWNER, license: 'MIT', labels: ['cli'] }
    ],
    ['category:"data science" plot', { keywords: ['plot'], category: 'data science' }],
    ['node:fs http://x.example', { keywords: ['node:fs', 'http://x.example'] }],
    ['category: tag:"" ""', { keywords: [] }],
    ['"never closed', { keywords: [], phrases: ['never closed'] }]
  ])('reads %j', (text, expected) => {
    expect(parseSearchText(text)).toEqual(expected)
  })

  it.each(['category:a category:b', 'owner:nobody', 'x'.repeat(1025)])('refuses %j', (text) => {
    expect(() => parseSearchText(text)).toThrow(
      expect.toSatisfy((error: unknown) => isRegistryError(error, 'ERR_INVALID_VALUE'))
    )
  })

  it('reads or refuses any text, and what it reads is a query', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const { keywords, ...rest } = parseSearchText(text)
        expect(() => new Query(keywords, rest)).not.toThrow()
      })
    )
  })
})
