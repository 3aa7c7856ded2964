import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../src/free-port.ts'
import { type NpmClient, npmClient } from '../src/npm-client.ts'
import { type PeerProcess, startPeer } from '../src/peer.ts'
import { type Ended, run } from '../src/process.ts'

/** Moments at which a peer is killed in each of two tests; more of them for a long run. */
const KILLS = Number(process.env.REGISTRY_TEST_KILLS ?? 5)

let home: string
let names = 0

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'registry-faults-'))
})

afterAll(() => rm(home, { recursive: true, force: true }))

/** A peer that comes back at the same address. */
interface Host {
  peer: PeerProcess
  readonly dataDir: string
  readonly token: string
  restart(): Promise<void>
}

async function host(
  network: string,
  options: { dataDir?: string; bootstrap?: readonly string[] } = {}
): Promise<Host> {
  const dataDir = options.dataDir ?? join(home, `peer-${++names}`)
  const [http, tcp] = [await freePort(), await freePort()]
  const args = ['--http', `127.0.0.1:${http}`, '--listen', `/ip4/127.0.0.1/tcp/${tcp}`]
  const start = (): Promise<PeerProcess> =>
    startPeer({ dataDir, network, args, ...(options.bootstrap ? { bootstrap: options.bootstrap } : {}) })
  const peer = await start()
  const [login] = await peer.json('login', '--print')
  const made: Host = {
    peer,
    dataDir,
    token: String(login?.token),
    async restart() {
      made.peer = await start()
    }
  }
  // Also when a test fails before it has stopped it itself.
  onTestFinished(() => made.peer.stop())
  return made
}

function clientOf({ peer, token }: Host, fetchRetries = 2): Promise<NpmClient> {
  return npmClient('npm-11', {
    folder: join(home, `client-${++names}`),
    registry: peer.http,
    token,
    settings: { 'fetch-retries': fetchRetries, 'fetch-retry-mintimeout': 100, 'fetch-retry-maxtimeout': 500 }
  })
}

/** The folder of a package with so many bytes that nothing makes smaller. */
async function sourceOf(
  manifest: { name: string; version: string; dependencies?: Record<string, string> },
  bytes: number
): Promise<string> {
  const folder = join(home, `source-${++names}`)
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'noise.bin'), randomBytes(bytes))
  return folder
}

async function publish(client: NpmClient, folder: string): Promise<Ended> {
  return client.run(['publish'], folder)
}

async function emptyProject(dependencies: Record<string, string>): Promise<string> {
  const folder = join(home, `project-${++names}`)
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, dependencies }))
  return folder
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

/** Of a process, in MiB; 0 where the system does not tell. */
async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

