import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkplace, type Workplace } from './registry.ts'

const A = ['--data-dir', 'a']
const B = ['--data-dir', 'b']

let place: Workplace

async function publish(name: string, version: string, at: readonly string[]): Promise<void> {
  await mkdir(join(place.folder, name), { recursive: true })
  await writeFile(
    join(place.folder, name, 'registry.toml'),
    `[package]\nname = "${name}"\nversion = "${version}"\n`
  )
  await place.json('publish', name, ...at)
}

/** Until both have the same catalogue. */
async function settle(): Promise<void> {
  await place.json('sync', ...B)
}

beforeAll(async () => {
  place = await openWorkplace()
  const { addresses } = await place.startPeer('a')
  await place.startPeer('b')
  await place.json('bootstrap', ...addresses, ...B)
  for (const version of ['0.1.0', '0.2.0', '1.0.0']) await publish('kit', version, A)
  await publish('other', '1.0.0', B)
  await settle()
}, 90_000)
afterAll(() => place[Symbol.asyncDispose]())

describe('what an owner says', { timeout: 120_000 }, () => {
  it('is seen by every peer: tags, deprecations, yanks and what was unpublished', async () => {
    const [tagged] = await place.json('tag', 'kit', 'old', '0.1.0', ...A)
    expect(tagged).toMatchObject({
      name: 'kit',
      versions: ['0.1.0'],
      ids: [expect.stringMatching(/^bafyrei/)]
    })
    expect((await place.run('deprecate', 'kit@0', 'use', '1.0', ...A)).stdout).toBe(
      'Deprecated kit@0.2.0\nDeprecated kit@0.1.0\n'
    )
    expect((await place.run('undeprecate', 'kit@0.2.0', ...A)).stdout).toBe(
      'No longer deprecated kit@0.2.0\n'
    )
    expect((await place.run('deprecate', 'kit@0.2.0', '--undo', ...A)).stdout).toContain('Nothing changed')
    expect((await place.run('yank', 'kit@1.0.0', 'breaks', ...A)).stdout).toBe('Yanked kit@1.0.0\n')
    await writeFile(join(place.folder, 'README.md'), '# Kit\n')
    await place.json('readme', 'kit', 'README.md', ...A)
    await place.json('attest', 'kit@0.2.0', '--claim', 'review', '--text', 'read it', ...B)
    await settle()

    for (const at of [A, B]) {
      const [shown] = await place.json('show', 'kit', ...at)
      expect(shown).toMatchObject({
        version: '0.2.0',
        distTags: { old: '0.1.0', latest: '0.2.0' },
        versions: [
          { version: '1.0.0', yanked: 'breaks' },
          { version: '0.2.0' },
          { version: '0.1.0', deprecated: 'use 1.0' }
        ],
        readme: { cid: expect.stringMatching(/^bafkrei/), size: 6 },
        attestations: [{ attestation: { claim: 'review', versions: '0.2.0', text: 'read it' } }]
      })
    }
    expect((await place.run('readme', 'kit', ...B)).stdout).toBe('# Kit\n')
    const { stdout } = await place.run('show', 'kit', ...B)
    expect(stdout).toMatch(
      /1\.0\.0 .* yanked: breaks\n0\.2\.0 .* latest\n0\.1\.0 .* old, deprecated: use 1\.0\n/
    )
    expect(stdout).toMatch(/review +0\.2\.0 .* read it\n/)
    expect((await place.run('tag', 'list', 'kit', ...B)).stdout).toMatch(/latest +0\.2\.0\nold +0\.1\.0\n/)
    expect((await place.run('versions', 'kit', ...B)).stdout).toMatch(/1\.0\.0 .* yanked: breaks\n/)

    const { stderr } = await place.run('get', 'kit@old', '--out', 'old.tgz', ...B)
    expect(stderr).toMatch(/^Warning: it is deprecated\. use 1\.0\nComplete/)
    const [exact] = await place.json('get', 'kit@1.0.0', '--out', 'exact.tgz', ...B)
    expect(exact).toMatchObject({ yanked: 'breaks' })
    const locked = ['get', 'kit@^1', '--integrity', String(exact?.integrity), '--out', 'exact.tgz']
    expect(await place.json(...locked, ...B)).toHaveLength(1)
    expect(await place.refusal('get', 'kit@^1', ...B)).toMatchObject({
      exit: 3,
      message: expect.stringContaining('1.0.0 (yanked)')
    })

    await place.json('unyank', 'kit@1.0.0', ...A)
    await place.json('tag', 'rm', 'kit', 'old', ...A)
    await place.json('unpublish', 'kit@0.1.0', '--reason', 'a secret', '--yes', ...A)
    await settle()
    const [after] = await place.json('show', 'kit', ...B)
    expect(after).toMatchObject({ version: '1.0.0', unpublished: ['0.1.0'], distTags: { latest: '1.0.0' } })
    expect(await place.refusal('get', 'kit@0.1.0', ...B)).toMatchObject({ exit: 3 })

    await place.json('yank', 'kit@*', 'all bad', ...A)
    await settle()
    expect((await place.run('search', 'kit', ...B)).stdout).toMatch(/kit +1\.0\.0 \(yanked\) /)
    const [found] = await place.json('search', 'kit', ...B)
    expect(found).toMatchObject({ results: [{ name: 'kit', version: '1.0.0', yanked: 'all bad' }] })
    await place.json('unyank', 'kit@*', ...A)
    await settle()
  })

  it('is for its own packages only, and unpublishing is never by mistake', async () => {
    expect(await place.refusal('yank', 'other@1.0.0', ...A)).toMatchObject({
      exit: 1,
      code: 'ERR_NOT_OWNER',
      hint: expect.stringContaining('registry attest')
    })
    expect(await place.refusal('tag', 'kit', 'beta', '7.0.0', ...A)).toMatchObject({
      exit: 3,
      details: { versions: expect.arrayContaining(['1.0.0']) }
    })
    expect(await place.refusal('unpublish', 'kit@1.0.0', ...A)).toMatchObject({ exit: 2, code: 'ERR_USAGE' })
    expect(await place.json('show', 'kit@1.0.0', ...A)).toHaveLength(1)
  })

  it('is heard by those who subscribe, from the very start if they like', async () => {
    const { stdout } = await place.run(
      'subscribe',
      '--package',
      'kit',
      '--from',
      'start',
      '--count',
      '5',
      ...B
    )
    expect(stdout).toMatch(/ {2}new (package|version) {2}kit@/)
    expect(stdout).toMatch(/ {2}(attested|changed|deprecated|unpublished) {2}kit@/)
  })
})

