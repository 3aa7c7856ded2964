import type {
  CatalogueSearch,
  FacetCount,
  Query,
  ReleaseRecord,
  ScoreExplanation,
  SearchFacets,
  SearchHit,
  TermScore
} from '@registry/types'

const MAX_FACET_VALUES = 20

/** The search of `memoryStore`: each package is looked at. */
export function searchPackages(packages: readonly ReleaseRecord[], query: Query): CatalogueSearch {
  const fitting = packages
    .filter((record) => fits(record, query))
    .map((record) => hitOf(record, query))
    .filter(({ score }) => score > 0 || query.keywords.length === 0)
    .sort((a, b) => compare(a, b, query))
  const start = query.after === undefined ? 0 : Number.parseInt(query.after, 10) || 0
  const hits = fitting.slice(start, start + query.limit)
  const result: CatalogueSearch = { hits, total: fitting.length }
  if (start + hits.length < fitting.length) result.next = String(start + hits.length)
  if (query.facets) result.facets = facetsOf(fitting.map(({ record }) => record))
  return result
}

function fits({ release }: ReleaseRecord, query: Query): boolean {
  const text = `${release.name}\n${release.description}`.toLowerCase()
  return (
    (query.category === undefined || query.category === release.category) &&
    (query.owner === undefined || query.owner === release.owner) &&
    (query.license === undefined || query.license === release.license) &&
    query.tags.every((tag) => release.tags.includes(tag)) &&
    query.labels.every((label) => release.keywords.includes(label)) &&
    query.phrases.every((phrase) => text.includes(phrase.toLowerCase()))
  )
}

function hitOf(record: ReleaseRecord, query: Query): SearchHit {
  const terms = query.keywords.map((word) => termOf(record, word)).filter(({ impact }) => impact > 0)
  const score = terms.reduce((sum, { impact }) => sum + impact, 0)
  const quality = { dependents: 0, providers: 0, recency: 0, trust: 0, factor: 1 }
  const explanation: ScoreExplanation = { terms, bonuses: [], quality }
  return query.explain ? { record, score, explanation } : { record, score }
}

function termOf({ release }: ReleaseRecord, word: string): TermScore {
  const term = word.toLowerCase()
  const labels = [...release.tags, ...release.keywords].map((label) => label.toLowerCase())
  const found = { word, term, how: 'exact', idf: 1, weight: 1 } as const
  if (release.name === term) return { ...found, field: 'name', impact: 8 }
  if (release.name.includes(term)) return { ...found, field: 'name', how: 'contains', impact: 4 }
  const impact = labels.includes(term) ? 2 : release.description.toLowerCase().includes(term) ? 1 : 0
  return { ...found, field: 'text', impact }
}

function compare(a: SearchHit, b: SearchHit, { sort }: Query): number {
  const [first, second] = [a.record.release, b.record.release]
  if (sort === 'relevance' && a.score !== b.score) return b.score - a.score
  if (sort === 'updated' && first.claimedAtMs !== second.claimedAtMs) {
    return second.claimedAtMs - first.claimedAtMs
  }
  return compareText(first.name, second.name) || compareText(first.owner, second.owner)
}

function facetsOf(records: readonly ReleaseRecord[]): SearchFacets {
  const count = (valuesOf: (record: ReleaseRecord) => readonly string[]): FacetCount[] => {
    const counts = new Map<string, number>()
    for (const value of records.flatMap((record) => [...new Set(valuesOf(record))])) {
      counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    return [...counts]
      .map(([value, times]) => ({ value, count: times }))
      .sort((a, b) => b.count - a.count || compareText(a.value, b.value))
      .slice(0, MAX_FACET_VALUES)
  }
  return {
    category: count(({ release }) => [release.category]),
    tag: count(({ release }) => release.tags),
    license: count(({ release }) => (release.license === undefined ? [] : [release.license])),
    owner: count(({ release }) => [release.owner]),
    keyword: count(({ release }) => release.keywords)
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
