import { describe, expect, it } from 'vitest'
import { type InvalidManifestError, inspectTarball } from '../../src/index.ts'
import {
  isManifestFile,
  MANIFEST_FILES,
  type ManifestFile,
  parseManifest
} from '../../src/packing/manifest.ts'
import type { ManifestFields } from '../../src/packing/manifest-format.ts'
import { tarball } from './tarballs.ts'

function parse(file: ManifestFile, text: string | object): ManifestFields {
  return parseManifest(file, Buffer.from(typeof text === 'string' ? text : JSON.stringify(text)))
}

function faultsOf(file: ManifestFile, text: string | object): InvalidManifestError['faults'] {
  try {
    parse(file, text)
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_INVALID_MANIFEST' })
    return (error as InvalidManifestError).faults
  }
  throw new Error('it was taken')
}

const BARE = {
  description: '',
  category: 'uncategorized',
  tags: [],
  keywords: [],
  authors: [],
  dependencies: {},
  platforms: [],
  features: {}
}

describe('a registry.toml', () => {
  it('says all there is to say', () => {
    const text = `
[package]
name = "@scope/web-kit"
version = "1.2.3-rc.1+build.5"
description = """
A kit
for the web
"""
category = "web"
tags = ["rust", "web", "rust", " "]
keywords = ["kit"]
license = "MIT OR Apache-2.0"
authors = ["Ada <ada@example.org>", "Bob"]
repository = "https://example.org/repo"
homepage = "https://example.org"
platforms = ["linux", "darwin"]
runtime = "node >=22"

[dependencies]
other = "^1.0.0"
"@scope/more" = "1.x"
"@bafyreid7qoywk77r7rj3slobqfekdvs57qwuwh5d2z3sqsw52iabe3mqne/theirs" = "*"

[features]
fast = "uses a native part"
`
    expect(parse('registry.toml', text)).toEqual({
      name: '@scope/web-kit',
      version: '1.2.3-rc.1+build.5',
      description: 'A kit\nfor the web',
      category: 'web',
      tags: ['rust', 'web'],
      keywords: ['kit'],
      license: 'MIT OR Apache-2.0',
      authors: ['Ada <ada@example.org>', 'Bob'],
      repository: 'https://example.org/repo',
      homepage: 'https://example.org',
      platforms: ['linux', 'darwin'],
      runtimeVersion: 'node >=22',
      dependencies: {
        other: '^1.0.0',
        '@scope/more': '1.x',
        '@bafyreid7qoywk77r7rj3slobqfekdvs57qwuwh5d2z3sqsw52iabe3mqne/theirs': '*'
      },
      features: { fast: 'uses a native part' }
    })
  })

  it('needs no more than a name and a version, and then claims no license', () => {
    const fields = parse('registry.toml', '[package]\nname = "a"\nversion = "0.0.1"\n')
    expect(fields).toEqual({ name: 'a', version: '0.0.1', ...BARE })
    expect(fields).not.toHaveProperty('license')
  })

  it('has all its faults reported at once, each with its place', () => {
    const text = `
licence = "MIT"
[package]
version = 1
name = "Bad Name"
licence = "MIT"
description = 5
tags = "rust"
authors = ["Ada", 7]
[dependencies]
Upper = "^1"
good = "not a range"
number = 1
"with@range" = "1"
[features]
list = ["a"]
`
    expect(
      faultsOf('registry.toml', text)
        .map(({ path }) => path)
        .sort()
    ).toEqual([
      'dependencies.Upper',
      'dependencies.good',
      'dependencies.number',
      'dependencies.with@range',
      'features.list',
      'licence',
      'package.authors[1]',
      'package.description',
      'package.licence',
      'package.name',
      'package.tags',
      'package.version'
    ])
  })

  it('is at least TOML with a table for the package', () => {
    expect(faultsOf('registry.toml', '[package\n')).toMatchObject([
      { path: '', reason: expect.stringContaining('line 1') }
    ])
    expect(faultsOf('registry.toml', '')).toEqual([
      { path: 'package.name', reason: 'is missing' },
      { path: 'package.version', reason: 'is missing' }
    ])
    expect(() => parseManifest('registry.toml', new Uint8Array([0xff]))).toThrow('UTF-8')
  })

  it('with many long texts must still fit into a record', () => {
    const authors = Array.from({ length: 60 }, (_, index) => `"${index}${'é'.repeat(120)}"`).join()
    const text = (version: string): string =>
      `[package]\nname = "a"\nversion = "${version}"\nauthors = [${authors}]\ntags = [${authors}]\nkeywords = [${authors}]\nplatforms = [${authors}]\ndescription = "${'d'.repeat(16_000)}"`
    expect(faultsOf('registry.toml', text('1.0.0'))).toMatchObject([
      { path: '', reason: expect.stringContaining('record') }
    ])
  })
})

