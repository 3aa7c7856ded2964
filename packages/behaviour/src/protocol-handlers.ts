import { setImmediate as nextTurn } from 'node:timers/promises'
import { readRecord } from '@registry/identity'
import { MAX_ANSWERED_BYTES, MAX_HOLDINGS, MAX_NAME_RECORDS, MAX_RECORD_IDS } from '@registry/protocol'
import { estimateDifferences, symbolsFor } from '@registry/reconciliation'
import {
  type Catalogue,
  type CatalogueHoldings,
  type CatalogueScope,
  type CatalogueSketch,
  type CatalogueSummary,
  type ContentRouter,
  type DocumentSource,
  type OwnerId,
  type PackageName,
  type PackageProtocolHandlers,
  type PeerIdText,
  type PushStatus,
  parseQuery,
  type RecordId,
  type RegistryStore,
  type SymbolChunk
} from '@registry/types'
import { announcedRecords } from './announced-records.ts'
import { SYMBOLS_PER_REQUEST } from './difference-decoding.ts'
import { ScopeAbsentError, TooManyRecordsError, TooManyScopesError } from './errors.ts'
import { approach, DECODABLE_SHARE } from './policy/approach.ts'
import type { IntakeOutcome, RecordIntake } from './record-intake.ts'
import type { ScopeQuota } from './scope-quota.ts'

export interface ProtocolHandlersComponents {
  store: Pick<RegistryStore, 'catalogue' | 'blobs'>
  contentRouter: Pick<ContentRouter, 'addProvider'>
  documents: DocumentSource
  intake: RecordIntake
  quota: ScopeQuota
  /** What this peer keeps of the catalogue. */
  holds: CatalogueHoldings
  /** Passes on a record that was new here and came by push: its sender may not have reached anybody else. */
  relay: (records: readonly Uint8Array[]) => void
  /** Told when a peer has compared a scope of its catalogue with ours. */
  onCompared: (peerId: PeerIdText, scope: CatalogueScope, equal: boolean) => void
  /** Told when a peer, in comparing, has handed over records that were new here. */
  onGiven: (peerId: PeerIdText) => void
}

/** Releases of one version that an answer has. */
const MAX_RIVALS = 2
/** Hits of one answer, where that is fewer than the protocol's. */
const MAX_HITS = 50
/** Owners of one name that an answer tells of. */
const MAX_OWNERS = 256
/** Of a package with more, some are left out of an answer. */
const MAX_STATEMENTS = 64
/** Records read in one turn of the event loop. */
const TURN_RECORDS = 128
/** Packages likewise, each of which has some. */
const TURN_PACKAGES = 16
/** An estimate may err so much, and a set of symbols too many costs less than a list of all IDs. */
const ESTIMATE_ERROR = 2

