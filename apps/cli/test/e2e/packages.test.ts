import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkplace, type Workplace } from './registry.ts'

let place: Workplace
let inFolder: (path: string) => string

beforeAll(async () => {
  place = await openWorkplace()
  inFolder = (path) => join(place.folder, path)
  await place.startPeer('peer', '--set', 'limits.maxPackageBytes=100000')
}, 60_000)
afterAll(() => place[Symbol.asyncDispose]())

const AT = ['--data-dir', 'peer']

async function folderOf(name: string, version: string, more: Record<string, unknown> = {}): Promise<string> {
  await mkdir(inFolder(name), { recursive: true })
  const manifest = { name, version, description: `the ${name}`, license: 'MIT', ...more }
  await writeFile(inFolder(`${name}/package.json`), JSON.stringify(manifest))
  return name
}

describe('making a package', { timeout: 60_000 }, () => {
  it('begins with init, whose manifest validates, and is never written over', async () => {
    const options = ['--category', 'web', '--tag', 'css', '--description', 'says "hi"']
    expect(await place.json('init', 'My Kit', ...options)).toEqual([
      { path: inFolder('My Kit/registry.toml'), name: 'my-kit', version: '0.1.0' }
    ])
    const [valid] = await place.json('validate', 'My Kit')
    expect(valid).toMatchObject({
      valid: true,
      release: { name: 'my-kit', version: '0.1.0', category: 'web', tags: ['css'], description: 'says "hi"' },
      warnings: [{ field: 'license' }]
    })
    expect(await place.refusal('init', 'My Kit')).toMatchObject({ exit: 1, code: 'ERR_FILE_EXISTS' })
    expect(await place.refusal('init', 'other', '--name', 'No Name')).toMatchObject({
      code: 'ERR_INVALID_NAME'
    })
    expect(await readdir(place.folder)).not.toContain('other')
  })

  it('is refused by validate for what publish would refuse', async () => {
    expect(await place.refusal('validate', await folderOf('bad-version', 'one'))).toMatchObject({
      exit: 1,
      code: 'ERR_INVALID_VERSION'
    })
    expect(await place.refusal('validate', 'nowhere')).toMatchObject({
      exit: 1,
      code: 'ERR_SOURCE_UNREADABLE'
    })
  })
})

describe('publishing and getting', { timeout: 120_000 }, () => {
  it('goes from a folder to a verified tarball, and back to a folder', async () => {
    const path = await folderOf('@team/kit', '1.0.0')
    await writeFile(inFolder('@team/kit/hello.txt'), 'hello')
    const [receipt] = await place.json('publish', path, ...AT)
    expect(Object.keys(receipt ?? {})).toEqual(['owner', 'name', 'version', 'id', 'cid', 'integrity'])
    const [newer] = await place.json('publish', path, '--version', '1.1.0', ...AT)
    expect(newer).toMatchObject({ owner: receipt?.owner, version: '1.1.0' })

    const { owner, cid, integrity } = receipt ?? {}
    const path1 = inFolder('team-kit-1.0.0.tgz')
    expect(await place.json('get', '@team/kit@1.0.0', ...AT)).toEqual([
      {
        ...{ owner, name: '@team/kit', version: '1.0.0', cid, integrity, path: path1 },
        completeness: expect.objectContaining({ state: 'alone' })
      }
    ])
    // The very same file is no reason to fail; another one is.
    await place.json('get', '@team/kit@1.0.0', ...AT)
    expect(await place.refusal('get', '@team/kit', '--out', 'team-kit-1.0.0.tgz', ...AT)).toMatchObject({
      exit: 1,
      code: 'ERR_FILE_EXISTS'
    })
    const [forced] = await place.json('get', '@team/kit', '--out', 'team-kit-1.0.0.tgz', '--force', ...AT)
    expect(forced).toMatchObject({ version: '1.1.0' })

    const [unpacked] = await place.json('get', `@${owner}/@team/kit@^1.0`, '--extract', 'unpacked', ...AT)
    expect(unpacked).toMatchObject({ version: '1.1.0', path: inFolder('unpacked') })
    expect(await readFile(inFolder('unpacked/hello.txt'), 'utf8')).toBe('hello')
    expect(await place.refusal('get', '@team/kit', '--extract', 'unpacked', ...AT)).toMatchObject({
      code: 'ERR_TARGET_NOT_EMPTY'
    })
    expect((await readdir(place.folder)).filter((file) => file.endsWith('.part'))).toEqual([])
    expect(await readdir(inFolder('peer/uploads'))).toEqual([])
  })

  it('publishes a tarball as it is', async () => {
    const [first] = await place.json('publish', await folderOf('again', '1.0.0'), ...AT)
    await place.json('get', 'again', '--out', 'again.tgz', ...AT)
    expect(await place.refusal('publish', 'again.tgz', ...AT)).toMatchObject({ code: 'ERR_VERSION_EXISTS' })
    expect(await place.refusal('publish', 'again.tgz', '--version', '2.0.0', ...AT)).toMatchObject({
      exit: 2
    })
    const other = await openWorkplace()
    try {
      await other.startPeer('peer')
      const [second] = await other.json('publish', inFolder('again.tgz'), ...AT)
      expect(second).toMatchObject({ cid: first?.cid, integrity: first?.integrity })
    } finally {
      await other[Symbol.asyncDispose]()
    }
  })

  it('goes on after a path that fails, tells which, and ends with the code of the first', async () => {
    const paths = [
      await folderOf('many-a', '1.0.0'),
      'nowhere',
      await folderOf('many-b', '1.0.0'),
      await folderOf('many-a', '1.0.0')
    ]
    const { code, stdout, stderr } = await place.run('publish', ...paths, ...AT, '--json')
    const names = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).name)
    const faults = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect([code, names]).toEqual([1, ['many-a', 'many-b']])
    expect(faults).toEqual([
      expect.objectContaining({ code: 'ERR_SOURCE_UNREADABLE', for: 'nowhere' }),
      expect.objectContaining({ code: 'ERR_VERSION_EXISTS', for: 'many-a' })
    ])
  })

  it('tells when the peer takes no package so large', async () => {
    const path = await folderOf('large', '1.0.0')
    await writeFile(inFolder('large/noise.bin'), crypto.getRandomValues(new Uint8Array(65_536)))
    await writeFile(inFolder('large/more.bin'), crypto.getRandomValues(new Uint8Array(65_536)))
    expect(await place.refusal('publish', path, ...AT)).toMatchObject({ exit: 1, code: 'ERR_TOO_LARGE' })
  })
})

