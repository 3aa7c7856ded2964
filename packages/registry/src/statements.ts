import { isDeepStrictEqual } from 'node:util'
import { signAttestation, signStatement } from '@registry/identity'
import {
  type AbortOptions,
  type AttestationInput,
  type Clock,
  InvalidReferenceError,
  type OwnerIdentity,
  type PackageName,
  type PackageReference,
  parseAttestation,
  parseDistTag,
  parseStatement,
  parseVersion,
  type RecordId,
  type RegistryStore,
  type ReleaseRecord,
  type StatementFact,
  type StatementReceipt,
  statementField,
  type Version
} from '@registry/types'
import { NotOwnerError, PackageNotFoundError } from './errors.ts'
import { type FoundPackage, readPackage } from './package-records.ts'
import { PackageTooLargeError } from './packing/errors.ts'
import { fittingReleases } from './pick-release.ts'

/** A text that presents a package, at most: one block, which any peer can hand over at once. */
export const MAX_README_BYTES: number = 1024 * 1024

export interface StatementsComponents {
  store: RegistryStore
  owner: OwnerIdentity
  clock: Clock
}

/** What the owner of this peer says of packages: signed, and durable when a call resolves. One after the other. */
export class Statements {
  readonly #components: StatementsComponents
  #turn: Promise<unknown> = Promise.resolve()

  constructor(components: StatementsComponents) {
    this.#components = components
  }

