import type { Catalogue, RecordId } from '@registry/types'

/** The most that go together: an owner, and two releases that contradict each other. */
const MAX_TOGETHER = 3

/**
 * What others must have in order to check and understand one record, itself included; empty when it is not here. Of a
 * version with many releases two are told, which is proof enough. Always in the same order, whichever of the two came
 * first, so that they are one message to gossip.
 */
export function announcedRecords(catalogue: Pick<Catalogue, 'bundle'>, id: RecordId): Uint8Array[] {
  const bundle = catalogue.bundle(id)
  if (bundle.length < MAX_TOGETHER) return bundle
  const [owner, ...releases] = bundle
  const last = releases.slice(1 - MAX_TOGETHER).sort(Buffer.compare)
  return owner === undefined ? last : [owner, ...last]
}
