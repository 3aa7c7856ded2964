import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readInstallation } from '../src/installed/installation.ts'

async function project(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'registry-installed-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

const HASH = 'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg=='
const ADDRESS = 'http://127.0.0.1:4873/@owner/leaf/-/leaf-1.0.0.tgz'

const LOCKS: Record<string, string> = {
  'package-lock.json': JSON.stringify({
    packages: {
      '': { name: 'app', version: '1.0.0' },
      'packages/own': { version: '1.0.0' },
      'node_modules/own': { resolved: 'packages/own', link: true },
      'node_modules/leaf': { version: '1.0.0', integrity: HASH, resolved: ADDRESS },
      'node_modules/alias': { name: '@scope/twig', version: '2.0.0-rc.1' },
      'node_modules/leaf/node_modules/brought': { version: '1.0.0', inBundle: true }
    }
  }),
  'pnpm-lock.yaml': `lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      alias:
        specifier: npm:@scope/twig@2.0.0-rc.1
        version: '@scope/twig@2.0.0-rc.1'
packages:
  leaf@1.0.0:
    resolution: {integrity: ${HASH}, tarball: ${ADDRESS}}
    engines: {node: '>=20'}
  '@scope/twig@2.0.0-rc.1':
    resolution: {directory: twig, type: directory}
`,
  'yarn.lock': `# yarn lockfile v1


"alias@npm:@scope/twig@^2.0.0-rc":
  version "2.0.0-rc.1"

leaf@^1.0.0, leaf@1.0.0:
  version "1.0.0"
  resolved "${ADDRESS}"
  integrity ${HASH}
  dependencies:
    version "^1.0.0"
`,
  'bun.lock': `{
  "lockfileVersion": 1,
  "workspaces": { "": { "name": "app", }, },
  "packages": {
    "own": ["own@workspace:packages/own"],
    "leaf": ["leaf@1.0.0", "${ADDRESS}", {}, "${HASH}"],
    "alias": ["@scope/twig@2.0.0-rc.1", "", { "bin": { "a": "b", }, }, null],
  },
}
`
}

describe('a lockfile', () => {
  it.each(Object.keys(LOCKS))('says what is installed, by whatever name: %s', async (name) => {
    const folder = await project({ [name]: LOCKS[name] ?? '' })
    const { lockfile, folder: looked, packages } = await readInstallation(folder)
    expect([lockfile, looked]).toEqual([join(folder, name), undefined])
    const found = packages.map(({ path, ...one }) => one).sort((a, b) => (a.name < b.name ? -1 : 1))
    expect(found[0]).toMatchObject({ name: '@scope/twig', version: '2.0.0-rc.1' })
    expect(found[0]?.integrity).toBeUndefined()
    expect(found.slice(1)).toEqual([{ name: 'leaf', version: '1.0.0', integrity: HASH, address: ADDRESS }])
    expect(await readInstallation(join(folder, name))).toEqual({ lockfile: join(folder, name), packages })
  })

  it('of yarn 4 has addresses, and hashes of another kind', async () => {
    const text = `__metadata:
  version: 10
  cacheKey: 10c0

"alias@npm:@scope/twig@^2":
  version: 2.0.0
  resolution: "@scope/twig@npm:2.0.0"
  checksum: 10c0/abc
  languageName: node
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."

"leaf@npm:^1.0.0":
  version: 1.0.0
  resolution: "leaf@npm:1.0.0::__archiveUrl=${encodeURIComponent(ADDRESS)}"
`
    const { packages } = await readInstallation(await project({ 'yarn.lock': `# generated\n\n${text}` }))
    expect(packages).toEqual([
      { name: '@scope/twig', version: '2.0.0' },
      { name: 'leaf', version: '1.0.0', address: ADDRESS }
    ])
  })

  // What has none of its lines says nothing to yarn 1, however it looks.
  const structured = Object.keys(LOCKS).filter((name) => name !== 'yarn.lock')

  it.each(structured)('that is damaged, or of something else, is an error: %s', async (name) => {
    for (const text of ['{"packages": 5}', '{"packages": {"node_modules/a": 5, "a@1": 5}', '- a: [']) {
      const reading = readInstallation(await project({ [name]: text }))
      await expect(reading, text).rejects.toMatchObject({ code: 'ERR_NO_LOCKFILE' })
    }
  })

  it('that leads out of the project is refused', async () => {
    const packages = { '../node_modules/leaf': { version: '1.0.0' } }
    const reading = readInstallation(await project({ 'package-lock.json': JSON.stringify({ packages }) }))
    await expect(reading).rejects.toMatchObject({ code: 'ERR_NO_LOCKFILE' })
  })
})

describe('a node_modules', () => {
  const manifest = (name: string, more: object = {}): string =>
    JSON.stringify({ name, version: '1.0.0', ...more })

  it('is looked through, stores and nested ones too, but for what a package brought with it', async () => {
    const folder = await project({
      'node_modules/leaf/package.json': manifest('leaf', { bundledDependencies: ['brought'] }),
      'node_modules/leaf/node_modules/brought/package.json': manifest('brought'),
      'node_modules/leaf/node_modules/nested/package.json': manifest('nested'),
      'node_modules/@scope/twig/package.json': manifest('@scope/twig'),
      'node_modules/.pnpm/deep@1.0.0/node_modules/deep/package.json': manifest('deep'),
      'node_modules/.bin/leaf': '',
      'node_modules/no-package/readme.md': ''
    })
    const { packages, ...rest } = await readInstallation(folder)
    expect(rest).toEqual({ folder })
    expect(packages.map(({ path }) => path).sort()).toEqual([
      'node_modules/.pnpm/deep@1.0.0/node_modules/deep',
      'node_modules/@scope/twig',
      'node_modules/leaf',
      'node_modules/leaf/node_modules/nested'
    ])
  })

  it('has the hashes of the lockfile beside it, which alone knows of other names', async () => {
    const folder = await project({
      'pnpm-lock.yaml': LOCKS['pnpm-lock.yaml'] ?? '',
      'node_modules/leaf/package.json': manifest('leaf'),
      'node_modules/alias/package.json': manifest('@scope/twig', { version: '2.0.0-rc.1' }),
      'node_modules/renamed/package.json': manifest('something-unknown')
    })
    const { packages } = await readInstallation(folder)
    expect(packages).toEqual([
      { path: 'node_modules/alias', name: '@scope/twig', version: '2.0.0-rc.1' },
      { path: 'node_modules/leaf', name: 'leaf', version: '1.0.0', integrity: HASH, address: ADDRESS },
      { path: 'node_modules/renamed', name: 'renamed', version: '1.0.0' }
    ])
  })

  it('that is not there is an error that says what was looked for', async () => {
    const reading = readInstallation(await project({ 'package.json': '{}' }))
    await expect(reading).rejects.toMatchObject({
      code: 'ERR_NO_LOCKFILE',
      hint: expect.stringContaining('bun.lock')
    })
    await expect(readInstallation('/nowhere/at/all')).rejects.toMatchObject({ code: 'ERR_NO_LOCKFILE' })
  })
})
