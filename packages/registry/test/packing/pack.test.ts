import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { list } from 'tar'
import { describe, expect, it } from 'vitest'
import { inspectTarball, packPackage, unpackTarball, validatePackage } from '../../src/index.ts'
import { gzip } from '../../src/packing/gzip.ts'
import { readTar, writeTar } from '../../src/packing/tar.ts'
import { tempFolder } from '../temp-folder.ts'

const REGISTRY_TOML = '[package]\nname = "example"\nversion = "1.0.0"\n'

async function write(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

/** All that makes packing differ between machines: names, modes, sizes, order. */
async function fixture(): Promise<string> {
  const folder = await write(await tempFolder(), {
    'registry.toml': REGISTRY_TOML,
    empty: '',
    'run.sh': '#!/bin/sh\n',
    Z: 'upper case comes first',
    a: 'lower case comes after',
    'caf\u00e9 composed': 'NFC',
    'cafe\u0301 decomposed, too': 'NFD',
    '日本語/ファイル.txt': 'こんにちは',
    '\u{1f600}': 'beyond the basic plane, which UTF-16 sorts before \uff5e',
    '\uff5e': 'in the basic plane',
    [`${'long/'.repeat(30)}path.txt`]: 'more than 100 bytes',
    [`${'longer/'.repeat(50)}path.txt`]: 'more than 255 bytes',
    block: 'x'.repeat(512),
    large: Uint8Array.from({ length: 200_000 }, (_, index) => (index * index) % 251)
  })
  await chmod(join(folder, 'run.sh'), 0o744)
  await chmod(join(folder, 'a'), 0o666)
  return folder
}

async function contents(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const { mode } = await stat(path)
    found.set(
      path.slice(folder.length + 1),
      `${mode & 0o100 ? 'x' : '-'} ${(await readFile(path)).toString('base64')}`
    )
  }
  return found
}

