import { seededOwnerId } from '@registry/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type SearchDocument, type SearchIndex, searchIndex } from '../src/index.ts'
import { makeDocument, queryOf, temporaryFolder } from './documents.ts'

const WORDS =
  'json yojson parser parsing parse http client cohttp lwt unix graph ql GraphQL сеть 検索 the of'.split(' ')
const QUERIES: Array<[string, object]> = [
  ['json parser', { facets: true, explain: true }],
  ['graph ql', { explain: true }],
  ['lw', {}],
  ['c', {}],
  ['yojsn', {}],
  ['"http client" lwt', {}],
  ['tag:json', { facets: true }],
  ['検', {}],
  ['the', {}],
  ['', { sort: 'name', limit: 7 }],
  ['', { facets: true }],
  ['parse http', { sort: 'updated', limit: 3 }],
  ['client', { sort: 'dependents', limit: 3 }]
]

const words = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 5 })
const document: fc.Arbitrary<SearchDocument> = fc
  .record({
    package: fc.integer({ min: 1, max: 24 }),
    name: fc.array(fc.constantFrom('json', 'lwt', 'http', 'client', 'graph', 'ql', 'x'), {
      minLength: 1,
      maxLength: 3
    }),
    description: words,
    tags: fc.uniqueArray(fc.constantFrom('json', 'Json', 'web', 'http client'), { maxLength: 3 }),
    owner: fc.integer({ min: 0, max: 2 }),
    dependents: fc.constantFrom(0, 1, 500),
    updatedAtMs: fc.constantFrom(1_400_000_000_000, 1_600_000_000_000, 1_600_000_000_500),
    trust: fc.constantFrom(0, 0.5, 1)
  })
  .map((input) =>
    makeDocument({
      ...input,
      name: input.name.join('-'),
      description: input.description.join(' '),
      owner: seededOwnerId(input.owner)
    })
  )

type Step =
  | { kind: 'put'; documents: SearchDocument[] }
  | { kind: 'remove'; packages: number[] }
  | { kind: 'search' | 'flush' | 'reopen' | 'clear' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(document, { minLength: 1, maxLength: 6 })
      .map((documents) => ({ kind: 'put' as const, documents }))
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.integer({ min: 1, max: 24 }), { maxLength: 4 })
      .map((packages) => ({ kind: 'remove' as const, packages }))
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'search' as const }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 0, arbitrary: fc.constant({ kind: 'clear' as const }) }
)

function answers(index: SearchIndex): unknown[] {
  return QUERIES.map(([text, options]) => index.search(queryOf(text, options)))
}

describe('what is found', () => {
  it('depends on the documents alone: not on their order, the segments, their merges or what was there before', {
    timeout: 60_000
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        async (steps, maxTableDocuments) => {
          const folder = temporaryFolder()
          const open = async (): Promise<SearchIndex> => {
            const opened = searchIndex({ folder, maxTableDocuments })()
            expect((await opened.open()).watermark).toBe(watermark)
            return opened
          }
          let watermark = 0
          let index = await open()
          const documents = new Map<number, SearchDocument>()
          for (const one of steps) {
            if (one.kind === 'put') {
              watermark += 1
              index.put(one.documents, watermark)
              for (const put of one.documents) documents.set(put.package, put)
            } else if (one.kind === 'remove') {
              watermark += 1
              index.remove(one.packages, watermark)
              for (const key of one.packages) documents.delete(key)
            } else if (one.kind === 'search') answers(index)
            else if (one.kind === 'flush') await index.flushed()
            else {
              await index.close()
              index = await open()
            }
          }
          const fresh = searchIndex()()
          fresh.put([...documents.values()].toReversed(), 1)
          expect(answers(index)).toEqual(answers(fresh))
          expect(index.stats().packages).toBe(documents.size)
          await index.flushed()
          expect(answers(index)).toEqual(answers(fresh))
          await index.close()
          await fresh.close()
        }
      ),
      { numRuns: 25 }
    )
  })
})