describe('what a peer is complete against', { timeout: 60_000 }, () => {
  it('is told by status, by peers and by a search', async () => {
    await settle()
    const [status] = await place.json('status', ...B)
    expect(status).toMatchObject({
      completeness: { state: 'agreed', agreeing: 1, compared: 1 },
      syncing: [],
      peers: [{ inSync: true, comparedAtMs: expect.any(Number) }]
    })
    const { stdout } = await place.run('status', ...B)
    expect(stdout).toMatch(/Complete: the catalogue is equal to that of 1 peer/)
    expect(stdout).toMatch(/Agreement +12D3Koo\w+: equal when last compared/)
    expect((await place.run('peers', 'list', ...B)).stdout).toMatch(/IN SYNC +COMPARED\n.* yes +\d+ s ago/)
    expect((await place.run('search', 'kit', ...B)).stdout).toMatch(/packages? in all\. Complete: /)
    const watched = await place.run('sync', '--watch', ...B)
    expect(watched.stdout).toMatch(/Received 0 records\.\n$/)
  })
})

describe('a catalogue in a file', { timeout: 120_000 }, () => {
  it('begins a peer without a network, and is checked without a peer', async () => {
    const path = join(place.folder, 'catalogue.car')
    const [written] = await place.json('catalogue', 'export', 'catalogue.car', ...A)
    expect(written).toMatchObject({ path, bytes: (await stat(path)).size })
    expect(await place.refusal('catalogue', 'export', 'catalogue.car', ...A)).toMatchObject({
      code: 'ERR_FILE_EXISTS'
    })
    await place.json('catalogue', 'export', 'again.car', ...B)
    expect((await readFile(join(place.folder, 'again.car'))).equals(await readFile(path))).toBe(true)

    const [checked] = await place.json('catalogue', 'verify', 'catalogue.car')
    expect(checked).toMatchObject({ valid: true, records: written?.records, kinds: { owner: 2 } })
    expect((await place.run('catalogue', 'verify', 'catalogue.car')).stdout).toContain(
      'every signature holds'
    )

    await place.startPeer('c')
    const [taken] = await place.json('catalogue', 'import', 'catalogue.car', '--data-dir', 'c')
    expect(taken).toMatchObject({ accepted: written?.records, refused: 0 })
    const [shown] = await place.json('show', 'kit', '--data-dir', 'c')
    expect(shown).toMatchObject({ version: '1.0.0', unpublished: ['0.1.0'] })
    expect(await place.json('catalogue', 'export', 'c.car', '--data-dir', 'c')).toHaveLength(1)
    expect((await readFile(join(place.folder, 'c.car'))).equals(await readFile(path))).toBe(true)
  })

  it('that was cut off gives what is whole, and says so', async () => {
    const bytes = await readFile(join(place.folder, 'catalogue.car'))
    await writeFile(join(place.folder, 'cut.car'), bytes.subarray(0, bytes.length - 100))
    expect(await place.refusal('catalogue', 'verify', 'cut.car')).toMatchObject({
      exit: 1,
      code: 'ERR_INVALID_CATALOGUE_FILE'
    })
    const { code, stderr } = await place.run('catalogue', 'import', 'cut.car', ...A)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^Records: 0 new, \d+ known before\.\n.*cut\.car.*at byte \d+.*\nHint: What is whole/
    )
  })
})
