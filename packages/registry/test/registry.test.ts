import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { signRelease } from '@registry/identity'
import { describeContent, makeRelease, type ReleaseInput, seededBytes, seededOwner } from '@registry/testing'
import {
  type ContentId,
  isRegistryError,
  type OwnerIdentity,
  type PublishStage,
  parsePackageName,
  RegistryError
} from '@registry/types'
import { describe, expect, it } from 'vitest'
import { packPackage, unpackTarball } from '../src/index.ts'
import { type LonePeer, lonePeer } from './lone-peer.ts'
import { manifestEntry, tarball } from './packing/tarballs.ts'
import { tempFolder } from './temp-folder.ts'

const files = (name: string, version = '1.0.0', more: Record<string, string> = {}) => ({
  kind: 'files' as const,
  files: { 'package.json': JSON.stringify({ name, version, ...more }), 'hello.txt': `hello from ${name}` }
})

/** Puts a release of another owner into the catalogue, its content at another peer. */
async function arrive(
  { store, behaviour }: LonePeer,
  owner: OwnerIdentity,
  fields: ReleaseInput
): Promise<ContentId> {
  const bytes = seededBytes(`${owner.id} ${JSON.stringify(fields)}`, 100)
  const { cid, size, integrity } = describeContent(bytes)
  const release = makeRelease({ owner: owner.id, content: cid, size, integrity, ...fields })
  const outcomes = await store.catalogue.ingest([owner.inception, await signRelease(release, owner.signer)])
  expect(outcomes.at(-1)).toMatchObject({ status: 'accepted' })
  behaviour.contentRouter.remote.set(cid, bytes)
  return cid
}

async function bytesOf(content: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  return Buffer.concat(content === undefined ? [] : await Array.fromAsync(content))
}

