import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { readRecord, type VerifiedRecord } from '@registry/identity'
import type { Clock, ContentId, Logger, RecordId, RegistryStore, Release } from '@registry/types'
import { StoredBlobs } from './blob-store.ts'
import { BlockFiles } from './block-files.ts'
import { StoredCatalogue } from './catalogue.ts'
import { lockDataDir } from './data-dir-lock.ts'
import { Database, textOf } from './database.ts'
import {
  HashMismatchError,
  NotStoredError,
  StaleStatementError,
  StoreCorruptError,
  VersionExistsError
} from './errors.ts'
import { StoredOutbox } from './outbox.ts'
import { recordKeyOf } from './record-key.ts'
import { RecordVerifier } from './record-verifier.ts'
import { migrate } from './schema.ts'
import type { CheckedEnvelope, ViewUpdate } from './view-update.ts'

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
  /** Threads that check the signatures of many records at once, at least 1. @default one less than there are cores */
  verifyThreads?: number
  /** Such a thread without work for so long is ended. @default 30000 */
  verifyThreadIdleMs?: number
}

export const REGISTRY_STORE_DEFAULTS: Readonly<Required<Omit<RegistryStoreInit, 'dataDir'>>> = Object.freeze({
  quotaBytes: 10 * 1024 ** 3,
  partialMaxIdleMs: 600_000,
  verifyThreads: Math.max(1, availableParallelism() - 1),
  verifyThreadIdleMs: 30_000
})

export interface RegistryStoreComponents {
  clock: Clock
  logger?: Logger
}

/**
 * A `RegistryStore` in one folder: `catalogue.sqlite`, the search index in `search`, and a file for each large block.
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
  #starting: Promise<void> | undefined
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
      searchFolder: join(init.dataDir, 'search'),
      verifier: new RecordVerifier(init, components.clock),
      onDamage: () => this.#suspect()
    })
    this.blobs = new StoredBlobs(init, { ...parts, files: this.#files })
    this.outbox = new StoredOutbox(this.#db)
  }

  start(): Promise<void> {
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async stop(): Promise<void> {
    // What fails to start has undone itself.
    if (this.#starting !== undefined) await this.#starting.catch(() => {})
    const running = this.#running
    if (running !== undefined) {
      this.#running = undefined
      this.#stopped = this.#close(running)
    }
    await this.#stopped
  }

  async #start(): Promise<void> {
    await this.#stopped
    if (this.#running !== undefined) return
    const unlock = lockDataDir(this.#dataDir)
    try {
      await this.#open()
    } catch (error) {
      await this.#close({ unlock })
      throw error
    }
    this.#running = { unlock, swept: this.blobs.sweep() }
  }

  async #close({ unlock, swept }: { unlock: () => void; swept?: Promise<void> }): Promise<void> {
    try {
      await this.catalogue.close()
      await swept
    } finally {
      await this.#db.close()
      unlock()
    }
  }

  async publish(envelopes: readonly Uint8Array[]): Promise<RecordId[]> {
    const checked = await this.catalogue.check(envelopes)
    const refused = checked.find((outcome) => outcome.status === 'refused')
    if (refused !== undefined) throw refused.error
    const records = envelopes.map((envelope, index) => {
      const outcome = checked[index]
      return { envelope, record: outcome?.status === 'new' ? outcome.record : readRecord(envelope) }
    })
    return this.catalogue.commit('power', (update) => {
      const published = records.flatMap((one) => this.#publishOne(update, one))
      for (const { record } of records) {
        // Another one of them has taken its place.
        if (record.kind === 'statement' && !this.catalogue.has(record.id)) {
          throw new StaleStatementError(record.statement)
        }
      }
      return published
    })
  }

  /** The ID of what is to be announced. */
  #publishOne(update: ViewUpdate, checked: CheckedEnvelope): RecordId[] {
    const { record } = checked
    const nowMs = this.#clock.now()
    if (record.kind === 'release') this.#checkRelease(update, record.release)
    if (record.kind === 'statement' && record.statement.seq <= update.statementSeq(record.statement)) {
      throw new StaleStatementError(record.statement)
    }
    update.add(checked, nowMs)
    if (record.kind === 'owner') return []
    if (record.kind === 'release') this.blobs.pin(record.release.content, recordKeyOf(record.id))
    this.outbox.add(record.id, contentOf(record), nowMs)
    return [record.id]
  }

  #checkRelease(update: ViewUpdate, release: Release): void {
    const unpublished = update.isUnpublished(release)
    if (unpublished || update.hasVersion(release)) throw new VersionExistsError(release, { unpublished })
    const content = this.blobs.stat(release.content)
    if (content === undefined) throw new NotStoredError(release.content)
    if (content.size !== release.size || content.integrity !== release.integrity) {
      throw new HashMismatchError(release.content, 'the release states another size or integrity')
    }
  }

  async #open(): Promise<void> {
    this.#db.open()
    migrate(this.#db, () => this.#suspect())
    const suspect = existsSync(this.#suspectPath)
    if (suspect) this.#check()
    await this.catalogue.load({ rebuild: suspect })
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

/** What others will ask for once they have the record. */
function contentOf(record: VerifiedRecord): ContentId | undefined {
  if (record.kind === 'release') return record.release.content
  const fact = record.kind === 'statement' ? record.statement.fact : undefined
  return fact?.field === 'readme' ? fact.content?.cid : undefined
}