async function packed(folder: string): Promise<string[]> {
  const { path } = await packPackage(folder, { tmpDir: await tempFolder() })
  const names: string[] = []
  await list({ file: path, onReadEntry: (entry) => names.push(entry.path.replace(/^package\//, '')) })
  return names
}

describe('packing', () => {
  it('gives the bytes it always gave, on every machine', async () => {
    const { path, release } = await packPackage(await fixture(), { tmpDir: await tempFolder() })
    const bytes = await readFile(path)
    // Whoever changes these gives a new hash to every package that is packed again.
    expect(createHash('sha256').update(gunzipSync(bytes)).digest('hex')).toBe(
      '5759b40c43f31cf5601168aff04454209b8b5495521ad9fe7a9776a62a6705b1'
    )
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      'd6e61981b0edc004de98c2f01d605e9e4241a785fc921dbd8af8c5fb6ad600b1'
    )
    expect(release).toMatchObject({ fileCount: 14, size: bytes.length })
    expect(release.integrity).toBe(`sha512-${createHash('sha512').update(bytes).digest('base64')}`)
  })

  it('depends on neither times nor owners nor the order in which files were made', async () => {
    const one = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML, b: 'b', a: 'a' })
    const other = await write(await tempFolder(), { a: 'a', b: 'b', 'registry.toml': REGISTRY_TOML })
    await utimes(join(other, 'a'), 0, 0)
    await chmod(join(other, 'b'), 0o600)
    const tmpDir = await tempFolder()
    const { path } = await packPackage(one, { tmpDir })
    const again = await packPackage(other, { tmpDir })
    expect(Buffer.compare(await readFile(path), await readFile(again.path))).toBe(0)
  })

  it('and unpacking give back every file, name and executable bit', async () => {
    const folder = await fixture()
    const { path } = await packPackage(folder, { tmpDir: await tempFolder() })
    const out = join(await tempFolder(), 'out')
    const summary = await unpackTarball(path, out)
    expect(await contents(out)).toEqual(await contents(folder))
    expect(summary.fileCount).toBe(14)
  })

  it("is read the same by npm's tar and by the system's", async () => {
    const folder = await fixture()
    const { path } = await packPackage(folder, { tmpDir: await tempFolder() })
    const expected = [...(await contents(folder)).keys()].sort()
    expect((await packed(folder)).sort()).toEqual(expected)
    const out = await tempFolder()
    execFileSync('tar', ['xzf', path, '-C', out])
    expect(await contents(join(out, 'package'))).toEqual(await contents(folder))
  })

  it('refuses a link, a socket and a name that some system cannot hold', async () => {
    const linked = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML })
    await symlink('/etc/passwd', join(linked, 'passwd'))
    await expect(packPackage(linked)).rejects.toMatchObject({
      code: 'ERR_UNSAFE_ENTRY',
      details: { kind: 'a symbolic link' }
    })

    const folders = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML })
    await symlink('/etc', join(folders, 'etc'))
    await expect(packPackage(folders)).rejects.toMatchObject({ code: 'ERR_UNSAFE_ENTRY' })

    const socket = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML })
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(socket, 's'), resolve))
    await expect(packPackage(socket)).rejects.toMatchObject({ details: { kind: 'a socket' } })
    await new Promise((resolve) => server.close(resolve))

    const colon = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML, 'a:b': '' })
    await expect(packPackage(colon)).rejects.toMatchObject({ code: 'ERR_UNSAFE_PATH' })
    const twins = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML, 'a/x': '', 'A/X': '' })
    await expect(packPackage(twins)).rejects.toMatchObject({ code: 'ERR_UNSAFE_PATH' })
  })

  it('refuses a manifest that is a link', async () => {
    const folder = await write(await tempFolder(), { 'else.toml': REGISTRY_TOML })
    await symlink('else.toml', join(folder, 'registry.toml'))
    await expect(packPackage(folder)).rejects.toMatchObject({ code: 'ERR_UNSAFE_ENTRY' })
  })

  it('says what it looked for when there is no manifest, and what is wrong with a path that is not there', async () => {
    const folder = await write(await tempFolder(), { 'readme.txt': '' })
    await expect(packPackage(folder)).rejects.toMatchObject({
      code: 'ERR_NO_MANIFEST',
      details: { looked: ['registry.toml', 'package.json', 'gpack.toml', 'pack.toml', 'package.toml'] }
    })
    await expect(packPackage(join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_SOURCE_UNREADABLE' })
    await expect(packPackage(join(folder, 'readme.txt'))).rejects.toMatchObject({ code: 'ERR_INVALID_VALUE' })
    await expect(inspectTarball(join(folder, 'none.tgz'))).rejects.toMatchObject({
      code: 'ERR_SOURCE_UNREADABLE'
    })
  })

  it('ends with the reason of its signal and leaves nothing in the folder for temporary files', async () => {
    const folder = await fixture()
    const tmpDir = await tempFolder()
    const reason = new Error('changed my mind')
    await expect(packPackage(folder, { tmpDir, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const late = new AbortController()
    const packing = packPackage(folder, { tmpDir, signal: late.signal })
    late.abort(reason)
    await expect(packing).rejects.toBe(reason)
    expect(await readdir(tmpDir)).toEqual([])
  })

  it('leaves nothing behind when it fails', async () => {
    const tmpDir = await tempFolder()
    const limits = { maxPackageBytes: 1000 }
    await expect(packPackage(await fixture(), { tmpDir, limits })).rejects.toMatchObject({
      code: 'ERR_TOO_LARGE'
    })
    expect(await readdir(tmpDir)).toEqual([])
  })
})

describe('the files of a package', () => {
  it('are all but what .registryignore names, in the syntax of .gitignore, and what is never packed', async () => {
    const folder = await write(await tempFolder(), {
      'registry.toml': REGISTRY_TOML,
      '.registryignore': '# comment\n*.log\n/build/\n!keep.log\nregistry.toml\n',
      'a.log': '',
      'keep.log': '',
      'b.LOG': '',
      'build/out': '',
      'src/build/in': '',
      '.git/config': '',
      'node_modules/x/y': '',
      'src/node_modules/z': '',
      'src/.DS_Store': '',
      '.hidden': ''
    })
    expect((await packed(folder)).sort()).toEqual([
      '.hidden',
      '.registryignore',
      'b.LOG',
      'keep.log',
      'registry.toml',
      'src/build/in'
    ])
  })

  it('may have links among what is ignored', async () => {
    const folder = await write(await tempFolder(), {
      'registry.toml': REGISTRY_TOML,
      '.registryignore': 'link\n'
    })
    await symlink('/etc', join(folder, 'link'))
    expect(await packed(folder)).toEqual(['.registryignore', 'registry.toml'])
  })

  it("are npm's for a package.json: files, main, bin, readme, license, bundled dependencies", async () => {
    const folder = await write(await tempFolder(), {
      'package.json': JSON.stringify({
        name: 'example',
        version: '1.0.0',
        main: './lib/main.js',
        bin: './cli.js',
        files: ['dist', '!dist/secret'],
        bundledDependencies: ['dep'],
        dependencies: { dep: '1', other: '1' }
      }),
      'lib/main.js': '',
      'lib/unused.js': '',
      'cli.js': '',
      'dist/a.js': '',
      'dist/secret': '',
      'README.md': '',
      LICENSE: '',
      'package-lock.json': '{}',
      'pack.toml': 'not read',
      'node_modules/dep/package.json':
        '{"name":"dep","version":"1.0.0","dependencies":{"sub":"1","dep":"1"}}',
      'node_modules/dep/node_modules/sub/package.json': '{"name":"sub","version":"1.0.0"}',
      'node_modules/dep/index.js': '',
      'node_modules/other/package.json': '{"name":"other","version":"1.0.0"}'
    })
    expect(await packed(folder)).toEqual([
      'LICENSE',
      'README.md',
      'cli.js',
      'dist/a.js',
      'lib/main.js',
      'node_modules/dep/index.js',
      'node_modules/dep/node_modules/sub/package.json',
      'node_modules/dep/package.json',
      'package.json'
    ])
  })

  it('of a package.json are refused when a link is among them, and only then', async () => {
    const manifest = JSON.stringify({ name: 'example', version: '1.0.0', files: ['lib'] })
    const folder = await write(await tempFolder(), {
      'package.json': manifest,
      'lib/a.js': '',
      'else/b.js': ''
    })
    await symlink('a.js', join(folder, 'else', 'link.js'))
    expect(await packed(folder)).toEqual(['lib/a.js', 'package.json'])
    await symlink('a.js', join(folder, 'lib', 'link.js'))
    await expect(packPackage(folder)).rejects.toMatchObject({
      code: 'ERR_UNSAFE_ENTRY',
      details: { path: 'lib/link.js' }
    })
  })

  it('of a package.json are refused when they lie behind a link', async () => {
    const manifest = JSON.stringify({ name: 'example', version: '1.0.0', bundleDependencies: ['dep'] })
    const folder = await write(await tempFolder(), { 'package.json': manifest, 'node_modules/.keep': '' })
    const elsewhere = await write(await tempFolder(), { 'package.json': '{"name":"dep","version":"1.0.0"}' })
    await symlink(elsewhere, join(folder, 'node_modules', 'dep'))
    await expect(packPackage(folder)).rejects.toMatchObject({ code: 'ERR_UNSAFE_ENTRY' })
  })
})

describe('a folder that cannot be packed', () => {
  const manifest = JSON.stringify({ name: 'example', version: '1.0.0', bundleDependencies: ['dep'] })

  it.each([
    ['a bundled manifest that is no JSON', { 'node_modules/dep/package.json': '{' }],
    ['a rule that is too long', { '.npmignore': 'x'.repeat(70_000) }],
    ['a rule that is too long, further down', { 'lib/.npmignore': 'x'.repeat(70_000) }],
    ['a folder for a rule file', { '.npmignore/a': '' }]
  ])('because of %s is a typed error, not the end of the process', async (_, files) => {
    const folder = await write(await tempFolder(), { 'package.json': manifest, ...files })
    await expect(packPackage(folder)).rejects.toMatchObject({ code: 'ERR_SOURCE_UNREADABLE' })
  })

  it('because a part of its manifest is too long for any file is packed without that', async () => {
    const folder = await write(await tempFolder(), {
      'package.json': JSON.stringify({ name: 'example', version: '1.0.0', main: 'm'.repeat(70_000) })
    })
    expect(await packed(folder)).toEqual(['package.json'])
  })

  it('because of a rule file that is a link is refused', async () => {
    const folder = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML })
    await symlink('/dev/zero', join(folder, '.registryignore'))
    await expect(packPackage(folder)).rejects.toMatchObject({ code: 'ERR_UNSAFE_ENTRY' })
  })

  it('because the tarball has no place to go is a typed error', async () => {
    const folder = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML })
    await expect(packPackage(folder, { tmpDir: join(folder, 'registry.toml', 'x') })).rejects.toMatchObject({
      code: 'ERR_STORAGE'
    })
  })
})

