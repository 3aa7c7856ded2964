import type { OwnerId, PackageName, PackageReference } from '@registry/types'
import { AmbiguousNameError } from './errors.ts'

export interface NameResolution {
  reference: PackageReference
  /** Owners that have released under the name, in the order in which an error shall list them. */
  candidates: readonly OwnerId[]
  /** What names were decided to mean, strongest first: the project's lock, then petnames. */
  pins?: ReadonlyArray<(name: PackageName) => OwnerId | undefined>
  /** What curators who are followed say that the name means. */
  curated?: readonly Curation[]
  /** What an error shall say of a candidate beside its name. */
  describe?: (owner: OwnerId) => string
}

export interface Curation {
  curator: OwnerId
  owner: OwnerId
}

/**
 * Whose package a reference means: the owner it names, else the first pin, else what the curators agree on, else the only
 * candidate. Undefined when nobody has the name. A pin holds even when its owner is no candidate: a name never passes to another owner by itself.
 *
 * @throws {AmbiguousNameError} ERR_AMBIGUOUS_NAME, several candidates, or curators who disagree, and nothing that decides
 */
export function resolveOwner({
  reference,
  candidates,
  pins = [],
  curated = [],
  describe
}: NameResolution): OwnerId | undefined {
  if (reference.owner !== undefined) return reference.owner
  for (const pin of pins) {
    const owner = pin(reference.name)
    if (owner !== undefined) return owner
  }
  const owners = [...new Set(curated.length > 0 ? curated.map(({ owner }) => owner) : candidates)]
  if (owners.length > 1) throw new AmbiguousNameError(reference, owners, describe)
  return owners[0]
}
