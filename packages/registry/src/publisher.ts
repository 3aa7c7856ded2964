import { createReadStream } from 'node:fs'
import { signRelease } from '@registry/identity'
import {
  type BlobInfo,
  type Clock,
  type ContentId,
  type OwnerIdentity,
  type PublishOptions,
  type PublishReceipt,
  type PublishSource,
  parseRelease,
  type RegistryStore,
  type Release
} from '@registry/types'
import { UnexpectedPackageError, VersionExistsError } from './errors.ts'
import { SourceChangedError } from './packing/errors.ts'
import { withTarball } from './packing/pack.ts'
import { openSource } from './packing/source.ts'
import { inspectTarball, type TarballSource } from './packing/tarball.ts'

export interface PublisherInit {
  /** Folder for tarballs on their way. */
  tmpDir: string
  maxPackageBytes: number
}

export interface PublisherComponents {
  store: RegistryStore
  owner: OwnerIdentity
  clock: Clock
}

/** The publishes in progress of one content. */
interface Hold {
  publishes: number
  /** It came into the store with one of them. */
  isNew: boolean
  /** One of them succeeded. */
  isPublished: boolean
}

/** The way from a folder or tarball to a durable, signed release; what failed on it leaves nothing behind. */
export class Publisher {
  readonly #init: PublisherInit
  readonly #components: PublisherComponents
  /** By integrity. */
  readonly #holds = new Map<string, Hold>()

  constructor(init: PublisherInit, components: PublisherComponents) {
    this.#init = init
    this.#components = components
  }

  /** Resolves when the release is durable. Throws as `Registry.publish` says. */
  async publish(
    source: PublishSource,
    { onProgress, version, expected, signal }: PublishOptions
  ): Promise<PublishReceipt> {
    const abort = signal === undefined ? {} : { signal }
    const options = {
      ...abort,
      tmpDir: this.#init.tmpDir,
      limits: { maxPackageBytes: this.#init.maxPackageBytes }
    }
    const opened = await openSource(source, version === undefined ? abort : { ...abort, version })
    if (opened.kind === 'files') this.#refuseExisting(opened.manifest)
    onProgress?.({ stage: 'packing' })
    return withTarball(opened, options, async (tarball) => {
      onProgress?.({ stage: 'checking' })
      const fields = await inspectTarball(tarball, options)
      if (expected !== undefined && (fields.name !== expected.name || fields.version !== expected.version)) {
        throw new UnexpectedPackageError(fields, expected)
      }
      this.#refuseExisting(fields)
      onProgress?.({ stage: 'storing' })
      return this.#withContent(tarball, fields.integrity, signal, async (content) => {
        if (content.integrity !== fields.integrity) {
          throw new SourceChangedError(typeof tarball === 'string' ? tarball : 'The tarball')
        }
        const { owner, clock, store } = this.#components
        const release = parseRelease({
          ...fields,
          owner: owner.id,
          content: content.cid,
          claimedAtMs: clock.now()
        })
        const envelope = await signRelease(release, owner.signer)
        signal?.throwIfAborted()
        const [id] = await store.publish([owner.inception, envelope])
        if (id === undefined) throw new Error('the store published nothing and said nothing')
        const { name, version, integrity } = release
        return { owner: owner.id, name, version, id, cid: content.cid, integrity }
      })
    })
  }

  #refuseExisting({ name, version }: Pick<Release, 'name' | 'version'>): void {
    const { store, owner } = this.#components
    const key = { owner: owner.id, name, version }
    const isReleased = store.catalogue.releases(owner.id, name, version).length > 0
    if (isReleased || store.catalogue.isUnpublished(key)) {
      throw new VersionExistsError(owner.id, name, version)
    }
  }

  /** Stores the tarball for `use`; when that fails, takes it out again unless it was there before or another needs it. */
  async #withContent<T>(
    tarball: TarballSource,
    integrity: string,
    signal: AbortSignal | undefined,
    use: (content: BlobInfo) => Promise<T>
  ): Promise<T> {
    const { blobs } = this.#components.store
    // Held before it is stored: a publish of the same bytes at the same time must see that it is not alone.
    const hold = this.#holds.get(integrity) ?? { publishes: 0, isPublished: false, isNew: false }
    this.#holds.set(integrity, hold)
    hold.publishes++
    const arrived = new Set<ContentId>()
    const forget = blobs.onChange((cid, present) => {
      if (present) arrived.add(cid)
    })
    let content: BlobInfo | undefined
    try {
      content = await blobs.add(bytesOf(tarball), {
        maxBytes: this.#init.maxPackageBytes,
        ...(signal === undefined ? {} : { signal })
      })
      hold.isNew ||= arrived.has(content.cid)
      const result = await use(content)
      hold.isPublished = true
      return result
    } finally {
      forget()
      hold.publishes--
      if (hold.publishes === 0) {
        this.#holds.delete(integrity)
        const isOurs = content?.integrity === integrity && hold.isNew && !hold.isPublished
        if (content !== undefined && isOurs) await blobs.delete(content.cid)
      }
    }
  }
}

async function* bytesOf(tarball: TarballSource): AsyncGenerator<Uint8Array> {
  yield* typeof tarball === 'string' ? createReadStream(tarball) : tarball
}
