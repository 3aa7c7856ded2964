import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkplace, type Workplace } from './registry.ts'

let place: Workplace

beforeAll(async () => {
  place = await openWorkplace()
})
afterAll(() => place[Symbol.asyncDispose]())

describe('without a peer', { timeout: 60_000 }, () => {
  it.each([['status'], ['publish', '.'], ['get', 'x'], ['peers', 'list'], ['stop']])(
    '%s says so and ends with 4',
    async (...verb) => {
      expect(await place.refusal(...verb, '--data-dir', 'none')).toMatchObject({
        exit: 4,
        code: 'ERR_NO_PEER',
        message: 'No peer is running with this data folder',
        hint: 'Start one: registry start'
      })
    }
  )

  it('the same is said to people', async () => {
    expect(await place.run('status', '--data-dir', 'none')).toEqual({
      code: 4,
      stdout: '',
      stderr: 'No peer is running with this data folder\nHint: Start one: registry start\n'
    })
  })

  it('config prints every setting with where it comes from', async () => {
    await mkdir(join(place.folder, 'configured'))
    await writeFile(join(place.folder, 'configured/config.toml'), '[sync]\nintervalMs = 5000\n')
    const [answer] = await place.json('config', '--data-dir', 'configured')
    expect(answer).toMatchObject({ running: false })
    expect(answer?.settings).toContainEqual(
      expect.objectContaining({
        path: 'sync.intervalMs',
        value: 5000,
        origin: { kind: 'file', where: expect.stringContaining('config.toml') }
      })
    )
    expect(answer?.settings).toContainEqual(
      expect.objectContaining({ path: 'network.maxConnections', value: 100, origin: { kind: 'default' } })
    )
    const { stdout } = await place.run('config', '--data-dir', 'configured')
    expect(stdout).toMatch(/sync\.intervalMs +5000 ms +file /)
  })

  it('config refuses a file with faults, all of them at once', async () => {
    await writeFile(join(place.folder, 'bad.toml'), '[sync]\nintervalMs = 1\nevery = 2\n')
    const refused = await place.refusal('config', '--config', 'bad.toml', '--data-dir', 'none')
    expect(refused).toMatchObject({ exit: 1, code: 'ERR_INVALID_CONFIG' })
    expect(refused.details).toMatchObject({ faults: [{ path: 'sync.intervalMs' }, { path: 'sync.every' }] })
  })

  it('doctor finds what is wrong and what to do', async () => {
    const [healthy] = await place.json('doctor', '--data-dir', 'healthy')
    const checks: Array<{ check: string; status: string; hint?: string }> = healthy?.checks ?? []
    expect(checks.map(({ check }) => check)).toEqual([
      ...['node', 'configuration', 'data folder', 'free space', 'catalogue', 'peer key', 'owner key'],
      ...['peer', 'HTTP port', 'multicast']
    ])
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([])

    await mkdir(join(place.folder, 'ill'))
    await writeFile(join(place.folder, 'ill/identity.key'), 'not a key')
    await writeFile(join(place.folder, 'ill/config.toml'), 'not toml')
    await writeFile(join(place.folder, 'ill/catalogue.sqlite'), 'no database, but a text of some length')
    const { code, stdout, stderr } = await place.run('doctor', '--data-dir', 'ill')
    expect([code, stderr]).toEqual([1, expect.stringContaining('configuration, catalogue, peer key')])
    expect(stdout).toMatch(/✗ configuration .*line 1/s)
    expect(stdout).toMatch(
      /✗ catalogue .*catalogue\.sqlite cannot be used: file is not a database\.\n +Hint: Move it/
    )
    expect(stdout).toMatch(/✗ peer key .*identity\.key.*\n +Hint: /)
  })
})

describe('a peer in the background', { timeout: 60_000 }, () => {
  it('serves when start returns, says where its log is, and is gone when stop returns', async () => {
    const started = await place.startPeer('background')
    expect(started).toMatchObject({
      peerId: expect.stringMatching(/^12D3Koo/),
      addresses: [expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//)],
      http: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      logFile: join(place.folder, 'background/peer.log')
    })
    const [status] = await place.json('status', '--data-dir', 'background')
    expect(status).toMatchObject({
      peerId: started.peerId,
      addresses: started.addresses,
      connectedPeers: 0,
      packages: 0,
      releases: 0
    })
    const [config] = await place.json('config', '--data-dir', 'background')
    expect(config).toMatchObject({ running: true })
    expect(config?.settings).toContainEqual(
      expect.objectContaining({
        path: 'bootstrap.mdns',
        value: false,
        origin: { kind: 'flag', where: '--no-mdns' }
      })
    )
    expect((await stat(join(place.folder, 'background/control.json'))).mode & 0o777).toBe(0o600)

    expect(await place.json('stop', '--data-dir', 'background')).toEqual([{ stopped: true }])
    expect(await place.refusal('status', '--data-dir', 'background')).toMatchObject({ exit: 4 })
    expect(await readFile(join(place.folder, 'background/peer.log'), 'utf8')).toContain(
      'the peer has stopped'
    )
    expect((await place.startPeer('background')).peerId).toBe(started.peerId)
  })

  it('tells why it could not start', async () => {
    await place.startPeer('taken')
    expect(await place.refusal('start', '--daemon', '--data-dir', 'taken', ...place.quiet)).toMatchObject({
      exit: 1,
      code: 'ERR_DATA_DIR_IN_USE'
    })
  })

  it('leaves nothing that looks like a peer when it was killed', async () => {
    const { pid } = await place.startPeer('killed')
    process.kill(pid, 'SIGKILL')
    await expect
      .poll(() => place.refusal('status', '--data-dir', 'killed'), { timeout: 30_000 })
      .toMatchObject({ exit: 4, code: 'ERR_NO_PEER' })
    await place.startPeer('killed')
    expect(await place.json('status', '--data-dir', 'killed')).toHaveLength(1)
  })
})

describe('a peer in the foreground', { timeout: 60_000 }, () => {
  it('prints one line of JSON, and ends with 0 when another process stops it', async () => {
    const { child, ended } = place.spawn('start', '--json', '--data-dir', 'foreground', ...place.quiet)
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    await place.json('stop', '--data-dir', 'foreground')
    const { code, stdout } = await ended
    expect(code).toBe(0)
    expect(Object.keys(JSON.parse(stdout))).toEqual(['peerId', 'addresses', 'http'])
  })
})
