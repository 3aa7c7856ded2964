import { recordIdOf, signRelease } from '@registry/identity'
import {
  type Catalogue,
  type OwnerId,
  type OwnerIdentity,
  type PackageName,
  parsePackageName,
  Query,
  type RecordId,
  type ReleaseRecord
} from '@registry/types'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { describe, expect, it } from 'vitest'
import type { ManualClock } from '../manual-clock.ts'
import { makeRelease, type ReleaseInput, seededBytes, seededOwner } from '../seeded.ts'
import type { Contract } from './contract.ts'

/** An empty catalogue with the clock it was given. */
export interface CatalogueSubject extends AsyncDisposable {
  catalogue: Catalogue
  clock: ManualClock
}

/** What every `Catalogue` does. */
export function catalogueContract({ name, create }: Contract<CatalogueSubject>): void {
  describe(`catalogue contract: ${name}`, () => {
    it('gives an accepted owner and release back byte for byte', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { owner, inception, envelope } = await signed({})
      const outcomes = await catalogue.ingest([inception, envelope])
      expect(outcomes).toEqual([
        { status: 'accepted', id: recordIdOf(inception) },
        { status: 'accepted', id: recordIdOf(envelope) }
      ])
      expect(catalogue.has(recordIdOf(envelope))).toBe(true)
      expect(bytesOf(catalogue.record(recordIdOf(envelope)))).toEqual(bytesOf(envelope))
      expect(catalogue.ownerRecord(owner.id)).toBe(recordIdOf(inception))
      expect(catalogue.counts()).toEqual({ owners: 1, packages: 1, releases: 1 })
    })

    it('knows nothing of what it was not given', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { owner, envelope, packageName } = await signed({})
      expect(catalogue.has(recordIdOf(envelope))).toBe(false)
      expect(catalogue.record(recordIdOf(envelope))).toBeUndefined()
      expect(catalogue.ownerRecord(owner.id)).toBeUndefined()
      expect(catalogue.releases(owner.id, packageName)).toEqual([])
      expect(catalogue.ownersOf(packageName)).toEqual([])
      expect(catalogue.downloads(owner.id, packageName)).toBe(0)
      expect(catalogue.sequence).toBe(0)
      expect(catalogue.counts()).toEqual({ owners: 0, packages: 0, releases: 0 })
    })

    it('calls a record known the second time and stays as it was', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { inception, envelope } = await signed({})
      await catalogue.ingest([inception, envelope])
      const before = catalogue.summary()
      const outcomes = await catalogue.ingest([envelope, inception])
      expect(outcomes.map(({ status }) => status)).toEqual(['known', 'known'])
      expect(catalogue.summary()).toEqual(before)
      expect(catalogue.sequence).toBe(1)
    })

    it('takes a release whose owner comes after it in the same call', async () => {
      await using subject = await create()
      const { inception, envelope } = await signed({})
      const outcomes = await subject.catalogue.ingest([envelope, inception])
      expect(outcomes).toEqual([
        { status: 'accepted', id: recordIdOf(envelope) },
        { status: 'accepted', id: recordIdOf(inception) }
      ])
    })

    it('refuses a release of an unknown owner for now, and takes it once the owner has come', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { inception, envelope } = await signed({})
      const [refused] = await catalogue.ingest([envelope])
      expect(refused).toMatchObject({
        status: 'refused',
        error: { code: 'ERR_OWNER_UNKNOWN', retryable: true }
      })
      expect(catalogue.summary().records).toBe(0)
      await catalogue.ingest([inception])
      expect(await catalogue.ingest([envelope])).toEqual([{ status: 'accepted', id: recordIdOf(envelope) }])
    })

    it('refuses what is forged, damaged, too large or no record, and takes the good one beside it', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { owner, inception, envelope } = await signed({})
      const stranger = await seededOwner('stranger')
      const forged = await signRelease(makeRelease({ owner: owner.id, version: '6.6.6' }), stranger.signer)
      const damaged = envelope.slice()
      damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
      const outcomes = await catalogue.ingest([
        forged,
        damaged,
        seededBytes('garbage', 200),
        new Uint8Array(0),
        new Uint8Array(65 * 1024),
        inception,
        envelope
      ])
      expect(outcomes.slice(0, 5).map(codeOf)).toEqual([
        'ERR_BAD_SIGNATURE',
        'ERR_BAD_SIGNATURE',
        'ERR_INVALID_RECORD',
        'ERR_INVALID_RECORD',
        'ERR_INVALID_RECORD'
      ])
      expect(outcomes.slice(5).map(({ status }) => status)).toEqual(['accepted', 'accepted'])
      expect(catalogue.summary().records).toBe(2)
    })

    it('keeps what it was given when the caller writes over the bytes later', async () => {
      await using subject = await create()
      const { inception } = await signed({})
      const given = inception.slice()
      await subject.catalogue.ingest([given])
      given.fill(0)
      expect(bytesOf(subject.catalogue.record(recordIdOf(inception)))).toEqual(bytesOf(inception))
    })

    it('computes the fingerprint that the sync protocol writes down', async () => {
      await using subject = await create()
      const { catalogue } = subject
      expect(hexOf(catalogue.summary().fingerprint)).toBe('00'.repeat(32))
      const owners = await Promise.all([1, 2, 3].map((seed) => seededOwner(seed)))
      await catalogue.ingest(owners.map(({ inception }) => inception))
      expect(catalogue.summary().records).toBe(3)
      expect(hexOf(catalogue.summary().fingerprint)).toBe(FINGERPRINT_OF_OWNERS_1_2_3)
    })

    it('lists the IDs of one kind in ascending order of their bytes, page by page, each once', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const owners = await Promise.all(Array.from({ length: 20 }, (_, seed) => seededOwner(seed)))
      const { envelope } = await signed({})
      await catalogue.ingest([...owners.map(({ inception }) => inception), envelope])
      const ids: RecordId[] = []
      let after: RecordId | undefined
      do {
        const page = catalogue.recordIds({
          kind: 'owner',
          limit: 7,
          ...(after === undefined ? {} : { after })
        })
        expect(page.ids.length).toBeLessThanOrEqual(7)
        ids.push(...page.ids)
        after = page.next
      } while (after !== undefined)
      const expected = owners.map(({ inception }) => recordIdOf(inception))
      expect(ids).toEqual(expected.sort((a, b) => Buffer.compare(CID.parse(a).bytes, CID.parse(b).bytes)))
      expect(catalogue.recordIds({ kind: 'release', limit: 7 })).toEqual({ ids: [recordIdOf(envelope)] })
    })

    it('lists the releases of a package newest version first', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const versions = ['1.0.0', '0.9.0', '1.10.0', '1.2.0', '2.0.0-beta.1', '2.0.0-alpha', '1.2.0+build']
      const { owner, packageName } = await ingestAll(
        catalogue,
        versions.map((version) => ({ version }))
      )
      expect(catalogue.releases(owner.id, packageName).map(({ release }) => release.version)).toEqual([
        '2.0.0-beta.1',
        '2.0.0-alpha',
        '1.10.0',
        '1.2.0+build',
        '1.2.0',
        '1.0.0',
        '0.9.0'
      ])
    })

    it('keeps both releases when an owner signs two for one version, and marks them', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { owner, packageName } = await ingestAll(catalogue, [
        { version: '1.0.0' },
        { version: '1.0.0', description: 'Another one' },
        { version: '1.1.0' }
      ])
      expect(
        catalogue.releases(owner.id, packageName).map((record) => [record.release.version, record.conflicted])
      ).toEqual([
        ['1.1.0', false],
        ['1.0.0', true],
        ['1.0.0', true]
      ])
    })

    it('keeps packages of the same name and different owners apart', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const first = await ingestAll(catalogue, [{}], 'first')
      const second = await ingestAll(catalogue, [{}, { version: '2.0.0' }], 'second')
      expect(catalogue.ownersOf(first.packageName)).toEqual([first.owner.id, second.owner.id].sort())
      expect(catalogue.releases(first.owner.id, first.packageName)).toHaveLength(1)
      expect(catalogue.releases(second.owner.id, first.packageName)).toHaveLength(2)
      expect(catalogue.counts()).toEqual({ owners: 2, packages: 2, releases: 3 })
    })

    it('lists every package once, by owner and name, as the release that stands for it', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const names = ['delta', 'alpha', '@scope/beta', 'gamma']
      for (const seed of ['first', 'second']) {
        await ingestAll(
          catalogue,
          names.flatMap((name) => [{ name }, { name, version: '1.1.0' }]),
          seed
        )
      }
      const found: ReleaseRecord[] = []
      for (let page = catalogue.packages({ limit: 3 }); page.length > 0; ) {
        expect(page.length).toBeLessThanOrEqual(3)
        found.push(...page)
        const last = found.at(-1)
        page = last === undefined ? [] : catalogue.packages({ after: last.release, limit: 3 })
      }
      const keys = found.map(({ release }) => `${release.owner} ${release.name} ${release.version}`)
      expect(keys).toHaveLength(8)
      expect(keys).toEqual(keys.toSorted())
      expect(keys.every((key) => key.endsWith(' 1.1.0'))).toBe(true)
    })

    it('counts the downloads of a package', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { owner, packageName } = await ingestAll(catalogue, [{}, { name: 'other' }])
      catalogue.countDownload(owner.id, packageName)
      catalogue.countDownload(owner.id, packageName)
      expect(catalogue.downloads(owner.id, packageName)).toBe(2)
      expect(catalogue.downloads(owner.id, parsePackageName('other'))).toBe(0)
    })

    it('tells what was accepted in the order of arrival, from any point on', async () => {
      await using subject = await create()
      const { catalogue, clock } = subject
      const startMs = clock.now()
      await ingestAll(catalogue, [{ version: '2.0.0' }])
      await clock.advance(1000)
      await ingestAll(catalogue, [{ version: '1.0.0' }, { name: 'other' }])
      const seen = (after: number, limit: number): unknown[] =>
        catalogue
          .changes({ after, limit })
          .map(({ sequence, record, firstOfPackage }) => [
            sequence,
            record.release.name,
            record.release.version,
            record.firstSeenMs - startMs,
            firstOfPackage
          ])
      expect(catalogue.sequence).toBe(3)
      expect(seen(0, 10)).toEqual([
        [1, 'example', '2.0.0', 0, true],
        [2, 'example', '1.0.0', 1000, false],
        [3, 'other', '1.0.0', 1000, true]
      ])
      expect(seen(1, 1)).toEqual([[2, 'example', '1.0.0', 1000, false]])
      expect(seen(3, 10)).toEqual([])
    })

    it('calls back once for each call that accepted a release, until it is undone', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const sequences: number[] = []
      const undo = catalogue.onChange((sequence) => sequences.push(sequence))
      await ingestAll(catalogue, [{}, { version: '1.1.0' }])
      await ingestAll(catalogue, [{}])
      await ingestAll(catalogue, [{ version: '1.2.0' }])
      undo()
      await ingestAll(catalogue, [{ version: '1.3.0' }])
      expect(sequences).toEqual([2, 3])
    })

    describe('search', () => {
      it('finds a package by its name, a word of its description, a tag and a keyword', async () => {
        await using subject = await create()
        await ingestAll(subject.catalogue, [
          { name: 'teapot', description: 'Boils water', tags: ['kitchen'], keywords: ['kettle'] },
          { name: 'lathe', description: 'Turns wood', tags: ['workshop'] }
        ])
        for (const word of ['teapot', 'Boils', 'kitchen', 'kettle']) {
          expect(namesOf(subject.catalogue, new Query([word]))).toEqual(['teapot'])
        }
        expect(namesOf(subject.catalogue, new Query(['submarine']))).toEqual([])
      })

      it('puts the package that is called so before one that is called a little so, and that before one that mentions it', async () => {
        await using subject = await create()
        await ingestAll(subject.catalogue, [
          { name: 'aaa', description: 'Built on lathe' },
          { name: 'a-lathe', description: 'Turns more wood' },
          { name: 'lathe', description: 'Turns wood' }
        ])
        const hits = subject.catalogue.search(new Query(['lathe']))
        expect(hits.map(({ record }) => record.release.name)).toEqual(['lathe', 'a-lathe', 'aaa'])
        const scores = hits.map(({ score }) => score)
        expect(scores).toEqual(scores.toSorted((a, b) => b - a))
      })

      it('narrows by category, by all of several tags, by downloads and by limit', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const { owner } = await ingestAll(catalogue, [
          { name: 'one', category: 'tools', tags: ['a'] },
          { name: 'two', category: 'tools', tags: ['a', 'b'] },
          { name: 'three', category: 'data', tags: ['a', 'b'] }
        ])
        catalogue.countDownload(owner.id, parsePackageName('three'))
        const all = new Query()
        expect(namesOf(catalogue, all).sort()).toEqual(['one', 'three', 'two'])
        expect(namesOf(catalogue, all.withCategory('tools')).sort()).toEqual(['one', 'two'])
        expect(namesOf(catalogue, all.withTags(['a', 'b'])).sort()).toEqual(['three', 'two'])
        expect(namesOf(catalogue, all.withCategory('tools').withTags(['b']))).toEqual(['two'])
        expect(namesOf(catalogue, all.withMinDownloads(1))).toEqual(['three'])
        expect(namesOf(catalogue, all.withLimit(2))).toHaveLength(2)
      })

      it('shows a package as its newest release that is no pre-release', async () => {
        await using subject = await create()
        const { catalogue } = subject
        await ingestAll(catalogue, [
          { version: '1.0.0' },
          { version: '2.0.0-beta' },
          { version: '1.1.0' },
          { name: 'fresh', version: '0.1.0-alpha' }
        ])
        const versions = catalogue
          .search(new Query())
          .map(({ record }) => `${record.release.name} ${record.release.version}`)
        expect(versions.sort()).toEqual(['example 1.1.0', 'fresh 0.1.0-alpha'])
      })
    })

    it('gives the same answers for the same records in any order, with any repetition', async () => {
      const owners = await Promise.all(['a', 'b'].map((seed) => seededOwner(seed)))
      const inputs: ReleaseInput[] = [
        { version: '1.0.0' },
        { version: '1.0.0', description: 'Another one' },
        { version: '1.1.0-rc.1', tags: ['x'] },
        { version: '1.0.1', category: 'tools' },
        { name: 'other' }
      ]
      const records: Uint8Array[] = []
      for (const owner of owners) {
        records.push(owner.inception)
        for (const input of inputs) {
          records.push(await signRelease(makeRelease({ ...input, owner: owner.id }), owner.signer))
        }
      }
      await using reference = await create()
      await reference.catalogue.ingest(records)
      const expected = viewsOf(reference.catalogue, owners)
      await fc.assert(
        fc.asyncProperty(
          fc.shuffledSubarray([...records, ...records], { minLength: 2 * records.length }),
          fc.integer({ min: 1, max: records.length }),
          async (shuffled, batch) => {
            await using subject = await create()
            const { catalogue } = subject
            // Releases that come before their owner are given once more, as a peer would.
            for (const pass of [shuffled, records]) {
              for (let at = 0; at < pass.length; at += batch)
                await catalogue.ingest(pass.slice(at, at + batch))
            }
            expect(viewsOf(catalogue, owners)).toEqual(expected)
          }
        ),
        { numRuns: 8, seed: 1 }
      )
    })
  })
}

