import type { CatalogueImportReport } from '@registry/types'
import { type CatalogueFileFault, InvalidCatalogueFileError } from '../errors.ts'
import type { CatalogueRoot } from './format.ts'

/** Those that are told; all are counted. */
const MAX_TOLD = 20

/** What is wrong with one catalogue file. */
export class Faults {
  readonly #path: string
  readonly #told: CatalogueFileFault[] = []
  #count = 0

  constructor(path: string) {
    this.#path = path
  }

  add(offset: number, reason: string): void {
    this.#count++
    if (this.#told.length < MAX_TOLD) this.#told.push({ offset, reason })
  }

  /** Compares what a file says of itself with what was found in it, where nothing else is wrong. */
  compare(said: CatalogueRoot | undefined, found: CatalogueRoot, offset: number): void {
    if (this.#count > 0) return
    if (said === undefined) this.add(offset, 'it has no root that says what is in it')
    else if (said.records !== found.records) {
      this.add(offset, `it has ${found.records} of the ${said.records} records it says it has`)
    } else if (Buffer.compare(said.fingerprint, found.fingerprint) !== 0) {
      this.add(offset, 'its records are others than it says')
    }
  }

  /** @throws {InvalidCatalogueFileError} ERR_INVALID_CATALOGUE_FILE, when there is any */
  check(report?: CatalogueImportReport): void {
    if (this.#count > 0) throw new InvalidCatalogueFileError(this.#path, this.#told, this.#count, report)
  }
}
