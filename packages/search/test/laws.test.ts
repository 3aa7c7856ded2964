import { seededOwnerId } from '@registry/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { analyse } from '../src/analysis.ts'
import { type SearchDocument, type SearchIndex, searchIndex } from '../src/index.ts'
import { Part } from '../src/part.ts'
import { Scoring } from '../src/scoring.ts'
import { Segment } from '../src/segment.ts'
import { buildSegment } from '../src/segment-builder.ts'
import { mergeSegments } from '../src/segment-merger.ts'
import { makeDocument, queryOf, temporaryFolder } from './documents.ts'

const WORDS =
  'json yojson yojsn parser parsing parse http client cohttp lwt unix graph ql GraphQL сеть 検索 the of'.split(
    ' '
  )
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
  | { kind: 'search' | 'flush' | 'relief' | 'reopen' }

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
  { weight: 3, arbitrary: fc.constant({ kind: 'relief' as const }) }
)

function answers(index: SearchIndex): unknown[] {
  return QUERIES.map(([text, options]) => index.search(queryOf(text, options)))
}

/** Changes that became one segment. */
const changes = fc.record({
  documents: fc.uniqueArray(document, { selector: (one) => one.package, maxLength: 8 }),
  removed: fc.uniqueArray(fc.integer({ min: 1, max: 24 }), { maxLength: 6 })
})

/** What the segments answer together, oldest first. */
function answersOf(segments: readonly Segment[]): unknown[] {
  const parts = segments.map((segment, index) => {
    const part = new Part(segment.buffer)
    for (const newer of segments.slice(index + 1)) part.killReplaced(newer)
    return part
  })
  const scoring = new Scoring()
  return QUERIES.map(([text, options]) => scoring.search(parts, queryOf(text, options), undefined))
}

function merged(segments: readonly Segment[], newest: readonly Segment[], keepRemoved: boolean): Segment {
  const steps = mergeSegments(segments, newest, keepRemoved)
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return new Segment(step.value)
}

describe('segments', () => {
  it('answer the same however neighbours of them are merged', () => {
    fc.assert(
      fc.property(
        fc.array(changes, { minLength: 2, maxLength: 8 }),
        fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 4 }),
        (batches, merges) => {
          let segments = batches.map(({ documents, removed }) => {
            const put = new Set(documents.map((one) => one.package))
            const buffer = buildSegment(
              documents.map(analyse),
              removed.filter((key) => !put.has(key))
            )
            return new Segment(buffer)
          })
          const expected = answersOf(segments)
          for (const [from, length] of merges) {
            const start = from % segments.length
            const end = start + 1 + (length % (segments.length - start))
            const newest = segments.slice(end)
            const one = merged(segments.slice(start, end), newest, start > 0)
            segments = [...segments.slice(0, start), one, ...newest]
            expect(answersOf(segments)).toEqual(expected)
          }
        }
      ),
      { numRuns: 120 }
    )
  })

  it('give the best of many, though they pass over most', () => {
    const documents = Array.from({ length: 3000 }, (_, at) =>
      makeDocument({
        package: at + 1,
        name: `package-${at}`,
        description: `${at % 2 === 0 ? 'json' : 'xml'} ${at % 3 === 0 ? 'parser' : 'printer'} ${WORDS[at % WORDS.length]}`,
        dependents: (at * 7919) % 4096,
        trust: (at % 11) / 11
      })
    )
    const scoring = new Scoring()
    const parts = [documents.slice(0, 2500), documents.slice(2500)].map(
      (some) => new Part(buildSegment(some.map(analyse), []))
    )
    for (const text of ['json', 'json parser', 'lwt', 'package-77', 'parser yojson client', 'pack']) {
      for (const limit of [1, 20, 700]) {
        const { facets: _, ...all } = scoring.search(parts, queryOf(text, { limit, facets: true }), undefined)
        expect(scoring.search(parts, queryOf(text, { limit }), undefined)).toEqual(all)
      }
    }
  })
})

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
            const opened = searchIndex({ folder, maxTableDocuments, maxWaitingDocuments: 0 })()
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
      { numRuns: 15 }
    )
  })
})
