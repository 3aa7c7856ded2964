import { signRelease } from '@registry/identity'
import {
  type MemoryRegistryStore,
  makeRelease,
  type ReleaseInput,
  seededBytes,
  seededOwner
} from '@registry/testing'
import type { BlobInfo, OwnerIdentity, Release } from '@registry/types'

/** A release by the owner of a seed, with the records others need of it. */
export interface SignedRelease {
  owner: OwnerIdentity
  release: Release
  /** The owner's inception, then the release. */
  records: [Uint8Array, Uint8Array]
}

export async function signedRelease(
  overrides: ReleaseInput = {},
  seed: string | number = 0
): Promise<SignedRelease> {
  const owner = await seededOwner(seed)
  const release = makeRelease({ owner: owner.id, ...overrides })
  return { owner, release, records: [owner.inception, await signRelease(release, owner.signer)] }
}

/** Puts a content into the store and publishes a release of it there. */
export async function publish(
  store: MemoryRegistryStore,
  {
    name = 'example',
    seed = 0,
    bytes = seededBytes(name, 1000)
  }: { name?: string; seed?: number; bytes?: Uint8Array } = {}
): Promise<SignedRelease & { content: BlobInfo }> {
  const content = await store.blobs.add(
    (async function* () {
      yield bytes
    })()
  )
  const { cid, size, integrity } = content
  const signed = await signedRelease({ name, content: cid, size, integrity }, seed)
  await store.publish(signed.records)
  return { ...signed, content }
}