describe('publishing', () => {
  it('of files, a folder, a tarball on disk and one in memory gives what each of them says', async () => {
    const peer = await lonePeer()
    const folder = await tempFolder()
    await writeFile(
      join(folder, 'registry.toml'),
      '[package]\nname = "folder"\nversion = "1.0.0"\ncategory = "tools"\n'
    )
    await writeFile(join(folder, 'run.sh'), '#!/bin/sh\n')
    await chmod(join(folder, 'run.sh'), 0o755)
    const packed = await packPackage(folder, { tmpDir: await tempFolder(), version: '1.1.0' })

    const receipts = [
      await peer.registry.publish(files('files', '1.0.0', { license: 'MIT' })),
      await peer.registry.publish({ kind: 'path', path: folder }),
      await peer.registry.publish({ kind: 'path', path: packed.path }),
      await peer.registry.publish({ kind: 'tarball', bytes: tarball(manifestEntry({ name: 'memory' })) })
    ]
    expect(receipts.map(({ name, version }) => `${name}@${version}`)).toEqual([
      'files@1.0.0',
      'folder@1.0.0',
      'folder@1.1.0',
      'memory@1.0.0'
    ])
    expect(receipts.every(({ owner }) => owner === peer.owner.id)).toBe(true)
    expect(receipts[2]?.integrity).toBe(packed.release.integrity)

    expect(await peer.registry.metadata('files')).toMatchObject({
      id: 'files@1.0.0',
      license: 'MIT',
      cid: receipts[0]?.cid
    })
    expect(await peer.registry.metadata('folder')).toMatchObject({ version: '1.1.0', category: 'tools' })
    expect(peer.behaviour.calls.filter((call) => call === 'announce')).toHaveLength(4)
    expect(peer.store.outbox.size).toBe(4)
    expect(await readdir(peer.dataDir)).toEqual([])
  })

  it('and getting give back the same files, modes included', async () => {
    const { registry, dataDir } = await lonePeer()
    const folder = await tempFolder()
    await writeFile(join(folder, 'registry.toml'), '[package]\nname = "a"\nversion = "1.0.0"\n')
    await mkdir(join(folder, '日本語'))
    await writeFile(join(folder, '日本語', 'run'), seededBytes('large', 3_000_000))
    await chmod(join(folder, '日本語', 'run'), 0o755)
    const receipt = await registry.publish({ kind: 'path', path: folder })
    expect(await readdir(join(dataDir, 'packing'))).toEqual([])
    const got = await registry.get('a')
    expect(got?.package).toMatchObject({ cid: receipt.cid, integrity: receipt.integrity })
    const out = join(await tempFolder(), 'out')
    await unpackTarball(got?.content() ?? [], out)
    expect((await readdir(out, { recursive: true })).sort()).toEqual([
      'registry.toml',
      '日本語',
      '日本語/run'
    ])
    expect((await stat(join(out, '日本語', 'run'))).mode & 0o777).toBe(0o755 & ~process.umask())
    expect(Buffer.compare(await readFile(join(out, '日本語', 'run')), seededBytes('large', 3_000_000))).toBe(
      0
    )
  })

  it('tells its stages, in order', async () => {
    const { registry } = await lonePeer()
    const stages: PublishStage[] = []
    await registry.publish(files('a'), { onProgress: ({ stage }) => stages.push(stage) })
    expect(stages).toEqual(['packing', 'checking', 'storing', 'announcing'])
  })

  it('takes a version of the caller for files and folders, none for a tarball', async () => {
    const { registry } = await lonePeer()
    await registry.publish(files('a'), { version: '2.0.0' })
    expect(await registry.exists('a@2.0.0')).toBe(true)
    const source = { kind: 'tarball' as const, bytes: tarball(manifestEntry()) }
    await expect(registry.publish(source, { version: '2.0.0' })).rejects.toMatchObject({
      code: 'ERR_INVALID_VALUE'
    })
    await expect(registry.publish(files('a'), { version: 'two' })).rejects.toMatchObject({
      code: 'ERR_INVALID_VERSION'
    })
  })

  it('of a version that exists is refused before anything is packed, and the first stays', async () => {
    const { registry, store } = await lonePeer()
    const first = await registry.publish(files('a'))
    const stages: PublishStage[] = []
    const second = { ...files('a'), files: { ...files('a').files, more: 'of it' } }
    await expect(
      registry.publish(second, { onProgress: ({ stage }) => stages.push(stage) })
    ).rejects.toMatchObject({ code: 'ERR_VERSION_EXISTS' })
    expect(stages).toEqual([])
    const source = { kind: 'tarball' as const, bytes: tarball(manifestEntry({ name: 'a' })) }
    await expect(registry.publish(source)).rejects.toMatchObject({ code: 'ERR_VERSION_EXISTS' })
    expect(await registry.metadata('a')).toMatchObject({ cid: first.cid })
    expect(store.blobs.usage().blobs).toBe(1)
  })

  it('changes nothing when it fails, whatever fails', async () => {
    const peer = await lonePeer({ maxPackageBytes: 2000 })
    const { registry, store, behaviour, dataDir } = peer
    await registry.publish(files('before'))
    const large = {
      kind: 'files' as const,
      files: { ...files('a').files, noise: seededBytes('noise', 5000) }
    }
    const link = { path: 'package/l', type: '2', link: '/etc/passwd' }
    const failing: Array<[string, () => Promise<unknown>]> = [
      ['ERR_NO_MANIFEST', () => registry.publish({ kind: 'files', files: { a: '' } })],
      ['ERR_INVALID_MANIFEST', () => registry.publish({ kind: 'files', files: { 'package.json': '{' } })],
      ['ERR_INVALID_NAME', () => registry.publish(files('Bad Name'))],
      ['ERR_INVALID_VERSION', () => registry.publish(files('a', 'one'))],
      [
        'ERR_UNSAFE_PATH',
        () => registry.publish({ kind: 'files', files: { ...files('a').files, '../up': '' } })
      ],
      [
        'ERR_UNSAFE_ENTRY',
        () => registry.publish({ kind: 'tarball', bytes: tarball(manifestEntry(), link) })
      ],
      ['ERR_CORRUPT_TARBALL', () => registry.publish({ kind: 'tarball', bytes: new Uint8Array(100) })],
      ['ERR_TOO_LARGE', () => registry.publish(large)],
      ['ERR_SOURCE_UNREADABLE', () => registry.publish({ kind: 'path', path: join(dataDir, 'none') })]
    ]
    for (const [code, fail] of failing) await expect(fail()).rejects.toMatchObject({ code })
    expect(store.catalogue.counts().releases).toBe(1)
    expect(store.blobs.usage().blobs).toBe(1)
    expect(store.outbox.size).toBe(1)
    expect(behaviour.calls.filter((call) => call === 'announce')).toHaveLength(1)
    expect(await readdir(dataDir)).toEqual([])
  })

  it('of one version twice at once succeeds once, and keeps the content of that one alone', async () => {
    const { registry, store } = await lonePeer()
    const other = { kind: 'files' as const, files: { ...files('a').files, other: 'content' } }
    const outcomes = await Promise.allSettled([registry.publish(files('a')), registry.publish(other)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'ERR_VERSION_EXISTS' }
    })
    expect(store.blobs.usage().blobs).toBe(1)
    expect(await bytesOf((await registry.get('a'))?.content())).not.toHaveLength(0)
  })

  it('of one content twice at once keeps the content for the one that succeeds', async () => {
    const { registry, store } = await lonePeer()
    const outcomes = await Promise.allSettled([registry.publish(files('a')), registry.publish(files('a'))])
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(store.blobs.usage().blobs).toBe(1)
    expect(await bytesOf((await registry.get('a'))?.content())).not.toHaveLength(0)
  })

  it('can be aborted until it is signed, and then leaves nothing', async () => {
    const { registry, store } = await lonePeer()
    const reason = new Error('changed my mind')
    for (const at of ['packing', 'checking', 'storing'] as const) {
      const controller = new AbortController()
      const onProgress = ({ stage }: { stage: PublishStage }) => stage === at && controller.abort(reason)
      await expect(registry.publish(files('a'), { signal: controller.signal, onProgress })).rejects.toBe(
        reason
      )
    }
    expect(store.blobs.usage().blobs).toBe(0)
    expect(store.catalogue.counts().releases).toBe(0)
  })

  it('removes what a crash left of an earlier one', async () => {
    const dataDir = await tempFolder()
    await mkdir(join(dataDir, 'packing', 'package-x'), { recursive: true })
    await lonePeer({ dataDir })
    expect(await readdir(dataDir)).not.toContain('packing')
  })
})

