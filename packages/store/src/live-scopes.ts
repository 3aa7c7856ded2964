import { SHORT_ID_BYTES, type Sketch, sketch, sketchDefaults } from '@registry/reconciliation'
import {
  type CatalogueScope,
  type CatalogueSummary,
  type OwnerId,
  PROTOCOL_LIMITS,
  type RecordKind
} from '@registry/types'
import { digestsIn, Fingerprint } from './fingerprint.ts'

/** Kept at once, those used longest ago given up first. A peer may ask for any owner, and for shards of any size. */
const MAX_OWNERS = 16
/** All by which a network may be cut, the scope of owners, and some of another size. */
const MAX_SHARDS = 2 ** PROTOCOL_LIMITS.maxShardBits + 64

/** Enough for the 2,900 differences that are told apart from it; who differs more takes a snapshot. */
const MIN_CAPACITY = 4096

/** What decides in which scopes a record is. */
export interface Membership {
  kind: RecordKind
  /** Whose package it is about; the owner that an inception founds. */
  owner: OwnerId
  /** The first 32 bits of the sha2-256 of the package's name; null for an inception. */
  place: number | null
}

export function isInScope(scope: CatalogueScope, { kind, owner, place }: Membership): boolean {
  switch (scope.kind) {
    case 'all':
      return true
    case 'owners':
      return kind === 'owner'
    case 'shard': {
      const [first, last] = placesOf(scope)
      return place !== null && place >= first && place <= last
    }
    case 'owner':
      return owner === scope.owner && kind !== 'attestation'
  }
}

/** The first and the last place of a shard. */
export function placesOf({ bits, index }: Extract<CatalogueScope, { kind: 'shard' }>): [number, number] {
  const width = 2 ** (32 - bits)
  return [index * width, (index + 1) * width - 1]
}

/** The fingerprint and the sketch of one scope, kept in step with it. Members are the digests in record IDs. */
export class LiveScope {
  readonly #fingerprint = new Fingerprint()
  readonly sketch: Sketch

  constructor(scope: CatalogueScope) {
    this.sketch = sketch({ capacity: capacityOf(scope) })
  }

  add(digest: Uint8Array): void {
    this.#fingerprint.add(digest)
    this.sketch.add(digest.subarray(0, SHORT_ID_BYTES))
  }

  remove(digest: Uint8Array): void {
    this.#fingerprint.remove(digest)
    this.sketch.remove(digest.subarray(0, SHORT_ID_BYTES))
  }

  summary(): CatalogueSummary {
    return { fingerprint: this.#fingerprint.bytes(), records: this.sketch.size }
  }
}

/** Scopes that are asked for now and then: each is made from its members at first, and kept in step from then on. */
export class LiveScopes {
  readonly #members: (scope: CatalogueScope) => Iterable<Uint8Array>
  /** By their key, the one used longest ago first. */
  readonly #shards = new Map<string, [CatalogueScope, LiveScope]>()
  readonly #owners = new Map<string, [CatalogueScope, LiveScope]>()

  /** `members`: the digests of all members, one behind the other, in pieces. */
  constructor(members: (scope: CatalogueScope) => Iterable<Uint8Array>) {
    this.#members = members
  }

  get(scope: Exclude<CatalogueScope, { kind: 'all' }>): LiveScope {
    const [kept, max] = scope.kind === 'owner' ? [this.#owners, MAX_OWNERS] : [this.#shards, MAX_SHARDS]
    const key = keyOf(scope)
    const entry = kept.get(key) ?? [scope, this.#made(scope)]
    kept.delete(key)
    kept.set(key, entry)
    const [oldest = key] = kept.keys()
    if (kept.size > max) kept.delete(oldest)
    return entry[1]
  }

  add(digest: Uint8Array, member: Membership): void {
    for (const live of this.#with(member)) live.add(digest)
  }

  remove(digest: Uint8Array, member: Membership): void {
    for (const live of this.#with(member)) live.remove(digest)
  }

  clear(): void {
    this.#shards.clear()
    this.#owners.clear()
  }

  *#with(member: Membership): Generator<LiveScope, void, undefined> {
    for (const kept of [this.#shards, this.#owners]) {
      for (const [scope, live] of kept.values()) if (isInScope(scope, member)) yield live
    }
  }

  #made(scope: CatalogueScope): LiveScope {
    const live = new LiveScope(scope)
    for (const digests of this.#members(scope)) {
      for (const digest of digestsIn(digests)) live.add(digest)
    }
    return live
  }
}

function keyOf(scope: CatalogueScope): string {
  if (scope.kind === 'shard') return `${scope.bits}/${scope.index}`
  return scope.kind === 'owner' ? scope.owner : scope.kind
}

/** A function of the scope alone: smaller where there are many of its kind. */
function capacityOf(scope: CatalogueScope): number {
  const { capacity } = sketchDefaults
  switch (scope.kind) {
    case 'shard':
      return Math.max(MIN_CAPACITY, Math.floor(capacity / 2 ** scope.bits))
    case 'owner':
      return MIN_CAPACITY
    default:
      return capacity
  }
}
