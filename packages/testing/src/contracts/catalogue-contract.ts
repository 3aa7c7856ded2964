import { decodeEnvelope, recordIdOf, signAttestation, signRelease, signStatement } from '@registry/identity'
import { sketch } from '@registry/reconciliation'
import {
  type Catalogue,
  type CatalogueScope,
  type OwnerId,
  type OwnerIdentity,
  type PackageName,
  PROTOCOL_LIMITS,
  parsePackageName,
  parseVersion,
  Query,
  RECORD_KINDS,
  type RecordId,
  type ReleaseRecord,
  type SnapshotCursor,
  type StatementFact
} from '@registry/types'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { describe, expect, it } from 'vitest'
import { describeContent } from '../content.ts'
import type { ManualClock } from '../manual-clock.ts'
import {
  makeAttestation,
  makeRelease,
  makeStatement,
  type ReleaseInput,
  seededBytes,
  seededOwner,
  seededOwnerId
} from '../seeded.ts'
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

    it('lists the IDs of a scope in ascending order of their bytes, page by page, each once', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const owners = await Promise.all(Array.from({ length: 20 }, (_, seed) => seededOwner(seed)))
      const { envelope } = await signed({})
      await catalogue.ingest([...owners.map(({ inception }) => inception), envelope])
      const ids: RecordId[] = []
      let after: RecordId | undefined
      do {
        const page = catalogue.recordIds({
          scope: { kind: 'owners' },
          limit: 7,
          ...(after === undefined ? {} : { after })
        })
        expect(page.ids.length).toBeLessThanOrEqual(7)
        ids.push(...page.ids)
        after = page.next
      } while (after !== undefined)
      const expected = owners.map(({ inception }) => recordIdOf(inception))
      expect(ids).toEqual(expected.sort((a, b) => Buffer.compare(CID.parse(a).bytes, CID.parse(b).bytes)))
      expect(catalogue.recordIds({ scope: { kind: 'shard', bits: 0, index: 0 }, limit: 7 })).toEqual({
        ids: [recordIdOf(envelope)]
      })
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

    it('lists the releases of one version as among all of them', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { owner, packageName } = await ingestAll(catalogue, [
        { version: '1.0.0' },
        { version: '1.0.0', description: 'Another one' },
        { version: '1.1.0' },
        { version: '1.0.0+build' }
      ])
      const all = catalogue.releases(owner.id, packageName)
      for (const version of ['1.0.0', '1.1.0', '1.0.0+build', '2.0.0'].map((text) => parseVersion(text))) {
        expect(catalogue.releases(owner.id, packageName, version)).toEqual(
          all.filter(({ release }) => release.version === version)
        )
      }
      expect(catalogue.releases(seededOwnerId('nobody'), packageName, parseVersion('1.0.0'))).toEqual([])
    })

    it('keeps of too many releases of one version those with the smallest IDs, in any order', async () => {
      const many = PROTOCOL_LIMITS.maxReleasesPerVersion + 4
      const all = await Promise.all(
        Array.from({ length: many }, (_, index) => signed({ description: `The one numbered ${index}` }))
      )
      const envelopes = all.map(({ envelope }) => envelope)
      const kept = envelopes.map(recordIdOf).sort().slice(0, PROTOCOL_LIMITS.maxReleasesPerVersion)
      for (const order of [envelopes, envelopes.toReversed()]) {
        await using subject = await create()
        const { catalogue } = subject
        const { owner, packageName } = await ingestAll(catalogue, [{ version: '1.1.0' }])
        for (const envelope of order) await catalogue.ingest([envelope])
        const releases = catalogue.releases(owner.id, packageName)
        const ids = releases.filter(({ release }) => release.version === '1.0.0').map(({ id }) => id)
        expect(ids.toSorted()).toEqual(kept)
        expect(
          envelopes
            .map(recordIdOf)
            .filter((id) => catalogue.has(id))
            .sort()
        ).toEqual(kept)
        expect(catalogue.summary().records).toBe(2 + kept.length)
        expect(catalogue.counts().releases).toBe(1 + kept.length)
        const [late = new Uint8Array()] = envelopes.filter((one) => !kept.includes(recordIdOf(one)))
        expect(await catalogue.ingest([late])).toEqual([{ status: 'superseded', id: recordIdOf(late) }])
      }
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
          .map(({ sequence, type, record, seenMs }) => [
            sequence,
            record.release.name,
            record.release.version,
            seenMs - startMs,
            type
          ])
      expect(catalogue.sequence).toBe(3)
      expect(seen(0, 10)).toEqual([
        [1, 'example', '2.0.0', 0, 'NewPackage'],
        [2, 'example', '1.0.0', 1000, 'NewVersion'],
        [3, 'other', '1.0.0', 1000, 'NewPackage']
      ])
      expect(seen(1, 1)).toEqual([[2, 'example', '1.0.0', 1000, 'NewVersion']])
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
        const { hits } = subject.catalogue.search(new Query(['lathe']))
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
          .hits.map(({ record }) => `${record.release.name} ${record.release.version}`)
        expect(versions.sort()).toEqual(['example 1.1.0', 'fresh 0.1.0-alpha'])
      })
    })

    describe('statements', () => {
      it('let the one with the highest seq hold, and drop the others', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const { owner, packageName } = await ingestAll(catalogue, [{}, { version: '1.1.0' }])
        const [first, second, third] = await Promise.all([
          stated({ field: 'dist-tag', tag: 'beta', version: parseVersion('1.0.0') }, 1),
          stated({ field: 'dist-tag', tag: 'beta', version: parseVersion('1.1.0') }, 2),
          stated({ field: 'dist-tag', tag: 'beta', version: null }, 3)
        ])
        const records = catalogue.summary().records
        expect((await catalogue.ingest([second]))[0]).toMatchObject({ status: 'accepted' })
        expect((await catalogue.ingest([first]))[0]).toEqual({ status: 'superseded', id: recordIdOf(first) })
        expect(catalogue.state(owner.id, packageName).distTags).toEqual({ beta: '1.1.0', latest: '1.1.0' })
        expect(catalogue.statementSeq(owner.id, packageName, 'dist-tag beta')).toBe(2)
        const before = catalogue.summary()
        expect((await catalogue.ingest([third]))[0]).toMatchObject({ status: 'accepted' })
        expect(catalogue.state(owner.id, packageName).distTags).toEqual({ latest: '1.1.0' })
        expect(catalogue.has(recordIdOf(second))).toBe(false)
        expect(catalogue.record(recordIdOf(second))).toBeUndefined()
        expect(catalogue.summary().records).toBe(records + 1)
        expect(catalogue.summary().fingerprint).not.toEqual(before.fingerprint)
      })

      it('of one seq let the greater record ID hold, in either order', async () => {
        const rivals = await Promise.all(
          ['a', 'b', 'c'].map((reason) =>
            stated({ field: 'yank', version: parseVersion('1.0.0'), reason }, 1)
          )
        )
        const winner = rivals.toSorted((a, b) => (recordIdOf(a) < recordIdOf(b) ? 1 : -1))[0]
        for (const order of [rivals, rivals.toReversed()]) {
          await using subject = await create()
          const { catalogue } = subject
          await ingestAll(catalogue, [{}])
          for (const rival of order) await catalogue.ingest([rival])
          expect(rivals.filter((rival) => catalogue.has(recordIdOf(rival)))).toEqual([winner])
        }
      })

      it('mark a version as deprecated and as yanked, until taken back', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const version = parseVersion('1.1.0')
        const { owner, packageName } = await ingestAll(catalogue, [{}, { version }])
        const marks = (): unknown =>
          catalogue
            .releases(owner.id, packageName)
            .map(({ release, deprecated, yanked }) => [release.version, deprecated, yanked])
        await catalogue.ingest([
          await stated({ field: 'deprecation', version, message: 'Use 2' }),
          await stated({ field: 'yank', version, reason: '' })
        ])
        expect(marks()).toEqual([
          ['1.1.0', 'Use 2', ''],
          ['1.0.0', undefined, undefined]
        ])
        expect(catalogue.latest(owner.id, packageName)?.release.version).toBe('1.0.0')
        await catalogue.ingest([
          await stated({ field: 'deprecation', version, message: null }, 2),
          await stated({ field: 'yank', version, reason: null }, 2)
        ])
        expect(marks()).toEqual([
          ['1.1.0', undefined, undefined],
          ['1.0.0', undefined, undefined]
        ])
        expect(catalogue.latest(owner.id, packageName)?.release.version).toBe('1.1.0')
      })

      it('let a package be stood for by its tag latest, as long as that version is there', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const version = parseVersion('1.0.0')
        const { owner, packageName } = await ingestAll(catalogue, [{ version }, { version: '1.1.0' }])
        await catalogue.ingest([await stated({ field: 'dist-tag', tag: 'latest', version })])
        expect(catalogue.latest(owner.id, packageName)?.release.version).toBe('1.0.0')
        expect(namesAndVersions(catalogue)).toEqual(['example 1.0.0'])
        await catalogue.ingest([await stated({ field: 'unpublish', version, reason: '' })])
        expect(catalogue.latest(owner.id, packageName)?.release.version).toBe('1.1.0')
        expect(namesAndVersions(catalogue)).toEqual(['example 1.1.0'])
      })

      it('take a version away for good, also one that comes later', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const version = parseVersion('1.0.0')
        const { owner, packageName } = await ingestAll(catalogue, [{ version }])
        const later = parseVersion('2.0.0')
        await catalogue.ingest([
          await stated({ field: 'unpublish', version, reason: 'A secret was in it' }),
          await stated({ field: 'unpublish', version: later, reason: '' })
        ])
        await ingestAll(catalogue, [{ version: later }])
        expect(
          catalogue
            .releases(owner.id, packageName)
            .map(({ release, unpublished }) => [release.version, unpublished])
        ).toEqual([
          ['2.0.0', true],
          ['1.0.0', true]
        ])
        expect(catalogue.isUnpublished({ owner: owner.id, name: packageName, version: later })).toBe(true)
        expect(catalogue.latest(owner.id, packageName)).toBeUndefined()
        expect(catalogue.packages({ limit: 10 })).toEqual([])
        expect(catalogue.ownersOf(packageName)).toEqual([])
        expect(namesOf(catalogue, new Query(['example']))).toEqual([])
        expect(catalogue.counts()).toEqual({ owners: 1, packages: 0, releases: 0 })
        expect(catalogue.state(owner.id, packageName)).toEqual({ distTags: {} })
      })

      it('take effect when they come before what they are about', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const owner = await seededOwner(0)
        const version = parseVersion('1.0.0')
        await catalogue.ingest([owner.inception, await stated({ field: 'yank', version, reason: 'Broken' })])
        expect(catalogue.counts()).toEqual({ owners: 1, packages: 0, releases: 0 })
        expect(catalogue.changes({ after: 0, limit: 10 })).toEqual([])
        const { packageName } = await ingestAll(catalogue, [{ version }])
        expect(catalogue.releases(owner.id, packageName)).toMatchObject([{ yanked: 'Broken' }])
      })

      it('name the text that presents a package', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const { owner, packageName } = await ingestAll(catalogue, [{}])
        const content = describeContent(seededBytes('readme'))
        await catalogue.ingest([await stated({ field: 'readme', content })])
        expect(catalogue.state(owner.id, packageName).readme).toEqual(content)
        await catalogue.ingest([await stated({ field: 'readme', content: null }, 2)])
        expect(catalogue.state(owner.id, packageName).readme).toBeUndefined()
      })

      it('are told by their field, also under a name that the owner has released nothing under', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const [x, y] = [await seededOwner('x'), await seededOwner('y')]
        const name = parsePackageName('example.org')
        const say = async (owner: OwnerIdentity, fact: StatementFact, seq = 1): Promise<void> => {
          const statement = makeStatement({ owner: owner.id, name, seq, fact })
          await catalogue.ingest([owner.inception, await signStatement(statement, owner.signer)])
        }
        expect(catalogue.statement(x.id, name, 'domain')).toBeUndefined()
        for (const owner of [x, y]) await say(owner, { field: 'domain', claimed: true })
        await say(x, { field: 'alias', owner: y.id })
        expect(catalogue.statement(x.id, name, 'alias')).toEqual({ field: 'alias', owner: y.id })
        expect(catalogue.statement(y.id, name, 'alias')).toBeUndefined()
        expect(catalogue.stating(name, 'domain', 9)).toEqual([x.id, y.id].sort())
        expect(catalogue.stating(name, 'domain', 1)).toEqual([x.id, y.id].sort().slice(0, 1))
        await say(x, { field: 'domain', claimed: false }, 2)
        await say(x, { field: 'alias', owner: null }, 2)
        expect(catalogue.stating(name, 'domain', 9)).toEqual([y.id])
        expect(catalogue.stating(name, 'alias', 9)).toEqual([])
        expect(catalogue.statement(x.id, name, 'alias')).toEqual({ field: 'alias', owner: null })
        // Nobody has released a package of this name.
        expect(catalogue.ownersOf(name)).toEqual([])
        expect(catalogue.counts().packages).toBe(0)
        expect(catalogue.packages({ limit: 9 })).toEqual([])
        expect(catalogue.changes({ after: 0, limit: 9 })).toEqual([])
        expect(catalogue.search(new Query(['example'])).hits).toEqual([])
      })

      it('are refused from any but the owner', async () => {
        await using subject = await create()
        await ingestAll(subject.catalogue, [{}])
        const stranger = await seededOwner('stranger')
        const fact: StatementFact = { field: 'readme', content: null }
        const statement = makeStatement({ fact })
        const [outcome] = await subject.catalogue.ingest([await signStatement(statement, stranger.signer)])
        expect(outcome).toMatchObject({ status: 'refused', error: { code: 'ERR_BAD_SIGNATURE' } })
      })
    })

    it('keeps what others attest of a package, in the order in which it came', async () => {
      await using subject = await create()
      const { catalogue, clock } = subject
      const reviewer = await seededOwner('reviewer')
      const attested = (text: string): Promise<Uint8Array> =>
        signAttestation(makeAttestation({ issuer: reviewer.id, text }), reviewer.signer)
      const first = await attested('Read line by line')
      expect((await catalogue.ingest([first]))[0]).toMatchObject({ error: { code: 'ERR_OWNER_UNKNOWN' } })
      await catalogue.ingest([reviewer.inception, first])
      await clock.advance(1000)
      const { owner, packageName } = await ingestAll(catalogue, [{}])
      await catalogue.ingest([await attested('Read again')])
      expect(
        catalogue
          .attestations(owner.id, packageName)
          .map(({ attestation, firstSeenMs }) => [attestation.issuer, attestation.text, firstSeenMs])
      ).toEqual([
        [reviewer.id, 'Read line by line', clock.now() - 1000],
        [reviewer.id, 'Read again', clock.now()]
      ])
    })

    it('tells of each kind of change, and no longer of a statement that another has replaced', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const version = parseVersion('1.0.0')
      const { owner, packageName } = await ingestAll(catalogue, [{ version }])
      const facts: StatementFact[] = [
        { field: 'dist-tag', tag: 'beta', version },
        { field: 'deprecation', version, message: 'Old' },
        { field: 'yank', version, reason: '' },
        { field: 'unpublish', version, reason: '' }
      ]
      for (const fact of facts) await catalogue.ingest([await stated(fact)])
      await ingestAll(catalogue, [{ version: '1.1.0' }, { version: '1.1.0', description: 'Another' }])
      await catalogue.ingest([await signAttestation(makeAttestation({ issuer: owner.id }), owner.signer)])
      const told = (after: number): unknown =>
        catalogue
          .changes({ after, limit: 20 })
          .map(({ sequence, type, record }) => [sequence, type, record.release.version])
      expect(told(0)).toEqual([
        [1, 'NewPackage', '1.0.0'],
        [2, 'MetadataUpdate', '1.0.0'],
        [3, 'Deprecated', '1.0.0'],
        [4, 'Yanked', '1.0.0'],
        [5, 'Unpublished', '1.0.0'],
        [6, 'NewVersion', '1.1.0'],
        [7, 'Conflicted', '1.1.0'],
        [8, 'Attested', '1.1.0']
      ])
      await catalogue.ingest([await stated({ field: 'dist-tag', tag: 'beta', version: null }, 2)])
      expect(catalogue.sequence).toBe(9)
      expect(told(1)).toEqual([
        [3, 'Deprecated', '1.0.0'],
        [4, 'Yanked', '1.0.0'],
        [5, 'Unpublished', '1.0.0'],
        [6, 'NewVersion', '1.1.0'],
        [7, 'Conflicted', '1.1.0'],
        [8, 'Attested', '1.1.0'],
        [9, 'MetadataUpdate', '1.1.0']
      ])
      expect(catalogue.ownersOf(packageName)).toEqual([owner.id])
    })

    it('bundles a record with what others must have to check and understand it', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const { owner } = await ingestAll(catalogue, [{}])
      const reviewer = await seededOwner('reviewer')
      const rival = await signed({ description: 'Another one' })
      const fact = await stated({ field: 'readme', content: null })
      const attested = await signAttestation(makeAttestation({ issuer: reviewer.id }), reviewer.signer)
      expect(catalogue.bundle(recordIdOf(rival.envelope))).toEqual([])
      await catalogue.ingest([reviewer.inception, attested, fact, rival.envelope])
      const { envelope } = await signed({})
      const bundled = (bytes: Uint8Array): string[] =>
        catalogue.bundle(recordIdOf(bytes)).map((one) => recordIdOf(one))
      expect(bundled(owner.inception)).toEqual([recordIdOf(owner.inception)])
      expect(bundled(fact)).toEqual([owner.inception, fact].map(recordIdOf))
      expect(bundled(attested)).toEqual([reviewer.inception, attested].map(recordIdOf))
      expect(bundled(rival.envelope)).toEqual([owner.inception, envelope, rival.envelope].map(recordIdOf))
    })

    it('lists all records of one package and of no other, kind by kind', async () => {
      await using subject = await create()
      const { catalogue } = subject
      const records = await someOfAllKinds(['a', 'b'], ['example', 'other'])
      await catalogue.ingest(records)
      const { id: owner } = await seededOwner('a')
      const ids = catalogue.packageRecords(owner, parsePackageName('other'))
      const kinds = ids.map((id) => decodeEnvelope(catalogue.record(id) ?? new Uint8Array()).kind)
      expect(kinds).toEqual(['release', 'release', 'release', 'release', 'attestation', 'attestation'])
      expect(catalogue.packageRecords(owner, parsePackageName('nothing'))).toEqual([])
    })

    describe('scopes', () => {
      const SCOPES: CatalogueScope[] = [
        { kind: 'all' },
        { kind: 'owners' },
        ...Array.from({ length: 4 }, (_, index): CatalogueScope => ({ kind: 'shard', bits: 2, index })),
        { kind: 'shard', bits: 0, index: 0 },
        { kind: 'owner', owner: seededOwnerId('a') },
        { kind: 'owner', owner: seededOwnerId('nobody') }
      ]

      it('have the records that are theirs, all ways to look agreeing', async () => {
        await using subject = await create()
        const { catalogue } = subject
        const records = await someOfAllKinds(['a', 'b'], ['example', 'other', 'third', '@scope/fourth'])
        for (const scope of SCOPES) expect(catalogue.sketch(scope).size).toBe(0)
        await catalogue.ingest(records)
        const idsIn = (scope: CatalogueScope): RecordId[] => catalogue.recordIds({ scope, limit: 1000 }).ids
        for (const scope of SCOPES) {
          const ids = idsIn(scope)
          expect(catalogue.summary(scope).records).toBe(ids.length)
          expect(catalogue.sketch(scope).size).toBe(ids.length)
          expect(snapshotOf(catalogue, scope, 2000).map(recordIdOf).sort()).toEqual(ids.toSorted())
          const fresh = sketch({ capacity: catalogue.sketch(scope).capacity })
          for (const id of ids) fresh.add(CID.parse(id).multihash.digest.subarray(0, 16))
          expect(bytesOf(catalogue.sketch(scope).symbols(0, 64))).toEqual(bytesOf(fresh.symbols(0, 64)))
          expect(bytesOf(catalogue.sketch(scope).probes())).toEqual(bytesOf(fresh.probes()))
          for (const id of ids) {
            expect(catalogue.recordOf(CID.parse(id).multihash.digest.subarray(0, 16))).toBe(id)
          }
        }
        const shards = SCOPES.slice(2, 6).flatMap(idsIn)
        expect([...idsIn({ kind: 'owners' }), ...shards].sort()).toEqual(idsIn({ kind: 'all' }).toSorted())
        expect(idsIn({ kind: 'owners' })).toHaveLength(2)
        expect(catalogue.summary()).toEqual(catalogue.summary({ kind: 'all' }))
        expect(catalogue.recordOf(new Uint8Array(16))).toBeUndefined()
      })

      it('of a snapshot come kind by kind and digest by digest, from any place on', async () => {
        await using subject = await create()
        const { catalogue } = subject
        await catalogue.ingest(await someOfAllKinds(['a', 'b'], ['example', 'other']))
        const whole = snapshotOf(catalogue, { kind: 'all' }, 1)
        const kinds = whole.map((bytes) => RECORD_KINDS.indexOf(decodeEnvelope(bytes).kind))
        expect(kinds).toEqual(kinds.toSorted())
        expect(new Set(kinds).size).toBe(RECORD_KINDS.length)
        expect(snapshotOf(catalogue, { kind: 'all' }, 100_000).map(bytesOf)).toEqual(whole.map(bytesOf))
        const digest = CID.parse(recordIdOf(whole[3] ?? new Uint8Array())).multihash.digest
        const kind = decodeEnvelope(whole[3] ?? new Uint8Array()).kind
        const page = catalogue.snapshot({
          scope: { kind: 'all' },
          after: { kind, digest },
          maxBytes: 100_000
        })
        expect(page.records.map(bytesOf)).toEqual(whole.slice(4).map(bytesOf))
        expect(page.next).toBeUndefined()
      })
    })

    it('gives the same answers for the same records in any order, with any repetition', async () => {
      const owners = await Promise.all(['a', 'b'].map((seed) => seededOwner(seed)))
      const records = await someOfAllKinds(['a', 'b'], ['example', 'other'])
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
            // What comes before its owner is given once more, as a peer would.
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

/** As in docs/protocol/reconcile.md. */
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

/** A statement of the owner of `signed`. */
async function stated(fact: StatementFact, seq = 1, seed: string | number = 0): Promise<Uint8Array> {
  const owner = await seededOwner(seed)
  return signStatement(makeStatement({ owner: owner.id, fact, seq }), owner.signer)
}

/** Owners with packages, versions that conflict, statements that replace each other, and attestations. */
async function someOfAllKinds(seeds: readonly string[], names: readonly string[]): Promise<Uint8Array[]> {
  const inputs: ReleaseInput[] = [
    { version: '1.0.0' },
    { version: '1.0.0', description: 'Another one' },
    { version: '1.1.0-rc.1', tags: ['x'] },
    { version: '1.0.1', category: 'tools' }
  ]
  const version = parseVersion('1.0.1')
  const facts: StatementFact[] = [
    { field: 'dist-tag', tag: 'next', version: parseVersion('1.1.0-rc.1') },
    { field: 'dist-tag', tag: 'next', version },
    { field: 'deprecation', version, message: 'Old' },
    { field: 'yank', version, reason: '' },
    { field: 'unpublish', version: parseVersion('1.1.0-rc.1'), reason: '' },
    { field: 'unpublish', version: parseVersion('9.0.0'), reason: '' }
  ]
  const records: Uint8Array[] = []
  for (const { id: owner, inception, signer } of await Promise.all(seeds.map((seed) => seededOwner(seed)))) {
    records.push(inception)
    for (const name of names) {
      for (const input of inputs) {
        records.push(await signRelease(makeRelease({ ...input, owner, name }), signer))
      }
      const attestation = makeAttestation({ issuer: owner, owner: seededOwnerId(seeds[0] ?? ''), name })
      records.push(await signAttestation(attestation, signer))
    }
    for (const [index, fact] of facts.entries()) {
      const statement = makeStatement({ owner, fact, seq: 1 + (index % 2) })
      records.push(await signStatement(statement, signer))
    }
  }
  return records
}

function snapshotOf(catalogue: Catalogue, scope: CatalogueScope, maxBytes: number): Uint8Array[] {
  const records: Uint8Array[] = []
  let after: SnapshotCursor | undefined
  do {
    const page = catalogue.snapshot(after === undefined ? { scope, maxBytes } : { scope, maxBytes, after })
    records.push(...page.records)
    after = page.next
  } while (after !== undefined)
  return records
}

function namesAndVersions(catalogue: Catalogue): string[] {
  return catalogue
    .search(new Query())
    .hits.map(({ record }) => `${record.release.name} ${record.release.version}`)
}

function namesOf(catalogue: Catalogue, query: Query): string[] {
  return catalogue.search(query).hits.map(({ record }) => record.release.name)
}

/** Every view but what is the peer's own: when and in which order it heard. */
function viewsOf(catalogue: Catalogue, owners: ReadonlyArray<{ id: OwnerId }>): unknown {
  const name = parsePackageName('example')
  const plain = ({ firstSeenMs, ...rest }: ReleaseRecord): unknown => rest
  return {
    summary: hexOf(catalogue.summary().fingerprint),
    counts: catalogue.counts(),
    ids: catalogue.recordIds({ scope: { kind: 'all' }, limit: 1000 }),
    owners: owners.map(({ id }) => catalogue.ownerRecord(id)),
    named: catalogue.ownersOf(name),
    releases: owners.map(({ id }) => catalogue.releases(id, name).map(plain)),
    states: owners.map(({ id }) => catalogue.state(id, name)),
    attested: owners.map(({ id }) =>
      catalogue
        .attestations(id, name)
        .map((attested) => attested.id)
        .sort()
    ),
    packages: catalogue.packages({ limit: 1000 }).map(plain),
    found: catalogue.search(new Query(['example'])).hits.map(({ record, score }) => [plain(record), score])
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