describe('names and versions', () => {
  it('mean what npm makes of them', async () => {
    const { registry } = await lonePeer()
    for (const version of ['1.0.0', '1.2.0', '2.0.0', '2.1.0-beta.1', '1.3.0+build.5']) {
      await registry.publish(files('a', version))
    }
    await registry.publish(files('pre', '0.1.0-alpha.1'))
    await registry.publish(files('pre', '0.1.0-alpha.2'))
    const versionOf = async (reference: string) => (await registry.metadata(reference))?.version
    expect(await versionOf('a')).toBe('2.0.0')
    expect(await versionOf('a@latest')).toBe('2.0.0')
    expect(await versionOf('a@*')).toBe('2.0.0')
    expect(await versionOf('a@^1.0.0')).toBe('1.3.0+build.5')
    expect(await versionOf('a@1.3.0')).toBe('1.3.0+build.5')
    expect(await versionOf('a@~1.2.0')).toBe('1.2.0')
    expect(await versionOf('a@>=2.1.0-alpha')).toBe('2.1.0-beta.1')
    expect(await versionOf('a@>=2.1.0')).toBeUndefined()
    expect(await versionOf('a@9')).toBeUndefined()
    expect(await versionOf('pre')).toBe('0.1.0-alpha.2')
    expect(await versionOf('pre@*')).toBe('0.1.0-alpha.2')
    expect(await versionOf('none')).toBeUndefined()
    expect((await registry.listVersions('a')).map(({ version }) => version)).toEqual([
      '2.1.0-beta.1',
      '2.0.0',
      '1.3.0+build.5',
      '1.2.0',
      '1.0.0'
    ])
    expect(await registry.getVersion('a', '1.2.0')).toMatchObject({ id: 'a@1.2.0' })
    expect(await registry.getVersion('a', '1.3.0')).toBeUndefined()
    expect(await registry.exists('a@^1')).toBe(true)
    expect(await registry.exists('a@3')).toBe(false)
    expect(await registry.exists('none')).toBe(false)
    expect(await registry.listVersions('none')).toEqual([])
  })

  it('that cannot be read are errors, not packages that do not exist', async () => {
    const { registry } = await lonePeer()
    await expect(registry.get('Not A Name')).rejects.toMatchObject({ code: 'ERR_INVALID_REFERENCE' })
    await expect(registry.metadata('a@x y z')).rejects.toMatchObject({ code: 'ERR_INVALID_REFERENCE' })
    await expect(registry.listVersions('a@1.0.0')).rejects.toMatchObject({ code: 'ERR_INVALID_REFERENCE' })
    await expect(registry.getVersion('a', '^1')).rejects.toMatchObject({ code: 'ERR_INVALID_VERSION' })
  })

  it('of two owners are ambiguous: the error lists both, and either can be named', async () => {
    const peer = await lonePeer()
    const { registry } = peer
    const [ada, bob] = await Promise.all([seededOwner('ada'), seededOwner('bob')])
    const cids = [
      await arrive(peer, ada, { name: 'common' }),
      await arrive(peer, bob, { name: 'common', version: '2.0.0' })
    ]
    for (const call of [
      registry.get('common'),
      registry.metadata('common'),
      registry.exists('common'),
      registry.listVersions('common'),
      registry.getVersion('common', '1.0.0')
    ]) {
      const error = await call.then(
        () => undefined,
        (reason: unknown) => reason
      )
      expect(isRegistryError(error, 'ERR_AMBIGUOUS_NAME')).toBe(true)
      expect(JSON.stringify(error)).toContain(`@${ada.id}/common`)
      expect(JSON.stringify(error)).toContain(`@${bob.id}/common`)
    }
    expect(await registry.metadata(`@${ada.id}/common`)).toMatchObject({ cid: cids[0] })
    expect((await registry.get(`@${bob.id}/common`))?.package).toMatchObject({ cid: cids[1] })
    // Naming the owner decides nothing for the short name.
    await expect(registry.get('common')).rejects.toMatchObject({ code: 'ERR_AMBIGUOUS_NAME' })
  })

  it('stay with the owner they once were got from, over a restart too', async () => {
    const peer = await lonePeer()
    const { registry, dataDir } = peer
    const [ada, eve] = await Promise.all([seededOwner('ada'), seededOwner('eve')])
    await arrive(peer, ada, { name: 'tool' })
    await registry.get('tool')
    await arrive(peer, eve, { name: 'tool', version: '9.9.9' })
    expect((await registry.get('tool'))?.package).toMatchObject({ owner: ada.id, version: '1.0.0' })
    expect(await registry.metadata('tool')).toMatchObject({ owner: ada.id })
    await registry.stop()
    await registry.start()
    expect(await registry.metadata('tool')).toMatchObject({ owner: ada.id })
    expect(JSON.parse(await readFile(join(dataDir, 'names.json'), 'utf8'))).toEqual({
      tool: { owner: ada.id, by: 'first-use' }
    })
  })

  it('are got even when that decision cannot be written down, which is told', async () => {
    const peer = await lonePeer()
    await arrive(peer, await seededOwner('ada'), { name: 'tool' })
    await mkdir(join(peer.dataDir, 'names.json'))
    expect(await peer.registry.get('tool')).toBeDefined()
    expect(peer.warnings).toEqual(['a name decision could not be written down'])
  })

  it('do not pass to others because the file of decisions is damaged', async () => {
    const dataDir = await tempFolder()
    await writeFile(join(dataDir, 'names.json'), '{"tool": "me"}')
    await expect(lonePeer({ dataDir })).rejects.toMatchObject({ code: 'ERR_CORRUPT_NAMES' })
    expect(await readFile(join(dataDir, 'names.json'), 'utf8')).toBe('{"tool": "me"}')
  })
})

