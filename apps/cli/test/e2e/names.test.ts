import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkplace, type Workplace } from './registry.ts'

const A = ['--data-dir', 'a']
const B = ['--data-dir', 'b']

let place: Workplace
let [ada, bob] = ['', '']

beforeAll(async () => {
  place = await openWorkplace()
  await mkdir(join(place.folder, 'a'), { mode: 0o700 })
  // Nobody answers there: no test asks the DNS of the world.
  await writeFile(join(place.folder, 'a', 'config.toml'), '[names]\ndnsServers = ["127.0.0.1:9"]\n')
  const { addresses } = await place.startPeer('a')
  await place.startPeer('b')
  await place.json('bootstrap', ...addresses, ...B)
  for (const at of [A, B]) {
    const folder = join(place.folder, `kit${at[1]}`)
    await mkdir(folder)
    await writeFile(join(folder, 'registry.toml'), '[package]\nname = "kit"\nversion = "1.0.0"\n')
    await place.json('publish', folder, ...at)
  }
  await place.json('sync', ...B)
  ada = String((await place.json('owner', ...A))[0]?.owner)
  bob = String((await place.json('owner', ...B))[0]?.owner)
}, 90_000)
afterAll(() => place[Symbol.asyncDispose]())

async function ownerOf(name: string, at: readonly string[]): Promise<unknown> {
  return (await place.json('show', name, ...at))[0]?.owner
}

describe('a name that two owners have', { timeout: 60_000 }, () => {
  it('is refused with both and a command, which decides it', async () => {
    const { exit, stderr } = await place
      .run('show', 'kit', ...B)
      .then(({ code, stderr }) => ({ exit: code, stderr }))
    expect(exit).toBe(1)
    for (const owner of [ada, bob]) expect(stderr).toContain(`@${owner}/kit (1.0.0`)
    expect(stderr).toContain('registry pin @OWNER/kit')
    expect((await place.run('pin', `@${ada}/kit`, ...B)).stdout).toBe(`kit means @${ada}/kit\n`)
    expect(await ownerOf('kit', B)).toBe(ada)
    expect(await place.json('names', ...B)).toEqual([{ names: [{ name: 'kit', owner: ada, by: 'pin' }] }])
    expect((await place.json('unpin', 'kit', ...B))[0]).toEqual({ name: 'kit', wasPinned: true })
    expect((await place.run('unpin', 'kit', ...B)).stdout).toBe('kit was not pinned\n')
  })

  it('is what a curator says to those who follow him', async () => {
    await place.json('curate', 'kit', bob, ...A)
    await place.json('sync', ...B)
    expect(await ownerOf('kit', A)).toBe(bob)
    expect((await place.json('follow', `@${ada}`, ...B))[0]).toEqual({ owner: ada, isNew: true })
    expect((await place.run('following', ...B)).stdout).toBe(`@${ada}\n`)
    expect(await ownerOf('kit', B)).toBe(bob)
    await place.json('unfollow', ada, ...B)
    await place.json('curate', 'kit', '--remove', ...A)
    expect((await place.refusal('show', 'kit', ...A)).code).toBe('ERR_AMBIGUOUS_NAME')
  })

  it('is what the project says that one works in, and leaves its other settings', async () => {
    const npmrc = join(place.folder, '.npmrc')
    await writeFile(join(place.folder, 'package.json'), '{}')
    await writeFile(npmrc, 'fund=false\nregistry = http://127.0.0.1:9/\nsave-exact=true\n')
    await writeFile(join(place.folder, '.yarnrc.yml'), 'nodeLinker: pnp\n')
    expect((await place.run('pin', 'kit', ada, '--project', ...B)).stdout).toContain(
      'commit .npmrc and .yarnrc.yml'
    )
    await place.json('pin', '@acme/log', bob, '--project', ...B)
    const address = `http://127.0.0.1:9/~/@acme%2flog@${bob},kit@${ada}`
    expect(await readFile(npmrc, 'utf8')).toBe(`fund=false\nregistry=${address}/\nsave-exact=true\n`)
    expect(await readFile(join(place.folder, '.yarnrc.yml'), 'utf8')).toBe(
      `nodeLinker: pnp\nnpmRegistryServer: ${JSON.stringify(address)}\n`
    )
    for (const at of [A, B]) expect(await ownerOf('kit@1', at)).toBe(ada)
    expect((await place.json('names', ...B))[0]).toMatchObject({
      names: [{ by: 'project' }, { by: 'project' }]
    })
    for (const name of ['kit', '@acme/log']) await place.json('unpin', name, '--project', ...B)
    expect(await readFile(npmrc, 'utf8')).toContain('registry=http://127.0.0.1:9/\n')
    expect((await place.refusal('show', 'kit', ...A)).code).toBe('ERR_AMBIGUOUS_NAME')
  })

  it.each([
    ['pin', 'kit'],
    ['pin', 'kit', 'me'],
    ['pin', 'kit@1.0.0', 'bafyreic2fkc4r2uhw6udsoqj5klptv5qtl2m5762nl7aotofupchy74ofm'],
    ['unpin', 'kit@1.0.0'],
    ['curate', 'kit'],
    ['follow', 'me']
  ])('is not decided by "%s %s %s"', async (...args) => {
    expect((await place.refusal(...args.filter(Boolean), ...A)).exit).toBe(2)
  })
})

describe('a domain', { timeout: 60_000 }, () => {
  it('is claimed with the record to set, and nobody’s without it', async () => {
    const { stdout } = await place.run('domain', 'claim', 'kit.invalid', ...A)
    expect(stdout).toContain(`_p2p-registry.kit.invalid TXT "owner=${ada}"`)
    const [report] = await place.json('domain', 'check', 'kit.invalid', ...A)
    expect(report).toMatchObject({ domain: 'kit.invalid', claimants: [ada], named: [] })
    expect((await place.refusal('show', '@kit.invalid/kit', ...A)).code).toBe('ERR_DOMAIN_UNPROVEN')
    await place.json('domain', 'release', 'kit.invalid', ...A)
    expect((await place.refusal('show', '@kit.invalid/kit', ...A)).code).toBe('ERR_NOT_FOUND')
  })
})
