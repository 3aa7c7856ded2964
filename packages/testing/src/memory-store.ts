import {
  type Clock,
  type OwnerDocument,
  type OwnerId,
  type RecordId,
  RegistryError,
  type RegistryStore,
  type Release
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

  async publish(envelopes: readonly Uint8Array[]): Promise<Array<{ id: RecordId; release: Release }>> {
    const published = this.#check(envelopes)
    await this.catalogue.ingest(envelopes)
    for (const { id, release } of published) {
      this.blobs.pin(release.content)
      this.outbox.add(id, release.content)
    }
    return published
  }

  damageBlock(cid: string): void {
    this.blobs.damageBlock(cid)
  }

  #check(envelopes: readonly Uint8Array[]): Array<{ id: RecordId; release: Release }> {
    const owners = new Map<OwnerId, OwnerDocument>()
    const releases = new Map<string, { id: RecordId; release: Release }>()
    for (const bytes of envelopes) {
      const record = this.catalogue.verify(bytes, owners)
      if (record.kind === 'owner') {
        owners.set(record.owner, record.document)
        continue
      }
      const { id, release } = record
      const key = `@${release.owner}/${release.name}@${release.version}`
      const exists = this.catalogue
        .releases(release.owner, release.name)
        .some((other) => other.release.version === release.version)
      if (exists || releases.has(key)) {
        throw new RegistryError('ERR_VERSION_EXISTS', `${key} is published already`, {
          hint: 'Raise the version.'
        })
      }
      if (!this.blobs.has(release.content)) {
        throw new RegistryError('ERR_NOT_STORED', `The content ${release.content} is not stored here`)
      }
      releases.set(key, { id, release })
    }
    return [...releases.values()]
  }
}
