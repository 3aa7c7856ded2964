import type { CatalogueHoldings, Completeness, ConnectedPeer, SyncProgress } from '@registry/types'
import { ago, plural } from './output.ts'

/** What an answer is complete against, as a sentence. */
export function completenessText({
  state,
  comparedAtMs,
  agreeing,
  compared,
  askedHolders
}: Completeness): string {
  switch (state) {
    case 'agreed':
      return `Complete: the catalogue is equal to that of ${plural(agreeing, 'peer')}, ${when(comparedAtMs)}.`
    case 'behind':
      return `Perhaps not complete: ${agreeing} of ${plural(compared, 'peer')} had an equal catalogue; what others have more is on its way.`
    case 'alone':
      return `Not known to be complete: there is no peer to compare with; ${when(comparedAtMs)}.`
    case 'partial':
      return `This peer holds a part of the catalogue; ${plural(askedHolders, 'holder')} of it answered as well.`
  }
}

function when(comparedAtMs: number | null): string {
  return comparedAtMs === null ? 'not compared since this peer started' : `last compared ${ago(comparedAtMs)}`
}

/** How far a synchronisation is. */
export function syncText({ peerId, stage, received, expected }: SyncProgress): string {
  const of = expected === null ? '' : ` of ${expected}`
  return `${stage} with ${peerId}: ${received}${of} records`
}

/** Which part of the catalogue a peer says it holds. */
export function holdingsText(holds: CatalogueHoldings | undefined): string {
  if (holds === undefined) return 'not said'
  switch (holds.mode) {
    case 'full':
      return 'all'
    case 'light':
      return 'what it needs itself'
    case 'shards':
      return `${holds.shards.length} of ${2 ** holds.bits} shards`
  }
}

/** Whether the catalogue of a connected peer was equal, and when that was last looked at. */
export function agreementText({ otherNetwork, inSync, comparedAtMs }: ConnectedPeer): string {
  if (otherNetwork === true) return 'of another network: nothing is exchanged with it'
  if (comparedAtMs === null) return 'not compared yet'
  return `${inSync ? 'equal' : 'different'} when last compared, ${ago(comparedAtMs)}`
}