/** Waits for a part of a time that was measured before: the moment itself is what is tested. */
function moment(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** The document of a package, of whatever form. */
// biome-ignore lint/suspicious/noExplicitAny: a test looks into what a registry answers
async function documentOf({ peer }: Host, name: string): Promise<any> {
  return (await fetch(`${peer.http}/${name}`)).json()
}

describe('a peer that is killed', { timeout: 180_000 }, () => {
  it('while npm publishes to it has the version wholly, or not at all, and never loses one that was acknowledged', async () => {
    const one = await host(`kill-publish-${process.pid}`)
    const client = await clientOf(one, 0)
    const folder = await sourceOf({ name: 'killed', version: '0.0.0' }, 3_000_000)
    const beganMs = performance.now()
    expect((await publish(client, folder)).code).toBe(0)
    const tookMs = performance.now() - beganMs
    let whole = 0
    for (let round = 1; round <= KILLS; round++) {
      const version = `1.0.${round}`
      await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'killed', version }))
      const publishing = publish(client, folder)
      // The last two thirds are those in which the peer is asked at all.
      await moment(tookMs * (0.35 + (0.75 * (round - 1)) / Math.max(1, KILLS - 1)))
      await one.peer.stop('SIGKILL')
      const { code } = await publishing
      await one.restart()
      expect(await filesIn(join(one.dataDir, 'uploads'))).toEqual([])
      expect(await filesIn(join(one.dataDir, 'packing'))).toEqual([])
      const document = await documentOf(one, 'killed')
      const there = document.versions[version]
      if (code === 0) expect(there, `${version} was acknowledged`).toBeDefined()
      const again = await publish(client, folder)
      if (there === undefined) expect(again.code, again.stderr).toBe(0)
      else {
        whole += 1
        expect(again.stderr).toContain('previously published')
        const tarball = await fetch(there.dist.tarball)
        expect((await tarball.arrayBuffer()).byteLength).toBeGreaterThan(3_000_000)
      }
    }
    expect(whole).toBeLessThanOrEqual(KILLS)
    await one.peer.stop()
  })

  it('while npm installs from it gives a clear error, and the same packages after its restart', async () => {
    const network = `kill-install-${process.pid}`
    const one = await host(network)
    const publisher = await clientOf(one)
    const dependencies = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [`part-${index}`, '1.0.0'])
    )
    for (const name of Object.keys(dependencies)) {
      const ended = await publish(publisher, await sourceOf({ name, version: '1.0.0' }, 1_500_000))
      expect(ended.code, ended.stderr).toBe(0)
    }
    /** One that has none of the contents yet. */
    const fresh = async (): Promise<Host> => {
      const two = await host(network, { bootstrap: one.peer.addresses })
      await two.peer.json('sync')
      return two
    }
    const trial = await fresh()
    const beganMs = performance.now()
    const trialClient = await clientOf(trial)
    expect((await trialClient.run(['install'], await emptyProject(dependencies))).code).toBe(0)
    const tookMs = performance.now() - beganMs
    await trial.peer.stop()
    for (let round = 0; round < Math.ceil(KILLS / 2); round++) {
      const two = await fresh()
      const client = await clientOf(two, 1)
      const project = await emptyProject(dependencies)
      const installing = client.run(['install'], project)
      await moment(tookMs * (0.3 + 0.2 * round))
      await two.peer.stop('SIGKILL')
      const broken = await installing
      if (broken.code !== 0) expect(broken.stderr).toMatch(/ECONNREFUSED|ECONNRESET|socket hang up/)
      await two.restart()
      const again = await client.run(['install'], project)
      expect(again.code, again.stderr).toBe(0)
      for (const name of Object.keys(dependencies)) {
        const installed = join(project, 'node_modules', name, 'noise.bin')
        expect((await readFile(installed)).length).toBe(1_500_000)
      }
      await two.peer.stop()
    }
    await one.peer.stop()
  })
})

describe('a large package', { timeout: 180_000 }, () => {
  it('of 100 MB is published by npm and installed from another peer, in bounded memory', async () => {
    const network = `large-${process.pid}`
    const one = await host(network)
    const two = await host(network, { bootstrap: one.peer.addresses })
    const folder = await sourceOf({ name: 'large', version: '1.0.0' }, 100_000_000)
    const ended = await publish(await clientOf(one), folder)
    expect(ended.code, ended.stderr).toBe(0)
    await two.peer.json('sync')
    const project = await emptyProject({ large: '1.0.0' })
    const installed = await (await clientOf(two)).run(['install'], project)
    expect(installed.code, installed.stderr).toBe(0)
    const bytes = await readFile(join(project, 'node_modules/large/noise.bin'))
    expect(bytes.equals(await readFile(join(folder, 'noise.bin')))).toBe(true)
    // Half of it at a time would be too much already.
    for (const { peer } of [one, two]) expect(await residentMiB(peer.pid)).toBeLessThan(500)
    await Promise.all([one.peer.stop(), two.peer.stop()])
  })

  it('whose provider vanishes is an error with a reason, and no part of a tarball, until somebody has it', async () => {
    const network = `vanish-${process.pid}`
    const one = await host(network)
    const two = await host(network, { bootstrap: one.peer.addresses })
    const folder = await sourceOf({ name: 'vanishing', version: '1.0.0' }, 60_000_000)
    expect((await publish(await clientOf(one), folder)).code).toBe(0)
    await two.peer.json('sync')
    const { versions } = await documentOf(two, 'vanishing')
    const { tarball, integrity } = versions['1.0.0'].dist
    const asking = fetch(tarball)
    const blocks = async (): Promise<number> => (await filesIn(join(two.dataDir, 'blocks'))).length
    await expect.poll(blocks, { interval: 5, timeout: 30_000 }).toBeGreaterThan(0)
    await one.peer.stop('SIGKILL')
    const answer = await asking
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ code: 'ERR_NO_PROVIDERS' })
    await one.restart()
    await two.peer.json('peers', 'connect', String(one.peer.addresses[0]))
    const again = await fetch(tarball)
    expect(again.status).toBe(200)
    const hash = createHash('sha512').update(new Uint8Array(await again.arrayBuffer()))
    expect(`sha512-${hash.digest('base64')}`).toBe(integrity)
    await Promise.all([one.peer.stop(), two.peer.stop()])
  })
})

