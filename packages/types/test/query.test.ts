import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRegistryError, parseQuery, Query, type QueryOptions } from '../src/index.ts'

const options: fc.Arbitrary<QueryOptions> = fc.record(
  {
    keywords: fc.array(fc.string({ maxLength: 20 }), { maxLength: 32 }),
    category: fc.string({ maxLength: 20 }),
    tags: fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }),
    limit: fc.nat({ max: 1000 }),
    minDownloads: fc.maxSafeNat()
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
