import { hash } from 'node:crypto'
import { decodeEnvelope, recordIdOf, type VerifiedRecord, verifyRecord } from '@registry/identity'
import {
  type Catalogue,
  type CatalogueChange,
  type CatalogueCounts,
  type CatalogueSummary,
  type Clock,
  compareVersions,
  type IngestOutcome,
  isRegistryError,
  type OwnerDocument,
  type OwnerId,
  type PackageName,
  type Query,
  type RecordId,
  type RecordIdPage,
  type RecordKind,
  type ReleaseRecord,
  type SearchHit
} from '@registry/types'
import { CID } from 'multiformats/cid'

const FINGERPRINT_DOMAIN = Buffer.from('p2p-registry/fingerprint/1\0')

interface StoredRecord {
  kind: RecordKind
  bytes: Uint8Array
}

interface StoredRelease {
  record: ReleaseRecord
  /** Names what was signed, whoever of the owner's keys signed it. */
  payload: string
}

interface StoredPackage {
  owner: OwnerId
  name: PackageName
  /** Newest version first. */
  releases: StoredRelease[]
  downloads: number
}

/** The catalogue of `memoryStore`: views by plain loops, so that nobody needs to test them. */
export class MemoryCatalogue implements Catalogue {
  readonly #clock: Clock
  readonly #records = new Map<RecordId, StoredRecord>()
  readonly #owners = new Map<OwnerId, { document: OwnerDocument; ids: RecordId[] }>()
  readonly #packages = new Map<string, StoredPackage>()
  readonly #changes: Array<{ record: ReleaseRecord; firstOfPackage: boolean }> = []
  readonly #listeners = new Set<(sequence: number) => void>()
  #sum = 0n

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async ingest(envelopes: readonly Uint8Array[]): Promise<IngestOutcome[]> {
    const before = this.#records.size
    const outcomes = envelopes.map((bytes) => this.#ingestOne(bytes))
    // An owner may stand behind its releases: those are tried once more.
    const result = outcomes.map((outcome, index) => {
      const bytes = envelopes[index]
      const unknownOwner = outcome.status === 'refused' && isRegistryError(outcome.error, 'ERR_OWNER_UNKNOWN')
      return unknownOwner && bytes !== undefined ? this.#ingestOne(bytes) : outcome
    })
    if (this.#records.size > before) {
      for (const listener of [...this.#listeners]) listener(this.sequence)
    }
    return result
  }

  /** As `ingest` would check it, storing nothing. */
  verify(bytes: Uint8Array, owners: ReadonlyMap<OwnerId, OwnerDocument> = new Map()): VerifiedRecord {
    return verifyRecord(bytes, (id) => this.#owners.get(id)?.document ?? owners.get(id))
  }

  #ingestOne(bytes: Uint8Array): IngestOutcome {
    const id = recordIdOf(bytes)
    if (this.#records.has(id)) return { status: 'known', id }
    let record: VerifiedRecord
    try {
      record = this.verify(bytes)
    } catch (error) {
      if (isRegistryError(error)) return { status: 'refused', error }
      throw error
    }
    this.#records.set(id, { kind: record.kind, bytes: bytes.slice() })
    this.#sum = (this.#sum + fingerprintOf(id)) % (1n << 256n)
    if (record.kind === 'owner') {
      const known = this.#owners.get(record.owner)
      const ids = [...(known?.ids ?? []), id].sort(compareText)
      this.#owners.set(record.owner, { document: record.document, ids })
    } else {
      const { release } = record
      this.#addRelease({
        record: { id, release, firstSeenMs: this.#clock.now(), conflicted: false },
        payload: hash('sha256', decodeEnvelope(bytes).payload)
      })
    }
    return { status: 'accepted', id }
  }

  #addRelease(added: StoredRelease): void {
    const { owner, name, version } = added.record.release
    const key = packageKey(owner, name)
    const known = this.#packages.get(key)
    const stored: StoredPackage = known ?? { owner, name, releases: [], downloads: 0 }
    const rivals = stored.releases.filter(({ record }) => record.release.version === version)
    const same = rivals.find(({ payload }) => payload === added.payload)
    if (same !== undefined) {
      if (added.record.id < same.record.id) same.record.id = added.record.id
      return
    }
    for (const { record } of [added, ...rivals]) record.conflicted = rivals.length > 0
    stored.releases.push(added)
    stored.releases.sort(compareReleases)
    this.#packages.set(key, stored)
    this.#changes.push({ record: added.record, firstOfPackage: known === undefined })
  }

  summary(): CatalogueSummary {
    const fingerprint = Buffer.from(this.#sum.toString(16).padStart(64, '0'), 'hex')
    return { fingerprint: new Uint8Array(fingerprint), records: this.#records.size }
  }

  counts(): CatalogueCounts {
    return {
      owners: this.#owners.size,
      packages: this.#packages.size,
      releases: this.#changes.length
    }
  }

  has(id: RecordId): boolean {
    return this.#records.has(id)
  }

  record(id: RecordId): Uint8Array | undefined {
    return this.#records.get(id)?.bytes.slice()
  }

  recordIds({ kind, after, limit }: { kind: RecordKind; after?: RecordId; limit: number }): RecordIdPage {
    const ids = [...this.#records]
      .filter(([id, record]) => record.kind === kind && (after === undefined || compareIds(id, after) > 0))
      .map(([id]) => id)
      .sort(compareIds)
    const page = ids.slice(0, limit)
    const next = page.at(-1)
    return ids.length > page.length && next !== undefined ? { ids: page, next } : { ids: page }
  }

  ownerRecord(owner: OwnerId): RecordId | undefined {
    return this.#owners.get(owner)?.ids[0]
  }

  ownersOf(name: PackageName): OwnerId[] {
    return [...this.#packages.values()]
      .filter((stored) => stored.name === name)
      .map((stored) => stored.owner)
      .sort(compareText)
  }

  releases(owner: OwnerId, name: PackageName): ReleaseRecord[] {
    return (this.#packages.get(packageKey(owner, name))?.releases ?? []).map(({ record }) => ({ ...record }))
  }

  packages(options: { after?: { owner: OwnerId; name: PackageName }; limit: number }): ReleaseRecord[] {
    const { after, limit } = options
    return [...this.#packages.values()]
      .filter((stored) => after === undefined || comparePackages(stored, after) > 0)
      .sort(comparePackages)
      .slice(0, limit)
      .map(latestOf)
      .filter((record) => record !== undefined)
      .map((record) => ({ ...record }))
  }

  search(query: Query): SearchHit[] {
    const hits: SearchHit[] = []
    for (const stored of this.#packages.values()) {
      const record = latestOf(stored)
      if (record === undefined || stored.downloads < (query.minDownloads ?? 0)) continue
      const { release } = record
      if (query.category !== undefined && query.category !== release.category) continue
      if (!query.tags.every((tag) => release.tags.includes(tag))) continue
      const score = query.keywords.reduce((sum, keyword) => sum + relevance(record, keyword), 0)
      if (score > 0 || query.keywords.length === 0) hits.push({ record: { ...record }, score })
    }
    hits.sort((a, b) => b.score - a.score || comparePackages(a.record.release, b.record.release))
    return hits.slice(0, query.limit)
  }

  changes({ after, limit }: { after: number; limit: number }): CatalogueChange[] {
    return this.#changes.slice(after, after + limit).map(({ record, firstOfPackage }, index) => ({
      sequence: after + index + 1,
      record: { ...record },
      firstOfPackage
    }))
  }

  get sequence(): number {
    return this.#changes.length
  }

  onChange(listener: (sequence: number) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  countDownload(owner: OwnerId, name: PackageName): void {
    const stored = this.#packages.get(packageKey(owner, name))
    if (stored !== undefined) stored.downloads += 1
  }

  downloads(owner: OwnerId, name: PackageName): number {
    return this.#packages.get(packageKey(owner, name))?.downloads ?? 0
  }
}

function packageKey(owner: OwnerId, name: PackageName): string {
  return `${owner}/${name}`
}

/** What a record adds to the fingerprint, which is the sum of these modulo 2^256; see the sync protocol. */
function fingerprintOf(id: RecordId): bigint {
  const digest = CID.parse(id).multihash.digest
  return BigInt(`0x${hash('sha256', Buffer.concat([FINGERPRINT_DOMAIN, digest]))}`)
}

/** The release that stands for a package. */
function latestOf({ releases }: StoredPackage): ReleaseRecord | undefined {
  return (releases.find(({ record }) => !isPreRelease(record.release.version)) ?? releases[0])?.record
}

/** Newest first, and total: `1.0.0+1` and `1.0.0+01` have no order in SemVer. */
function compareReleases(a: StoredRelease, b: StoredRelease): number {
  const [first, second] = [a.record.release.version, b.record.release.version]
  return compareVersions(second, first) || compareText(second, first) || compareText(b.payload, a.payload)
}

/** In the order of the bytes: base32 puts its letters before its digits, text does not. */
function compareIds(a: string, b: string): number {
  return compareText(a.replace(/[2-7]/g, afterLetters), b.replace(/[2-7]/g, afterLetters))
}

function afterLetters(digit: string): string {
  return String.fromCharCode(digit.charCodeAt(0) + 'z'.charCodeAt(0))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function comparePackages(
  a: { owner: OwnerId; name: PackageName },
  b: { owner: OwnerId; name: PackageName }
): number {
  return compareText(a.owner, b.owner) || compareText(a.name, b.name)
}

function isPreRelease(version: string): boolean {
  return version.split('+', 1)[0]?.includes('-') === true
}

function relevance({ release }: ReleaseRecord, keyword: string): number {
  const word = keyword.toLowerCase()
  if (release.name === word) return 8
  if (release.name.includes(word)) return 4
  if ([...release.tags, ...release.keywords].some((text) => text.toLowerCase() === word)) return 2
  return release.description.toLowerCase().includes(word) ? 1 : 0
}
