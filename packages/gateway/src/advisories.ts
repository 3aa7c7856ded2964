import {
  type AttestationRecord,
  formatPackageReference,
  isRegistryError,
  type OwnerId,
  type P2PRegistry,
  type ProjectNames,
  parseList,
  parseMap,
  parseText
} from '@registry/types'
import semver from 'semver'
import { InvalidUploadError } from './errors.ts'
import { referenceIn } from './names.ts'

/** Packages of one audit. */
const MAX_PACKAGES = 50_000
const MAX_VERSIONS = 1000

/** Names, and of each the versions that are installed. */
export type Installed = ReadonlyMap<string, ReadonlySet<string>>

/** A warning about a package in npm's form. */
export interface Advisory {
  /** A number, as npm wants it: the first 48 bits of the record's ID. */
  id: number
  url: string
  title: string
  severity: string
  vulnerable_versions: string
  cwe: string[]
  cvss: { score: number; vectorString: null }
}

/** What owners that this peer listens to warn of; a package's own owner is one of them. */
export class Advisories {
  readonly #registry: P2PRegistry

  constructor(registry: P2PRegistry) {
    this.#registry = registry
  }

  /** Of the packages that are installed, those with a warning about one of the versions. */
  async of(
    installed: Installed,
    { names, baseUrl }: { names: ProjectNames; baseUrl: string }
  ): Promise<Map<string, Advisory[]>> {
    const found = new Map<string, Advisory[]>()
    const heard = new Set([this.#registry.owner, ...(await this.#registry.following())])
    for (const [name, versions] of installed) {
      const advisories = (await this.#attestations(names, name))
        .filter((record) => isHeard(record, heard) && concerns(record, versions))
        .map((record) => advisoryOf(record, `${baseUrl}/${name}`))
      if (advisories.length > 0) found.set(name, advisories)
    }
    return found
  }

  async #attestations(names: ProjectNames, name: string): Promise<AttestationRecord[]> {
    try {
      const reference = formatPackageReference(referenceIn(names, name))
      return (await this.#registry.details(reference))?.attestations ?? []
    } catch (error) {
      // Of a name that is none, or whose package nobody knows, there is nothing to say.
      const codes: string[] = ['ERR_INVALID_NAME', 'ERR_AMBIGUOUS_NAME', 'ERR_DOMAIN_UNPROVEN']
      if (isRegistryError(error) && codes.includes(error.code)) return []
      throw error
    }
  }
}

/** A package's own owner is heard too. */
function isHeard(
  { attestation: { issuer, owner, claim } }: AttestationRecord,
  heard: ReadonlySet<OwnerId>
): boolean {
  return (claim === 'advisory' || claim === 'block') && (issuer === owner || heard.has(issuer))
}

function concerns({ attestation }: AttestationRecord, versions: ReadonlySet<string>): boolean {
  return [...versions].some((version) => {
    return semver.satisfies(version, attestation.versions, { includePrerelease: true })
  })
}

function advisoryOf({ id, attestation }: AttestationRecord, packageUrl: string): Advisory {
  const [title = ''] = attestation.text.split('\n')
  return {
    id: numberOf(id),
    url: attestation.url ?? packageUrl,
    title: title === '' ? `${attestation.claim} by ${attestation.issuer}` : title,
    severity: attestation.severity ?? (attestation.claim === 'block' ? 'critical' : 'moderate'),
    vulnerable_versions: attestation.versions,
    cwe: [],
    cvss: { score: 0, vectorString: null }
  }
}

/** The last digits of a record ID in base32, as a number that JSON keeps. */
function numberOf(recordId: string): number {
  return [...recordId.slice(-9)].reduce((sum, digit) => sum * 32 + Number.parseInt(digit, 36), 0)
}

/** What another registry answered about these names. What has not the form of a warning is left out. */
export function parseAdvisories(
  answer: Record<string, unknown>,
  asked: Readonly<Record<string, unknown>>
): Map<string, Advisory[]> {
  const found = new Map<string, Advisory[]>()
  for (const name of Object.keys(asked)) {
    const list: unknown = Object.hasOwn(answer, name) ? answer[name] : undefined
    if (Array.isArray(list)) found.set(name, list.filter(isAdvisory))
  }
  return found
}

function isAdvisory(value: unknown): value is Advisory {
  if (typeof value !== 'object' || value === null) return false
  const fields = new Map<string, unknown>(Object.entries(value))
  const texts = ['url', 'title', 'severity', 'vulnerable_versions']
  return typeof fields.get('id') === 'number' && texts.every((key) => typeof fields.get(key) === 'string')
}

/** `{ name: [version] }`, as npm, pnpm, yarn 4 and bun send it. @throws ERR_INVALID_VALUE */
export function parseBulk(value: unknown): Installed {
  const entries = Object.entries(parseMap(value, 'audit'))
  checkCount(entries.length)
  return new Map(
    entries.map(([name, versions]) => {
      const parsed = parseList(versions, name, MAX_VERSIONS, (item, at) => parseText(item, at, 256))
      return [name, new Set(parsed)]
    })
  )
}

/** A tree of `{ dependencies: { name: { version, dependencies } } }`, as older clients send it. @throws ERR_INVALID_VALUE */
export function parseTree(value: unknown): Installed {
  const installed = new Map<string, Set<string>>()
  const waiting: unknown[] = [value]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const { dependencies } = parseMap(node, 'audit')
    for (const [name, about] of Object.entries(parseMap(dependencies ?? {}, 'dependencies'))) {
      const { version } = parseMap(about, name)
      if (typeof version === 'string') {
        const versions = installed.get(name) ?? new Set()
        installed.set(name, versions.add(version))
      }
      checkCount(installed.size)
      waiting.push(about)
    }
  }
  return installed
}

/** The answer that older clients want. */
export function treeReport(installed: Installed, found: ReadonlyMap<string, readonly Advisory[]>): object {
  const counts: Record<string, number> = { info: 0, low: 0, moderate: 0, high: 0, critical: 0 }
  const advisories: Record<string, object> = {}
  for (const [name, list] of found) {
    for (const advisory of list) {
      counts[advisory.severity] = (counts[advisory.severity] ?? 0) + 1
      const versions = [...(installed.get(name) ?? [])].filter((version) =>
        semver.satisfies(version, advisory.vulnerable_versions, { includePrerelease: true })
      )
      advisories[advisory.id] = {
        ...advisory,
        module_name: name,
        patched_versions: '<0.0.0',
        overview: advisory.title,
        recommendation: 'Use another version.',
        access: 'public',
        cves: [],
        findings: versions.map((version) => ({ version, paths: [name] }))
      }
    }
  }
  return {
    actions: [],
    advisories,
    muted: [],
    metadata: {
      vulnerabilities: counts,
      dependencies: installed.size,
      devDependencies: 0,
      optionalDependencies: 0,
      totalDependencies: installed.size
    }
  }
}

function checkCount(count: number): void {
  if (count > MAX_PACKAGES)
    throw new InvalidUploadError(`More than ${MAX_PACKAGES} packages cannot be audited at once`)
}