  tag(reference: PackageReference, name: string, version: string | null): Promise<StatementReceipt> {
    return this.#inTurn(async () => {
      const tag = parseDistTag(name)
      const own = this.#own(reference)
      if (version === null) {
        // `latest` leads somewhere in any case; without a statement, to what is newest.
        if (tag !== 'latest' && !Object.hasOwn(own.distTags, tag)) throw notFound(own, { ...reference, tag })
        return this.#state(own, [], [{ field: 'dist-tag', tag, version: null }])
      }
      const wanted = parseVersion(version)
      if (!versionsOf(own.releases).includes(wanted)) throw notFound(own, { ...reference, range: wanted })
      return this.#state(own, [wanted], [{ field: 'dist-tag', tag, version: wanted }])
    })
  }

  deprecate(reference: PackageReference, message: string | null): Promise<StatementReceipt> {
    return this.#ofEach(reference, ({ release: { version }, deprecated = null }) =>
      deprecated === message ? undefined : { field: 'deprecation', version, message }
    )
  }

  yank(reference: PackageReference, reason: string | null): Promise<StatementReceipt> {
    return this.#ofEach(reference, ({ release: { version }, yanked = null }) =>
      yanked === reason ? undefined : { field: 'yank', version, reason }
    )
  }

  unpublish(reference: PackageReference, text: string, reason: string): Promise<StatementReceipt> {
    return this.#inTurn(async () => {
      const { range } = reference
      if (range === undefined) throw new InvalidReferenceError(text, 'an exact version must be named')
      const version = exactVersion(range, text)
      const own = this.#own(reference)
      if (!versionsOf(own.releases).includes(version)) throw notFound(own, reference)
      return this.#state(own, [version], [{ field: 'unpublish', version, reason }])
    })
  }

  readme(
    reference: PackageReference,
    text: Uint8Array | null,
    options: AbortOptions
  ): Promise<StatementReceipt> {
    return this.#inTurn(async () => {
      const own = this.#own(reference)
      if (text === null) {
        return this.#state(own, [], own.readme === undefined ? [] : [{ field: 'readme', content: null }])
      }
      if (text.length > MAX_README_BYTES) {
        throw new PackageTooLargeError('The readme', MAX_README_BYTES, 'bytes')
      }
      const { blobs } = this.#components.store
      const content = await blobs.add(piecesOf(text), options)
      const { cid } = content
      if (cid === own.readme?.cid) return this.#state(own, [], [])
      // Before it is stated: what is announced must not be collected.
      blobs.pin(cid)
      try {
        const receipt = await this.#state(own, [], [{ field: 'readme', content }])
        if (own.readme !== undefined) blobs.unpin(own.readme.cid)
        return receipt
      } catch (error) {
        blobs.unpin(cid)
        throw error
      }
    })
  }

  /** `about` is the package that the reference means, of whomever. */
  async attest(
    about: FoundPackage,
    reference: PackageReference,
    { claim, versions, severity, text, url }: AttestationInput
  ): Promise<StatementReceipt> {
    const { owner, clock, store } = this.#components
    const named = fittingReleases(about, reference)
    if (named.length === 0) throw notFound(about, reference)
    const range = reference.tag === undefined ? reference.range : named[0]?.release.version
    const attestation = parseAttestation({
      issuer: owner.id,
      owner: about.owner,
      name: about.name,
      claim,
      versions: versions ?? range ?? '*',
      text,
      claimedAtMs: clock.now(),
      ...(severity === undefined ? {} : { severity }),
      ...(url === undefined ? {} : { url })
    })
    const isSaid = store.catalogue
      .attestations(about.owner, about.name)
      .some((record) =>
        isDeepStrictEqual({ ...record.attestation, claimedAtMs: 0 }, { ...attestation, claimedAtMs: 0 })
      )
    const ids = isSaid
      ? []
      : await store.publish([owner.inception, await signAttestation(attestation, owner.signer)])
    const isOfAll = attestation.versions === '*'
    const concerned = isOfAll ? [] : fittingReleases(about, { range: attestation.versions })
    return { ids, owner: about.owner, name: about.name, versions: versionsOf(concerned) }
  }

  /** What this owner says under a name of whomever, as a curator or as the owner of a domain. */
  say(
    name: PackageName,
    fact: Extract<StatementFact, { field: 'alias' | 'domain' }>
  ): Promise<StatementReceipt> {
    return this.#inTurn(async () => {
      const { owner, store } = this.#components
      const said = store.catalogue.statement(owner.id, name, statementField(fact))
      return this.#state({ name }, [], isDeepStrictEqual(said, fact) ? [] : [fact])
    })
  }

  #ofEach(
    reference: PackageReference,
    factOf: (record: ReleaseRecord) => StatementFact | undefined
  ): Promise<StatementReceipt> {
    return this.#inTurn(async () => {
      const own = this.#own(reference)
      const fitting = fittingReleases(own, reference)
      if (fitting.length === 0) throw notFound(own, reference)
      // A version for which two contents are signed stands twice.
      const facts = new Map<Version, StatementFact>()
      for (const record of fitting) {
        const fact = factOf(record)
        if (fact !== undefined) facts.set(record.release.version, fact)
      }
      return this.#state(own, [...facts.keys()], [...facts.values()])
    })
  }

  async #state(
    { name }: { name: PackageName },
    versions: Version[],
    facts: readonly StatementFact[]
  ): Promise<StatementReceipt> {
    const { owner, clock, store } = this.#components
    const claimedAtMs = clock.now()
    const statements = facts.map((fact) => {
      const seq = store.catalogue.statementSeq(owner.id, name, statementField(fact)) + 1
      return parseStatement({ owner: owner.id, name, seq, fact, claimedAtMs })
    })
    const envelopes = await Promise.all(statements.map((one) => signStatement(one, owner.signer)))
    const ids: RecordId[] = envelopes.length === 0 ? [] : await store.publish([owner.inception, ...envelopes])
    return { ids, owner: owner.id, name, versions }
  }

  /** @throws {NotOwnerError} ERR_NOT_OWNER; {PackageNotFoundError} ERR_NOT_FOUND */
  #own(reference: PackageReference): FoundPackage {
    const { catalogue } = this.#components.store
    const { id } = this.#components.owner
    const { name, owner } = reference
    const owners = catalogue.ownersOf(name).filter((one) => owner === undefined || one === owner)
    const own = owners.includes(id) ? readPackage(catalogue, id, name) : undefined
    if (own !== undefined) return own
    throw owners.length > 0 ? new NotOwnerError(name, owners, id) : new PackageNotFoundError(reference, [])
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    return turn
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

function versionsOf(releases: readonly ReleaseRecord[]): Version[] {
  return [...new Set(releases.map(({ release }) => release.version))]
}

function notFound({ releases, distTags }: FoundPackage, reference: PackageReference): PackageNotFoundError {
  return new PackageNotFoundError(reference, versionsOf(releases), Object.keys(distTags))
}

function exactVersion(range: string, text: string): Version {
  try {
    return parseVersion(range)
  } catch {
    throw new InvalidReferenceError(text, `${JSON.stringify(range)} is no exact version`)
  }
}