describe('a version for which its owner signed two contents', () => {
  it('is not handed out, and the error names both', async () => {
    const peer = await lonePeer()
    const { registry } = peer
    const ada = await seededOwner('ada')
    await arrive(peer, ada, { name: 'two', version: '1.0.0' })
    const cids = [
      await arrive(peer, ada, { name: 'two', version: '1.1.0', description: 'one' }),
      await arrive(peer, ada, { name: 'two', version: '1.1.0', description: 'other' })
    ]
    for (const call of [
      registry.get('two'),
      registry.metadata('two@^1'),
      registry.getVersion('two', '1.1.0')
    ]) {
      const error = await call.then(
        () => undefined,
        (reason: unknown) => reason
      )
      expect(isRegistryError(error, 'ERR_VERSION_CONFLICTED')).toBe(true)
      for (const cid of cids) expect(JSON.stringify(error)).toContain(cid)
    }
    expect(await registry.get('two@1.0.0')).toBeDefined()
    expect(
      (await registry.listVersions('two')).map(({ version, conflicted }) => [version, conflicted])
    ).toEqual([
      ['1.1.0', true],
      ['1.1.0', true],
      ['1.0.0', false]
    ])
    expect(await registry.exists('two@1.1.0')).toBe(true)
  })
})

describe('getting', () => {
  it('goes on where the disk is full: what is here is handed over, and the count is told as lost', async () => {
    const peer = await lonePeer()
    await arrive(peer, await seededOwner('ada'), { name: 'tool' })
    peer.store.catalogue.countDownload = () => {
      throw new RegistryError('ERR_STORAGE', 'the disk is full')
    }
    const got = await peer.registry.get('tool')
    expect(await bytesOf(got?.content())).toHaveLength(100)
    expect(peer.warnings).toEqual(['a download could not be counted'])
  })

  it('of a package of others resolves, fetches, counts and tells of it', async () => {
    const peer = await lonePeer()
    const { registry } = peer
    const ada = await seededOwner('ada')
    const cid = await arrive(peer, ada, { name: 'tool' })
    const stages: string[] = []
    const got = await registry.get('tool', { onProgress: ({ stage }) => stages.push(stage) })
    expect(stages).toEqual(['resolved', 'fetching'])
    expect(got?.package).toMatchObject({ cid, downloads: 1 })
    expect(
      Buffer.compare(
        await bytesOf(got?.content()),
        peer.behaviour.contentRouter.remote.get(cid) ?? Buffer.of()
      )
    ).toBe(0)
    await registry.get('tool')
    expect((await registry.metadata('tool'))?.downloads).toBe(2)
    await Array.fromAsync(got?.content() ?? [])
    expect((await registry.metadata('tool'))?.downloads).toBe(3)
  })

  it('of a package that nobody has any more is a retryable error', async () => {
    const peer = await lonePeer()
    await arrive(peer, await seededOwner('ada'), { name: 'tool' })
    peer.behaviour.contentRouter.remote.clear()
    await expect(peer.registry.get('tool')).rejects.toMatchObject({
      code: 'ERR_NO_PROVIDERS',
      retryable: true
    })
    expect((await peer.registry.metadata('tool'))?.downloads).toBe(0)
  })

  it('of a package above the limit is refused before a byte is fetched', async () => {
    const peer = await lonePeer({ maxPackageBytes: 99 })
    await arrive(peer, await seededOwner('ada'), { name: 'tool' })
    peer.behaviour.contentRouter.gate = Promise.reject(new Error('it was fetched'))
    peer.behaviour.contentRouter.gate.catch(() => {})
    await expect(peer.registry.get('tool')).rejects.toMatchObject({ code: 'ERR_TOO_LARGE' })
  })

  it('of a content that is damaged on disk, and that nobody else has, is an error as it is read', async () => {
    const { registry, store } = await lonePeer()
    const { cid } = await registry.publish(files('a'))
    const got = await registry.get('a')
    store.damageBlock(cid)
    await expect(bytesOf(got?.content())).rejects.toMatchObject({ code: 'ERR_CORRUPT_BLOB' })
  })

  it('of a content that is damaged on disk gets it from others again, and gives each byte once', async () => {
    const peer = await lonePeer()
    const cid = await arrive(peer, await seededOwner('ada'), { name: 'tool' })
    const got = await peer.registry.get('tool')
    peer.store.damageBlock(cid)
    expect(
      Buffer.compare(
        await bytesOf(got?.content()),
        peer.behaviour.contentRouter.remote.get(cid) ?? Buffer.of()
      )
    ).toBe(0)
  })

  it('ends with the reason of its signal', async () => {
    const peer = await lonePeer()
    await arrive(peer, await seededOwner('ada'), { name: 'tool' })
    peer.behaviour.contentRouter.gate = new Promise(() => {})
    const reason = new Error('enough')
    const controller = new AbortController()
    const getting = peer.registry.get('tool', { signal: controller.signal })
    controller.abort(reason)
    await expect(getting).rejects.toBe(reason)
    await expect(peer.registry.get('tool', { signal: controller.signal })).rejects.toBe(reason)
    await expect(peer.registry.search({}, { signal: controller.signal })).rejects.toBe(reason)
  })
})