describe('a version of the caller', () => {
  it.each([
    ['package.json', '{\n\t"version": "0.1.0",\n\t"name": "example", "x": {"version": "0.1.0"}\n}'],
    ['package.json', '{"name":"example"}'],
    ['package.json', '\ufeff{"name":"example","version":"0.1.0"}'],
    ['registry.toml', '# version = "0.1.0"\n[package]\nname = "example"\nversion = \'0.1.0\' # now\n'],
    ['registry.toml', '[package]\nname = "example"\n'],
    ['pack.toml', '[dependencies]\nversion = "0.1.0"\n[pack]\nname="example"\n"version"="0.1.0"\n'],
    ['pack.toml', 'pack = { name = "example", version = "0.1.0" }\n'],
    ['gpack.toml', '[gpack]\nid = "example"\nname = "An example"\nversion = "0.1.0"\n'],
    ['package.toml', 'name = "example"\nversion = "0.1.0"\nlarge = 99999999999999999999\n']
  ])('stands in the packed %s, in which nothing else changes: %j', async (file, text) => {
    const folder = await write(await tempFolder(), { [file]: text })
    const { path, release } = await packPackage(folder, { tmpDir: await tempFolder(), version: '2.0.0-rc.1' })
    expect(release).toMatchObject({ name: 'example', version: '2.0.0-rc.1', manifest: { file } })
    const out = join(await tempFolder(), 'out')
    await unpackTarball(path, out)
    const rewritten = await readFile(join(out, file), 'utf8')
    const differing = rewritten
      .split('\n')
      .filter((line) => !text.replace('\ufeff', '').split('\n').includes(line))
    expect(differing.length).toBeLessThanOrEqual(1)
    expect(await readFile(join(folder, file), 'utf8')).toBe(text)
  })

  it('must be a version', async () => {
    const folder = await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML })
    await expect(packPackage(folder, { version: 'next' })).rejects.toMatchObject({
      code: 'ERR_INVALID_VERSION'
    })
  })
})

