import { decode } from '@ipld/dag-cbor'
import { decodeEnvelope } from '@registry/identity'
import { type Catalogue, parseRelease, type RecordId, type Release } from '@registry/types'

/** A release as others must receive it: after the record that says who may sign for its owner. */
export interface RecordBundle {
  inception: Uint8Array
  release: Uint8Array
}

/** The bundle of a release that the catalogue holds, or undefined when it holds no such release. */
export function recordBundle(catalogue: Catalogue, id: RecordId): RecordBundle | undefined {
  const release = catalogue.record(id)
  if (release === undefined) return undefined
  const owned = releaseIn(release)
  if (owned === undefined) return undefined
  const owner = catalogue.ownerRecord(owned.owner)
  const inception = owner === undefined ? undefined : catalogue.record(owner)
  return inception === undefined ? undefined : { inception, release }
}

/** The release in an envelope that was verified before; undefined when it holds a record of another kind. */
function releaseIn(envelope: Uint8Array): Release | undefined {
  const { kind, payload } = decodeEnvelope(envelope)
  return kind === 'release' ? parseRelease(decode(payload)) : undefined
}
