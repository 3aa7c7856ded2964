import type { Catalogue, CatalogueChange, Release, Topic } from '@registry/types'
import { InvalidCursorError } from './errors.ts'

/** Changes read at once; the only ones held in memory, however far behind a subscriber is. */
const PAGE = 64

/**
 * The changes of a topic after `after`, in order, those to come included. Nothing is queued: a change wakes it, and it
 * reads on in the catalogue from where it stood. Ends when the signal aborts.
 */
export async function* follow(
  catalogue: Pick<Catalogue, 'changes' | 'onChange' | 'sequence'>,
  topic: Topic,
  after: number,
  signal: AbortSignal
): AsyncGenerator<CatalogueChange> {
  let position = after
  let wake = (): void => {}
  const forget = catalogue.onChange(() => wake())
  const abort = (): void => wake()
  signal.addEventListener('abort', abort)
  try {
    while (!signal.aborted) {
      const newest = catalogue.sequence
      const page = catalogue.changes({ after: position, limit: PAGE })
      for (const change of page) {
        position = change.sequence
        if (isOf(topic, change.record.release)) yield change
        if (signal.aborted) return
      }
      // What is told to nobody, as words about a version that there is not, is not looked at again.
      if (page.length < PAGE) position = Math.max(position, newest)
      if (page.length > 0) continue
      // Nothing has come since the page was read, in this same turn; what cannot be read is not waited for by asking again.
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    forget()
    signal.removeEventListener('abort', abort)
  }
}

function isOf(topic: Topic, release: Release): boolean {
  switch (topic.kind) {
    case 'all':
      return true
    case 'category':
      return release.category === topic.category
    case 'tag':
      return release.tags.includes(topic.tag)
    case 'owner':
      return release.owner === topic.owner
    case 'package':
      return release.name === topic.name
  }
}

/** What `subscribe` may be told in place of a cursor: all there ever was. */
const START = 'start'

/**
 * A place in the order of one catalogue, as text. It carries the end of the record's ID, so that it is good for no other
 * catalogue, not even for one that was deleted and began anew.
 */
export function formatCursor({ sequence, id }: CatalogueChange): string {
  return `${sequence.toString(36)}-${id.slice(-16)}`
}

/**
 * The sequence that a cursor marks. The change itself may be gone since, when another statement took its place.
 *
 * @throws {InvalidCursorError} ERR_INVALID_CURSOR
 */
export function parseCursor(cursor: string, catalogue: Catalogue): number {
  if (cursor === START) return 0
  const sequence = /^[0-9a-z]{1,10}-[0-9a-z]{16}$/.test(cursor) ? Number.parseInt(cursor, 36) : 0
  if (sequence < 1 || sequence > catalogue.sequence) throw new InvalidCursorError(cursor)
  const [next] = catalogue.changes({ after: sequence - 1, limit: 1 })
  if (next?.sequence === sequence && formatCursor(next) !== cursor) throw new InvalidCursorError(cursor)
  return sequence
}
