import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkplace, type Workplace } from './registry.ts'

const NOBODY = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const A = ['--data-dir', 'a']
const B = ['--data-dir', 'b']

let place: Workplace
let a: { peerId: string; addresses: string[] }
let b: { peerId: string; addresses: string[] }

beforeAll(async () => {
  place = await openWorkplace()
  a = await place.startPeer('a')
  b = await place.startPeer('b')
}, 60_000)
afterAll(() => place[Symbol.asyncDispose]())

async function publish(name: string, version: string, at: readonly string[]): Promise<void> {
  await mkdir(join(place.folder, name), { recursive: true })
  const manifest = `[package]\nname = "${name}"\nversion = "${version}"\ncategory = "${name}s"\ntags = ["${name}"]\n`
  await writeFile(join(place.folder, name, 'registry.toml'), manifest)
  await place.json('publish', name, ...at)
}

describe('two peers', { timeout: 120_000 }, () => {
  it('meet by bootstrap, see each other, and part', async () => {
    expect(await place.json('peers', 'list', ...A)).toEqual([{ peers: [] }])
    expect(await place.json('bootstrap', ...b.addresses, ...A)).toEqual([
      { address: b.addresses[0], peerId: b.peerId, connected: true }
    ])
    const [listed] = await place.json('peers', 'list', '--verbose', '--format', 'json', ...A)
    expect(listed?.peers).toMatchObject([{ peerId: b.peerId, direction: 'outbound' }])
    expect((await place.run('peers', 'list', ...B)).stdout).toContain(a.peerId)
    expect(await place.json('peers', 'info', b.peerId, ...A)).toMatchObject([{ peerId: b.peerId }])
    const [known] = await place.json('peers', 'list', '--known', ...A)
    expect(known?.peers).toMatchObject([{ peerId: b.peerId, addresses: b.addresses }])
    const [status] = await place.json('status', ...A)
    expect(status).toMatchObject({ connectedPeers: 1 })

    expect(await place.json('peers', 'disconnect', b.peerId, ...A)).toMatchObject([{ disconnected: true }])
    expect(await place.refusal('peers', 'disconnect', NOBODY.slice(-52), ...A)).toMatchObject({ exit: 3 })
    expect(await place.refusal('peers', 'info', NOBODY.slice(-52), ...A)).toMatchObject({ exit: 3 })
    expect(await place.json('peers', 'connect', a.addresses[0] ?? '', ...B)).toMatchObject([
      { peerId: a.peerId }
    ])
  })

  it('tell each other of packages, as subscribers hear', async () => {
    const { child, ended } = place.spawn('subscribe', '--tag', 'kit', '--count', '2', ...B)
    // It says on standard error that it listens.
    if (child.stderr !== null) await once(child.stderr, 'data')
    await publish('kit', '1.0.0', A)
    await publish('other', '1.0.0', A)
    await publish('kit', '1.1.0', A)
    const { code, stdout } = await ended
    expect(code).toBe(0)
    const heard = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/).slice(1, 3))
      .sort()
    expect(heard).toEqual([
      ['new package', 'kit@1.0.0'],
      ['new version', 'kit@1.1.0']
    ])

    await place.json('sync', ...B)
    const [got] = await place.json('get', 'kit@1.0.0', '--out', 'from-b.tgz', ...B)
    const [shown] = await place.json('show', 'kit@1.0.0', ...A)
    expect(got).toMatchObject({ cid: shown?.cid, integrity: shown?.integrity })
  })

  it('let a subscriber go on from a cursor', async () => {
    const { child, ended } = place.spawn('subscribe', '--count', '1', '--json', '--package', 'later', ...A)
    let ending = false
    void ended.then(() => {
      ending = true
    })
    // With --json nothing says that it listens: publish until it has heard.
    for (let patch = 0; !ending; patch++) await publish('later', `1.0.${patch}`, A)
    const first = JSON.parse((await ended).stdout)
    expect(first).toMatchObject({
      packageId: expect.stringContaining('later@1.0.'),
      cursor: expect.any(String)
    })
    expect(child.exitCode).toBe(0)
    await publish('later', '2.0.0', A)
    const rest = await place.json(
      'subscribe',
      '--after',
      first.cursor,
      '--count',
      '1',
      '--category',
      'laters',
      ...A
    )
    expect(rest).toMatchObject([{ type: 'NewVersion' }])
  })

  it('end a subscription with 130 at Ctrl-C', async () => {
    const { child, ended } = place.spawn('subscribe', ...A)
    if (child.stderr !== null) await once(child.stderr, 'data')
    child.kill('SIGINT')
    expect(await ended).toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringContaining('Interrupted')
    })
  })

  it('know what to try again from what is no address', async () => {
    expect(await place.refusal('bootstrap', NOBODY, '--timeout', '5', ...A)).toMatchObject({
      exit: 5,
      retryable: true
    })
    expect(await place.refusal('bootstrap', 'example.org:4801', ...A)).toMatchObject({
      exit: 1,
      code: 'ERR_INVALID_ADDRESS',
      hint: expect.stringContaining('/ip4/')
    })
    const topics = ['--tag', 'a', '--category', 'b']
    expect(await place.refusal('subscribe', ...topics, ...A)).toMatchObject({ exit: 2, code: 'ERR_USAGE' })
  })
})