/** As in docs/protocol/sync.md. */
const FINGERPRINT_OF_OWNERS_1_2_3 = '697ceeca1fa43fa14c0e959e7672725aec718c980f87129cfc3fcc57940bb153'

interface Signed {
  owner: OwnerIdentity
  inception: Uint8Array
  envelope: Uint8Array
  packageName: PackageName
}

async function signed(input: ReleaseInput, seed: string | number = 0): Promise<Signed> {
  const owner = await seededOwner(seed)
  const release = makeRelease({ ...input, owner: owner.id })
  const envelope = await signRelease(release, owner.signer)
  return { owner, inception: owner.inception, envelope, packageName: release.name }
}

async function ingestAll(
  catalogue: Catalogue,
  inputs: readonly ReleaseInput[],
  seed: string | number = 0
): Promise<{ owner: OwnerIdentity; packageName: PackageName }> {
  const owner = await seededOwner(seed)
  const releases = await Promise.all(inputs.map((input) => signed(input, seed)))
  const outcomes = await catalogue.ingest([owner.inception, ...releases.map(({ envelope }) => envelope)])
  expect(outcomes.filter(({ status }) => status === 'refused')).toEqual([])
  return { owner, packageName: releases[0]?.packageName ?? parsePackageName('example') }
}

function namesOf(catalogue: Catalogue, query: Query): string[] {
  return catalogue.search(query).map(({ record }) => record.release.name)
}

/** Every view but what is the peer's own: when and in which order it heard. */
function viewsOf(catalogue: Catalogue, owners: ReadonlyArray<{ id: OwnerId }>): unknown {
  const plain = ({ id, release, conflicted }: ReleaseRecord): unknown => ({ id, release, conflicted })
  return {
    summary: hexOf(catalogue.summary().fingerprint),
    counts: catalogue.counts(),
    ids: (['owner', 'release'] as const).map((kind) => catalogue.recordIds({ kind, limit: 1000 })),
    owners: owners.map(({ id }) => catalogue.ownerRecord(id)),
    named: catalogue.ownersOf(parsePackageName('example')),
    releases: owners.map(({ id }) => catalogue.releases(id, parsePackageName('example')).map(plain)),
    packages: catalogue.packages({ limit: 1000 }).map(plain),
    found: catalogue.search(new Query(['example'])).map(({ record, score }) => [plain(record), score])
  }
}

function codeOf(outcome: { status: string; error?: { code: string } }): string | undefined {
  return outcome.error?.code
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function bytesOf(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined ? undefined : new Uint8Array(bytes)
}
