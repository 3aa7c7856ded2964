import { join } from 'node:path'
import { resolveOwner } from '@registry/identity'
import {
  type AbortOptions,
  type Catalogue,
  type Clock,
  type DomainReport,
  domainOf,
  type NameDecision,
  type OwnerId,
  type PackageName,
  type PackageReference
} from '@registry/types'
import { DomainUnprovenError } from '../errors.ts'
import type { TextRecords } from './dns.ts'
import { Domains, type DomainsInit } from './domains.ts'
import { type FollowedOwners, openFollowedOwners } from './followed-owners.ts'
import { type NamePins, openNamePins } from './name-pins.ts'

export interface NamesInit extends DomainsInit {
  dataDir: string
}

export interface NamesComponents {
  catalogue: Catalogue
  dns: TextRecords
  clock: Clock
  /** This peer's own. */
  owner: OwnerId
}

/** A package, told by its owner and the name under which he has released it. */
export interface Meaning {
  owner: OwnerId
  name: PackageName
}

/** What names mean to this peer: what was decided here, else domains, curators, and who has them. */
export class Names {
  readonly #components: NamesComponents
  readonly #pins: NamePins
  readonly #followed: FollowedOwners
  readonly #domains: Domains
  readonly #listeners = new Set<() => void>()

  private constructor(
    components: NamesComponents,
    parts: { pins: NamePins; followed: FollowedOwners; domains: Domains }
  ) {
    this.#components = components
    this.#pins = parts.pins
    this.#followed = parts.followed
    this.#domains = parts.domains
  }

  /** @throws {CorruptNamesError} ERR_CORRUPT_NAMES */
  static async open({ dataDir, ...init }: NamesInit, components: NamesComponents): Promise<Names> {
    return new Names(components, {
      pins: await openNamePins(join(dataDir, 'names.json')),
      followed: await openFollowedOwners(join(dataDir, 'following.json')),
      domains: await Domains.open(join(dataDir, 'domains.json'), init, components)
    })
  }

  /**
   * The package that a reference means; undefined when nobody has it.
   *
   * @throws {AmbiguousNameError} ERR_AMBIGUOUS_NAME; {DomainUnprovenError} ERR_DOMAIN_UNPROVEN
   */
  async meaningOf(reference: PackageReference, options: AbortOptions = {}): Promise<Meaning | undefined> {
    const { name } = reference
    if (reference.owner !== undefined) return { owner: reference.owner, name }
    const decided = this.#pins.ownerOf(name)
    const domain = domainOf(name)
    if (domain === undefined || decided !== undefined) {
      const owner = decided ?? this.#commonOwner(reference)
      return owner === undefined ? undefined : this.#releasedAs(owner, name, domain)
    }
    const owner = await this.#domains.ownerOf(domain, options)
    if (owner !== undefined) return this.#releasedAs(owner, name, domain)
    const candidates = this.#components.catalogue.ownersOf(name)
    if (candidates.length === 0) return undefined
    // That nobody else has the name is no proof: the next one could have it tomorrow.
    throw new DomainUnprovenError(domain, `_p2p-registry.${domain}`, [])
  }

  decisions(): NameDecision[] {
    return this.#pins.list()
  }

  async pin(decision: NameDecision): Promise<void> {
    await this.#pins.pin(decision)
    if (decision.by === 'pin') this.#tell()
  }

  async unpin(name: PackageName): Promise<boolean> {
    return this.#changed(await this.#pins.unpin(name))
  }

  following(): OwnerId[] {
    return this.#followed.list()
  }

  async follow(owner: OwnerId): Promise<boolean> {
    return this.#changed(await this.#followed.follow(owner))
  }

  async unfollow(owner: OwnerId): Promise<boolean> {
    return this.#changed(await this.#followed.unfollow(owner))
  }

  checkDomain(domain: PackageName, options: AbortOptions): Promise<DomainReport> {
    return this.#domains.check(domain, this.#components.owner, options)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What the curators make of a name without a domain, else its only owner. */
  #commonOwner(reference: PackageReference): OwnerId | undefined {
    const { name } = reference
    const { catalogue, owner: self } = this.#components
    const curated = [self, ...this.#followed.list()].flatMap((curator) => {
      const fact = catalogue.statement(curator, name, 'alias')
      return fact?.field === 'alias' && fact.owner !== null ? [{ curator, owner: fact.owner }] : []
    })
    return resolveOwner({
      reference,
      candidates: catalogue.ownersOf(name),
      curated,
      describe: (owner) => {
        const curators = curated.filter((one) => one.owner === owner).map(({ curator }) => curator)
        return this.#describe({ owner, name }, curators)
      }
    })
  }

  /** What helps to choose between owners. */
  #describe({ owner, name }: Meaning, curators: readonly OwnerId[]): string {
    const { catalogue } = this.#components
    const latest = catalogue.latest(owner, name)
    const downloads = catalogue.downloads(owner, name)
    return [
      ...(latest === undefined ? [] : [latest.release.version]),
      ...(downloads === 0 ? [] : [`got ${downloads} times here`]),
      ...(this.#followed.list().includes(owner) ? ['followed'] : []),
      ...curators.map((curator) => `named by @${curator}`)
    ].join(', ')
  }

  /** `@example.org/kit` is `kit` where the owner of the domain has released no other under the whole of it. */
  #releasedAs(owner: OwnerId, name: PackageName, domain: PackageName | undefined): Meaning {
    if (domain === undefined || this.#components.catalogue.latest(owner, name) !== undefined) {
      return { owner, name }
    }
    const bare = name.slice(domain.length + 2) as PackageName
    return this.#components.catalogue.latest(owner, bare) === undefined
      ? { owner, name }
      : { owner, name: bare }
  }

  /** Questions to the DNS are broken off. */
  stop(): void {
    this.#domains.stop()
  }

  #changed(isChanged: boolean): boolean {
    if (isChanged) this.#tell()
    return isChanged
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