/** What this peer answers, from its catalogue and blobs alone. */
export function protocolHandlers(components: ProtocolHandlersComponents): PackageProtocolHandlers {
  const { store, contentRouter, documents, intake, quota, holds, relay, onCompared, onGiven } = components
  const { catalogue, blobs } = store

  const envelopesOf = (ids: ReadonlyArray<RecordId | undefined>): Uint8Array[] =>
    ids
      .map((id) => (id === undefined ? undefined : catalogue.record(id)))
      .filter((bytes) => bytes !== undefined)

  /** @throws ERR_PEER_BUSY, ERR_SCOPE_ABSENT */
  const demand = (from: PeerIdText, scope: CatalogueScope): void => {
    const admission = quota.admit(from, scope)
    if (admission === 'busy') throw new TooManyScopesError()
    if (admission === 'absent') throw new ScopeAbsentError()
  }

  const chunk = (scope: CatalogueScope, from: number, count: number): SymbolChunk => {
    const sketch = catalogue.sketch(scope)
    const given = Math.max(0, Math.min(count, SYMBOLS_PER_REQUEST, sketch.capacity - from))
    const symbols = given === 0 ? new Uint8Array(0) : sketch.symbols(from, given)
    return { ...catalogue.summary(scope), from, count: given, symbols }
  }

  return {
    async getPackage(_from, { owner, name, version }) {
      // Of a conflicted version there are two or more. Two are told: they are the proof.
      const releases = catalogue.releases(owner, name, version)
      if (releases.length === 0) return undefined
      return envelopesOf([catalogue.ownerRecord(owner), ...releases.slice(0, MAX_RIVALS).map(({ id }) => id)])
    },

    async lookupName(_from, name, owner) {
      const owners = owner === undefined ? catalogue.ownersOf(name) : [owner]
      const ids = new Set<RecordId>()
      // What is most asked for of each owner before the rest of any: there may be too many for one answer.
      const answered = owners.slice(0, MAX_OWNERS)
      for (const one of answered) {
        for (const id of [catalogue.ownerRecord(one), catalogue.latest(one, name)?.id]) {
          if (id !== undefined) ids.add(id)
        }
      }
      for (const [index, one] of answered.entries()) {
        if (ids.size >= MAX_NAME_RECORDS) break
        if (index % TURN_PACKAGES === TURN_PACKAGES - 1) await nextTurn()
        const { statements, releases } = packageRecords(catalogue, one, name)
        for (const id of [...statements, ...releases]) ids.add(id)
      }
      return fitting(envelopesOf([...ids].slice(0, MAX_NAME_RECORDS)))
    },

    async searchPackages(_from, query) {
      const hits = []
      let bytes = 0
      // Without the least number of downloads: to find what has many, every package with the words would be looked at.
      const { minDownloads = 0, ...words } = query.toJSON()
      const bounded = parseQuery({ ...words, limit: Math.min(query.limit, MAX_HITS) })
      for (const { record, score } of catalogue.search(bounded).hits) {
        const { owner, name } = record.release
        if (catalogue.downloads(owner, name) < minDownloads) continue
        if (hits.length % TURN_PACKAGES === TURN_PACKAGES - 1) await nextTurn()
        const { statements } = packageRecords(catalogue, owner, name)
        const envelopes = envelopesOf([catalogue.ownerRecord(owner), record.id, ...statements])
        bytes += sizeOf(envelopes)
        if (bytes > MAX_ANSWERED_BYTES) break
        hits.push({ envelopes, score })
      }
      return hits
    },

    async publishPackage(from, envelopes) {
      const { outcomes } = await intake.take(from, envelopes)
      if (outcomes === undefined) throw new TooManyRecordsError()
      for (const outcome of outcomes) {
        const records = outcome.status === 'accepted' ? announcedRecords(catalogue, outcome.id) : []
        // An owner alone is no news; it goes with what he signs.
        if (records.length > 1) relay(records)
      }
      return outcomes.map(pushStatusOf)
    },

    async holdsCatalogue() {
      return holds
    },

    async compare(from, { scope, summary, probes }) {
      const admission = quota.admit(from, scope)
      if (admission === 'busy') throw new TooManyScopesError()
      if (admission === 'absent') return { status: 'absent' }
      const own = catalogue.summary(scope)
      const equal = isEqual(own, summary)
      onCompared(from, scope, equal)
      if (equal) return { status: 'equal' }
      const count = firstSymbols({ own, asking: summary, probes, sketch: catalogue.sketch(scope) })
      return { status: 'different', ...chunk(scope, 0, count) }
    },

    async symbols(from, range) {
      demand(from, range.scope)
      return chunk(range.scope, range.from, range.count)
    },

    async exchangeRecords(from, { want, give }) {
      const records: Uint8Array[] = []
      let bytes = 0
      for (const [index, shortId] of want.entries()) {
        if (index % TURN_RECORDS === TURN_RECORDS - 1) await nextTurn()
        const id = catalogue.recordOf(shortId)
        const record = id === undefined ? undefined : catalogue.record(id)
        bytes += record?.length ?? 0
        if (bytes > MAX_ANSWERED_BYTES) break
        if (record !== undefined) records.push(record)
      }
      if (give.length === 0) return { records, given: [] }
      const { outcomes } = await intake.take(from, give)
      if (outcomes?.some(({ status }) => status === 'accepted') === true) onGiven(from)
      return { records, given: outcomes?.map(pushStatusOf) ?? give.map(() => 'refused') }
    },

    async recordIds(from, page) {
      demand(from, page.scope)
      return catalogue.recordIds({ ...page, limit: Math.min(page.limit, MAX_RECORD_IDS) })
    },

    async snapshot(from, page) {
      demand(from, page.scope)
      return catalogue.snapshot({ ...page, maxBytes: MAX_ANSWERED_BYTES })
    },

    async block(_from, cid) {
      return blobs.block(cid)
    },

    async holdings(_from, { after, limit }) {
      const wanted = Math.min(limit, MAX_HOLDINGS)
      const cids = blobs
        .list(after === undefined ? { limit: wanted } : { after, limit: wanted })
        .map(({ cid }) => cid)
      const last = cids.at(-1)
      return last === undefined || cids.length < wanted ? { cids } : { cids, next: last }
    },

    async locate(_from, integrity) {
      return blobs.find(integrity)
    },

    async document(from, key) {
      return documents(from, key)
    },

    async announceHoldings(from, cids) {
      for (const cid of cids) contentRouter.addProvider(cid, from)
    }
  }
}

