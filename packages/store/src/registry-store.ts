import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Logger, RecordId, RegistryStore, Release } from '@registry/types'
import { StoredBlobs } from './blob-store.ts'
import { BlockFiles } from './block-files.ts'
import { type NewEnvelope, StoredCatalogue } from './catalogue.ts'
import { lockDataDir } from './data-dir-lock.ts'
import { Database, textOf } from './database.ts'
import { HashMismatchError, NotStoredError, StoreCorruptError, VersionExistsError } from './errors.ts'
import { FtsSearchIndex } from './fts-search-index.ts'
import { StoredOutbox } from './outbox.ts'
import { migrate } from './schema.ts'

export interface RegistryStoreInit {
  /** Folder for all that is kept; created when missing, and used by one store at a time. */
  dataDir: string
  /** Room for contents. The catalogue is not counted. @default 10 GiB */
  quotaBytes?: number
  /**
   * A content whose fetch had no new block for so long counts as given up: when room is needed, it goes first. Younger
   * ones stay. @default 600000
   */
  partialMaxIdleMs?: number
}

export const REGISTRY_STORE_DEFAULTS: Readonly<Required<Omit<RegistryStoreInit, 'dataDir'>>> = Object.freeze({
  quotaBytes: 10 * 1024 ** 3,
  partialMaxIdleMs: 600_000
})

export interface RegistryStoreComponents {
  clock: Clock
  logger?: Logger
}

/**
 * A `RegistryStore` in one folder: `catalogue.sqlite` and a file for each large block.
 *
 * `start` rejects with ERR_DATA_DIR_IN_USE, ERR_STORE_CORRUPT, ERR_NEWER_SCHEMA or ERR_STORAGE. Every other call throws
 * ERR_NOT_RUNNING before `start` and after `stop`, and ERR_STORAGE when the disk refuses; then nothing has changed.
 */
export function registryStore(
  init: RegistryStoreInit
): (components: RegistryStoreComponents) => RegistryStore {
  return (components) => new FolderStore({ ...REGISTRY_STORE_DEFAULTS, ...init }, components)
}

class FolderStore implements RegistryStore {
  readonly catalogue: StoredCatalogue
  readonly blobs: StoredBlobs
  readonly outbox: StoredOutbox
  readonly #dataDir: string
  readonly #clock: Clock
  readonly #db: Database
  readonly #files: BlockFiles
  /** Its presence says that damage was met: check the file, and make the views anew, at the next start. */
  readonly #suspectPath: string
  #running: { unlock: () => void; swept: Promise<void> } | undefined
  #stopped: Promise<void> | undefined

  constructor(init: Required<RegistryStoreInit>, components: RegistryStoreComponents) {
    this.#dataDir = init.dataDir
    this.#clock = components.clock
    this.#suspectPath = join(init.dataDir, 'catalogue.suspect')
    this.#db = new Database(join(init.dataDir, 'catalogue.sqlite'), () => this.#suspect())
    this.#files = new BlockFiles(join(init.dataDir, 'blocks'))
    const parts = { ...components, db: this.#db }
    this.catalogue = new StoredCatalogue({
      ...parts,
      search: new FtsSearchIndex(this.#db),
      onDamage: () => this.#suspect()
    })
    this.blobs = new StoredBlobs(init, { ...parts, files: this.#files })
    this.outbox = new StoredOutbox(this.#db)
  }

  async start(): Promise<void> {
    await this.#stopped
    if (this.#running !== undefined) return
    const unlock = lockDataDir(this.#dataDir)
    try {
      this.#open()
    } catch (error) {
      this.#db.close()
      unlock()
      throw error
    }
    this.#running = { unlock, swept: this.blobs.sweep() }
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (running !== undefined) {
      this.#running = undefined
      this.#stopped = running.swept.then(() => {
        this.#db.close()
        running.unlock()
      })
    }
    await this.#stopped
  }

  async publish(envelopes: readonly Uint8Array[]): Promise<Array<{ id: RecordId; release: Release }>> {
    const fresh: NewEnvelope[] = []
    const published = new Map<string, { id: RecordId; release: Release }>()
    for (const checked of this.catalogue.check(envelopes)) {
      if (checked.status === 'refused') throw checked.error
      if (checked.status === 'known') {
        const known = this.catalogue.releaseOf(checked.id)
        if (known !== undefined) throw new VersionExistsError(known.release)
        continue
      }
      fresh.push(checked)
      if (checked.record.kind !== 'release') continue
      const { id, release } = checked.record
      const key = JSON.stringify([release.owner, release.name, release.version])
      if (published.has(key) || this.catalogue.hasVersion(release)) throw new VersionExistsError(release)
      const content = this.blobs.stat(release.content)
      if (content === undefined) throw new NotStoredError(release.content)
      if (content.size !== release.size || content.integrity !== release.integrity) {
        throw new HashMismatchError(release.content, 'the release states another size or integrity')
      }
      published.set(key, { id, release })
    }
    if (fresh.length === 0) return []
    const update = this.#db.transaction('power', () => {
      const nowMs = this.#clock.now()
      for (const { id, release } of published.values()) {
        this.blobs.pin(release.content)
        this.outbox.add(id, release.content, nowMs)
      }
      return this.catalogue.accept(fresh)
    })
    this.catalogue.accepted(fresh, update)
    return [...published.values()]
  }

  #open(): void {
    this.#db.open()
    migrate(this.#db)
    const suspect = existsSync(this.#suspectPath)
    if (suspect) this.#check()
    this.catalogue.load({ rebuild: suspect })
    this.blobs.load()
    this.#files.open()
    if (suspect) rmSync(this.#suspectPath, { force: true })
  }

  #check(): void {
    const [first] = this.#db.all('PRAGMA quick_check(1)')
    const found = first === undefined ? 'ok' : textOf(first, 'quick_check')
    if (found !== 'ok') throw new StoreCorruptError(this.#db.path, found)
  }

  #suspect(): void {
    try {
      writeFileSync(this.#suspectPath, '')
    } catch {
      // The disk that refuses this has been reported by what led here.
    }
  }
}
