import {
  type NameDecision,
  type OwnerId,
  type PackageName,
  parseMap,
  parseOneOf,
  parseOwnerId,
  parsePackageName
} from '@registry/types'
import { openDecisionFile } from './decision-file.ts'

/** Whose package a name without an owner means to this peer. */
export interface NamePins {
  ownerOf(name: PackageName): OwnerId | undefined
  /** By name. */
  list(): NameDecision[]
  /** On first use the owner there is stays; a pin replaces it. Resolves when that is on disk. */
  pin(decision: NameDecision): Promise<void>
  /** False when nothing was decided. */
  unpin(name: PackageName): Promise<boolean>
}

/**
 * The decisions in the file at `path`, a JSON object by name; none when there is no file.
 *
 * @throws {CorruptNamesError} ERR_CORRUPT_NAMES
 */
export async function openNamePins(path: string): Promise<NamePins> {
  const { file, found } = await openDecisionFile(path, parsePins)
  const pins = found ?? new Map<PackageName, NameDecision>()
  const list = (): NameDecision[] => [...pins.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const write = (): Promise<void> =>
    file.write(Object.fromEntries(list().map(({ name, owner, by }) => [name, { owner, by }])))
  return {
    ownerOf: (name) => pins.get(name)?.owner,
    list,
    async pin(decision) {
      if (decision.by === 'first-use' && pins.has(decision.name)) return
      pins.set(decision.name, decision)
      await write()
    },
    async unpin(name) {
      if (!pins.delete(name)) return false
      await write()
      return true
    }
  }
}

function parsePins(value: unknown): Map<PackageName, NameDecision> {
  const entries = Object.entries(parseMap(value, 'names'))
  return new Map(
    entries.map(([key, item]) => {
      const name = parsePackageName(key)
      const map = parseMap(item, `names.${key}`)
      const owner = parseOwnerId(map.owner, `names.${key}.owner`)
      return [name, { name, owner, by: parseOneOf(map.by, `names.${key}.by`, ['pin', 'first-use']) }]
    })
  )
}