/**
 * How many symbols to begin with. One where more would be of no use: the asking side is to take a snapshot, or to wait until
 * this one has, or the sketches are too different to be decoded.
 */
function firstSymbols({
  own,
  asking,
  probes,
  sketch
}: {
  own: CatalogueSummary
  asking: CatalogueSummary
  probes: Uint8Array
  sketch: CatalogueSketch
}): number {
  const { capacity } = sketch
  if (approach({ own: asking.records, theirs: own.records, capacity }) !== 'decode') return 1
  const differing = Math.max(
    estimateDifferences(sketch.probes(), probes),
    Math.abs(own.records - asking.records)
  )
  return differing > capacity * DECODABLE_SHARE * ESTIMATE_ERROR ? 1 : symbolsFor(differing)
}

/** The records of a package but for what others say of it, which takes other owners to check. */
function packageRecords(
  catalogue: Catalogue,
  owner: OwnerId,
  name: PackageName
): { releases: RecordId[]; statements: RecordId[] } {
  const ids = catalogue.packageRecords(owner, name)
  const kindAt = (at: number): string | undefined => {
    const id = ids[at]
    const bytes = id === undefined ? undefined : catalogue.record(id)
    return bytes === undefined ? undefined : readRecord(bytes).kind
  }
  // They are in the order of their kinds.
  let [low, high] = [0, ids.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (kindAt(middle) === 'release') low = middle + 1
    else high = middle
  }
  const statements: RecordId[] = []
  for (let at = low; at < ids.length && statements.length < MAX_STATEMENTS; at++) {
    const id = ids[at]
    const kind = kindAt(at)
    if (kind === 'attestation') break
    if (id !== undefined && kind === 'statement') statements.push(id)
  }
  return { releases: ids.slice(0, low), statements }
}

function pushStatusOf({ status }: IntakeOutcome): PushStatus {
  // Not kept here, so its sender is to find somebody else who does.
  return status === 'passed' ? 'refused' : status
}

function isEqual(a: CatalogueSummary, b: CatalogueSummary): boolean {
  return a.records === b.records && Buffer.compare(a.fingerprint, b.fingerprint) === 0
}

function fitting(envelopes: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0
  return envelopes.filter(({ length }) => {
    bytes += length
    return bytes <= MAX_ANSWERED_BYTES
  })
}

function sizeOf(envelopes: readonly Uint8Array[]): number {
  return envelopes.reduce((bytes, { length }) => bytes + length, 0)
}
