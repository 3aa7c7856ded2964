import type { Package, Version } from '@registry/types'

/** What there is to know of a version before it is used: its tags, and what speaks against it. */
export function marksOf(
  { version, conflicted, deprecated, yanked }: Package,
  distTags: Readonly<Record<string, Version>> = {}
): string {
  const tags = Object.keys(distTags).filter((tag) => distTags[tag] === version)
  const marks = [
    ...tags,
    ...(conflicted ? ['conflicted'] : []),
    ...(yanked === undefined ? [] : [reasoned('yanked', yanked)]),
    ...(deprecated === undefined ? [] : [reasoned('deprecated', deprecated)])
  ]
  return marks.join(', ')
}

function reasoned(mark: string, reason: string): string {
  return reason === '' ? mark : `${mark}: ${reason}`
}
