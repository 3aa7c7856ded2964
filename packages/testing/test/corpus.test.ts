import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { corpusOrSkip, corpusPath, makeRelease, readCorpusPacks, readCorpusReleases } from '../src/index.ts'

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'registry-testing-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

async function opamFile(...releases: unknown[]): Promise<string> {
  const path = join(await folder(), 'opam.jsonl.gz')
  await writeFile(path, gzipSync(releases.map((release) => `${JSON.stringify(release)}\n`).join('')))
  return path
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('corpusPath', () => {
  it('says where a part is, and nothing where it is absent', async () => {
    const dir = await folder()
    vi.stubEnv('REGISTRY_CORPUS_DIR', dir)
    expect(corpusPath('ggen')).toBeUndefined()
    await mkdir(join(dir, 'ggen/packs'), { recursive: true })
    expect(corpusPath('ggen')).toBe(join(dir, 'ggen/packs'))
    expect(corpusPath('opam')).toBeUndefined()
  })

  it('skips a test with a note that says what to do', async () => {
    vi.stubEnv('REGISTRY_CORPUS_DIR', await folder())
    const notes: string[] = []
    const skip = (note: string): never => {
      notes.push(note)
      throw new Error('skipped')
    }
    expect(() => corpusOrSkip('opam', skip)).toThrow('skipped')
    expect(notes).toEqual(['the opam corpus is absent; set REGISTRY_CORPUS_DIR to where opam.jsonl.gz is'])
  })
})

describe('readCorpusReleases', () => {
  it.each([
    ['1.2.3', '1.2.3'],
    ['26.8.18+dfcm.1', '26.8.18+dfcm.1'],
    ['2.16', '2.16.0+2.16'],
    ['v0.16.0', '0.16.0+v0.16.0'],
    ['1.0~beta+2', '1.0.0+1.0-beta-2'],
    ['base', '0.0.0+base'],
    ['20150820', '20150820.0.0+20150820']
  ])('reads the version %s as %s', async (opam, version) => {
    const [release] = await readCorpusReleases(await opamFile({ name: 'a', version: opam }))
    expect(release?.version).toBe(version)
  })

  it.each([
    ['ANSITerminal', 'ansiterminal'],
    ['conf-g++', 'conf-g-plus-plus'],
    ['http', 'opam-http'],
    ['0install', '0install']
  ])('reads the name %s as %s', async (opam, name) => {
    const [release] = await readCorpusReleases(
      await opamFile({ name: opam, version: '1.0.0', depends: [opam] })
    )
    expect(release?.name).toBe(name)
    expect(release?.dependencies).toEqual({ [name]: '*' })
  })

  it('cuts what is too long, never through a character', async () => {
    const description = `${'x'.repeat(16_383)}😀`
    const [release] = await readCorpusReleases(await opamFile({ name: 'a', version: '1.0.0', description }))
    expect(release?.description).toBe('x'.repeat(16_383))
  })

  it('reads every release of the real repository as one that can be signed, each once', {
    timeout: 60_000
  }, async ({ skip }) => {
    const releases = await readCorpusReleases(corpusOrSkip('opam', skip))
    expect(releases).toHaveLength(18_793)
    for (const release of releases) makeRelease(release)
    expect(new Set(releases.map(({ name }) => name)).size).toBe(4596)
    expect(new Set(releases.map(({ name, version }) => `${name}@${version}`)).size).toBe(18_793)
  })
})

describe('readCorpusPacks', () => {
  it('lists the folders of a path by name', async () => {
    const path = await folder()
    await mkdir(join(path, 'b-pack'))
    await mkdir(join(path, 'a-pack'))
    await writeFile(join(path, 'README.md'), '')
    expect(await readCorpusPacks(path)).toEqual([
      { name: 'a-pack', path: join(path, 'a-pack') },
      { name: 'b-pack', path: join(path, 'b-pack') }
    ])
  })

  it('finds the packs of the real marketplace', async ({ skip }) => {
    const packs = await readCorpusPacks(corpusOrSkip('ggen', skip))
    expect(packs).toHaveLength(143)
    expect(packs.filter(({ path }) => !existsSync(join(path, 'pack.toml')))).toEqual([])
  })
})
