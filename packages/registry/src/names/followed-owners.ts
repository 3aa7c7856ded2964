import { type OwnerId, parseList, parseOwnerId } from '@registry/types'
import { openDecisionFile } from './decision-file.ts'

/** More are no longer known by whoever follows them. */
const MAX_FOLLOWED = 10_000

/** Owners whose word counts on this peer. */
export interface FollowedOwners {
  /** In the order in which they were followed. */
  list(): OwnerId[]
  /** False when he was followed already. Resolves when it is on disk. */
  follow(owner: OwnerId): Promise<boolean>
  /** False when he was not followed. */
  unfollow(owner: OwnerId): Promise<boolean>
}

/**
 * Those in the file at `path`, a JSON list; none when there is no file.
 *
 * @throws {CorruptNamesError} ERR_CORRUPT_NAMES
 */
export async function openFollowedOwners(path: string): Promise<FollowedOwners> {
  const { file, found } = await openDecisionFile(path, (value) =>
    parseList(value, 'following', MAX_FOLLOWED, parseOwnerId)
  )
  const owners = new Set(found)
  return {
    list: () => [...owners],
    async follow(owner) {
      if (owners.has(owner)) return false
      const next = parseList([...owners, owner], 'following', MAX_FOLLOWED, parseOwnerId)
      owners.add(owner)
      await file.write(next)
      return true
    },
    async unfollow(owner) {
      if (!owners.delete(owner)) return false
      await file.write([...owners])
      return true
    }
  }
}
