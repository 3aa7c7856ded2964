import type { VerifiedRecord } from '@registry/identity'
import {
  type Clock,
  type OwnerDocument,
  type OwnerId,
  type RecordId,
  RegistryError,
  type RegistryStore,
  type Release,
  type Statement,
  statementField
} from '@registry/types'
import { MemoryBlobStore } from './memory-blob-store.ts'
import { MemoryCatalogue } from './memory-catalogue.ts'
import { MemoryOutbox } from './memory-outbox.ts'

export interface MemoryStoreInit {
  /** @default Infinity */
  quotaBytes?: number
}

export interface MemoryStoreComponents {
  clock: Clock
}

type Published = Exclude<VerifiedRecord, { kind: 'owner' }>

/** A `RegistryStore` that forgets everything with the process. */
export interface MemoryRegistryStore extends RegistryStore {
  /** Flips a bit of a stored block, as a failing disk would. @throws ERR_NOT_STORED */
  damageBlock(cid: string): void
}

/** A small `RegistryStore` to test with; correct, and slow above some ten thousand records. */
export function memoryStore(
  init: MemoryStoreInit = {}
): (components: MemoryStoreComponents) => MemoryRegistryStore {
  return (components) => new MemoryStore(init, components)
}

class MemoryStore implements MemoryRegistryStore {
  readonly catalogue: MemoryCatalogue
  readonly blobs: MemoryBlobStore
  readonly outbox: MemoryOutbox

  constructor({ quotaBytes = Number.POSITIVE_INFINITY }: MemoryStoreInit, { clock }: MemoryStoreComponents) {
    this.catalogue = new MemoryCatalogue(clock)
    this.blobs = new MemoryBlobStore(quotaBytes)
    this.outbox = new MemoryOutbox(clock)
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  async publish(envelopes: readonly Uint8Array[]): Promise<RecordId[]> {
    const published = this.#check(envelopes)
    await this.catalogue.ingest(envelopes)
    for (const record of published) {
      if (record.kind === 'release') this.blobs.pin(record.release.content)
      if (record.kind === 'statement') this.#unpin(record.statement)
      this.outbox.add(record.id, record.kind === 'release' ? record.release.content : undefined)
    }
    return published.map(({ id }) => id)
  }

  damageBlock(cid: string): void {
    this.blobs.damageBlock(cid)
  }

  /** What is to be announced. */
  #check(envelopes: readonly Uint8Array[]): Published[] {
    const owners = new Map<OwnerId, OwnerDocument>()
    const published = new Map<string, Published>()
    for (const bytes of envelopes) {
      const record = this.catalogue.verify(bytes, owners)
      if (record.kind === 'owner') {
        owners.set(record.owner, record.document)
        continue
      }
      const key = record.kind === 'release' ? this.#checkRelease(record.release) : record.id
      if (record.kind === 'statement') this.#checkStatement(record.statement)
      if (published.has(key)) throw versionExists(key)
      published.set(key, record)
    }
    return [...published.values()]
  }

  #checkRelease(release: Release): string {
    const key = `@${release.owner}/${release.name}@${release.version}`
    const exists = this.catalogue.releases(release.owner, release.name, release.version).length > 0
    if (exists || this.catalogue.isUnpublished(release)) throw versionExists(key)
    if (!this.blobs.has(release.content)) {
      throw new RegistryError('ERR_NOT_STORED', `The content ${release.content} is not stored here`)
    }
    return key
  }

  #checkStatement({ owner, name, fact, seq }: Statement): void {
    const field = statementField(fact)
    if (seq > this.catalogue.statementSeq(owner, name, field)) return
    throw new RegistryError('ERR_STALE_STATEMENT', `Another statement of ${field} of ${name} holds`, {
      retryable: true,
      hint: 'Try again.'
    })
  }

  #unpin({ owner, name, fact }: Statement): void {
    if (fact.field !== 'unpublish') return
    const releases = this.catalogue.releases(owner, name)
    for (const { release, unpublished } of releases) {
      const used = releases.some((other) => !other.unpublished && other.release.content === release.content)
      if (unpublished && !used) this.blobs.unpin(release.content)
    }
  }
}

function versionExists(key: string): RegistryError {
  return new RegistryError('ERR_VERSION_EXISTS', `${key} is published already`, {
    hint: 'Raise the version.'
  })
}
