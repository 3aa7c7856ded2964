import type { CatalogueSearch, Query, SearchFilter } from '@registry/types'
import type { Database } from './database.ts'
import { integerOf } from './database.ts'
import type { PackageViews } from './package-views.ts'

/** Finds packages by words; told of every package whose words have changed, once that is committed. */
export interface PackageSearch {
  /** `change` grows with each call, over restarts too: it is in `packages.changed`. */
  changed(packages: Iterable<number>, change: number): void
  /** The views are made anew: all is told again. */
  clear(): void
  search(query: Query, filter?: SearchFilter): CatalogueSearch
}

/** Looks at every package. */
export class LinearPackageSearch implements PackageSearch {
  readonly #db: Database
  readonly #views: PackageViews

  constructor(db: Database, views: PackageViews) {
    this.#db = db
    this.#views = views
  }

  changed(): void {}

  clear(): void {}

  search(query: Query, filter: SearchFilter = () => true): CatalogueSearch {
    const hits = this.#db
      .all('SELECT id FROM packages WHERE latest IS NOT NULL')
      .map((row) => this.#views.latestOf(integerOf(row, 'id')))
      .filter((record) => record !== undefined)
      .filter(({ release }) => filter(release.owner, release.name))
      .filter(({ release }) => query.keywords.every((word) => JSON.stringify(release).includes(word)))
      .map((record) => ({ record, score: 1 }))
    return { hits: hits.slice(0, query.limit), total: hits.length }
  }
}