describe('a name or version that is the only fault', () => {
  it.each(MANIFEST_FILES)('has an error of its own in %s', (file) => {
    const [table, nameKey] = {
      'registry.toml': ['package', 'name'],
      'gpack.toml': ['gpack', 'id'],
      'pack.toml': ['pack', 'name'],
      'package.toml': ['package', 'name'],
      'package.json': ['', 'name']
    }[file]
    const write = (name: string, version: string): string =>
      file === 'package.json'
        ? JSON.stringify({ name, version })
        : `[${table}]\n${nameKey} = "${name}"\nversion = "${version}"\n`
    const codeOf = (name: string, version: string): unknown => {
      try {
        return parse(file, write(name, version)).name
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(codeOf('Bad Name', '1.0.0')).toBe('ERR_INVALID_NAME')
    expect(codeOf('../up', '1.0.0')).toBe('ERR_INVALID_NAME')
    expect(codeOf('good', 'v1')).toBe('ERR_INVALID_VERSION')
    expect(codeOf('good', '1.0')).toBe('ERR_INVALID_VERSION')
    expect(codeOf('Bad Name', 'v1')).toBe('ERR_INVALID_MANIFEST')
    expect(codeOf('good', '1.0.0')).toBe('good')
  })
})

describe('a package.json', () => {
  it('names the first of more people and keywords than a release has room for', () => {
    const many = Array.from({ length: 100 }, (_, index) => `word-${index}`)
    const fields = parse('package.json', {
      name: 'crowded',
      version: '1.0.0',
      author: 'Ada',
      contributors: many,
      keywords: many
    })
    expect(fields.authors).toEqual(['Ada', ...many.slice(0, 63)])
    expect(fields.keywords).toEqual(many.slice(0, 64))
    expect(fields.tags).toEqual(many.slice(0, 64))
  })

  it('is read as npm reads it, with a table of our own for what npm has no field for', () => {
    const fields = parse('package.json', {
      name: 'example',
      version: '1.0.0',
      description: 'An example',
      keywords: ['a', 'b'],
      license: 'MIT',
      author: { name: 'Ada', email: 'ada@example.org', url: 'https://ada.example.org' },
      contributors: ['Bob', { name: 'Cleo' }],
      repository: { type: 'git', url: 'git+https://example.org/repo.git' },
      homepage: 'https://example.org',
      os: ['linux', '!win32'],
      engines: { node: '>=22' },
      dependencies: { x: '^1', y: '^2', constructor: '1' },
      optionalDependencies: { y: '^2' },
      devDependencies: { z: '^3' },
      registry: { category: 'web', features: { fast: 'yes' } }
    })
    expect({ ...fields, dependencies: { ...fields.dependencies } }).toEqual({
      name: 'example',
      version: '1.0.0',
      description: 'An example',
      category: 'web',
      tags: ['a', 'b'],
      keywords: ['a', 'b'],
      license: 'MIT',
      authors: ['Ada <ada@example.org> (https://ada.example.org)', 'Bob', 'Cleo'],
      repository: 'git+https://example.org/repo.git',
      homepage: 'https://example.org',
      platforms: ['linux', '!win32'],
      runtimeVersion: 'node >=22',
      dependencies: { x: '^1', constructor: '1' },
      features: { fast: 'yes' }
    })
  })

  it('may have what it says in our table instead of what npm says', () => {
    const registry = { tags: ['t'], platforms: ['arm'], runtime: 'deno 2' }
    const fields = parse('package.json', {
      name: 'a',
      version: '1.0.0',
      keywords: 'x, y z',
      os: ['linux'],
      registry
    })
    expect(fields).toMatchObject({
      tags: ['t'],
      keywords: ['x', 'y', 'z'],
      platforms: ['arm'],
      runtimeVersion: 'deno 2'
    })
  })

  it('may have the shapes of old, and fields that say nothing', () => {
    expect(
      parse('package.json', {
        name: 'a',
        version: '1.0.0',
        licenses: [{ type: 'MIT' }, { type: 'BSD-3-Clause' }],
        author: '',
        repository: null,
        homepage: ' '
      })
    ).toEqual({ name: 'a', version: '1.0.0', license: 'MIT OR BSD-3-Clause', ...BARE })
  })

  it('that is private is not published', () => {
    expect(faultsOf('package.json', { name: 'a', version: '1.0.0', private: true })).toMatchObject([
      { path: 'private' }
    ])
  })

  it('has the faults of its fields reported at their place', () => {
    const faults = faultsOf('package.json', {
      name: 'a',
      version: '1.0.0',
      description: {},
      keywords: [1],
      author: 5,
      contributors: 'Bob',
      dependencies: { x: 1 },
      registry: { category: ['web'] }
    })
    expect(faults.map(({ path }) => path).sort()).toEqual([
      'author',
      'dependencies.x',
      'description',
      'keywords[0]',
      'registry.category'
    ])
    expect(faultsOf('package.json', '[]')).toEqual([{ path: '', reason: 'holds no table' }])
    expect(faultsOf('package.json', '{')).toMatchObject([{ path: '' }])
  })
})

describe('a manifest of ggen', () => {
  it('may keep its fields in any of its tables, as lists, texts and tables', () => {
    const text = `
[package]
name = "web-kit"
full_name = "The web kit"
version = "26.8.18+dfcm.1"
description = "A kit"
category = "web"
author = "Ada <ada@example.org>"
license = "MIT"
dependencies = ["one", "two@^2.0.0", "@scope/three@1"]
production = true
maturity = 90
released = 2026-08-18

[package.tags]
tags = ["rust", "web"]

[package.keywords]
keywords = ["kit"]

[package.features]
features = ["Fast", "Small"]
`
    expect(parse('package.toml', text)).toEqual({
      name: 'web-kit',
      version: '26.8.18+dfcm.1',
      description: 'A kit',
      category: 'web',
      tags: ['rust', 'web'],
      keywords: ['kit'],
      license: 'MIT',
      authors: ['Ada <ada@example.org>'],
      dependencies: { one: '*', two: '^2.0.0', '@scope/three': '1' },
      platforms: [],
      features: { Fast: '', Small: '' }
    })
  })

  it('may keep them in its metadata and at the top of the file', () => {
    const text = `
keywords = ["top"]
[pack]
name = "web-kit"
version = "1.0.0"
[pack.metadata]
tags = ["meta"]
authors = [{ name = "Ada", email = "ada@example.org" }, "Bob"]
[dependencies]
one = "^1"
two = { version = "^2", optional = true }
three = { path = "../three" }
four = true
[features]
default = ["one", "two"]
all = "everything"
`
    const fields = parse('pack.toml', text)
    expect(fields).toMatchObject({
      keywords: ['top'],
      tags: ['meta'],
      authors: ['Ada <ada@example.org>', 'Bob']
    })
    expect(fields.dependencies).toEqual({ one: '^1', two: '^2', three: '*', four: '*' })
    expect(fields.features).toEqual({ default: 'one, two', all: 'everything' })
  })

  it('may list its dependencies as tables, and its categories as a list', () => {
    const text =
      '[pack]\nname="a"\nversion="1.0.0"\ncategories=["web","x"]\n[[dependencies]]\nname="b"\nversion="1"\n[[dependencies]]\nid="c"\n'
    expect(parse('pack.toml', text)).toMatchObject({ category: 'web', dependencies: { b: '1', c: '*' } })
  })

  it('called gpack.toml names the package by its id; its name is a title', () => {
    const gpack =
      '[gpack]\nid = "io.ggen.rust"\nname = "Rust, with ggen"\nversion = "1.0.0"\nggen_compat = ">=0.1 <0.2"\n'
    expect(parse('gpack.toml', gpack)).toMatchObject({
      name: 'io.ggen.rust',
      runtimeVersion: 'ggen >=0.1 <0.2'
    })
    expect(parse('gpack.toml', '[gpack]\nname = "plain"\nversion = "1.0.0"\n')).toMatchObject({
      name: 'plain'
    })
  })

  it('may have the table of another one, or none', () => {
    expect(parse('package.toml', '[pack]\nname = "a"\nversion = "1.0.0"\n')).toMatchObject({ name: 'a' })
    expect(parse('pack.toml', '[package]\nname = "a"\nversion = "1.0.0"\n')).toMatchObject({ name: 'a' })
    expect(parse('gpack.toml', 'name = "a"\nversion = "1.0.0"\n')).toMatchObject({ name: 'a' })
  })

  it('has its faults reported at their place', () => {
    const text =
      '[pack]\nname = "a"\nversion = "1.0.0"\nlicense = ["MIT"]\n[pack.metadata]\ntags = [1]\n[dependencies]\nb = 1\n'
    expect(
      faultsOf('pack.toml', text)
        .map(({ path }) => path)
        .sort()
    ).toEqual(['dependencies.b', 'pack.license', 'pack.metadata.tags[0]'])
  })
})

describe('several manifests in one package', () => {
  it('count in their order', async () => {
    const content: Record<ManifestFile, string> = {
      'registry.toml': '[package]\nname = "a"\nversion = "1.0.0"\n',
      'package.json': '{"name":"b","version":"1.0.0"}',
      'gpack.toml': '[gpack]\nid = "c"\nversion = "1.0.0"\n',
      'pack.toml': '[pack]\nname = "d"\nversion = "1.0.0"\n',
      'package.toml': '[package]\nname = "e"\nversion = "1.0.0"\n'
    }
    const names: string[] = []
    for (const first of MANIFEST_FILES) {
      const files = MANIFEST_FILES.slice(MANIFEST_FILES.indexOf(first)).reverse()
      const release = await inspectTarball([
        tarball(...files.map((file) => ({ path: `package/${file}`, content: content[file] })))
      ])
      expect(release.manifest.file).toBe(first)
      names.push(release.name)
    }
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(isManifestFile('Cargo.toml')).toBe(false)
  })
})
