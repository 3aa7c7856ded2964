/**
 * The end of a sentence about an unknown name: the known one that is meant, when one is near enough. A prefix that all of
 * them have makes none of them nearer.
 */
export function didYouMean(name: string, known: readonly string[], prefix = ''): string {
  const written = plain(name.slice(prefix.length))
  const nearest = known
    .map((candidate) => ({ candidate, rest: plain(candidate.slice(prefix.length)) }))
    .map(({ candidate, rest }) => ({ candidate, rest, distance: editDistance(written, rest) }))
    .filter(({ rest, distance }) => distance <= Math.max(1, Math.floor(rest.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0]
  return nearest === undefined ? '' : `; did you mean ${nearest.candidate}?`
}

/** Spellings of one name are alike: `max_connections`, `MAX-CONNECTIONS`, `maxConnections`. */
function plain(name: string): string {
  return name.slice(0, 64).toLowerCase().replaceAll(/[-_]/g, '')
}

/** Insertions, deletions and replacements that make `b` of `a` (Wagner and Fischer, 1974). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1]
    for (let at = 1; at <= b.length; at++) {
      const replaced = (row[at - 1] ?? 0) + (letter === b[at - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
