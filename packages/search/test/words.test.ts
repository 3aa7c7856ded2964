import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stemLengthOf, wordsOf, writtenWordsOf } from '../src/words.ts'

describe('words', () => {
  it.each([
    ['lwt_ssl', [['lwt'], ['ssl']]],
    [
      'jsonParser HTTPServer',
      [
        ['json', 'parser'],
        ['http', 'server']
      ]
    ],
    ['http2 sha256sum', [['http2'], ['sha256sum']]],
    ['UTF-8, e-mail; lock-free', [['utf', '8'], ['e', 'mail'], ['lock'], ['free']]],
    ['a-b-c iso-8859-1', [['a', 'b'], ['c'], ['iso', '8859'], ['1']]],
    ['Café', [['cafe']]],
    ['naïveParser', [['naive', 'parser']]],
    ['日本語 検', [['日本'], ['本語'], ['検']]],
    ['JSONを読む', [['json'], ['を読'], ['読む']]],
    ['', []],
    ['-- !', []]
  ])('of %j', (text, expected) => {
    expect(writtenWordsOf(text)).toEqual(expected)
  })

  it('of plain letters are the same among others', () => {
    const plain = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_. /') })
    fc.assert(
      fc.property(plain, (text) => {
        expect(writtenWordsOf(`${text} é`)).toEqual([...writtenWordsOf(text), ['e']])
      }),
      { numRuns: 2000 }
    )
  })

  it('are bounded, well-formed and not empty, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        for (const word of wordsOf(text)) {
          expect(word.length).toBeGreaterThan(0)
          expect(word.length).toBeLessThanOrEqual(64)
          expect(word.isWellFormed()).toBe(true)
        }
      })
    )
  })
})

describe('stems', () => {
  it.each([
    ['parse', 'parser', 'parsers', 'parsed', 'parsing'],
    ['library', 'libraries'],
    ['query', 'queries', 'querying'],
    ['cache', 'caches', 'caching', 'cached'],
    ['compile', 'compiler', 'compiling', 'compilation'],
    ['log', 'logs', 'logger', 'logging'],
    ['buffer', 'buffers', 'buffered', 'buffering'],
    ['class', 'classes'],
    ['pcre', 'pcre2']
  ])('of the forms of a word are one: %s', (...forms) => {
    const stems = new Set(forms.map((form) => form.slice(0, stemLengthOf(form))))
    expect(stems.size).toBe(1)
  })

  it.each([
    ['string', 'strap'],
    ['server', 'service'],
    ['test', 'tess'],
    ['base', 'base64'],
    ['redis', 'red']
  ])('of other words are not: %s, %s', (a, b) => {
    expect(a.slice(0, stemLengthOf(a))).not.toBe(b.slice(0, stemLengthOf(b)))
  })
})
