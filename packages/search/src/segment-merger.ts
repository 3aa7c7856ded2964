import { ownerTailOf } from './package-order.ts'
import type { Segment } from './segment.ts'
import { sortedValues, TermWriter } from './term-writer.ts'

/** Terms between two pauses of a merge. */
const TERMS_BETWEEN_PAUSES = 256
const NOWHERE = 0xffffffff

/** A segment that goes into a merge. */
interface Source {
  segment: Segment
  /** Where each document goes, or `NOWHERE`. */
  places: Uint32Array
}

/** Documents of several sources in one order. */
interface MergedOrder {
  sources: Uint16Array
  documents: Uint32Array
}

/** Finds the documents of `older` that `newer` replaces or removes. */
export function replacedDocuments(older: Segment, newer: Segment): number[] {
  const replaced: number[] = []
  for (const keys of [newer.arrays.packages, newer.arrays.removed]) {
    for (const key of keys) {
      const document = older.documentOf(key)
      if (document !== -1) replaced.push(document)
    }
  }
  return replaced
}

/**
 * Makes one segment of several, pausing often.
 *
 * @param segments - neighbours in age, oldest first
 * @param newest - all that are newer; what they replace is left out
 * @param keepRemoved - whether there are older segments in which packages have to stay hidden
 */
export function* mergeSegments(
  segments: readonly Segment[],
  newest: readonly Segment[],
  keepRemoved: boolean
): Generator<void, SharedArrayBuffer> {
  const sources = segments.map((segment, index): Source => {
    const places = new Uint32Array(segment.counts.documents)
    for (const newer of [...segments.slice(index + 1), ...newest]) {
      for (const document of replacedDocuments(segment, newer)) places[document] = NOWHERE
    }
    return { segment, places }
  })
  yield
  const order = byQuality(sources)
  const quality = new Uint8Array(order.documents.length)
  for (let place = 0; place < quality.length; place += 1) {
    const source = sources[order.sources[place] ?? 0]
    const document = order.documents[place] ?? 0
    if (source === undefined) continue
    source.places[document] = place
    quality[place] = source.segment.arrays.quality[document] ?? 0
  }
  yield
  const writer = new TermWriter(quality)
  yield* mergeTerms(sources, writer)
  yield
  return finishMerged(sources, order, writer, keepRemoved ? removedBy(segments) : [])
}

/** What the newest word on it says is removed. */
function removedBy(segments: readonly Segment[]): Iterable<number> {
  const removed = new Set<number>()
  for (const { arrays } of segments) {
    for (const key of arrays.packages) removed.delete(key)
    for (const key of arrays.removed) removed.add(key)
  }
  return removed
}

function byQuality(sources: readonly Source[]): MergedOrder {
  return mergeOrders(
    sources.map(({ places }) => kept(places.keys(), places)),
    (source, document) => {
      const { packages, quality } = sources[source]?.segment.arrays ?? NO_ARRAYS
      return (255 - (quality[document] ?? 0)) * 2 ** 32 + (packages[document] ?? 0)
    }
  )
}

const NO_ARRAYS = { packages: new Uint32Array(0), quality: new Uint8Array(0) }

/** The documents that go anywhere, as an array. */
function kept(documents: Iterable<number>, places: Uint32Array): Uint32Array {
  const all = Uint32Array.from(documents)
  return all.filter((document) => places[document] !== NOWHERE)
}

/** Makes one order of several by a key that rises in each of them. */
function mergeOrders<Key extends number | string>(
  orders: readonly Uint32Array[],
  keyOf: (source: number, document: number) => Key
): MergedOrder {
  const length = orders.reduce((sum, order) => sum + order.length, 0)
  const merged: MergedOrder = { sources: new Uint16Array(length), documents: new Uint32Array(length) }
  const heads: Array<{ source: number; order: Uint32Array; at: number; key: Key }> = []
  for (const [source, order] of orders.entries()) {
    const first = order[0]
    if (first !== undefined) heads.push({ source, order, at: 0, key: keyOf(source, first) })
  }
  for (let place = 0; place < length; place += 1) {
    let least = heads[0]
    for (const head of heads) if (least !== undefined && head.key < least.key) least = head
    if (least === undefined) break
    merged.sources[place] = least.source
    merged.documents[place] = least.order[least.at] ?? 0
    least.at += 1
    const next = least.order[least.at]
    if (next === undefined) heads.splice(heads.indexOf(least), 1)
    else least.key = keyOf(least.source, next)
  }
  return merged
}

function* mergeTerms(sources: readonly Source[], writer: TermWriter): Generator<void> {
  const cursors = sources
    .filter(({ segment }) => segment.counts.terms > 0)
    .map((source) => ({ ...source, term: 0, text: source.segment.termOf(0) }))
  const here: typeof cursors = []
  for (let count = 0; cursors.length > 0; count += 1) {
    if (count % TERMS_BETWEEN_PAUSES === 0) yield
    let text = cursors[0]?.text ?? ''
    here.length = 0
    for (const cursor of cursors) {
      if (cursor.text < text) {
        text = cursor.text
        here.length = 0
      }
      if (cursor.text === text) here.push(cursor)
    }
    writer.begin(text)
    for (let side = 0; side < 2; side += 1) {
      for (const { segment, places, term } of here) {
        const { listStart, postings } = segment.arrays
        const end = listStart[2 * term + side + 1] ?? 0
        for (let index = listStart[2 * term + side] ?? 0; index < end; index += 1) {
          const posting = postings[index] ?? 0
          const place = places[posting >>> 8] ?? NOWHERE
          if (place !== NOWHERE) writer.add(place, posting & 0xff)
        }
      }
      // Each source by itself is in order.
      writer.endList(here.length === 1)
    }
    writer.dropIfEmpty()
    for (const cursor of here) {
      cursor.term += 1
      if (cursor.term < cursor.segment.counts.terms) cursor.text = cursor.segment.termOf(cursor.term)
      else cursors.splice(cursors.indexOf(cursor), 1)
    }
  }
}

