import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { inspectTarball, type ReleaseFields } from '../../src/index.ts'
import { manifestEntry, type RawEntry, tarball } from './tarballs.ts'

function inspect(manifest: object, ...more: RawEntry[]): Promise<ReleaseFields> {
  return inspectTarball([tarball(manifestEntry(manifest), ...more)])
}

const file = (path: string): RawEntry => ({ path: `package/${path}`, content: 'x' })

describe('what npm needs of a package', () => {
  it('is read from its package.json, and its sha1 from its bytes', async () => {
    const bytes = tarball(
      manifestEntry({
        optionalDependencies: { fsevents: '^2' },
        peerDependencies: { react: '>=18' },
        peerDependenciesMeta: { react: { optional: true }, vue: { optional: false } },
        bundleDependencies: ['inside'],
        bin: { tool: './bin/tool.js' },
        engines: { node: '>=22', npm: '>=10' },
        os: ['linux'],
        cpu: ['x64', '!arm'],
        libc: 'glibc',
        scripts: { postinstall: 'node build.js' }
      })
    )
    expect((await inspectTarball([bytes])).npm).toEqual({
      shasum: createHash('sha1').update(bytes).digest('hex'),
      optionalDependencies: { fsevents: '^2' },
      peerDependencies: { react: '>=18' },
      optionalPeers: ['react'],
      bundled: ['inside'],
      bin: { tool: 'bin/tool.js' },
      engines: { node: '>=22', npm: '>=10' },
      os: ['linux'],
      cpu: ['x64', '!arm'],
      libc: ['glibc'],
      hasInstallScript: true
    })
  })

  it('is nothing but the sha1 where the file says no more, or says it in no shape npm reads', async () => {
    const plain = await inspect({
      bin: {},
      engines: ['node'],
      os: [],
      scripts: { test: 'x' },
      peerDependenciesMeta: 5
    })
    expect(Object.keys(plain.npm ?? {})).toEqual(['shasum'])
  })

  it('bundles all dependencies when it says true', async () => {
    const { npm } = await inspect({
      dependencies: { a: '1' },
      optionalDependencies: { b: '1' },
      bundledDependencies: true
    })
    expect(npm?.bundled).toEqual(['a', 'b'])
  })

  it('names one command after the package, and leads out of it nowhere', async () => {
    expect((await inspect({ name: '@scope/example', bin: 'cli.js' })).npm?.bin).toEqual({ example: 'cli.js' })
    const { npm } = await inspect({ bin: { '../../evil': '../../../etc/passwd', ok: '/abs.js' } })
    expect(npm?.bin).toEqual({ evil: 'etc/passwd', ok: 'abs.js' })
  })

  it('includes that it is built on installation, and that it brings a shrinkwrap', async () => {
    expect((await inspect({}, file('binding.gyp'))).npm).toMatchObject({ hasInstallScript: true })
    expect((await inspect({ gypfile: false }, file('binding.gyp'))).npm).not.toHaveProperty(
      'hasInstallScript'
    )
    expect((await inspect({}, file('npm-shrinkwrap.json'))).npm).toMatchObject({ hasShrinkwrap: true })
    expect((await inspect({}, file('deep/npm-shrinkwrap.json'))).npm).not.toHaveProperty('hasShrinkwrap')
  })

  it('is there too when another manifest decides, if both are of one name and version', async () => {
    const toml = {
      path: 'package/registry.toml',
      content: '[package]\nname = "example"\nversion = "1.0.0"\n'
    }
    expect((await inspect({ bin: 'x.js' }, toml)).npm).toMatchObject({ bin: { example: 'x.js' } })
    expect((await inspect({ version: '2.0.0' }, toml)).npm).toBeUndefined()
    expect((await inspectTarball([tarball(toml)])).npm).toBeUndefined()
    expect(
      (await inspectTarball([tarball(toml, { path: 'package/package.json', content: '{' })])).npm
    ).toBeUndefined()
  })

  it('must fit into a record', async () => {
    const many = Object.fromEntries(Array.from({ length: 1024 }, (_, i) => [`peer-${i}`, 'x'.repeat(100)]))
    await expect(inspect({ peerDependencies: many })).rejects.toMatchObject({ code: 'ERR_INVALID_MANIFEST' })
    await expect(inspect({ os: ['x'.repeat(257)] })).rejects.toMatchObject({
      code: 'ERR_INVALID_MANIFEST',
      message: expect.stringContaining('os[0]')
    })
  })
})
