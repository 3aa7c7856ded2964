import { MAX_RECORD_IDS } from '@registry/protocol'
import type { Catalogue, CatalogueScope, PackageProtocol, RecordId, RecordIdPage } from '@registry/types'
import { shortIdOf } from './short-id.ts'
import type { SyncLedger } from './sync-ledger.ts'

export interface IdListingComponents {
  catalogue: Pick<Catalogue, 'has' | 'recordIds'>
  protocol: Pick<PackageProtocol, 'recordIds'>
}

/** Some of the differences of two catalogues. */
export interface ListedDifferences {
  /** Short IDs of records that only the peer has. */
  onlyRemote: Uint8Array[]
  /** Records that only this peer has; once there were `maxOnlyLocal`, nobody looks for more. */
  onlyLocal: RecordId[]
}

/**
 * Goes through all record IDs of a peer beside those of here, and yields what differs, page by page. What neither grinding
 * nor movement can break, at the price of 32 bytes a record.
 *
 * @throws {SyncLimitError} ERR_SYNC_LIMIT, its IDs are not in order, as those of an endless list would have to be. Else as
 * `PackageProtocol`
 */
export async function* listDifferences(
  { catalogue, protocol }: IdListingComponents,
  ledger: SyncLedger,
  { scope, maxOnlyLocal }: { scope: CatalogueScope; maxOnlyLocal: number }
): AsyncGenerator<ListedDifferences> {
  const ask = (after: RecordId | undefined): Promise<RecordIdPage> =>
    ledger.ask((options) =>
      protocol.recordIds(ledger.peerId, pageAfter(scope, after, MAX_RECORD_IDS), options)
    )
  let after: RecordId | undefined
  let localLeft = maxOnlyLocal
  let coming: Promise<RecordIdPage> | undefined = ask(undefined)
  while (coming !== undefined) {
    const { ids, next }: RecordIdPage = await coming
    if (!isAscending(after === undefined ? ids : [after, ...ids])) throw ledger.limitReached('ids')
    if (next !== undefined && next !== ids.at(-1)) throw ledger.limitReached('ids')
    coming = next === undefined ? undefined : ask(next)
    // Whoever takes the differences may end early.
    coming?.catch(() => {})
    const listed = new Set(ids)
    const onlyLocal = localIds(catalogue, scope, after, next)
      .filter((id) => !listed.has(id))
      .take(localLeft)
      .toArray()
    localLeft -= onlyLocal.length
    yield { onlyRemote: ids.filter((id) => !catalogue.has(id)).map(shortIdOf), onlyLocal }
    after = next
  }
}

/** Those after `after` and up to `last`, or to the end. */
function* localIds(
  catalogue: Pick<Catalogue, 'recordIds'>,
  scope: CatalogueScope,
  after: RecordId | undefined,
  last: RecordId | undefined
): Generator<RecordId> {
  let next = after
  do {
    const page = catalogue.recordIds(pageAfter(scope, next, MAX_RECORD_IDS))
    for (const id of page.ids) {
      if (last !== undefined && isAfter(id, last)) return
      yield id
    }
    next = page.next
  } while (next !== undefined)
}

function pageAfter(
  scope: CatalogueScope,
  after: RecordId | undefined,
  limit: number
): { scope: CatalogueScope; after?: RecordId; limit: number } {
  return after === undefined ? { scope, limit } : { scope, after, limit }
}

function isAscending(ids: readonly RecordId[]): boolean {
  return ids.every((id, index) => {
    const before = ids[index - 1]
    return before === undefined || isAfter(id, before)
  })
}

/** By the bytes of the IDs: in base32, digits stand for more than letters do. */
function isAfter(a: RecordId, b: RecordId): boolean {
  for (let at = 0; at < a.length; at++) {
    const difference = rank(a.charCodeAt(at)) - rank(b.charCodeAt(at))
    if (difference !== 0) return difference > 0
  }
  return false
}

function rank(base32Digit: number): number {
  return base32Digit < 0x61 ? base32Digit + 0x80 : base32Digit
}
