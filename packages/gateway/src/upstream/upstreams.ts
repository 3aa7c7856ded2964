import type { Clock, P2PRegistry } from '@registry/types'
import { type FileCache, fileCache } from './file-cache.ts'
import { type OriginRule, originOf, parseOriginRule } from './origins.ts'
import { isMirror, Upstream, type UpstreamInit } from './upstream.ts'

export interface UpstreamsInit extends UpstreamInit {
  /** Rules as `parseOriginRule` reads them, the first that fits decides. */
  origins: readonly string[]
  /** What came from other registries, kept for when they are away. */
  cacheDir: string
  maxCacheBytes: number
}

/** Names that some registry has or had, npm's own of old included. */
const NAME = /^(?:@[\w~.-]+\/)?[\w~!'()*-][\w~.!'()*-]*$/
const MAX_NAME_LENGTH = 214

/** The other registries that the rules name. */
export class Upstreams {
  readonly #rules: readonly OriginRule[]
  readonly #upstreams = new Map<string, Upstream>()

  readonly #registry: P2PRegistry
  readonly #mirrors: readonly string[]
  #unserve = (): void => {}

  constructor(
    { origins, cacheDir, maxCacheBytes, ...init }: UpstreamsInit,
    { registry, clock }: { registry: P2PRegistry; clock: Clock }
  ) {
    this.#registry = registry
    this.#mirrors = init.mirrors
    this.#rules = origins.map((rule) => parseOriginRule(rule, 'gateway.origins'))
    const cache: FileCache = fileCache(cacheDir, maxCacheBytes)
    for (const { origin } of this.#rules) {
      if (origin !== 'peers') {
        this.#upstreams.set(origin.href, new Upstream(init, origin, { cache, registry, clock }))
      }
    }
  }

  /** Where a name comes from, when that is not the peers; what no registry could have is for them to refuse. */
  of(npmName: string): { upstream: Upstream; url: string } | undefined {
    const origin = originOf(this.#rules, npmName)
    const upstream = origin === 'peers' ? undefined : this.#upstreams.get(origin.href)
    if (origin === 'peers' || upstream === undefined) return undefined
    if (npmName.length > MAX_NAME_LENGTH || !NAME.test(npmName)) return undefined
    return { upstream, url: origin.href }
  }

  /** Peers that are mirrors of this one are given what it keeps, as it is given what they keep. */
  start(): void {
    if (this.#mirrors.length === 0) return
    this.#unserve = this.#registry.serveDocuments(async (from, { registry, name, form }) => {
      if (!isMirror(this.#mirrors, from)) return undefined
      const origin = this.of(name)
      return origin?.url.replace(/\/+$/, '') === registry ? origin.upstream.kept(name, form) : undefined
    })
  }

  stop(): void {
    this.#unserve()
    for (const upstream of this.#upstreams.values()) upstream.stop()
  }
}
