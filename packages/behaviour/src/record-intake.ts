import { setImmediate as nextTurn } from 'node:timers/promises'
import { readRecord, recordIdOf, type VerifiedRecord, verifyRecord } from '@registry/identity'
import {
  type Catalogue,
  type CatalogueHoldings,
  type Clock,
  type IngestOutcome,
  isRegistryError,
  type OwnerDocument,
  type OwnerId,
  type PackageName,
  type PeerIdText,
  type RecordId
} from '@registry/types'
import type { Acceptance, AcceptanceEffect } from './policy/acceptance.ts'
import { holdsName } from './policy/holdings.ts'
import type { PeerConduct } from './policy/peer-score.ts'

/** Signatures that are checked before the event loop gets its turn: a few milliseconds. */
const VERIFIED_AT_ONCE = 16

/** What became of a record that a peer handed over. */
export type IntakeOutcome =
  | IngestOutcome
  /** Valid, and of nothing that this peer keeps: not stored, but worth passing on. */
  | { status: 'passed'; id: RecordId }

export interface RecordIntakeComponents {
  catalogue: Catalogue
  acceptance: Acceptance
  /** What this peer keeps of the catalogue. */
  holds: CatalogueHoldings
  clock: Clock
  /** Told what the records showed of the peer that handed them over. */
  onConduct: (peerId: PeerIdText, conduct: PeerConduct) => void
}

/** Takes records that peers hand over unasked, as far as they may, and as far as this peer keeps them. */
export interface RecordIntake {
  /**
   * `outcomes` is absent when the records were not looked at: they are no message, or over the peer's rate. Undefined
   * `records` are bytes that are no message. Rejects when the own disk does.
   */
  take(from: PeerIdText, records: readonly Uint8Array[] | undefined): Promise<RecordIntakeResult>
}

export interface RecordIntakeResult {
  verdict: AcceptanceEffect['verdict']
  outcomes?: IntakeOutcome[]
}

export function recordIntake({
  catalogue,
  acceptance,
  holds,
  clock,
  onConduct
}: RecordIntakeComponents): RecordIntake {
  const store = holds.mode === 'full' ? catalogue.ingest.bind(catalogue) : storeKept(catalogue, holds)
  return {
    async take(from, records) {
      const unknown = records?.filter((record) => !catalogue.has(recordIdOf(record))).length
      const received = acceptance.handle({ type: 'received', from, unknown }, clock.now())
      if (received.conduct !== undefined) onConduct(from, received.conduct)
      if (received.verdict !== 'ingest') return { verdict: received.verdict }
      const outcomes = await store(records ?? [])
      const { verdict, conduct } = acceptance.handle({ type: 'ingested', from, outcomes }, clock.now())
      if (conduct !== undefined) onConduct(from, conduct)
      return { verdict, outcomes }
    }
  }
}

/**
 * A peer that does not keep the whole catalogue checks all that it passes on, and stores of it what is in its shards or
 * about packages that it has.
 */
function storeKept(
  catalogue: Catalogue,
  holds: CatalogueHoldings
): (envelopes: readonly Uint8Array[]) => Promise<IntakeOutcome[]> {
  const isKept = (owner: OwnerId, name: PackageName): boolean =>
    holdsName(holds, name) || catalogue.latest(owner, name) !== undefined

  return async (envelopes) => {
    const outcomes = await verifyAll(catalogue, envelopes)
    const signers = new Set<OwnerId>()
    const kept = new Set<number>()
    for (const [index, outcome] of outcomes.entries()) {
      if (!('record' in outcome) || outcome.record.kind === 'owner') continue
      const { owner, name, signer } = aboutOf(outcome.record)
      if (!isKept(owner, name)) continue
      kept.add(index)
      signers.add(signer)
    }
    for (const [index, outcome] of outcomes.entries()) {
      if (!('record' in outcome) || outcome.record.kind !== 'owner') continue
      // Whoever keeps a shard keeps all owners, as do those with whom it compares them.
      if (holds.mode === 'shards' || signers.has(outcome.record.owner)) kept.add(index)
    }
    const stored = await catalogue.ingest(envelopes.filter((_, index) => kept.has(index)))
    return outcomes.map((outcome, index) => {
      if (!('record' in outcome)) return outcome
      const passed: IntakeOutcome = { status: 'passed', id: outcome.record.id }
      return (kept.has(index) ? stored.shift() : undefined) ?? passed
    })
  }
}

type Verification = { record: VerifiedRecord } | Extract<IngestOutcome, { status: 'refused' }>

/** Each record checked by itself, against the owners that are here or among them, which come first. */
async function verifyAll(catalogue: Catalogue, envelopes: readonly Uint8Array[]): Promise<Verification[]> {
  const documents = new Map<OwnerId, OwnerDocument>()
  const documentOf = (owner: OwnerId): OwnerDocument | undefined =>
    documents.get(owner) ?? storedDocument(catalogue, owner)
  const verify = (bytes: Uint8Array): Verification => {
    try {
      const record = verifyRecord(bytes, documentOf)
      if (record.kind === 'owner') documents.set(record.owner, record.document)
      return { record }
    } catch (error) {
      if (isRegistryError(error)) return { status: 'refused', error }
      throw error
    }
  }
  const verifications: Verification[] = []
  for (const [index, bytes] of envelopes.entries()) {
    if (index > 0 && index % VERIFIED_AT_ONCE === 0) await nextTurn()
    verifications.push(verify(bytes))
  }
  return verifications
}

function storedDocument(catalogue: Catalogue, owner: OwnerId): OwnerDocument | undefined {
  const id = catalogue.ownerRecord(owner)
  const bytes = id === undefined ? undefined : catalogue.record(id)
  const record = bytes === undefined ? undefined : readRecord(bytes)
  return record?.kind === 'owner' ? record.document : undefined
}

function aboutOf(record: Exclude<VerifiedRecord, { kind: 'owner' }>): {
  owner: OwnerId
  name: PackageName
  signer: OwnerId
} {
  if (record.kind === 'attestation') {
    const { owner, name, issuer } = record.attestation
    return { owner, name, signer: issuer }
  }
  const { owner, name } = record.kind === 'release' ? record.release : record.statement
  return { owner, name, signer: owner }
}
