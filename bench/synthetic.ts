import { createHash } from 'node:crypto'
import { createOwner, createSigner, signRelease } from '@registry/identity'
import {
  type ContentId,
  type OwnerIdentity,
  parseContentId,
  parsePackageName,
  parseVersion,
  type Release
} from '@registry/types'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { pick, randomBytes, seededRandom, shuffled } from './random.ts'

const RAW = 0x55
const SHA2_256 = 0x12

const NOUNS =
  `archive array audio auth backup binding browser buffer build cache calendar camera chart chat client clock
  cloud cluster codec color compiler component config console container cookie crypto currency cursor dashboard database
  date debugger decoder deploy device diff document domain editor email encoder engine error event file filter font form
  format game gateway geometry grammar graph grid hash image index input json kernel key keyboard language layout library
  linter list loader locale lock logger map markdown matrix menu message metric middleware migration mirror mobile model
  monitor mutex network node notification number object package packet page parser patch path payment pipeline pixel
  player plugin pool printer process profile promise prompt protocol proxy query queue random range reader record regex
  registry render report request resource router runtime sandbox scanner schedule schema script search sensor sequence
  server session shader signal slider socket sort sound sprite stack state storage stream string style sync table task
  template terminal test text theme thread timer token tool tracker tree type upload user validator value vector version
  video view watcher webhook widget window wizard worker workflow writer zip`.split(/\s+/)
const QUALITIES =
  `async atomic batched bounded cached canonical compact composable concurrent constant deep durable eager
  exact fast flexible fluent functional generic headless idempotent immutable incremental inline lazy light linear local
  minimal mutable native nested offline ordered parallel partial portable pure quick rapid reactive recursive resilient
  robust safe secure shared simple small smart sorted stable static strict swift tiny typed universal virtual`.split(
    /\s+/
  )
const CATEGORIES = ['cli', 'data', 'media', 'network', 'security', 'testing', 'tools', 'web']

/** What a made-up package says of itself. */
export interface SyntheticPackage {
  name: string
  description: string
  category: string
  keywords: readonly string[]
  tags?: readonly string[]
}

/** Made-up packages with names, descriptions and keywords of common words; the same for the same seed. */
export function syntheticPackages(count: number, seed: number): SyntheticPackage[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, index) => {
    const [first = '', second = '', third = ''] = shuffled(random, NOUNS)
    const [quality = '', other = ''] = shuffled(random, QUALITIES)
    return {
      name: `${quality}-${first}-${index.toString(36)}`,
      description: `A ${quality} and ${other} ${first} for every ${second}, with ${third} support`,
      category: pick(random, CATEGORIES),
      keywords: [first, second, quality]
    }
  })
}

/** Searches as people type them: one to three words that packages use, now and then one cut short. */
export function syntheticSearches(count: number, seed: number): string[][] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => {
    const words = [pick(random, NOUNS)]
    if (random() < 0.6) words.unshift(pick(random, QUALITIES))
    if (random() < 0.2) words.push(pick(random, NOUNS))
    const last = words.at(-1) ?? ''
    return random() < 0.2 ? [...words.slice(0, -1), last.slice(0, 3)] : words
  })
}

/** An owner that is the same for the same seed. */
export function syntheticOwner(seed: number): Promise<OwnerIdentity> {
  const random = seededRandom(seed)
  return createOwner(createSigner(randomBytes(random, 32)), randomBytes(random, 16))
}

/** A signed release of a made-up package, encoded. */
export function syntheticRecord(
  owner: OwnerIdentity,
  one: Readonly<SyntheticPackage>,
  bytes: Uint8Array,
  version = '1.0.0'
): Promise<Uint8Array> {
  const release: Release = {
    owner: owner.id,
    name: parsePackageName(one.name),
    version: parseVersion(version),
    description: one.description,
    category: one.category,
    tags: [...(one.tags ?? [])],
    keywords: [...one.keywords],
    license: 'MIT',
    authors: ['A. Maker <maker@example.org>'],
    repository: `https://example.org/${one.name}`,
    dependencies: {},
    platforms: [],
    features: {},
    size: bytes.length,
    unpackedSize: bytes.length,
    fileCount: 1,
    content: rawContentId(bytes),
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    manifest: { file: 'registry.toml', sha256: createHash('sha256').update(one.name).digest('hex') },
    claimedAtMs: 1_700_000_000_000
  }
  return signRelease(release, owner.signer)
}

/** The CID of a content small enough to be one block. */
export function rawContentId(bytes: Uint8Array): ContentId {
  const digest = createDigest(SHA2_256, createHash('sha256').update(bytes).digest())
  return parseContentId(CID.createV1(RAW, digest).toString())
}