describe('unpacking', () => {
  it('refuses a folder that is not empty, a file and a link, and takes an empty folder', async () => {
    const { path } = await packPackage(await write(await tempFolder(), { 'registry.toml': REGISTRY_TOML }), {
      tmpDir: await tempFolder()
    })
    const folder = await write(await tempFolder(), { 'full/a': 'mine', file: 'mine' })
    await mkdir(join(folder, 'empty'))
    await symlink('empty', join(folder, 'link'))
    for (const name of ['full', 'file', 'link']) {
      await expect(unpackTarball(path, join(folder, name))).rejects.toMatchObject({
        code: 'ERR_TARGET_NOT_EMPTY'
      })
    }
    await unpackTarball(path, join(folder, 'empty'))
    await unpackTarball(path, join(folder, 'made', 'on', 'the', 'way'))
    expect([...(await contents(folder)).keys()].sort()).toEqual([
      'empty/registry.toml',
      'file',
      'full/a',
      'made/on/the/way/registry.toml'
    ])
  })

  it('shows nothing before all is there', async () => {
    const { path } = await packPackage(await fixture(), { tmpDir: await tempFolder() })
    const bytes = await readFile(path)
    const folder = await tempFolder()
    const seen: string[][] = []
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (let offset = 0; offset < bytes.length; offset += 4096) {
        seen.push(await readdir(folder))
        yield bytes.subarray(offset, offset + 4096)
      }
    }
    await unpackTarball(slowly(), join(folder, 'out'))
    expect(seen.flat().every((name) => name.startsWith('.out-'))).toBe(true)
    expect(await readdir(folder)).toEqual(['out'])
  })
})

