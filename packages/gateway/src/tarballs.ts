import { Readable } from 'node:stream'
import { inspectTarball, type ReleaseFields } from '@registry/registry'
import {
  type Clock,
  type FetchedPackage,
  type P2PRegistry,
  type Package,
  type PackageName,
  parseVersion,
  type Version
} from '@registry/types'
import type { Call } from './call.ts'
import { sendContent, sendHead } from './content.ts'
import { ManifestMismatchError, NothingFoundError } from './errors.ts'
import { exactReference, referenceIn, versionInFile } from './names.ts'

export interface TarballsInit {
  /** What a name means is looked up again after this time, though no news of its package came. */
  maxAgeMs: number
}

/** Packages that were handed out of late and need not be looked up for the next who asks. */
const MAX_RESOLVED = 4096
/** Contents whose manifest was compared with their release; forgetting one costs comparing it again. */
const MAX_CHECKED = 100_000
/** Up to so many bytes a content is read once, to be compared and sent; a larger one twice. */
const IN_MEMORY_BYTES = 8 * 1024 ** 2

interface Resolved {
  fetched: FetchedPackage
  resolvedAtMs: number
}

/** Hands tarballs to npm's clients. */
export class Tarballs {
  readonly #init: TarballsInit
  readonly #registry: P2PRegistry
  readonly #clock: Clock
  /** By reference, oldest first. */
  readonly #resolved = new Map<string, Resolved>()
  /** CIDs of the contents that bear their release out, oldest first. */
  readonly #checked = new Set<string>()

  constructor(init: TarballsInit, registry: P2PRegistry, clock: Clock) {
    this.#init = init
    this.#registry = registry
    this.#clock = clock
  }

  /**
   * Sends a tarball, or the part of it that is asked for. What is not known is not found at once; what is known and not here
   * is fetched from other peers first.
   */
  async send(call: Call, name: string, file: string): Promise<void> {
    const { request, signal } = call
    const reference = exactReference(referenceIn(call.names, name), parseFileVersion(name, file))
    if (request.method === 'HEAD' || request.headers['if-none-match'] !== undefined) {
      const known = await this.#registry.metadata(reference)
      if (known === undefined) throw notFound(name, file)
      if (sendHead(call, known)) return
    }
    const fetched = await this.#fetch(reference, signal)
    if (fetched === undefined) throw notFound(name, file)
    await sendContent(call, fetched.package, () => this.#checkedContent(fetched, signal))
  }

  /** Looks every version of a package up again when it is next asked for. */
  forget(name: PackageName): void {
    for (const [reference, { fetched }] of this.#resolved) {
      if (fetched.package.name === name) this.#resolved.delete(reference)
    }
  }

  clear(): void {
    this.#resolved.clear()
  }

  async #fetch(reference: string, signal: AbortSignal): Promise<FetchedPackage | undefined> {
    const nowMs = this.#clock.now()
    const known = this.#resolved.get(reference)
    if (known !== undefined && nowMs - known.resolvedAtMs < this.#init.maxAgeMs) return known.fetched
    this.#resolved.delete(reference)
    const fetched = await this.#registry.get(reference, { signal })
    if (fetched !== undefined) {
      this.#resolved.set(reference, { fetched, resolvedAtMs: nowMs })
      dropOldest(this.#resolved, MAX_RESOLVED)
    }
    return fetched
  }

  /**
   * An owner may sign what its tarball does not bear out. This peer has checked its own when it published them.
   *
   * @throws {ManifestMismatchError} ERR_MANIFEST_MISMATCH, and as `inspectTarball`
   */
  async #checkedContent(fetched: FetchedPackage, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { cid, owner, size, id } = fetched.package
    if (owner === this.#registry.owner || this.#checked.has(cid)) return fetched.content({ signal })
    const isSmall = size <= IN_MEMORY_BYTES
    const content = isSmall ? await Array.fromAsync(fetched.content({ signal })) : fetched.content({ signal })
    const differing = differences(fetched.package, await inspectTarball(content, { signal }))
    if (differing.length > 0) throw new ManifestMismatchError(id, differing)
    this.#checked.add(cid)
    dropOldest(this.#checked, MAX_CHECKED)
    return Array.isArray(content) ? Readable.from(content, { objectMode: true }) : fetched.content({ signal })
  }
}

function dropOldest(
  items: { keys(): Iterable<string>; delete(key: string): unknown; size: number },
  limit: number
): void {
  for (const oldest of items.keys()) {
    if (items.size <= limit) return
    items.delete(oldest)
  }
}

/** What of that which decides an installation is not as the manifest has it. */
function differences(signed: Package, found: ReleaseFields): string[] {
  const fields = ['name', 'version', 'dependencies', 'npm'] as const
  return fields.filter((field) => canonical(signed[field]) !== canonical(found[field]))
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => Number(a > b) - Number(a < b)))
      : item
  )
}

/** `name-1.0.0.tgz`, of this name. @throws ERR_NOT_FOUND */
export function parseFileVersion(name: string, file: string): Version {
  const text = versionInFile(name, file)
  try {
    return parseVersion(text)
  } catch {
    throw notFound(name, file)
  }
}

function notFound(name: string, file: string): NothingFoundError {
  return new NothingFoundError(`${name} has no ${file}`)
}
