import { createHash } from 'node:crypto'
import { createOwner, createSigner, ownerIdOf } from '@registry/identity'
import {
  type Attestation,
  type OwnerId,
  type OwnerIdentity,
  type PeerIdText,
  parseAttestation,
  parseRelease,
  parseStatement,
  type Release,
  type Statement
} from '@registry/types'
import { base58btc } from 'multiformats/bases/base58'
import { describeContent } from './content.ts'

/** `length` bytes that are always the same for a seed, and unlike those of any other. */
export function seededBytes(seed: string | number, length = 32): Uint8Array {
  return new Uint8Array(createHash('shake256', { outputLength: length }).update(`seed ${seed}`).digest())
}

/** The owner of a seed: same seed, same key, same ID, same inception. */
export function seededOwner(seed: string | number): Promise<OwnerIdentity> {
  return createOwner(seededSigner(seed), seededNonce(seed))
}

/** The ID of `seededOwner(seed)`, without waiting. */
export function seededOwnerId(seed: string | number): OwnerId {
  return ownerIdOf({ keys: [seededSigner(seed).publicKey], threshold: 1, nonce: seededNonce(seed) })
}

/** The libp2p peer ID of a seed's Ed25519 key: the identity multihash of the key as protobuf, in base58. */
export function seededPeerId(seed: string | number): PeerIdText {
  const key = seededSigner(`peer ${seed}`).publicKey
  const multihash = Uint8Array.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20, ...key])
  return base58btc.baseEncode(multihash) as PeerIdText
}

function seededSigner(seed: string | number): ReturnType<typeof createSigner> {
  return createSigner(seededBytes(`key of ${seed}`))
}

function seededNonce(seed: string | number): Uint8Array {
  return seededBytes(`nonce of ${seed}`, 16)
}

/** The fields of a release, names and IDs as plain text. */
export type ReleaseInput = {
  [Field in keyof Release]?: Release[Field] extends string ? string : Release[Field]
}

/**
 * A valid release; what is not given is of no interest to the test. The owner is `seededOwner(0)`; the content, unless
 * given, is `seededBytes('<name>@<version>', 64)`, so that two names never share one.
 *
 * @throws {RegistryError} as `parseRelease`, for overrides that no release may have
 */
export function makeRelease(overrides: ReleaseInput = {}): Release {
  const name = overrides.name ?? 'example'
  const version = overrides.version ?? '1.0.0'
  const content = describeContent(seededBytes(`${name}@${version}`, 64))
  return parseRelease({
    owner: seededOwnerId(0),
    description: `The package ${name}`,
    category: 'uncategorized',
    tags: [],
    keywords: [],
    license: 'MIT',
    authors: [],
    dependencies: {},
    platforms: [],
    features: {},
    size: content.size,
    unpackedSize: content.size,
    fileCount: 1,
    content: content.cid,
    integrity: content.integrity,
    manifest: { file: 'package.json', sha256: Buffer.from(seededBytes(name)).toString('hex') },
    claimedAtMs: Date.UTC(2026, 0, 1),
    ...overrides,
    name,
    version
  })
}

/** A valid statement of `seededOwner(0)` about `example`: that it has no readme, the first of its field, unless told. */
export function makeStatement(
  overrides: { [Field in keyof Statement]?: Statement[Field] extends string ? string : Statement[Field] } = {}
): Statement {
  return parseStatement({
    owner: seededOwnerId(0),
    name: 'example',
    seq: 1,
    fact: { field: 'readme', content: null },
    claimedAtMs: Date.UTC(2026, 0, 1),
    ...overrides
  })
}

/** A valid attestation: a review of `example` of `seededOwner(0)` by `seededOwner(1)`, unless told. */
export function makeAttestation(
  overrides: {
    [Field in keyof Attestation]?: Attestation[Field] extends string ? string : Attestation[Field]
  } = {}
): Attestation {
  return parseAttestation({
    issuer: seededOwnerId(1),
    owner: seededOwnerId(0),
    name: 'example',
    claim: 'review',
    versions: '*',
    text: 'Read and found good',
    claimedAtMs: Date.UTC(2026, 0, 1),
    ...overrides
  })
}