describe('searching and listing', () => {
  it('give packages with score and the number of peers that hold them', async () => {
    const peer = await lonePeer()
    const { registry } = peer
    await registry.publish(files('web-kit', '1.0.0', { description: 'for the web' }))
    await arrive(peer, await seededOwner('ada'), { name: 'web-more', tags: ['rust'], category: 'web' })
    const found = await registry.search({ keywords: ['web'] })
    expect(found.map((result) => [result.package.name, result.peerCount]).sort()).toEqual([
      ['web-kit', 1],
      ['web-more', 1]
    ])
    expect(found.every(({ score }) => score > 0)).toBe(true)
    expect(
      (await registry.search({ category: 'web', tags: ['rust'] })).map((result) => result.package.name)
    ).toEqual(['web-more'])
    expect(await registry.search({ keywords: ['nothing-of-the-kind'] })).toEqual([])
    await registry.get('web-more')
    const [again] = await registry.search({ keywords: ['more'], minDownloads: 1 })
    expect(again).toMatchObject({ package: { name: 'web-more', downloads: 1 }, peerCount: 2 })
    await expect(registry.search({ limit: 5000 })).rejects.toMatchObject({ code: 'ERR_INVALID_VALUE' })
  })

  it('list every package once, page by page', async () => {
    const { registry, owner } = await lonePeer()
    for (const name of ['c', 'a', 'b']) await registry.publish(files(name))
    await registry.publish(files('a', '2.0.0'))
    expect((await registry.list()).map(({ id }) => id)).toEqual(['a@2.0.0', 'b@1.0.0', 'c@1.0.0'])
    const page = await registry.list({ after: { owner: owner.id, name: parsePackageName('a') }, limit: 1 })
    expect(page.map(({ id }) => id)).toEqual(['b@1.0.0'])
  })

  it('date a package by its newest release, and a release by the later of claim and arrival', async () => {
    const { registry, clock } = await lonePeer()
    const firstMs = clock.now()
    await registry.publish(files('a', '1.0.0'))
    await clock.advance(1000)
    await registry.publish(files('a', '1.1.0'))
    expect(await registry.metadata('a@1.0.0')).toMatchObject({
      createdAtMs: firstMs,
      updatedAtMs: firstMs + 1000
    })
  })
})

