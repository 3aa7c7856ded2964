/** Longer words than this are not compared; the words of an index are shorter. */
const MAX_LENGTH = 256
// Three rows of the table, used again by the next call.
const ROWS: readonly [Uint16Array, Uint16Array, Uint16Array] = [
  new Uint16Array(MAX_LENGTH + 1),
  new Uint16Array(MAX_LENGTH + 1),
  new Uint16Array(MAX_LENGTH + 1)
]

/**
 * How many letters must be inserted, left out, replaced or swapped with their neighbour to make one word of the other,
 * or more than `max` if it is more: the optimal string alignment distance (Boytsov, 2011, restricted Damerau).
 */
export function editDistance(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1
  const shorter = Math.min(a.length, b.length)
  let start = 0
  while (start < shorter && a.charCodeAt(start) === b.charCodeAt(start)) start += 1
  let aEnd = a.length
  let bEnd = b.length
  // What is alike at both ends takes no part in it.
  while (aEnd > start && bEnd > start && a.charCodeAt(aEnd - 1) === b.charCodeAt(bEnd - 1)) {
    aEnd -= 1
    bEnd -= 1
  }
  const rows = aEnd - start
  const columns = bEnd - start
  if (rows === 0 || columns === 0) return rows + columns
  if (Math.max(rows, columns) > MAX_LENGTH) return max + 1
  let [before, last, current] = ROWS
  for (let column = 0; column <= columns; column += 1) last[column] = column
  for (let row = 1; row <= rows; row += 1) {
    const letter = a.charCodeAt(start + row - 1)
    // Further from the diagonal every distance is above `max`.
    const first = Math.max(1, row - max)
    const final = Math.min(columns, row + max)
    current[first - 1] = first === 1 ? row : max + 1
    let least = current[first - 1] ?? 0
    for (let column = first; column <= final; column += 1) {
      const other = b.charCodeAt(start + column - 1)
      const above = column < row + max ? (last[column] ?? 0) + 1 : max + 1
      let distance = Math.min(
        above,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (letter === other ? 0 : 1)
      )
      if (
        row > 1 &&
        column > 1 &&
        letter === b.charCodeAt(start + column - 2) &&
        a.charCodeAt(start + row - 2) === other
      ) {
        distance = Math.min(distance, (before[column - 2] ?? 0) + 1)
      }
      current[column] = distance
      if (distance < least) least = distance
    }
    if (least > max) return max + 1
    const free = before
    before = last
    last = current
    current = free
  }
  return Math.min(max + 1, last[columns] ?? 0)
}
