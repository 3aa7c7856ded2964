/**
 * The order of packages that are equal otherwise: by name, by the end of the owner's ID, which is all a cursor has room
 * for, and by package.
 */
export function comparePackages(
  a: { name: string; owner: string; package: number },
  b: { name: string; owner: string; package: number }
): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1
  const left = ownerTailOf(a.owner)
  const right = ownerTailOf(b.owner)
  if (left !== right) return left < right ? -1 : 1
  return a.package - b.package
}

export function ownerTailOf(owner: string): string {
  return owner.slice(-12)
}