describe('the network side', () => {
  it('is handed on', async () => {
    const { registry, behaviour, owner, clock, dataDir } = await lonePeer()
    await registry.publish(files('a'))
    await clock.advance(500)
    expect(registry).toMatchObject({ isRunning: true, peerId: behaviour.peerId, owner: owner.id })
    expect(await registry.status()).toMatchObject({
      peerId: behaviour.peerId,
      addresses: behaviour.addresses(),
      network: 'test',
      owner: owner.id,
      dataDir,
      uptimeMs: 500,
      storage: { blobs: 1 },
      pendingAnnouncements: 1,
      releases: 1
    })
    expect(await registry.stats()).toMatchObject({ connectedPeers: 1, packages: 1 })
    expect(await registry.peers()).toHaveLength(1)
    expect(await registry.knownPeers()).toEqual([])
    expect(await registry.sync()).toBe(5)
    expect(await registry.connect('/memory/x')).toMatchObject({ peerId: behaviour.peerId })
    expect(await registry.disconnect(behaviour.peerId)).toBe(true)
    expect(await registry.disconnect('nobody')).toBe(false)
    await registry.addBootstrapNode('/memory/a/p2p/x')
    await registry.addBootstrapNode({ address: '/memory/b', peerId: 'y' })
    expect(behaviour.calls).toEqual(
      expect.arrayContaining(['bootstrap /memory/a/p2p/x', 'bootstrap /memory/b/p2p/y'])
    )
  })
})
