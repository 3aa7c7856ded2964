import { Query } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { found, indexOf, makeDocument, openIndex, packagesOf, queryOf } from './documents.ts'

describe('words', () => {
  it('finds a package in the search right after it was put', () => {
    const index = openIndex()
    index.put([makeDocument({ package: 7, name: 'yojson' })], 1)
    expect(found(index, 'yojson')).toEqual([7])
  })

  it('finds what has one of the words, and first what has all', () => {
    const index = indexOf(
      { name: 'fast-parser', description: 'Parses' },
      { name: 'strict-reader', description: 'A parser of json' },
      { name: 'unrelated' }
    )
    expect(found(index, 'json parser')).toEqual([2, 1])
  })

  it('puts a name before a description', () => {
    const index = indexOf({ name: 'one', description: 'about lwt' }, { name: 'lwt-two' })
    expect(found(index, 'lwt')).toEqual([2, 1])
  })

  it('puts the package whose name is the query first, however much others are used', () => {
    const index = indexOf({ name: 'lwt-unix-tools', dependents: 900 }, { name: 'lwt-unix' })
    expect(found(index, 'lwt unix')).toEqual([2, 1])
  })

  it.each(['graph-ql', 'graphQL', 'graph ql', 'graphql', '@acme/graphql-server'])(
    'finds code names however they are parted: %s',
    (text) => {
      const index = indexOf({ name: 'graph-ql' }, { name: '@acme/graphql-server' }, { name: 'other' })
      expect(found(index, text).sort()).toEqual([1, 2])
    }
  )

  it.each([
    ['lwt_ssl', 'lwt ssl'],
    ['http2', 'http2'],
    ['http2', 'http'],
    ['http2', 'http 2'],
    ['yojson', 'json']
  ])('finds %s by %s', (name, text) => {
    expect(found(indexOf({ name }), text)).toEqual([1])
  })

  it('finds the other forms of a word', () => {
    const index = indexOf({ name: 'angstrom', description: 'Combinators for parsing' })
    for (const text of ['parser', 'parsers', 'parse', 'parsed']) expect(found(index, text)).toEqual([1])
  })

  it('completes the last word', () => {
    const index = indexOf({ name: 'cohttp' }, { name: 'tool', description: 'A database of words' })
    expect(found(index, 'coh')).toEqual([1])
    expect(found(index, 'c')).toEqual([1])
    expect(found(index, 'words datab')).toEqual([2])
  })

  it('forgives typing errors in words that are nowhere', () => {
    const index = indexOf({ name: 'postgresql' }, { name: 'yojson' })
    for (const text of ['postgrseql', 'postgressql', 'psotgreslq']) expect(found(index, text)).toEqual([1])
    for (const text of ['yojsn', 'yojosn', 'yjson']) expect(found(index, text)).toEqual([2])
    expect(found(index, 'xojsan')).toEqual([])
  })

  it('does not look for similar words where the word itself is found', () => {
    const index = indexOf({ name: 'lwts' }, { name: 'lwtx' })
    expect(found(index, 'lwts')).toEqual([1])
  })

  it('folds accents, width and case away', () => {
    const index = indexOf({ name: 'one', description: 'Größe und Café, Привет мир' })
    for (const text of ['cafe', 'CAFÉ', 'größe', 'ｃａｆｅ', 'привет'])
      expect(found(index, text)).toEqual([1])
  })

  it('finds what is written without spaces', () => {
    const index = indexOf(
      { name: 'one', description: '高速な文字列検索ライブラリ' },
      { name: 'two', description: '中文分词' }
    )
    expect(found(index, '検索')).toEqual([1])
    expect(found(index, '文字列')).toEqual([1])
    expect(found(index, '分词')).toEqual([2])
    expect(found(index, '検')).toEqual([1])
  })

  it('finds nothing by punctuation, and does not throw', () => {
    const index = indexOf({ name: 'one' })
    for (const text of ['!!!', '" "', "'; DROP", '\u0000', '🦊', '-'])
      expect(() => found(index, text)).not.toThrow()
    expect(found(index, '!!!')).toEqual([])
  })

  it('looks for words like "the" only where there is no other', () => {
    const index = indexOf({ name: 'the', description: 'x' }, { name: 'lwt', description: 'the library' })
    expect(found(index, 'the')).toEqual([1])
    expect(found(index, 'the lwt')).toEqual([2])
  })
})

describe('phrases', () => {
  const phrased = (): ReturnType<typeof indexOf> =>
    indexOf(
      { name: 'one', description: 'An HTTP client for all' },
      { name: 'two', description: 'A client that speaks http' },
      { name: 'http-client' },
      { name: 'four', description: 'speaks http', tags: ['client'] },
      { name: 'five', description: 'state of the art' }
    )

  it('are words side by side in a name, a description or a tag', () => {
    expect(found(phrased(), '"http client"')).toEqual([3, 1])
  })

  it('may have words that are not indexed', () => {
    expect(found(phrased(), '"state of the art"')).toEqual([5])
    expect(found(phrased(), '"of the"')).toEqual([5])
    expect(found(phrased(), '"art of"')).toEqual([])
  })
})

