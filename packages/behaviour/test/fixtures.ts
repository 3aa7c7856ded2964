import { signAttestation, signRelease, signStatement } from '@registry/identity'
import {
  type MemoryRegistryStore,
  makeRelease,
  type ReleaseInput,
  seededBytes,
  seededOwner
} from '@registry/testing'
import { type BlobInfo, type OwnerIdentity, parsePackageName, type Release } from '@registry/types'

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

/** The records of a little world of owners, releases, statements that contradict each other, and attestations. */
export async function worldRecords(owners: number, packages: number): Promise<Uint8Array[]> {
  const records: Uint8Array[] = []
  for (let number = 0; number < owners; number++) {
    const owner = await seededOwner(`world ${number}`)
    const about = (name: string) => ({ owner: owner.id, name: parsePackageName(name), claimedAtMs: 1 })
    records.push(owner.inception)
    for (let at = 0; at < packages; at++) {
      const name = `package-${at}`
      const release = makeRelease({ owner: owner.id, name })
      records.push(await signRelease(release, owner.signer))
      for (const seq of [1, 2]) {
        const fact = { field: 'deprecation', version: release.version, message: `for reason ${seq}` } as const
        records.push(await signStatement({ ...about(name), seq, fact }, owner.signer))
      }
      const claim = { claim: 'review', versions: '*', text: `seen ${at}` } as const
      const attestation = { ...about(name), ...claim, issuer: owner.id }
      records.push(await signAttestation(attestation, owner.signer))
    }
  }
  return records
}
