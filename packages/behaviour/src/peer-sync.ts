import { deadline } from '@registry/timing'
import type {
  AbortOptions,
  Catalogue,
  CatalogueHoldings,
  CatalogueScope,
  Clock,
  PackageProtocol,
  PeerIdText,
  SyncProgress,
  SyncReport
} from '@registry/types'
import { inTurns } from './in-turns.ts'
import { sharedScopes } from './policy/holdings.ts'
import { type ReconciliationOutcome, reconcile } from './reconciliation-session.ts'
import { RecordsUnderway } from './records-underway.ts'
import { snapshotTransfer } from './snapshot-transfer.ts'
import { type SyncBudget, SyncLedger } from './sync-ledger.ts'

export interface PeerSyncInit {
  budget: SyncBudget
  /** What this peer keeps of the catalogue. */
  holds: CatalogueHoldings
}

export interface PeerSyncComponents {
  catalogue: Catalogue
  protocol: PackageProtocol
  clock: Clock
}

export interface PeerSyncOptions extends AbortOptions {
  /** What the peer keeps of the catalogue. */
  holds: CatalogueHoldings
  /** The peer has records that are not here. */
  onAhead?: () => void
}

export interface PeerSyncResult extends SyncReport {
  /** All that both keep is equal now, as far as this side can know. */
  equal: boolean
  /** The peer has more that did not come. */
  ahead: boolean
  /** Its coded symbols were not those of its records. */
  misled: boolean
}

/** One synchronisation with one peer, under way or over. */
export interface PeerSync {
  readonly result: Promise<PeerSyncResult>
  progress(): SyncProgress
}

/** Shards that are compared at once. */
const CONCURRENT_SCOPES = 4

/**
 * Makes all that both this peer and another keep of the catalogue the union of both, scope by scope, within one budget.
 *
 * `result` @throws {SyncLimitError} ERR_SYNC_LIMIT; what came before is kept. Else as `PackageProtocol` and `Catalogue.ingest`
 */
export function peerSync(
  init: PeerSyncInit
): (components: PeerSyncComponents) => (peerId: PeerIdText, options: PeerSyncOptions) => PeerSync {
  return (components) => {
    const snapshots = snapshotTransfer(components)
    const underway = new RecordsUnderway()

    const run = async (ledger: SyncLedger, { holds, onAhead }: PeerSyncOptions): Promise<PeerSyncResult> => {
      const startedMs = components.clock.now()
      const outcomes = await eachOf(sharedScopes(init.holds, holds), (scope) =>
        reconcile({ ...components, snapshots, underway }, { scope, ledger, onAhead: onAhead ?? (() => {}) })
      )
      return {
        peerId: ledger.peerId,
        received: ledger.received,
        sent: ledger.sent,
        refused: ledger.refused,
        roundTrips: ledger.meter.roundTrips,
        bytes: ledger.bytes,
        durationMs: components.clock.now() - startedMs,
        equal: outcomes.every(({ status }) => status === 'equal'),
        ahead: outcomes.some(({ ahead }) => ahead),
        misled: outcomes.some(({ misled }) => misled)
      }
    }

    return (peerId, options) => {
      const limit = deadline(components.clock, init.budget.maxMs, options.signal)
      const ledger = new SyncLedger(init.budget, peerId, components.clock, limit.signal)
      const result = run(ledger, options)
        .catch((error: unknown) => {
          throw limit.expired ? ledger.limitReached('time') : error
        })
        .finally(() => limit.clear())
      return { result, progress: () => ledger.progress() }
    }
  }
}

/** Owners, the first of several scopes, by themselves; for what they signed is checked against them. */
async function eachOf(
  scopes: readonly CatalogueScope[],
  reconcileScope: (scope: CatalogueScope) => Promise<ReconciliationOutcome>
): Promise<ReconciliationOutcome[]> {
  const outcomes: ReconciliationOutcome[] = []
  const [first, ...rest] = scopes
  if (first !== undefined) outcomes.push(await reconcileScope(first))
  await inTurns(CONCURRENT_SCOPES, async () => {
    const scope = rest.shift()
    if (scope === undefined) return false
    outcomes.push(await reconcileScope(scope))
    return true
  })
  return outcomes
}