describe('filters', () => {
  const filtered = (): ReturnType<typeof indexOf> =>
    indexOf(
      { name: 'one', category: 'web', tags: ['http', 'org:mirage'], keywords: ['net'], license: 'MIT' },
      { name: 'two', category: 'web', tags: ['http'], license: 'MIT OR Apache-2.0' },
      { name: 'three', category: 'cli', tags: ['Http'], keywords: ['net'], license: 'ISC' }
    )

  it.each([
    ['category:web', [1, 2]],
    ['tag:http', [1, 3, 2]],
    ['tag:http tag:org:mirage', [1]],
    ['license:mit', [1, 2]],
    ['license:"MIT OR Apache-2.0"', [2]],
    ['keyword:net', [1, 3]],
    ['keyword:net one', [1]],
    ['category:none', []],
    ['one category:cli', []]
  ])('keeps what has %s', (text, expected) => {
    expect(found(filtered(), text)).toEqual(expected)
  })

  it('keeps the packages of an owner', () => {
    const index = filtered()
    const document = makeDocument({ package: 9, name: 'nine' })
    const owner = 'bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy' as typeof document.owner
    index.put([{ ...document, owner }], 2)
    expect(packagesOf(index.search(new Query([], { owner })))).toEqual([9])
  })

  it('leaves out what the caller does not accept, and does not count it', () => {
    const { matches, total } = filtered().search(queryOf(''), (key) => key !== 2)
    expect(matches.map((match) => match.package)).toEqual([1, 3])
    expect(total).toBe(2)
  })
})

describe('a caller that fails', () => {
  it('gets its own error, and the next search is as good as any', () => {
    const index = indexOf({ name: 'lwt' }, { name: 'lwt-two' })
    const before = index.search(queryOf('lwt'))
    const fail = (): never => {
      throw new Error('no')
    }
    expect(() => index.search(queryOf('lwt'), fail)).toThrow('no')
    expect(index.search(queryOf('lwt'))).toEqual(before)
  })
})

describe('facets', () => {
  it('count the values of all that fits, most first', () => {
    const index = indexOf(
      { name: 'lwt', category: 'web', tags: ['a', 'b'], license: 'MIT' },
      { name: 'lwt-two', category: 'web', tags: ['a'], license: 'MIT AND ISC', keywords: ['k'] },
      { name: 'other', category: 'cli', tags: ['c'] }
    )
    const { facets, total } = index.search(queryOf('lwt', { facets: true, limit: 1 }))
    expect(total).toBe(2)
    expect(facets).toMatchObject({
      category: [{ value: 'web', count: 2 }],
      tag: [
        { value: 'a', count: 2 },
        { value: 'b', count: 1 }
      ],
      license: [
        { value: 'MIT', count: 2 },
        { value: 'ISC', count: 1 }
      ],
      keyword: [{ value: 'k', count: 1 }]
    })
    expect(facets?.owner.map(({ count }) => count)).toEqual([2])
    expect(index.search(queryOf('lwt')).facets).toBeUndefined()
  })
})

describe('order', () => {
  const sorted = (): ReturnType<typeof indexOf> =>
    indexOf(
      { name: 'lwt-c', updatedAtMs: 3000, dependents: 5 },
      { name: 'lwt-a', updatedAtMs: 9000, dependents: 1 },
      { name: 'lwt-b', updatedAtMs: 3000, dependents: 7 }
    )

  it.each([
    ['updated', [2, 3, 1]],
    ['name', [2, 3, 1]],
    ['dependents', [3, 1, 2]]
  ] as const)('can be by %s, with words and without', (sort, expected) => {
    expect(found(sorted(), '', { sort })).toEqual(expected)
    expect(found(sorted(), 'lwt', { sort })).toEqual(expected)
  })

  it('is by quality where no word is asked for', () => {
    expect(found(sorted(), '')).toEqual([3, 1, 2])
  })

  it.each([
    ['dependents', { dependents: 100 }],
    ['providers', { providers: 100 }],
    ['recency', { updatedAtMs: 1_900_000_000_000 }],
    ['trust', { trust: 1 }]
  ])('puts the package with more %s first where the words say the same', (_, signals) => {
    const index = indexOf({ name: 'lwt-a' }, { name: 'lwt-b', ...signals })
    expect(found(index, 'lwt')).toEqual([2, 1])
  })
})

