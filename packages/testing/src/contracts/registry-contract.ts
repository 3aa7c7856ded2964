import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PackageUpdate, type PublishSource, Query, type Registry, type Topic } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { type Contract, collect, rejection } from './contract.ts'

/** A running registry that nobody has published to. */
export interface RegistrySubject extends AsyncDisposable {
  registry: Registry
  /** After it, `registry` refuses everything. */
  stop(): Promise<void>
}

/** What every `Registry` does. */
export function registryContract({ name, create }: Contract<RegistrySubject>): void {
  describe(`registry contract: ${name}`, () => {
    it('publishes a package and gives it back', async () => {
      await using subject = await create()
      const { registry } = subject
      const stages: string[] = []
      const receipt = await registry.publish(
        source({ name: '@scope/tea', version: '1.2.3', license: 'MIT' }),
        {
          onProgress: ({ stage }) => stages.push(stage)
        }
      )
      expect(receipt).toMatchObject({ name: '@scope/tea', version: '1.2.3' })
      expect(stages).not.toEqual([])
      const fetched = await registry.get('@scope/tea')
      expect(fetched?.package).toMatchObject({
        id: '@scope/tea@1.2.3',
        owner: receipt.owner,
        license: 'MIT',
        cid: receipt.cid,
        integrity: receipt.integrity,
        conflicted: false
      })
      const bytes = fetched === undefined ? new Uint8Array() : await collect(fetched.content())
      expect(bytes.length).toBe(fetched?.package.size)
      const hash = await crypto.subtle.digest('SHA-512', bytes)
      expect(`sha512-${Buffer.from(hash).toString('base64')}`).toBe(receipt.integrity)
    })

    it('makes the same content of the same files', async () => {
      await using subject = await create()
      await using other = await create()
      const one = await subject.registry.publish(source({ name: 'tea', version: '1.0.0' }))
      const two = await other.registry.publish(source({ name: 'tea', version: '1.0.0' }))
      expect(two.cid).toBe(one.cid)
      expect(two.integrity).toBe(one.integrity)
    })

    it('takes a tarball as it is', async () => {
      await using subject = await create()
      await using other = await create()
      const receipt = await subject.registry.publish(source({ name: 'tea', version: '1.0.0' }))
      const fetched = await subject.registry.get('tea')
      if (fetched === undefined) throw new Error('The package is not there')
      const bytes = await collect(fetched.content())
      expect(await other.registry.publish({ kind: 'tarball', bytes })).toMatchObject({ cid: receipt.cid })
    })

    it('answers for what does not exist with nothing, not with an error', async () => {
      await using subject = await create()
      const { registry } = subject
      expect(await registry.get('absent')).toBeUndefined()
      expect(await registry.metadata('absent@^1.0.0')).toBeUndefined()
      expect(await registry.getVersion('absent', '1.0.0')).toBeUndefined()
      expect(await registry.listVersions('absent')).toEqual([])
      expect(await registry.exists('absent')).toBe(false)
      expect(await registry.list()).toEqual([])
      expect(await registry.search(new Query(['absent']))).toEqual([])
    })

    it('picks the newest version that fits', async () => {
      await using subject = await create()
      const { registry } = subject
      for (const version of ['1.0.0', '1.10.0', '1.9.0', '2.0.0-beta.1']) {
        await registry.publish(source({ name: 'tea', version }))
      }
      const owner = (await registry.metadata('tea'))?.owner
      const picked = async (reference: string): Promise<string | undefined> =>
        (await registry.metadata(reference))?.version
      expect(await picked('tea')).toBe('1.10.0')
      expect(await picked('tea@latest')).toBe('1.10.0')
      expect(await picked('tea@~1.9.0')).toBe('1.9.0')
      expect(await picked('tea@1.0.0')).toBe('1.0.0')
      expect(await picked('tea@2.0.0-beta.1')).toBe('2.0.0-beta.1')
      expect(await picked('tea@^3.0.0')).toBeUndefined()
      expect(await picked(`@${owner}/tea@^1.0.0`)).toBe('1.10.0')
      expect((await registry.getVersion('tea', '1.9.0'))?.version).toBe('1.9.0')
      expect(await registry.exists('tea@1.9.0')).toBe(true)
      expect(await registry.exists('tea@1.9.1')).toBe(false)
      expect((await registry.listVersions('tea')).map(({ version }) => version)).toEqual([
        '2.0.0-beta.1',
        '1.10.0',
        '1.9.0',
        '1.0.0'
      ])
    })

    it('searches, and says how many peers hold what it found', async () => {
      await using subject = await create()
      const { registry } = subject
      await registry.publish(source({ name: 'teapot', version: '1.0.0', keywords: ['kettle'] }))
      await registry.publish(source({ name: 'lathe', version: '1.0.0' }))
      const results = await registry.search(new Query(['kettle']))
      expect(results).toMatchObject([{ package: { name: 'teapot' }, peerCount: 1 }])
      expect(await registry.search({ keywords: ['kettle'] })).toEqual(results)
      expect(await registry.search({ keywords: [], limit: 1 })).toHaveLength(1)
    })

    it('gives a search in pages, and says what it is complete against', async () => {
      await using subject = await create()
      const { registry } = subject
      for (const packageName of ['tea-cup', 'tea-pot', 'tea-towel']) {
        await registry.publish(source({ name: packageName, version: '1.0.0', keywords: ['kitchen'] }))
      }
      const query = new Query(['tea'], { limit: 2, facets: true, explain: true })
      const first = await registry.searchPage(query)
      expect(first).toMatchObject({
        total: 3,
        completeness: { state: 'alone', compared: 0, askedHolders: 0 }
      })
      expect(first.facets?.keyword).toEqual([{ value: 'kitchen', count: 3 }])
      expect(first.results[0]?.explanation?.terms).toMatchObject([{ word: 'tea', field: 'name' }])
      const rest = await registry.searchPage(query.with({ after: first.next ?? '' }))
      expect(rest.next).toBeUndefined()
      const names = [...first.results, ...rest.results].map((result) => result.package.name)
      expect(names.sort()).toEqual(['tea-cup', 'tea-pot', 'tea-towel'])
      expect(await registry.search(query)).toEqual(first.results)
      expect(await rejection(registry.searchPage(query.with({ after: 'nonsense' })))).toMatchObject({
        code: 'ERR_INVALID_CURSOR'
      })
    })

    it('lets an owner say which versions to use, and says so to others', async () => {
      await using subject = await create()
      const { registry } = subject
      for (const version of ['1.0.0', '1.1.0', '1.2.0', '2.0.0']) {
        await registry.publish(source({ name: 'tea', version }))
      }
      const picked = async (reference: string): Promise<string | undefined> =>
        (await registry.metadata(reference))?.version
      await registry.tag('tea', 'old', '1.0.0')
      await registry.tag('tea', 'latest', '1.2.0')
      await registry.deprecate('tea@1.1.0', 'bitter')
      await registry.yank('tea@1.2.0', 'burnt')
      expect(await picked('tea@old')).toBe('1.0.0')
      expect(await picked('tea@^1')).toBe('1.0.0')
      expect(await picked('tea')).toBe('2.0.0')
      expect(await picked('tea@1.2.0')).toBe('1.2.0')
      expect((await registry.unpublish('tea@2.0.0', 'spilt')).versions).toEqual(['2.0.0'])
      expect(await picked('tea@2.0.0')).toBeUndefined()
      expect(await rejection(registry.publish(source({ name: 'tea', version: '2.0.0' })))).toMatchObject({
        code: 'ERR_VERSION_EXISTS'
      })
      await registry.attest('tea@1', { claim: 'review', text: 'drank it' })
      expect(await registry.details('tea@1.0.0')).toMatchObject({
        package: { version: '1.0.0' },
        versions: [
          { version: '1.2.0', yanked: 'burnt' },
          { version: '1.1.0', deprecated: 'bitter' },
          { version: '1.0.0' }
        ],
        unpublished: ['2.0.0'],
        distTags: { old: '1.0.0' },
        attestations: [{ attestation: { claim: 'review', versions: '1' } }]
      })
      await registry.deprecate('tea', null)
      await registry.yank('tea', null)
      await registry.tag('tea', 'old', null)
      expect(await picked('tea@^1')).toBe('1.2.0')
      expect(await picked('tea@old')).toBeUndefined()
      expect(await rejection(registry.tag('tea', 'old', '9.0.0'))).toMatchObject({
        code: 'ERR_NOT_FOUND',
        details: { versions: ['1.2.0', '1.1.0', '1.0.0'] }
      })
    })

    it('hands out the very content that a lock pins, or none', async () => {
      await using subject = await create()
      const { registry } = subject
      const { integrity } = await registry.publish(source({ name: 'tea', version: '1.0.0' }))
      await registry.yank('tea@1.0.0', '')
      expect(await registry.get('tea@^1')).toBeUndefined()
      expect((await registry.get('tea@^1', { integrity }))?.package.integrity).toBe(integrity)
      const other = `sha512-${'A'.repeat(86)}==`
      expect(await rejection(registry.get('tea@1.0.0', { integrity: other }))).toMatchObject({
        code: 'ERR_INTEGRITY_MISMATCH'
      })
    })

    it('gives its catalogue to another in a file', async () => {
      await using subject = await create()
      await using other = await create()
      const { registry } = subject
      await registry.publish(source({ name: 'tea', version: '1.0.0' }))
      await registry.deprecate('tea', 'cold')
      const folder = await mkdtemp(join(tmpdir(), 'registry-contract-'))
      try {
        const path = join(folder, 'catalogue.car')
        expect(await registry.exportCatalogue(path)).toMatchObject({ path, records: 3 })
        expect(await other.registry.importCatalogue(path)).toMatchObject({ accepted: 3, refused: 0 })
        expect(await other.registry.metadata('tea')).toMatchObject({ deprecated: 'cold' })
        expect(await other.registry.importCatalogue(path)).toMatchObject({ accepted: 0, known: 3 })
        expect(await rejection(registry.importCatalogue(join(folder, 'none')))).toMatchObject({
          code: 'ERR_INVALID_CATALOGUE_FILE'
        })
      } finally {
        await rm(folder, { recursive: true })
      }
    })

    it('lists every package once, page by page', async () => {
      await using subject = await create()
      const { registry } = subject
      for (const packageName of ['one', 'two', 'three']) {
        for (const version of ['1.0.0', '1.1.0'])
          await registry.publish(source({ name: packageName, version }))
      }
      const first = await registry.list({ limit: 2 })
      const last = first.at(-1)
      if (last === undefined) throw new Error('The list is empty')
      const rest = await registry.list({ limit: 2, after: { owner: last.owner, name: last.name } })
      expect([...first, ...rest].map(({ id }) => id).sort()).toEqual([
        'one@1.1.0',
        'three@1.1.0',
        'two@1.1.0'
      ])
    })

    it('changes nothing when a publish is refused', async () => {
      await using subject = await create()
      const { registry } = subject
      await registry.publish(source({ name: 'tea', version: '1.0.0' }))
      const refusals: Array<[PublishSource, string]> = [
        [source({ name: 'tea', version: '1.0.0', description: 'Another one' }), 'ERR_VERSION_EXISTS'],
        [{ kind: 'files', files: { 'README.md': 'no manifest' } }, 'ERR_NO_MANIFEST'],
        [{ kind: 'files', files: { 'package.json': '{' } }, 'ERR_INVALID_MANIFEST'],
        [source({ name: 'Not A Name', version: '1.0.0' }), 'ERR_INVALID_NAME'],
        [source({ name: 'tea', version: 'one' }), 'ERR_INVALID_VERSION'],
        [
          { kind: 'files', files: { ...filesOf({ name: 'tea', version: '2.0.0' }), '../x': '' } },
          'ERR_UNSAFE_PATH'
        ]
      ]
      for (const [refused, code] of refusals) {
        expect(await rejection(registry.publish(refused))).toMatchObject({ code })
      }
      expect((await registry.list()).map(({ id }) => id)).toEqual(['tea@1.0.0'])
      expect((await registry.metadata('tea'))?.description).toBe('')
    })

    it('refuses a reference that names no package', async () => {
      await using subject = await create()
      for (const reference of ['', '@', 'a b', 'tea@not a range']) {
        expect(await rejection(subject.registry.get(reference))).toMatchObject({
          code: 'ERR_INVALID_REFERENCE'
        })
      }
    })

    it('tells subscribers of what comes, and of nothing else', async () => {
      await using subject = await create()
      const { registry } = subject
      const all = follow(registry, { kind: 'all' })
      const tools = follow(registry, { kind: 'category', category: 'tools' })
      await registry.publish(registryToml('lathe', '1.0.0', 'tools'))
      await registry.publish(registryToml('tea', '1.0.0', 'food'))
      await registry.publish(registryToml('lathe', '1.1.0', 'tools'))
      expect((await all.take(3)).map(({ type, packageId }) => [type, packageId])).toEqual([
        ['NewPackage', 'lathe@1.0.0'],
        ['NewPackage', 'tea@1.0.0'],
        ['NewVersion', 'lathe@1.1.0']
      ])
      expect((await tools.take(2)).map(({ packageId }) => packageId)).toEqual(['lathe@1.0.0', 'lathe@1.1.0'])
      await all.end()
      await tools.end()
    })

    it('lets a subscriber that was away go on where it was', async () => {
      await using subject = await create()
      const { registry } = subject
      const before = follow(registry, { kind: 'all' })
      await registry.publish(source({ name: 'one', version: '1.0.0' }))
      const [seen] = await before.take(1)
      await before.end()
      if (seen === undefined) throw new Error('There was no update')
      await registry.publish(source({ name: 'two', version: '1.0.0' }))
      const after = follow(registry, { kind: 'all' }, seen.cursor)
      await registry.publish(source({ name: 'three', version: '1.0.0' }))
      expect((await after.take(2)).map(({ packageId }) => packageId)).toEqual(['two@1.0.0', 'three@1.0.0'])
      await after.end()
    })

    it('lets a subscriber go on after an update that another has taken the place of', async () => {
      await using subject = await create()
      const { registry } = subject
      const before = follow(registry, { kind: 'all' })
      await registry.publish(source({ name: 'tea', version: '1.0.0' }))
      await registry.deprecate('tea', 'cold')
      const [, seen] = await before.take(2)
      await before.end()
      await registry.deprecate('tea', 'stone cold')
      await registry.publish(source({ name: 'tea', version: '1.1.0' }))
      const after = follow(registry, { kind: 'all' }, seen?.cursor)
      expect((await after.take(2)).map(({ type, packageId }) => [type, packageId])).toEqual([
        ['Deprecated', 'tea@1.0.0'],
        ['NewVersion', 'tea@1.1.0']
      ])
      await after.end()
    })

    it('tells a subscriber of everything there ever was', async () => {
      await using subject = await create()
      const { registry } = subject
      await registry.publish(source({ name: 'tea', version: '1.0.0' }))
      await registry.yank('tea', 'burnt')
      const all = follow(registry, { kind: 'all' }, 'start')
      expect((await all.take(2)).map(({ type, packageId }) => [type, packageId])).toEqual([
        ['NewPackage', 'tea@1.0.0'],
        ['Yanked', 'tea@1.0.0']
      ])
      await all.end()
    })

    it('refuses everything once it is stopped', async () => {
      await using subject = await create()
      const { registry } = subject
      await registry.publish(source({ name: 'tea', version: '1.0.0' }))
      await subject.stop()
      for (const call of [
        registry.get('tea'),
        registry.search(new Query()),
        registry.list(),
        registry.publish(source({ name: 'tea', version: '1.1.0' }))
      ]) {
        expect(await rejection(call)).toMatchObject({ code: 'ERR_NOT_RUNNING' })
      }
    })
  })
}

function filesOf(manifest: Record<string, unknown>): Record<string, string> {
  return { 'package.json': JSON.stringify(manifest), 'index.js': `// ${manifest.name} ${manifest.version}\n` }
}

function source(manifest: Record<string, unknown>): PublishSource {
  return { kind: 'files', files: filesOf(manifest) }
}

function registryToml(packageName: string, version: string, category: string): PublishSource {
  const manifest = { name: packageName, version, category }
  const lines = Object.entries(manifest).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
  return { kind: 'files', files: { 'registry.toml': `[package]\n${lines.join('')}` } }
}

/** A subscription from now on. */
function follow(
  registry: Registry,
  topic: Topic,
  after?: string
): { take(count: number): Promise<PackageUpdate[]>; end(): Promise<unknown> } {
  const updates = registry.subscribe(topic, after === undefined ? {} : { after })[Symbol.asyncIterator]()
  return {
    take: async (count) => {
      const taken: PackageUpdate[] = []
      while (taken.length < count) {
        const { done, value } = await updates.next()
        if (done === true) break
        taken.push(value)
      }
      return taken
    },
    end: async () => updates.return?.()
  }
}
