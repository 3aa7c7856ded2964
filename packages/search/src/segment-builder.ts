import { type AnalysedDocument, nameImpactOf, textImpactOf } from './analysis.ts'
import { comparePackages } from './package-order.ts'
import { NumberList, sortedValues, TermWriter } from './term-writer.ts'

/**
 * Builds a segment.
 *
 * @param documents - no two of one package
 * @param removed - packages to hide in older segments
 */
export function buildSegment(
  documents: readonly AnalysedDocument[],
  removed: Iterable<number>
): SharedArrayBuffer {
  const sorted = documents.toSorted((a, b) => b.quality - a.quality || a.package - b.package)
  const writer = new TermWriter(Uint8Array.from(sorted, ({ quality }) => quality))
  writeTerms(sorted, writer)
  const removedKeys = Uint32Array.from(removed).sort()
  const values = sortedValues(new Set(sorted.flatMap((document) => document.values)))
  const sum = (lengthOf: (document: AnalysedDocument) => number): number =>
    sorted.reduce((total, document) => total + lengthOf(document), 0)
  const { buffer, arrays } = writer.finish({
    documents: sorted.length,
    nameBytes: sum(({ name }) => name.length),
    valueReferences: sum((document) => document.values.length),
    streamHashes: sum(({ stream }) => stream.length),
    removed: removedKeys.length,
    values: values.bytes
  })
  arrays.removed.set(removedKeys)
  const names = Buffer.from(buffer, arrays.names.byteOffset, arrays.names.length)
  let nameEnd = 0
  let referenceEnd = 0
  let streamEnd = 0
  for (const [place, document] of sorted.entries()) {
    arrays.packages[place] = document.package
    arrays.updatedS[place] = document.updatedS
    arrays.dependents[place] = document.dependents
    arrays.providers[place] = document.providers
    arrays.trust[place] = document.trust
    nameEnd += names.write(document.name, nameEnd, 'latin1')
    arrays.nameStart[place + 1] = nameEnd
    for (const value of document.values) {
      arrays.valueReferences[referenceEnd] = values.places.get(value) ?? 0
      referenceEnd += 1
    }
    arrays.valueStart[place + 1] = referenceEnd
    arrays.stream.set(document.stream, streamEnd)
    streamEnd += document.stream.length
    arrays.streamStart[place + 1] = streamEnd
  }
  const places = sorted.map(({ name, package: key, values: [owner = ''] }, place) => ({
    name,
    owner,
    package: key,
    place
  }))
  places.sort((a, b) => a.package - b.package)
  for (const [index, { place }] of places.entries()) arrays.byPackage[index] = place
  places.sort(comparePackages)
  for (const [rank, { place }] of places.entries()) arrays.nameRank[place] = rank
  return buffer
}

function writeTerms(documents: readonly AnalysedDocument[], writer: TermWriter): void {
  const numbers = new Map<string, number>()
  const counts: number[] = []
  const terms = new NumberList()
  const places = new NumberList()
  const impacts = new NumberList()
  for (const [place, document] of documents.entries()) {
    for (const [term, impact] of document.terms) {
      let number = numbers.get(term)
      if (number === undefined) {
        number = numbers.size
        numbers.set(term, number)
        counts.push(0)
      }
      counts[number] = (counts[number] ?? 0) + 1
      terms.push(number)
      places.push(place)
      impacts.push(impact)
    }
  }
  // The entries of each term side by side, in the order of documents.
  const next = new Uint32Array(counts.length)
  let end = 0
  for (const [number, count] of counts.entries()) {
    next[number] = end
    end += count
  }
  const grouped = new Uint32Array(end)
  for (let entry = 0; entry < end; entry += 1) {
    const number = terms.numbers[entry] ?? 0
    grouped[next[number] ?? 0] = entry
    next[number] = (next[number] ?? 0) + 1
  }
  for (const term of [...numbers.keys()].sort()) {
    const number = numbers.get(term) ?? 0
    const groupEnd = next[number] ?? 0
    writer.begin(term)
    for (const impactOf of [nameImpactOf, textImpactOf]) {
      for (let at = groupEnd - (counts[number] ?? 0); at < groupEnd; at += 1) {
        const entry = grouped[at] ?? 0
        const impact = impactOf(impacts.numbers[entry] ?? 0)
        if (impact > 0) writer.add(places.numbers[entry] ?? 0, impact)
      }
      writer.endList(true)
    }
  }
}
