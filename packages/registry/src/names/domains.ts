import { untilAborted, withDeadline } from '@registry/timing'
import {
  type AbortOptions,
  type Catalogue,
  type Clock,
  type DomainReport,
  isOwnerId,
  type OwnerId,
  type PackageName,
  parseCount,
  parseDomain,
  parseList,
  parseMap,
  parseOwnerId
} from '@registry/types'
import { DomainUnprovenError } from '../errors.ts'
import { type DecisionFile, openDecisionFile } from './decision-file.ts'
import type { TextRecords } from './dns.ts'

export interface DomainsInit {
  /** What a DNS said counts for so long before it is asked again. */
  maxAgeMs: number
  /** The DNS has to answer within this time. */
  timeoutMs: number
}

export interface DomainsComponents {
  catalogue: Pick<Catalogue, 'stating' | 'statement'>
  dns: TextRecords
  clock: Clock
}

/** What the DNS of a domain said, and when. */
interface Answer {
  named: OwnerId[]
  askedAtMs: number
}

const RECORD_PREFIX = '_p2p-registry'
/** Owners of one domain that are read from its DNS. */
const MAX_NAMED = 16
const MAX_REPORTED = 100
const MAX_KEPT = 10_000

/** Which owner a domain belongs to: he claims it in the catalogue, and its DNS names him. */
export class Domains {
  readonly #init: DomainsInit
  readonly #components: DomainsComponents
  readonly #file: DecisionFile
  /** Oldest first. */
  readonly #answers: Map<PackageName, Answer>
  readonly #asking = new Map<PackageName, Promise<Answer>>()
  readonly #ending = new AbortController()

  private constructor(
    init: DomainsInit,
    components: DomainsComponents,
    file: DecisionFile,
    answers: Map<PackageName, Answer>
  ) {
    this.#init = init
    this.#components = components
    this.#file = file
    this.#answers = answers
  }

  /** What is in the file at `path` counts where the DNS cannot be asked. @throws {CorruptNamesError} ERR_CORRUPT_NAMES */
  static async open(path: string, init: DomainsInit, components: DomainsComponents): Promise<Domains> {
    const { file, found } = await openDecisionFile(path, parseAnswers)
    return new Domains(init, components, file, found ?? new Map())
  }

  /**
   * Whose a domain is; undefined when nobody claims it, without a question to the DNS.
   *
   * @throws {DomainUnprovenError} ERR_DOMAIN_UNPROVEN
   */
  async ownerOf(domain: PackageName, options: AbortOptions = {}): Promise<OwnerId | undefined> {
    const claimants = this.#claimants(domain, MAX_REPORTED)
    if (claimants.length === 0) return undefined
    const known = this.#answers.get(domain)
    const isFresh =
      known !== undefined && this.#components.clock.now() - known.askedAtMs < this.#init.maxAgeMs
    const answer = isFresh ? known : ((await this.#ask(domain, options)) ?? known)
    const owner = this.#provenOwner(domain, answer?.named ?? [])
    if (owner !== undefined) return owner
    throw new DomainUnprovenError(domain, recordNameOf(domain), claimants, answer?.named)
  }

  /** Whose a domain is, its DNS asked now. */
  async check(domain: PackageName, self: OwnerId, options: AbortOptions = {}): Promise<DomainReport> {
    const answer = await this.#ask(domain, options)
    const named = (answer ?? this.#answers.get(domain))?.named ?? []
    const owner = this.#provenOwner(domain, named)
    return {
      domain,
      record: { name: recordNameOf(domain), text: `owner=${self}` },
      claimants: this.#claimants(domain, MAX_REPORTED),
      named,
      askedAtMs: answer?.askedAtMs ?? null,
      ...(owner === undefined ? {} : { owner })
    }
  }

  stop(): void {
    this.#ending.abort()
  }

  #claimants(domain: PackageName, limit: number): OwnerId[] {
    return this.#components.catalogue.stating(domain, 'domain', limit)
  }

  /** Who is named decides, and not who claims: anybody can, as often as he likes. */
  #provenOwner(domain: PackageName, named: readonly OwnerId[]): OwnerId | undefined {
    const proven = named.filter((owner) => {
      const fact = this.#components.catalogue.statement(owner, domain, 'domain')
      return fact?.field === 'domain' && fact.claimed
    })
    return proven.length === 1 ? proven[0] : undefined
  }

  /** Undefined when the DNS did not answer. Who asks for the same meanwhile waits with the first. */
  async #ask(domain: PackageName, { signal }: AbortOptions): Promise<Answer | undefined> {
    const asking = this.#asking.get(domain) ?? this.#start(domain)
    try {
      return await (signal === undefined ? asking : untilAborted(asking, signal))
    } catch {
      signal?.throwIfAborted()
      return undefined
    }
  }

  #start(domain: PackageName): Promise<Answer> {
    const { clock, dns } = this.#components
    const { timeoutMs } = this.#init
    const asking = withDeadline(clock, { timeoutMs, signal: this.#ending.signal }, (signal) =>
      dns.texts(recordNameOf(domain), { signal })
    )
      .then((texts) => this.#keep(domain, { named: ownersIn(texts), askedAtMs: clock.now() }))
      .finally(() => this.#asking.delete(domain))
    this.#asking.set(domain, asking)
    return asking
  }

  async #keep(domain: PackageName, answer: Answer): Promise<Answer> {
    this.#answers.delete(domain)
    this.#answers.set(domain, answer)
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= MAX_KEPT) break
      this.#answers.delete(oldest)
    }
    // What cannot be written down is asked again after the next start.
    await this.#file.write(Object.fromEntries(this.#answers)).catch(() => {})
    return answer
  }
}

function recordNameOf(domain: PackageName): string {
  return `${RECORD_PREFIX}.${domain}`
}

function ownersIn(texts: readonly string[]): OwnerId[] {
  const owners = texts.flatMap((text) => {
    const [, owner = ''] = /^\s*owner=(\S+)\s*$/.exec(text) ?? []
    return isOwnerId(owner) ? [owner] : []
  })
  return [...new Set(owners)].slice(0, MAX_NAMED)
}

function parseAnswers(value: unknown): Map<PackageName, Answer> {
  const entries = Object.entries(parseMap(value, 'domains'))
  return new Map(
    entries.map(([key, item]) => {
      const map = parseMap(item, `domains.${key}`)
      const named = parseList(map.named, `domains.${key}.named`, MAX_NAMED, parseOwnerId)
      return [parseDomain(key), { named, askedAtMs: parseCount(map.askedAtMs, `domains.${key}.askedAtMs`) }]
    })
  )
}
