import {
  type Clock,
  isRegistryError,
  type OwnerId,
  type P2PRegistry,
  type PackageName
} from '@registry/types'
import { ownedNpmName } from './names.ts'

export interface ShortNamesInit {
  /** What a name means is looked up again after this time, though no news of its package came. */
  maxAgeMs: number
}

/** Names whose meaning is remembered. */
const MAX_NAMES = 50_000

/** Which owner's package each name means on this peer by itself. */
export class ShortNames {
  readonly #init: ShortNamesInit
  readonly #registry: P2PRegistry
  readonly #clock: Clock
  /** Oldest first. */
  readonly #meanings = new Map<PackageName, { owner: OwnerId | undefined; knownAtMs: number }>()

  constructor(init: ShortNamesInit, registry: P2PRegistry, clock: Clock) {
    this.#init = init
    this.#registry = registry
    this.#clock = clock
  }

  /** The name by which this package is installed: the short one where it means this package, else that with its owner. */
  async installable({ owner, name }: { owner: OwnerId; name: PackageName }): Promise<string> {
    return (await this.#meaning(name)) === owner ? name : ownedNpmName(owner, name)
  }

  forget(name: PackageName): void {
    this.#meanings.delete(name)
  }

  clear(): void {
    this.#meanings.clear()
  }

  async #meaning(name: PackageName): Promise<OwnerId | undefined> {
    const knownAtMs = this.#clock.now()
    const known = this.#meanings.get(name)
    if (known !== undefined && knownAtMs - known.knownAtMs < this.#init.maxAgeMs) return known.owner
    const owner = await this.#lookUp(name)
    this.#meanings.delete(name)
    this.#meanings.set(name, { owner, knownAtMs })
    for (const oldest of this.#meanings.keys()) {
      if (this.#meanings.size <= MAX_NAMES) break
      this.#meanings.delete(oldest)
    }
    return owner
  }

  async #lookUp(name: PackageName): Promise<OwnerId | undefined> {
    try {
      return (await this.#registry.metadata(name))?.owner
    } catch (error) {
      // Several have it, or what it means cannot be used: then it means nothing by itself.
      if (isRegistryError(error, 'ERR_AMBIGUOUS_NAME')) return undefined
      if (isRegistryError(error, 'ERR_DOMAIN_UNPROVEN')) return undefined
      if (isRegistryError(error, 'ERR_VERSION_CONFLICTED')) return undefined
      throw error
    }
  }
}
