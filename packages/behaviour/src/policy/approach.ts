/** How two sets are made equal when they differ, as the numbers of their members tell. */
export type Approach =
  /** By the coded symbols of their sketches. */
  | 'decode'
  /** By taking all of the other one: nearly all of it is new. */
  | 'snapshot'
  /** Not yet: the other side is to take all of this one first. */
  | 'wait'
  /** By their IDs: more differ than a sketch can be decoded for. */
  | 'list'

/** The share of its capacity up to which a sketch can be counted on to be decoded. */
export const DECODABLE_SHARE = 0.68
/** Not worth a stream of its own. */
const MIN_SNAPSHOT_RECORDS = 1024
/** What a record that is here already costs in a snapshot, in terms of what it costs to find and ask for one that is not. */
const KNOWN_RECORD_COST = 14

/**
 * How a set of `own` members is filled up from one of `theirs`, with sketches of `capacity`. Whoever is asked can tell in
 * the same way what the asking side will do, and need not send symbols that are of no use to it.
 */
export function approach({
  own,
  theirs,
  capacity
}: {
  own: number
  theirs: number
  capacity: number
}): Approach {
  const decodable = capacity * DECODABLE_SHARE
  if (isFilledUp(own, theirs, decodable)) return 'snapshot'
  if (isFilledUp(theirs, own, decodable)) return 'wait'
  return Math.abs(theirs - own) > decodable ? 'list' : 'decode'
}

/** Whether a set of so many members is better filled up from the other one than compared with it. */
function isFilledUp(members: number, others: number, decodable: number): boolean {
  const missing = others - members
  if (missing <= MIN_SNAPSHOT_RECORDS) return false
  return members * KNOWN_RECORD_COST < missing || (missing > decodable && members < others / 2)
}
