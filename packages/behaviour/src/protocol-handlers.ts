import { recordIdOf } from '@registry/identity'
import { MAX_HOLDINGS, MAX_RECORD_IDS } from '@registry/protocol'
import {
  type Clock,
  type ContentRouter,
  type PackageProtocolHandlers,
  type PeerIdText,
  parseQuery,
  RECORD_KINDS,
  type RecordId,
  type RegistryStore
} from '@registry/types'
import { TooManyRecordsError } from './errors.ts'
import type { Acceptance } from './policy/acceptance.ts'
import type { PeerConduct } from './policy/peer-score.ts'
import { type RecordBundle, recordBundle } from './record-bundle.ts'

export interface ProtocolHandlersComponents {
  store: Pick<RegistryStore, 'catalogue' | 'blobs'>
  contentRouter: Pick<ContentRouter, 'addProvider'>
  acceptance: Acceptance
  clock: Clock
  onConduct: (peerId: PeerIdText, conduct: PeerConduct) => void
  /** Passes on a release that was new here and came by push: its sender may not have reached anybody else. */
  relay: (bundle: RecordBundle) => void
  /** Told when a peer goes through the catalogue, as it does when its own is another: it may have what is not here. */
  onDifference: (peerId: PeerIdText) => void
}

/** Bounds of one answer, where they are narrower than the protocol's. */
const MAX_ANSWER_BYTES = 512 * 1024
const MAX_HITS = 50

/** What this peer answers, from its catalogue and blobs alone. */
export function protocolHandlers(components: ProtocolHandlersComponents): PackageProtocolHandlers {
  const { store, contentRouter, acceptance, clock, onConduct, relay, onDifference } = components
  const { catalogue, blobs } = store

  const envelopesOf = (ids: ReadonlyArray<RecordId | undefined>): Uint8Array[] =>
    ids
      .map((id) => (id === undefined ? undefined : catalogue.record(id)))
      .filter((bytes) => bytes !== undefined)

  return {
    async getPackage(_from, { owner, name, version }) {
      // Of a conflicted version there are two, and both are told: they are the proof.
      const releases = catalogue.releases(owner, name).filter(({ release }) => release.version === version)
      if (releases.length === 0) return undefined
      return envelopesOf([catalogue.ownerRecord(owner), ...releases.map(({ id }) => id)])
    },

    async searchPackages(_from, query) {
      const hits = []
      let bytes = 0
      // Without the least number of downloads: to find what has many, every package with the words would be looked at.
      const { minDownloads = 0, ...words } = query.toJSON()
      const bounded = parseQuery({ ...words, limit: Math.min(query.limit, MAX_HITS) })
      for (const { record, score } of catalogue.search(bounded)) {
        if (catalogue.downloads(record.release.owner, record.release.name) < minDownloads) continue
        const envelopes = envelopesOf([catalogue.ownerRecord(record.release.owner), record.id])
        bytes += sizeOf(envelopes)
        if (bytes > MAX_ANSWER_BYTES) break
        hits.push({ envelopes, score })
      }
      return hits
    },

    async publishPackage(from, envelopes) {
      const unknown = envelopes.filter((envelope) => !catalogue.has(recordIdOf(envelope))).length
      const { verdict } = acceptance.handle({ type: 'received', from, unknown }, clock.now())
      if (verdict !== 'ingest') throw new TooManyRecordsError()
      const outcomes = await catalogue.ingest(envelopes)
      const { conduct } = acceptance.handle({ type: 'ingested', from, outcomes }, clock.now())
      if (conduct !== undefined) onConduct(from, conduct)
      for (const outcome of outcomes) {
        if (outcome.status !== 'accepted') continue
        const bundle = recordBundle(catalogue, outcome.id)
        if (bundle !== undefined) relay(bundle)
      }
      return outcomes.map(({ status }) => status)
    },

    async catalogueSummary() {
      return catalogue.summary()
    },

    async recordIds(from, page) {
      if (page.after === undefined && page.kind === RECORD_KINDS[0]) onDifference(from)
      return catalogue.recordIds({ ...page, limit: Math.min(page.limit, MAX_RECORD_IDS) })
    },

    async records(_from, ids) {
      const records: Uint8Array[] = []
      let bytes = 0
      for (const id of ids) {
        const record = catalogue.record(id)
        bytes += record?.length ?? 0
        if (bytes > MAX_ANSWER_BYTES) break
        if (record !== undefined) records.push(record)
      }
      return records
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

    async announceHoldings(from, cids) {
      for (const cid of cids) contentRouter.addProvider(cid, from)
    }
  }
}

function sizeOf(envelopes: readonly Uint8Array[]): number {
  return envelopes.reduce((bytes, envelope) => bytes + envelope.length, 0)
}
