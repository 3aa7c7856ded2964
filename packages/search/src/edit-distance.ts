/**
 * How many letters must be inserted, left out, replaced or swapped with their neighbour to make one word of the other,
 * or more than `max` if it is more: the optimal string alignment distance (Boytsov, 2011, restricted Damerau).
 */
export function editDistance(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1
  let start = 0
  while (start < a.length && a[start] === b[start]) start += 1
  if (start === a.length && start === b.length) return 0
  let tail = 0
  const shorter = Math.min(a.length, b.length)
  while (tail < shorter - start && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1
  // What is alike at both ends takes no part in it.
  const left = a.length - tail - start
  const right = b.length - tail - start
  if (Math.min(left, right) === 0) return Math.max(left, right)
  if (max === 1) {
    const isSwap = left === 2 && right === 2 && a[start] === b[start + 1] && a[start + 1] === b[start]
    return isSwap || (left === 1 && right === 1) ? 1 : 2
  }
  return fullDistance(a.slice(start, start + left), b.slice(start, start + right), max)
}

function fullDistance(a: string, b: string, max: number): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    let least = row
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1]
      let distance = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1)
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        distance = Math.min(distance, (before[column - 2] ?? 0) + 1)
      }
      current.push(distance)
      if (distance < least) least = distance
    }
    if (least > max) return max + 1
    before = last
    last = current
  }
  return last[b.length] ?? 0
}
