import { encode } from '@ipld/dag-cbor'
import { createSigner, encodeEnvelope, ownerIdOf, signRelease } from '@registry/identity'
import { makeRelease, type ReleaseInput, seededBytes, seededOwner } from '@registry/testing'
import type { OwnerDocument, OwnerId, Signer } from '@registry/types'

/** The inception of `seededOwner(seed)` and releases signed by it. */
export async function signedBy(
  seed: string | number,
  ...releases: ReleaseInput[]
): Promise<{ owner: OwnerId; inception: Uint8Array; releases: Uint8Array[] }> {
  const { id, inception, signer } = await seededOwner(seed)
  const signed = releases.map((release) => signRelease(makeRelease({ owner: id, ...release }), signer))
  return { owner: id, inception, releases: await Promise.all(signed) }
}

/** An owner with two keys of which either may sign: what it signs can come in two envelopes, as can its inception. */
export async function ownerWithTwoKeys(seed: string): Promise<{
  owner: OwnerId
  inceptions: Uint8Array[]
  sign: (release: ReleaseInput) => Promise<Uint8Array[]>
}> {
  const signers = ['first', 'second'].map((key) => createSigner(seededBytes(`${key} of ${seed}`)))
  const document: OwnerDocument = {
    keys: signers.map((signer) => signer.publicKey),
    threshold: 1,
    nonce: seededBytes(`nonce of ${seed}`, 16)
  }
  const owner = ownerIdOf(document)
  return {
    owner,
    inceptions: await Promise.all(signers.map((signer) => sealOwner(document, signer))),
    sign: (release) =>
      Promise.all(signers.map((signer) => signRelease(makeRelease({ ...release, owner }), signer)))
  }
}

async function sealOwner(document: OwnerDocument, signer: Signer): Promise<Uint8Array> {
  const payload = encode(document)
  const message = Buffer.concat([Buffer.from('p2p-registry/record/1\0owner\0'), payload])
  const signature = await signer.sign(message)
  return encodeEnvelope({ kind: 'owner', payload, signatures: [{ key: signer.publicKey, signature }] })
}
