import { encode } from '@ipld/dag-cbor'
import {
  createSigner,
  encodeEnvelope,
  ownerIdOf,
  signAttestation,
  signRelease,
  signStatement
} from '@registry/identity'
import {
  makeAttestation,
  makeRelease,
  makeStatement,
  type ReleaseInput,
  seededBytes,
  seededOwner
} from '@registry/testing'
import type { OwnerDocument, OwnerId, Signer, StatementFact } from '@registry/types'

export type StatementInput = Parameters<typeof makeStatement>[0]
export type AttestationInput = Parameters<typeof makeAttestation>[0]

/** The inception of `seededOwner(seed)` and releases signed by it. */
export async function signedBy(
  seed: string | number,
  ...releases: ReleaseInput[]
): Promise<{ owner: OwnerId; inception: Uint8Array; releases: Uint8Array[] }> {
  const { id, inception, signer } = await seededOwner(seed)
  const signed = releases.map((release) => signRelease(makeRelease({ owner: id, ...release }), signer))
  return { owner: id, inception, releases: await Promise.all(signed) }
}

/** A statement by `seededOwner(seed)` about its package. */
export async function stated(
  seed: string | number,
  fact: StatementFact,
  input: StatementInput = {}
): Promise<Uint8Array> {
  const { id, signer } = await seededOwner(seed)
  return signStatement(makeStatement({ owner: id, ...input, fact }), signer)
}

/** An attestation issued by `seededOwner(seed)`. */
export async function attested(seed: string | number, input: AttestationInput = {}): Promise<Uint8Array> {
  const { id, signer } = await seededOwner(seed)
  return signAttestation(makeAttestation({ issuer: id, ...input }), signer)
}

export interface Team {
  owner: OwnerId
  inceptions: Uint8Array[]
  /** One envelope by each key. */
  release: (release: ReleaseInput) => Promise<Uint8Array[]>
  statement: (fact: StatementFact, input?: StatementInput) => Promise<Uint8Array[]>
}

/** An owner with two keys of which either may sign: what it signs can come in two envelopes, as can its inception. */
export async function ownerWithTwoKeys(seed: string): Promise<Team> {
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
    release: (release) =>
      Promise.all(signers.map((signer) => signRelease(makeRelease({ ...release, owner }), signer))),
    statement: (fact, input = {}) =>
      Promise.all(signers.map((signer) => signStatement(makeStatement({ ...input, owner, fact }), signer)))
  }
}

async function sealOwner(document: OwnerDocument, signer: Signer): Promise<Uint8Array> {
  const payload = encode(document)
  const message = Buffer.concat([Buffer.from('p2p-registry/record/1\0owner\0'), payload])
  const signature = await signer.sign(message)
  return encodeEnvelope({ kind: 'owner', payload, signatures: [{ key: signer.publicKey, signature }] })
}