describe('validating', () => {
  it('warns of what users would miss, and says what would be published', async () => {
    const folder = await write(await tempFolder(), {
      'package.json': JSON.stringify({
        name: 'example',
        version: '1.0.0',
        dependencies: { near: 'workspace:^', far: '^1.0.0' }
      })
    })
    const { release, warnings } = await validatePackage(folder)
    expect(release).toMatchObject({
      name: 'example',
      version: '1.0.0',
      fileCount: 1,
      category: 'uncategorized'
    })
    expect(release).not.toHaveProperty('license')
    expect(warnings.map(({ field }) => field)).toEqual(['license', 'description', 'category', 'dependencies'])
  })

  it('takes a tarball, too', async () => {
    const folder = await write(await tempFolder(), {
      'registry.toml': `${REGISTRY_TOML}license = "MIT"\ndescription = "d"\ncategory = "c"\n`
    })
    const { path, release } = await packPackage(folder, { tmpDir: await tempFolder() })
    expect(await validatePackage(path)).toEqual({ release, warnings: [] })
    await expect(validatePackage(path, { version: '2.0.0' })).rejects.toMatchObject({
      code: 'ERR_INVALID_VALUE'
    })
  })
})

describe('the laws', () => {
  const part = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
    .filter((text) => !text.includes('\0') && !text.endsWith('/'))
  const files = fc.array(
    fc.record({
      path: fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/')),
      executable: fc.boolean(),
      bytes: fc.uint8Array({ maxLength: 2000 })
    }),
    { maxLength: 8 }
  )

  it('of tar: what was written is read, whatever the names and sizes', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (written) => {
        const sources = written.map(({ path, executable, bytes }) => ({
          path,
          executable,
          size: bytes.length,
          async *content() {
            yield bytes
          }
        }))
        const read: typeof written = []
        for await (const { path, executable, content } of readTar(writeTar(sources))) {
          read.push({
            path,
            executable,
            bytes: new Uint8Array(Buffer.concat(await Array.fromAsync(content)))
          })
        }
        expect(read).toEqual(written)
      }),
      { numRuns: 100 }
    )
  })

  it('of gzip: it unpacks to what went in, and does not depend on how that was cut', async () => {
    const collect = async (chunks: readonly Uint8Array[]): Promise<Buffer> =>
      Buffer.concat(
        await Array.fromAsync(
          gzip(
            (async function* () {
              yield* chunks
            })()
          )
        )
      )
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 100_000 }),
        fc.integer({ min: 1, max: 70_000 }),
        async (bytes, size) => {
          const pieces: Uint8Array[] = []
          for (let offset = 0; offset < bytes.length; offset += size)
            pieces.push(bytes.subarray(offset, offset + size))
          const whole = await collect([bytes])
          expect(Buffer.compare(await collect(pieces), whole)).toBe(0)
          expect(Buffer.compare(gunzipSync(whole), bytes)).toBe(0)
        }
      ),
      { numRuns: 30 }
    )
  })
})