/** Writes the documents of a merged segment beside its terms. */
function finishMerged(
  sources: readonly Source[],
  order: MergedOrder,
  writer: TermWriter,
  removed: Iterable<number>
): SharedArrayBuffer {
  const removedKeys = Uint32Array.from(removed).sort()
  let nameBytes = 0
  let valueReferences = 0
  let streamHashes = 0
  const valueTexts = sources.map(({ places, segment }) => {
    const { arrays } = segment
    const texts: Array<string | undefined> = new Array(segment.counts.values)
    for (let document = 0; document < places.length; document += 1) {
      if (places[document] === NOWHERE) continue
      nameBytes += lengthOf(arrays.nameStart, document)
      streamHashes += lengthOf(arrays.streamStart, document)
      const end = arrays.valueStart[document + 1] ?? 0
      for (let index = arrays.valueStart[document] ?? 0; index < end; index += 1) {
        const value = arrays.valueReferences[index] ?? 0
        texts[value] ??= segment.valueOf(value)
        valueReferences += 1
      }
    }
    return texts
  })
  const values = sortedValues(
    new Set(valueTexts.flatMap((texts) => texts.filter((text) => text !== undefined)))
  )
  const valuePlaces = valueTexts.map((texts) =>
    Uint32Array.from({ length: texts.length }, (_, value) => values.places.get(texts[value] ?? '') ?? 0)
  )
  const { buffer, arrays } = writer.finish({
    documents: order.documents.length,
    nameBytes,
    valueReferences,
    streamHashes,
    removed: removedKeys.length,
    values: values.bytes
  })
  arrays.removed.set(removedKeys)
  let nameEnd = 0
  let referenceEnd = 0
  let streamEnd = 0
  for (let place = 0; place < order.documents.length; place += 1) {
    const number = order.sources[place] ?? 0
    const document = order.documents[place] ?? 0
    const from = sources[number]?.segment.arrays
    const newValues = valuePlaces[number]
    if (from === undefined || newValues === undefined) continue
    arrays.packages[place] = from.packages[document] ?? 0
    arrays.updatedS[place] = from.updatedS[document] ?? 0
    arrays.dependents[place] = from.dependents[document] ?? 0
    arrays.providers[place] = from.providers[document] ?? 0
    arrays.trust[place] = from.trust[document] ?? 0
    for (let at = from.nameStart[document] ?? 0; at < (from.nameStart[document + 1] ?? 0); at += 1) {
      arrays.names[nameEnd] = from.names[at] ?? 0
      nameEnd += 1
    }
    arrays.nameStart[place + 1] = nameEnd
    for (let at = from.valueStart[document] ?? 0; at < (from.valueStart[document + 1] ?? 0); at += 1) {
      arrays.valueReferences[referenceEnd] = newValues[from.valueReferences[at] ?? 0] ?? 0
      referenceEnd += 1
    }
    arrays.valueStart[place + 1] = referenceEnd
    for (let at = from.streamStart[document] ?? 0; at < (from.streamStart[document + 1] ?? 0); at += 1) {
      arrays.stream[streamEnd] = from.stream[at] ?? 0
      streamEnd += 1
    }
    arrays.streamStart[place + 1] = streamEnd
  }
  const byPackage = mergeOrders(
    sources.map(({ segment, places }) => kept(segment.arrays.byPackage, places)),
    (source, document) => sources[source]?.segment.arrays.packages[document] ?? 0
  )
  const byName = mergeOrders(
    sources.map(({ segment, places }) => kept(segment.byRank(), places)),
    (source, document) => nameKeyOf(sources[source]?.segment, document)
  )
  for (let at = 0; at < order.documents.length; at += 1) {
    arrays.byPackage[at] = placeOf(sources, byPackage, at)
    arrays.nameRank[placeOf(sources, byName, at)] = at
  }
  return buffer
}

function lengthOf(starts: Uint32Array, document: number): number {
  return (starts[document + 1] ?? 0) - (starts[document] ?? 0)
}

function placeOf(sources: readonly Source[], order: MergedOrder, at: number): number {
  return sources[order.sources[at] ?? 0]?.places[order.documents[at] ?? 0] ?? 0
}

/** A text that orders as `comparePackages` does. */
function nameKeyOf(segment: Segment | undefined, document: number): string {
  if (segment === undefined) return ''
  const key = segment.arrays.packages[document] ?? 0
  const owner = ownerTailOf(segment.ownerOf(document))
  return `${segment.nameOf(document)}\0${owner}\0${key.toString(36).padStart(7, '0')}`
}
