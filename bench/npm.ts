import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openTokens, tokensFolder } from '@registry/gateway'
import { packPackage } from '@registry/registry'
import { parseOwnerId } from '@registry/types'
import autocannon from 'autocannon'
import { type NpmClientName, npmClient } from '../e2e/src/npm-client.ts'
import { type RealTree, realPackages, treeOf } from '../e2e/src/real-packages.ts'
import type { Benchmark, Report, RunOptions } from './benchmark.ts'
import { type RunningRegistry, startStatic, startVerdaccio, usageOf } from './npm-registries.ts'
import type { StaticFile } from './npm-static-process.ts'
import { type Peer, withPeers } from './peers.ts'
import { randomBytes, seededRandom } from './random.ts'
import { alternate, timed } from './rounds.ts'

const ABBREVIATED = 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*'
/** Where documents have their tarballs until the bare server knows its own address. */
const ORIGIN = 'http://origin'
/** As many sockets as npm opens. */
const CONNECTIONS = 15

export const npm: Benchmark = {
  name: 'npm',
  description:
    'npm over HTTP: requests, publishing and installing, beside verdaccio and a bare static server',
  timeLimitMs: 25 * 60_000,
  async run(report, options) {
    const folder = await mkdtemp(join(tmpdir(), 'registry-bench-npm-'))
    const started: RunningRegistry[] = []
    try {
      report.progress('pack real packages')
      const tree = treeOf(await realPackages(), options.quick ? 20 : 200)
      const publications = await packTree(tree)
      await withPeers({ count: 2, lastSettings: {} }, options.signal, async ([publisher, peer]) => {
        if (publisher === undefined || peer === undefined) throw new Error('two peers were started')
        const verdaccio = await startVerdaccio(join(folder, 'verdaccio'))
        started.push(verdaccio)
        report.progress(`publish ${publications.length} packages`)
        const token = await tokenOf(publisher)
        for (const one of publications) {
          await put(publisher.client.url, one, token)
          await put(verdaccio.url, one)
        }
        await peer.client.sync()
        const bare = await startStatic(
          join(folder, 'static'),
          await answersOf(publisher.client.url, publications),
          options.signal
        )
        started.push(bare)
        const ours = { url: peer.client.url, pid: peer.pid }
        await measureInstall({ ours, static: bare, verdaccio }, tree, { folder, report, options })
        await measureRequests({ ours, static: bare, verdaccio }, publications, report, options)
        await measurePublish({ ours: publisher.client.url, verdaccio: verdaccio.url }, token, report, options)
        for (const [subject, { pid }] of Object.entries({ ours, static: bare, verdaccio })) {
          const usage = await usageOf(pid)
          if (usage === undefined) continue
          const value = usage.residentBytes / 1024 ** 2
          report.row({ case: 'memory-after-all', subject, metric: 'max', value, unit: 'MiB', n: 1 })
        }
      })
    } finally {
      for (const { stop } of started.toReversed()) await stop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

/** A version as npm publishes it. */
interface Publication {
  name: string
  version: string
  bytes: Uint8Array
  manifest: object
}

type Servers = Readonly<Record<'ours' | 'static' | 'verdaccio', { url: string; pid: number }>>

async function packTree({ packages }: RealTree): Promise<Publication[]> {
  const packed: Publication[] = []
  for (const { folder, manifest } of packages) {
    const { path } = await packPackage(folder)
    const { name, version } = manifest
    packed.push({ name, version, manifest, bytes: await readFile(path) })
    await rm(dirname(path), { recursive: true })
  }
  return packed
}

async function tokenOf({ client, dataDir }: Peer): Promise<string> {
  const { owner } = await client.status()
  return openTokens(tokensFolder(dataDir)).create(parseOwnerId(owner), 'bench', Date.now())
}

function documentOf({ name, version, manifest, bytes }: Publication): string {
  const hash = (algorithm: string, encoding: 'hex' | 'base64'): string =>
    createHash(algorithm).update(bytes).digest(encoding)
  const dist = {
    integrity: `sha512-${hash('sha512', 'base64')}`,
    shasum: hash('sha1', 'hex'),
    tarball: `${ORIGIN}/${name}/-/${name}-${version}.tgz`
  }
  const data = Buffer.from(bytes).toString('base64')
  return JSON.stringify({
    _id: name,
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
    _attachments: {
      [`${name}-${version}.tgz`]: { content_type: 'application/octet-stream', data, length: bytes.length }
    }
  })
}

async function put(url: string, publication: Publication, token?: string): Promise<void> {
  const answer = await fetch(`${url}/${publication.name.replace('/', '%2f')}`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
    },
    body: documentOf(publication)
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${publication.name} was refused: ${text}`)
}

/** What a registry answers about these packages, for a server that only repeats it. */
async function answersOf(
  url: string,
  publications: readonly Publication[]
): Promise<Record<string, StaticFile>> {
  const files: Record<string, StaticFile> = {}
  const keep = async (path: string, key: string, accept: string): Promise<string> => {
    const answer = await fetch(`${url}${path}`, { headers: { accept } })
    const body = Buffer.from(await answer.arrayBuffer())
    const type = answer.headers.get('content-type') ?? ''
    const own = type.includes('json') ? Buffer.from(body.toString('utf8').replaceAll(url, ORIGIN)) : body
    files[key] = { type, body: own.toString('base64') }
    return body.toString('utf8')
  }
  for (const name of new Set(publications.map((one) => one.name))) {
    const path = `/${name.replace('/', '%2f')}`
    await keep(path, `/${name}`, 'application/json')
    const document = JSON.parse(await keep(path, `/${name} abbreviated`, ABBREVIATED))
    for (const version of Object.values<{ dist: { tarball: string } }>(document.versions)) {
      const tarball = version.dist.tarball.slice(url.length)
      await keep(tarball, decodeURIComponent(tarball), '*/*')
    }
  }
  return files
}

interface Load {
  path: (server: { url: string }) => string | Promise<string>
  headers?: Record<string, string>
  /** Whether the bare server answers it as a registry would. */
  isStatic?: boolean
}

async function measureRequests(
  servers: Servers,
  publications: readonly Publication[],
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  const bySize = publications.toSorted((a, b) => a.bytes.length - b.bytes.length)
  const near = (bytes: number): Publication => {
    const found = bySize.find((one) => one.bytes.length >= bytes) ?? bySize.at(-1)
    if (found === undefined) throw new Error('there are packages')
    return found
  }
  const [small, large] = [near(20_000), near(1024 ** 2)]
  const documentPath = `/${small.name.replace('/', '%2f')}`
  const tarball = async (url: string, { name, version }: Publication): Promise<string> => {
    const answer = await fetch(`${url}/${name.replace('/', '%2f')}`, { headers: { accept: ABBREVIATED } })
    const document = JSON.parse(await answer.text())
    return String(document.versions[version].dist.tarball).slice(url.length)
  }
  const etagOf = async ({ url }: { url: string }): Promise<string> => {
    const answer = await fetch(url + documentPath, { headers: { accept: ABBREVIATED } })
    await answer.arrayBuffer()
    return answer.headers.get('etag') ?? ''
  }
  const loads: Record<string, Load> = {
    'document-abbreviated': { path: () => documentPath, headers: { accept: ABBREVIATED }, isStatic: true },
    'document-full': { path: () => documentPath, headers: { accept: 'application/json' }, isStatic: true },
    'document-not-modified': { path: () => documentPath, headers: { accept: ABBREVIATED }, isStatic: true },
    [`tarball-${Math.round(small.bytes.length / 1024)}kib`]: {
      path: ({ url }) => tarball(url, small),
      isStatic: true
    },
    [`tarball-${Math.round(large.bytes.length / 1024)}kib`]: {
      path: ({ url }) => tarball(url, large),
      isStatic: true
    },
    search: { path: () => '/-/v1/search?text=json&size=20' },
    'not-found': { path: () => '/there-is-no-such-package', isStatic: true }
  }
  for (const [name, { path, headers, isStatic = false }] of Object.entries(loads)) {
    report.progress(`ask for ${name}`)
    const latencies = new Map<string, number[]>()
    const cpu = new Map<string, number[]>()
    const subject =
      (key: keyof Servers) =>
      async (round: number): Promise<number> => {
        const server = servers[key]
        const before = await usageOf(server.pid)
        const result = await autocannon({
          url: server.url + (await path(server)),
          connections: CONNECTIONS,
          duration: quick ? 1 : 4,
          headers: {
            ...headers,
            ...(name === 'document-not-modified' ? { 'if-none-match': await etagOf(server) } : {})
          }
        })
        const expected = name === 'not-found' ? result['4xx'] : result['2xx'] + result['3xx']
        if (expected < result.requests.total || result.errors > 0 || result.requests.total === 0) {
          throw new Error(`${key} answered ${name} with ${JSON.stringify(result.statusCodeStats)}`)
        }
        const after = await usageOf(server.pid)
        if (round >= 0) {
          append(latencies, key, result.latency.p99)
          if (before !== undefined && after !== undefined) {
            append(cpu, key, ((after.cpuSeconds - before.cpuSeconds) * 1e6) / result.requests.total)
          }
        }
        return result.requests.total / result.duration
      }
    const subjects = {
      ours: subject('ours'),
      ...(isStatic ? { static: subject('static') } : {}),
      verdaccio: subject('verdaccio')
    }
    report.comparison(name, 'requests/s', await alternate(quick ? 1 : 3, subjects, signal))
    for (const [key, values] of cpu) report.spread(`${name}-cpu`, key, 'µs/request', values)
    for (const [key, values] of latencies) report.spread(`${name}-p99`, key, 'ms', values)
  }
}

/** A package of 16 KiB, one after the other, each durable when it is answered. */
async function measurePublish(
  urls: Readonly<Record<'ours' | 'verdaccio', string>>,
  token: string,
  report: Report,
  { signal, quick }: RunOptions
): Promise<void> {
  const count = quick ? 5 : 200
  report.progress(`publish ${count} packages of 16 KiB`)
  const folder = await mkdtemp(join(tmpdir(), 'registry-bench-publish-'))
  const samples = new Map<string, number[]>()
  try {
    await writeFile(join(folder, 'noise'), randomBytes(seededRandom(16), 16 * 1024))
    for (let index = 0; index < count; index++) {
      signal.throwIfAborted()
      const manifest = { name: `bench-publish-${index}`, version: '1.0.0' }
      await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
      const { path } = await packPackage(folder)
      const publication = { ...manifest, manifest, bytes: await readFile(path) }
      await rm(dirname(path), { recursive: true })
      append(samples, 'ours', await timed(() => put(urls.ours, publication, token)))
      append(samples, 'verdaccio', await timed(() => put(urls.verdaccio, publication)))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  for (const [subject, values] of samples) report.latencies('publish-16kib', subject, values)
}

interface Place {
  folder: string
  report: Report
  options: RunOptions
}

/** Each client with an empty cache, and once more with what it has kept but for `node_modules` and the lockfile. */
async function measureInstall(servers: Servers, tree: RealTree, place: Place): Promise<void> {
  const { report, options } = place
  const clients: readonly NpmClientName[] = ['npm-11', 'pnpm-12']
  let installs = 0
  for (const name of clients) {
    report.progress(`install ${tree.packages.length} packages with ${name}`)
    const warmMs = new Map<string, number[]>()
    const subject =
      (key: keyof Servers) =>
      async (round: number): Promise<number> => {
        const home = join(place.folder, `install-${installs++}`)
        const project = join(home, 'project')
        await mkdir(project, { recursive: true })
        const manifest = { name: 'app', private: true, dependencies: tree.dependencies }
        await writeFile(join(project, 'package.json'), JSON.stringify(manifest))
        const client = await npmClient(name, { folder: home, registry: servers[key].url })
        const install = async (): Promise<void> => {
          const ended = await client.run(['install'], project)
          if (ended.code !== 0) throw new Error(`${name} with ${key}: ${ended.stdout}${ended.stderr}`)
        }
        const coldMs = await timed(install)
        for (const path of ['node_modules', 'package-lock.json', 'pnpm-lock.yaml']) {
          await rm(join(project, path), { recursive: true, force: true })
        }
        const again = await timed(install)
        if (round >= 0) append(warmMs, key, again)
        await rm(home, { recursive: true, force: true })
        // Before the first round, every tarball came from another peer.
        if (round < 0 && key === 'ours') {
          report.row({
            case: `${name}-install-from-another-peer`,
            subject: key,
            metric: 'max',
            value: coldMs,
            unit: 'ms',
            n: 1
          })
        }
        return coldMs
      }
    const subjects = { ours: subject('ours'), static: subject('static'), verdaccio: subject('verdaccio') }
    const coldMs = await alternate(options.quick ? 1 : 5, subjects, options.signal)
    report.comparison(`${name}-install-cold`, 'ms', coldMs)
    report.comparison(`${name}-install-warm`, 'ms', warmMs)
  }
}

function append(samples: Map<string, number[]>, key: string, value: number): void {
  samples.set(key, [...(samples.get(key) ?? []), value])
}