/** A file system of its own, which only root can make. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0

describe.runIf(canMount)('a disk that is full (needs root, else skipped)', { timeout: 120_000 }, () => {
  const dataDir = (): string => join(home, 'small-disk')

  beforeAll(async () => {
    await mkdir(dataDir(), { mode: 0o700 })
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0700', 'tmpfs', dataDir()])
    expect(mounted.code, mounted.stderr).toBe(0)
  })

  afterAll(async () => {
    await run('umount', ['-l', dataDir()])
  })

  it('refuses a publish in words, goes on reading, and publishes again once there is room', async () => {
    const one = await host(`disk-${process.pid}`, { dataDir: dataDir() })
    const client = await clientOf(one, 0)
    expect((await publish(client, await sourceOf({ name: 'before', version: '1.0.0' }, 100_000))).code).toBe(
      0
    )
    const filler = join(dataDir(), 'filler')
    await run('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k'])
    const large = await sourceOf({ name: 'after', version: '1.0.0' }, 5_000_000)
    const refused = await publish(client, large)
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toMatch(/507/)
    expect(refused.stderr).toMatch(/disk|space|room/i)
    for (const path of ['/before', '/-/v1/search?text=before', '/nothing-here', '/-/ping']) {
      const { status } = await fetch(one.peer.http + path)
      expect([path, status]).toEqual([path, path === '/nothing-here' ? 404 : 200])
    }
    const { versions } = await documentOf(one, 'before')
    expect((await fetch(versions['1.0.0'].dist.tarball)).status).toBe(200)
    expect((await fetch(`${one.peer.http}/after`)).status).toBe(404)
    await rm(filler)
    const again = await publish(client, large)
    expect(again.code, again.stderr).toBe(0)
    await one.peer.stop()
  })
})

describe('many at once', { timeout: 60_000 }, () => {
  it('who ask for what is not there, or hardly read, do not keep anybody waiting', async () => {
    const one = await host(`flood-${process.pid}`)
    const folder = await sourceOf({ name: 'wanted', version: '1.0.0' }, 20_000_000)
    expect((await publish(await clientOf(one), folder)).code).toBe(0)
    const { versions } = await documentOf(one, 'wanted')
    const before = await residentMiB(one.peer.pid)
    const ended = new AbortController()
    const { tarball } = versions['1.0.0'].dist
    // Nobody reads these: their answers stand in the buffers of the system, and further pieces wait in the peer.
    const slow = await Promise.all(
      Array.from({ length: 100 }, () => fetch(tarball, { signal: ended.signal }))
    )
    expect(slow.every(({ status }) => status === 200)).toBe(true)
    let asked = 0
    const asker = async (): Promise<number[]> => {
      const statuses: number[] = []
      while (asked < 20_000) statuses.push((await fetch(`${one.peer.http}/not-${asked++}`)).status)
      return statuses
    }
    const flood = Promise.all(Array.from({ length: 100 }, asker))
    expect(Object.keys((await documentOf(one, 'wanted')).versions)).toEqual(['1.0.0'])
    const statuses = (await flood).flat()
    expect(new Set(statuses)).toEqual(new Set([404]))
    // Of each, a block of 1 MiB that waits, and what of those before it was not yet collected.
    expect((await residentMiB(one.peer.pid)) - before).toBeLessThan(slow.length * 3)
    ended.abort()
    await Promise.allSettled(slow.map((answer) => answer.arrayBuffer()))
    await one.peer.stop()
  })
})