describe('looking for packages', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    const description = 'paints \u001b[31mred\u202e'
    const web = await folderOf('painter', '2.0.0', {
      description,
      keywords: ['web'],
      dependencies: { kit: '^1.0.0' }
    })
    await place.json('publish', web, ...AT)
    await place.json('publish', await folderOf('runner', '1.0.0'), ...AT)
  }, 60_000)

  it('searches by words, with the fields that scripts rely on', async () => {
    const [answer] = await place.json('search', 'painter', ...AT)
    expect(answer).toEqual({
      total: 1,
      completeness: { state: 'alone', comparedAtMs: null, agreeing: 0, compared: 0, askedHolders: 0 },
      results: [
        {
          owner: expect.stringMatching(/^bafyrei/),
          name: 'painter',
          version: '2.0.0',
          description: expect.any(String),
          score: expect.any(Number),
          peerCount: 1
        }
      ]
    })
    const [none] = await place.json('search', 'nothing-like-it', ...AT)
    expect(none).toMatchObject({ results: [], total: 0 })
    const [limited] = await place.json('search', '--limit', '1', ...AT)
    expect(limited?.results).toHaveLength(1)
    const [untagged] = await place.json('search', '--tags', 'none', ...AT)
    expect(untagged).toMatchObject({ results: [] })
  })

  it('shows the words of others without what would steer a terminal', async () => {
    const { stdout } = await place.run('search', 'painter', ...AT)
    expect(stdout).toMatch(/painter +2\.0\.0 .*paints \[31mred/)
    expect((await place.run('show', 'painter', ...AT)).stdout).toMatch(/Description +paints \[31mred\n/)
    for (const control of ['\u001b', '\u202e']) expect(stdout).not.toContain(control)
  })

  it('shows one, its versions, and all in pages', async () => {
    const [shown] = await place.json('show', 'painter@^2', ...AT)
    expect(shown).toMatchObject({ id: 'painter@2.0.0', dependencies: { kit: '^1.0.0' }, license: 'MIT' })
    const [versions] = await place.json('versions', 'painter', ...AT)
    expect(versions?.versions).toMatchObject([{ version: '2.0.0', cid: shown?.cid }])

    const names: string[] = []
    let after: string[] = []
    for (let pages = 0; pages < 20; pages++) {
      const [page] = await place.json('list', '--limit', '2', ...after, ...AT)
      const packages: Array<{ name: string }> = page?.packages ?? []
      names.push(...packages.map(({ name }) => name))
      if (page?.next === undefined) break
      after = ['--after', page.next]
    }
    expect(names).toEqual([...new Set(names)].sort())
    expect(names).toEqual(expect.arrayContaining(['painter', 'runner']))
  })

  it('finds by filters in the text, in pages, and takes a score apart', async () => {
    const search = ['search', 'category:uncategorized', 'license:MIT', '--limit', '1', ...AT]
    const filtered = await place.run(...search)
    expect(filtered.stdout).toMatch(/\n\d+ packages in all\. Not known to be complete/)
    const cursor = /More: the same with --after (\S+)/.exec(filtered.stdout)?.[1] ?? ''
    const [next] = await place.json(...search, '--after', cursor)
    expect(next?.results).toHaveLength(1)
    expect(await place.refusal('search', 'else', '--after', cursor, ...AT)).toMatchObject({
      code: 'ERR_INVALID_CURSOR'
    })
    const { stdout } = await place.run('search', 'paintr', '--explain', '--facets', ...AT)
    expect(stdout).toMatch(/painter +2\.0\.0/)
    expect(stdout).toMatch(/paintr: painter in the name \(typo\) +idf/)
    expect(stdout).toMatch(/× [\d.]+ +quality +dependents/)
    expect(stdout).toMatch(/license +MIT 1/)
  })

  it('says what may be meant by what is not there', async () => {
    expect(await place.refusal('get', 'painter@9', ...AT)).toMatchObject({
      exit: 3,
      message: 'painter@9 is not known to this peer; there is 2.0.0',
      details: { versions: ['2.0.0'] }
    })
    expect(await place.refusal('show', 'paintr', ...AT)).toMatchObject({
      exit: 3,
      hint: 'Did you mean painter? Else: registry sync'
    })
  })

  it.each([['get'], ['show'], ['versions']])('%s of what nobody published ends with 3', async (verb) => {
    expect(await place.refusal(verb, 'never-published', ...AT)).toMatchObject({
      exit: 3,
      code: 'ERR_NOT_FOUND'
    })
  })

  it('says what is no name of a package', async () => {
    expect(await place.refusal('get', 'Not A Name', ...AT)).toMatchObject({
      exit: 1,
      code: 'ERR_INVALID_REFERENCE'
    })
  })

  it('says as whom the peer publishes', async () => {
    const [shown] = await place.json('show', 'painter', ...AT)
    expect(await place.json('owner', ...AT)).toEqual([{ owner: shown?.owner, scope: `@${shown?.owner}` }])
  })
})