describe('pages', () => {
  it.each(['relevance', 'updated', 'name', 'dependents'] as const)(
    'sorted by %s are each after the one before, and together everything',
    (sort) => {
      const index = openIndex()
      const documents = Array.from({ length: 50 }, (_, at) =>
        makeDocument({
          package: at + 1,
          name: `lwt-${(at * 7) % 25}`,
          updatedAtMs: (at % 4) * 1000,
          dependents: at % 3
        })
      )
      index.put(documents, 1)
      for (const text of ['lwt', '']) {
        const whole = found(index, text, { sort, limit: 1000 })
        const paged: number[] = []
        for (let after: string | undefined; ; ) {
          const page = index.search(
            queryOf(text, { sort, limit: 7, ...(after === undefined ? {} : { after }) })
          )
          expect(page.total).toBe(50)
          paged.push(...packagesOf(page))
          after = page.next
          if (after === undefined) break
          expect(after.length).toBeLessThanOrEqual(256)
        }
        expect(paged).toEqual(whole)
      }
    }
  )

  it('go on when the last package of the page before is gone', () => {
    const index = indexOf({ name: 'lwt-a' }, { name: 'lwt-b' }, { name: 'lwt-c' })
    const { next = '' } = index.search(queryOf('', { sort: 'name', limit: 1 }))
    index.remove([1], 2)
    expect(found(index, '', { sort: 'name', after: next })).toEqual([2, 3])
  })

  it('fit a cursor of 256 characters even with the longest name', () => {
    const index = indexOf({ name: `a${'x'.repeat(213)}` }, { name: `b${'x'.repeat(213)}` })
    const { next = '' } = index.search(queryOf('', { sort: 'name', limit: 1 }))
    expect(found(index, '', { sort: 'name', after: next })).toEqual([2])
  })

  it.each(['', 'x', 'not a cursor', '0'.repeat(60)])('are refused for the cursor %j', (after) => {
    const index = indexOf({ name: 'lwt' })
    expect(() => index.search(queryOf('lwt', { after }))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_CURSOR' })
    )
  })

  it('are refused for the cursor of another query', () => {
    const index = indexOf({ name: 'lwt-a' }, { name: 'lwt-b' })
    const { next = '' } = index.search(queryOf('lwt', { limit: 1 }))
    expect(() => index.search(queryOf('other', { after: next }))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_CURSOR' })
    )
  })
})

describe('explanations', () => {
  it.each(['lwt', 'lwt unix', 'json pars', 'yojsn', 'graph ql missing', 'parser "fast json"', ''])(
    'add up to the score of %j',
    (text) => {
      const index = indexOf(
        { name: 'lwt', description: 'threads', dependents: 90 },
        { name: 'lwt-unix', description: 'threads of unix', trust: 1 },
        { name: 'yojson', description: 'A fast JSON parser', providers: 9 },
        { name: 'graphql', description: 'graph queries' }
      )
      const { matches } = index.search(queryOf(text, { explain: true }))
      expect(matches.length).toBeGreaterThan(0)
      for (const { score, explanation } of matches) {
        if (explanation === undefined) throw new Error('no explanation')
        const terms = explanation.terms.reduce(
          (sum, { idf, impact, weight }) => sum + idf * impact * weight,
          0
        )
        const bonuses = explanation.bonuses.reduce((sum, bonus) => sum + bonus.score, 0)
        expect((terms + bonuses) * explanation.quality.factor).toBeCloseTo(score, 9)
      }
    }
  )

  it('name the word, what it met, where and how', () => {
    const index = indexOf({ name: 'yojson', description: 'parsing' })
    const how = (text: string): unknown =>
      index.search(queryOf(text, { explain: true })).matches[0]?.explanation?.terms
    expect(how('json parser x')).toMatchObject([
      { word: 'json', term: 'yojson', field: 'name', how: 'contains' },
      { word: 'parser', term: 'parsing', field: 'text', how: 'stem' }
    ])
    expect(how('yojson')).toMatchObject([
      { term: 'yojson', field: 'name', how: 'exact', impact: 1.6, weight: 1 }
    ])
    expect(how('yoj')).toMatchObject([{ term: 'yojson', how: 'prefix' }])
    expect(how('yojsom')).toMatchObject([{ term: 'yojson', how: 'typo' }])
  })
})

describe('bounds', () => {
  it('looks at no more than the first dozen words', () => {
    const index = indexOf({ name: 'zebra' })
    const words = Array.from({ length: 12 }, (_, at) => `word${at}`)
    expect(found(index, [...words.slice(1), 'zebra'].join(' '))).toEqual([1])
    expect(found(index, [...words, 'zebra'].join(' '))).toEqual([])
  })

  it('reads no more than the beginning of a long description', () => {
    const index = indexOf({ name: 'one', description: `${'filler '.repeat(2000)} needle` })
    expect(found(index, 'filler')).toEqual([1])
    expect(found(index, 'needle')).toEqual([])
  })

  it.each([0, -1, 1.5, 2 ** 32, Number.NaN])('refuses %d as the key of a package', (key) => {
    const index = openIndex()
    const put = (): void =>
      index.put([makeDocument({ package: 1, name: 'one' }), makeDocument({ package: key, name: 'two' })], 1)
    expect(put).toThrow(expect.objectContaining({ code: 'ERR_INVALID_VALUE' }))
    expect(found(index, '')).toEqual([])
  })
})
