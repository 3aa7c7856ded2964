import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { type ControlClient, controlClient, readControlFile } from '@registry/control'
import { packPackage } from '@registry/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NPM_CLIENTS, type NpmClient, type NpmClientName, npmClient } from '../src/npm-client.ts'
import { type PeerProcess, registry, startPeer } from '../src/peer.ts'
import { type Ended, runOk } from '../src/process.ts'

let home: string
let peers: PeerProcess[]
let token: string
let owner: string

/** Where packages are published. */
const first = (): PeerProcess => at(0)
/** Where they are installed: it knows the first one only by the one between. */
const third = (): PeerProcess => at(2)

function at(index: number): PeerProcess {
  const peer = peers[index]
  if (peer === undefined) throw new Error('three peers were started')
  return peer
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'registry-npm-'))
  const network = `npm-${process.pid}`
  const one = await startPeer({ dataDir: join(home, 'one'), network })
  peers = [one]
  const two = await startPeer({ dataDir: join(home, 'two'), network, bootstrap: one.addresses })
  peers.push(two, await startPeer({ dataDir: join(home, 'three'), network, bootstrap: two.addresses }))
  const [login] = await one.json('login', '--print')
  token = String(login?.token)
  owner = String((await one.json('status'))[0]?.owner)
}, 60_000)

afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop()))
  await rm(home, { recursive: true, force: true })
})

let folders = 0

/** A folder with these files; what is no text is written as JSON. */
async function folderOf(files: Record<string, unknown>): Promise<string> {
  const folder = join(home, `folder-${folders++}`)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

interface Manifest {
  name: string
  version: string
  [field: string]: unknown
}

/** A package that says its own name when it is required, and by its command. */
function sourceOf(manifest: Manifest): Record<string, unknown> {
  const said = JSON.stringify(`${manifest.name}@${manifest.version}`)
  return {
    'package.json': {
      license: 'MIT',
      main: 'index.js',
      description: `The package ${manifest.name}`,
      ...manifest
    },
    'index.js': `module.exports = ${said}\n`,
    'cli.js': `#!/usr/bin/env node\nconsole.log(${said})\n`,
    'README.md': `# ${manifest.name}\n`
  }
}

function publisher(name: NpmClientName): Promise<NpmClient> {
  return npmClient(name, { folder: join(home, 'publisher', name), registry: first().http, token })
}

/** With caches of its own: all comes from the registry. */
function installer(name: NpmClientName): Promise<NpmClient> {
  return npmClient(name, { folder: join(home, 'installer', name, String(folders++)), registry: third().http })
}

async function ok(client: NpmClient, args: readonly string[], cwd = home): Promise<Ended> {
  const ended = await client.run(args, cwd)
  if (ended.code === 0) return ended
  throw new Error(
    `${client.name} ${args.join(' ')} ended with ${ended.code}\n${ended.stdout}\n${ended.stderr}`
  )
}

async function publish(
  client: NpmClient,
  manifest: Manifest,
  files: Record<string, unknown> = {}
): Promise<Ended> {
  const folder = await folderOf({ ...sourceOf(manifest), ...files })
  if (client.family === 'yarn-4') {
    await writeFile(join(folder, 'yarn.lock'), '')
    await ok(client, ['install'], folder)
  }
  return client.run(publishArguments(client, manifest), folder)
}

function publishArguments({ family }: NpmClient, { version }: Manifest): string[] {
  switch (family) {
    case 'pnpm':
      return ['publish', '--no-git-checks']
    case 'yarn-1':
      return ['publish', '--non-interactive', '--new-version', version]
    case 'yarn-4':
      return ['npm', 'publish']
    default:
      return ['publish']
  }
}

async function controlOf(peer: PeerProcess): Promise<ControlClient> {
  return controlClient(await readControlFile(peer.dataDir))
}

/** The third peer has heard of all that the first one has. */
async function spread(): Promise<void> {
  for (const peer of [at(1), third()]) await (await controlOf(peer)).sync()
}

async function publishAll(...manifests: Manifest[]): Promise<void> {
  const npm = await publisher('npm-11')
  for (const manifest of manifests) {
    const ended = await publish(npm, manifest)
    expect(ended.code, ended.stderr).toBe(0)
  }
  await spread()
}

async function install(
  name: NpmClientName,
  files: Record<string, unknown>
): Promise<{ client: NpmClient; folder: string }> {
  const client = await installer(name)
  const folder = await folderOf(client.family === 'yarn-4' ? { 'yarn.lock': '', ...files } : files)
  await ok(client, ['install'], folder)
  return { client, folder }
}

const app = (
  dependencies: Record<string, string>,
  more: Record<string, unknown> = {}
): Record<string, unknown> => ({
  'package.json': { name: 'app', version: '1.0.0', private: true, dependencies, ...more }
})

/** To install what the lockfile says, and nothing else. */
function frozen({ family }: NpmClient): string[] {
  if (family === 'npm') return ['ci']
  return ['install', family === 'yarn-4' ? '--immutable' : '--frozen-lockfile']
}

/** What a package in `node_modules` says of itself when it is required. */
async function said(folder: string, name: string): Promise<string> {
  return (
    await runOk(process.execPath, ['-p', `require(${JSON.stringify(name)})`], { cwd: folder })
  ).stdout.trim()
}

async function installed(folder: string, name: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8'))
}

describe('what one client has published', () => {
  const nameOf = (client: NpmClientName): string =>
    client.startsWith('p') ? `@made/by-${client}` : `by-${client}`

  it.for(NPM_CLIENTS)('is taken from %s', async (name) => {
    const client = await publisher(name)
    const bin = { [`say-${name}`]: 'cli.js' }
    const ended = await publish(client, { name: nameOf(name), version: '1.0.0', bin })
    expect(ended.code, ended.stdout + ended.stderr).toBe(0)
    const again = await publish(client, { name: nameOf(name), version: '1.0.0', bin })
    expect(again.code).not.toBe(0)
    expect(again.stdout + again.stderr).toMatch(/previously published|1\.0\.0/)
  })

  it.for(NPM_CLIENTS)('is installed from another peer by %s', async (name) => {
    await spread()
    const dependencies = Object.fromEntries(NPM_CLIENTS.map((client) => [nameOf(client), '^1.0.0']))
    const { folder } = await install(name, app(dependencies))
    for (const client of NPM_CLIENTS) {
      expect(await said(folder, nameOf(client))).toBe(`${nameOf(client)}@1.0.0`)
      const command = join(folder, 'node_modules/.bin', `say-${client}`)
      expect((await runOk(command, [])).stdout.trim()).toBe(`${nameOf(client)}@1.0.0`)
    }
  })

  it.for(NPM_CLIENTS)('is found under the name of its owner by %s', async (name) => {
    const { folder } = await install(name, app({ [`@${owner}/by-npm-11`]: '1.0.0' }))
    expect(await said(folder, `@${owner}/by-npm-11`)).toBe('by-npm-11@1.0.0')
  })
})

describe('a tree of dependencies', () => {
  beforeAll(async () => {
    const other = process.platform === 'linux' ? 'darwin' : 'linux'
    await publishAll(
      { name: 'leaf', version: '1.0.0' },
      { name: 'leaf', version: '1.1.0' },
      { name: 'leaf', version: '2.0.0' },
      { name: 'for-others', version: '1.0.0', os: [other] },
      { name: 'host', version: '3.1.0' },
      { name: 'plugin', version: '1.0.0', peerDependencies: { host: '>=3' } },
      {
        name: 'branch',
        version: '1.0.0',
        dependencies: { leaf: '^1.0.0' },
        optionalDependencies: { 'for-others': '1.0.0' },
        peerDependencies: { 'never-asked': '*' },
        peerDependenciesMeta: { 'never-asked': { optional: true } }
      }
    )
  }, 60_000)

  it.for(NPM_CLIENTS)(
    'is laid out by %s, with the versions that fit and none that does not',
    async (name) => {
      const { folder } = await install(name, app({ branch: '1', leaf: '2', plugin: '1', host: '3' }))
      expect((await installed(folder, 'leaf')).version).toBe('2.0.0')
      const branch = await runOk(
        process.execPath,
        [
          '-p',
          "require(require.resolve('leaf', { paths: [require('fs').realpathSync('node_modules/branch')] }))"
        ],
        { cwd: folder }
      )
      expect(branch.stdout.trim()).toBe('leaf@1.1.0')
      expect(await said(folder, 'plugin')).toBe('plugin@1.0.0')
      await expect(said(folder, 'for-others')).rejects.toThrow()
    }
  )

  it.for(['npm-10', 'npm-11'] as const)('is the same again from the lockfile of %s', async (name) => {
    const { client, folder } = await install(name, app({ branch: '1', plugin: '1' }))
    expect((await installed(folder, 'host')).version).toBe('3.1.0')
    const lock = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8'))
    expect(lock.packages['node_modules/leaf']).toMatchObject({
      version: '1.1.0',
      resolved: `${third().http}/@${owner}/leaf/-/leaf-1.1.0.tgz`,
      integrity: expect.stringMatching(/^sha512-/)
    })
    await rm(join(folder, 'node_modules'), { recursive: true })
    await ok(client, ['ci'], folder)
    expect((await installed(folder, 'leaf')).version).toBe('1.1.0')
    await rm(join(folder, 'node_modules'), { recursive: true })
    await ok(client, ['ci', '--offline'], folder)
    expect((await installed(folder, 'leaf')).version).toBe('1.1.0')
  })

  it.for(['pnpm-10', 'pnpm-12', 'yarn-1', 'yarn-4', 'bun'] as const)(
    'is the same again from the lockfile of %s',
    async (name) => {
      const { client, folder } = await install(name, app({ branch: '1' }))
      await rm(join(folder, 'node_modules'), { recursive: true })
      await ok(client, frozen(client), folder)
      expect(await said(folder, 'branch')).toBe('branch@1.0.0')
    }
  )

  it.for(NPM_CLIENTS)('grows and is brought up to date by %s', async (name) => {
    const { client, folder } = await install(name, app({ leaf: '1.0.0' }))
    await ok(client, [client.family === 'npm' ? 'install' : 'add', 'host@^3'], folder)
    expect((await installed(folder, 'host')).version).toBe('3.1.0')
    await ok(client, [client.family === 'npm' ? 'install' : 'add', 'leaf@^1.0.0'], folder)
    expect((await installed(folder, 'leaf')).version).toMatch(/^1\./)
    await ok(client, [updateVerb(client), ...(client.family === 'yarn-4' ? ['leaf'] : [])], folder)
    expect((await installed(folder, 'leaf')).version).toMatch(/^[12]\.[01]\.0$/)
  })

  function updateVerb({ family }: NpmClient): string {
    if (family === 'yarn-1') return 'upgrade'
    return family === 'yarn-4' ? 'up' : 'update'
  }

  it('may bring its dependencies with it', async () => {
    const npm = await publisher('npm-11')
    const manifest = {
      name: 'bundle',
      version: '1.0.0',
      dependencies: { inside: '1.0.0' },
      bundleDependencies: ['inside']
    }
    const inside = { 'node_modules/inside/package.json': { name: 'inside', version: '1.0.0' } }
    expect((await publish(npm, manifest, inside)).code).toBe(0)
    await spread()
    const { folder } = await install('npm-11', app({ bundle: '1' }))
    expect(await installed(folder, 'bundle/node_modules/inside')).toMatchObject({ version: '1.0.0' })
  })

  it('may run something when it is installed', async () => {
    const scripts = { postinstall: `node -e "require('fs').writeFileSync('ran', '')"` }
    await publishAll({ name: 'runs', version: '1.0.0', scripts })
    for (const name of ['npm-10', 'npm-11'] as const) {
      const { folder } = await install(name, app({ runs: '1' }))
      expect(await readFile(join(folder, 'node_modules/runs/ran'), 'utf8')).toBe('')
    }
  })
})

describe('what npm is asked besides', () => {
  let npm: NpmClient
  const out = async (...args: string[]): Promise<string> => (await ok(npm, args)).stdout.trim()

  beforeAll(async () => {
    npm = await publisher('npm-11')
    await publishAll(
      { name: 'asked', version: '1.0.0', keywords: ['peculiar'] },
      { name: 'asked', version: '1.1.0', keywords: ['peculiar'] }
    )
  }, 60_000)

  it('is who it is, and whether the registry answers', async () => {
    expect(await out('whoami')).toBe(owner)
    expect((await ok(npm, ['ping'])).stderr).toContain('PONG')
  })

  it('is what there is of a package', async () => {
    expect(JSON.parse(await out('view', 'asked', 'versions', '--json'))).toEqual(['1.0.0', '1.1.0'])
    expect(await out('view', 'asked', 'dist-tags.latest')).toBe('1.1.0')
    expect(await out('owner', 'ls', 'asked')).toContain(owner)
    const found = JSON.parse(await out('search', 'peculiar', '--json'))
    expect(found).toMatchObject([{ name: 'asked', version: '1.1.0' }])
    expect((await npm.run(['view', 'not-there'], home)).stderr).toContain('E404')
  })

  it('is what a tag names', async () => {
    await out('dist-tag', 'add', 'asked@1.0.0', 'stable')
    expect((await out('dist-tag', 'ls', 'asked')).split('\n').sort()).toEqual([
      'latest: 1.1.0',
      'stable: 1.0.0'
    ])
    expect(await out('view', 'asked@stable', 'version')).toBe('1.0.0')
    await out('dist-tag', 'rm', 'asked', 'stable')
    expect(await out('dist-tag', 'ls', 'asked')).toBe('latest: 1.1.0')
  })

  it('is to advise against a version, and not to any more', async () => {
    await out('deprecate', 'asked@1.0.0', 'too old')
    expect(await out('view', 'asked@1.0.0', 'deprecated')).toBe('too old')
    await out('deprecate', 'asked@1.0.0', '')
    expect(await out('view', 'asked@1.0.0', 'deprecated')).toBe('')
  })

  it('is to take a version away, and a package', async () => {
    await publishAll({ name: 'fleeting', version: '1.0.0' }, { name: 'fleeting', version: '1.1.0' })
    await out('unpublish', 'fleeting@1.1.0')
    expect(await out('view', 'fleeting', 'versions')).toBe('1.0.0')
    await out('unpublish', 'fleeting', '--force')
    expect((await npm.run(['view', 'fleeting'], home)).stderr).toContain('E404')
    await spread()
    const ended = await (await installer('npm-11')).run(['view', 'fleeting'], home)
    expect(ended.stderr).toContain('E404')
  })

  it('is what is out of date, and what is warned of', async () => {
    await publishAll({ name: 'warned-of', version: '1.0.0' })
    const folder = await folderOf(app({ asked: '1.0.0', 'warned-of': '1.0.0' }))
    await ok(npm, ['install'], folder)
    const outdated = await npm.run(['outdated', '--json'], folder)
    expect(JSON.parse(outdated.stdout)).toMatchObject({ asked: { current: '1.0.0', latest: '1.1.0' } })
    expect((await ok(npm, ['audit'], folder)).stdout).toContain('found 0 vulnerabilities')
    const text = 'Takes over the machine'
    await (await controlOf(first())).attest('warned-of@<2', { claim: 'advisory', severity: 'high', text })
    const audit = await npm.run(['audit'], folder)
    expect(audit.code).toBe(1)
    expect(audit.stdout).toContain(text)
    for (const name of ['pnpm-12', 'yarn-4'] as const) {
      const client = await publisher(name)
      const own = await folderOf({ 'yarn.lock': '', ...app({ 'warned-of': '1.0.0' }) })
      await ok(client, ['install'], own)
      const words = client.family === 'pnpm' ? ['audit'] : ['npm', 'audit']
      expect((await client.run(words, own)).stdout, name).toContain(text)
    }
  })

  it('is to make something by a package made for it', async () => {
    await publishAll({ name: 'create-thing', version: '1.0.0', bin: 'cli.js' })
    expect(await out('create', 'thing', '--yes')).toContain('create-thing@1.0.0')
  })

  it('is to publish packages of one repository that need each other', async () => {
    const folder = await folderOf({
      'package.json': { name: 'root', private: true, workspaces: ['packages/*'] },
      'packages/a/package.json': {
        name: 'workspace-a',
        version: '1.0.0',
        dependencies: { 'workspace-b': '^1.0.0' }
      },
      'packages/b/package.json': { name: 'workspace-b', version: '1.0.0' }
    })
    await ok(npm, ['install'], folder)
    await ok(npm, ['publish', '--workspaces'], folder)
    await spread()
    const { folder: user } = await install('pnpm-12', app({ 'workspace-a': '1' }))
    expect(await installed(user, 'workspace-a')).toMatchObject({ version: '1.0.0' })
  })

  it('is to publish under another tag', async () => {
    await publishAll({ name: 'tagged', version: '1.0.0' })
    const folder = await folderOf(sourceOf({ name: 'tagged', version: '2.0.0' }))
    await ok(npm, ['publish', '--tag', 'next', '--access', 'public'], folder)
    expect(await out('view', 'tagged', 'dist-tags', '--json').then(JSON.parse)).toEqual({
      latest: '1.0.0',
      next: '2.0.0'
    })
  })
})

describe('what was installed', () => {
  it('is what its owners signed, as long as nobody changes it', async () => {
    const { folder } = await install('npm-11', app({ branch: '1', [`@${owner}/by-npm-11`]: '1' }))
    const verify = async (
      path = folder
    ): Promise<{ code: number | null; answer: Record<string, unknown> }> => {
      const { code, stdout } = await third().registry('verify', path, '--json')
      return { code, answer: JSON.parse(stdout.split('\n')[0] ?? '') }
    }
    expect(await verify()).toMatchObject({ code: 0, answer: { signed: 3, unknown: 0, faults: [] } })
    expect((await verify(join(folder, 'package-lock.json'))).code).toBe(0)
    await writeFile(join(folder, 'node_modules/leaf/index.js'), 'evil()')
    expect(await verify()).toMatchObject({
      code: 1,
      answer: { signed: 2, faults: [{ name: 'leaf', outcome: 'changed files', files: ['index.js'] }] }
    })
    const lock = await readFile(join(folder, 'package-lock.json'), 'utf8')
    await writeFile(
      join(folder, 'package-lock.json'),
      lock.replaceAll(/sha512-[^"]{10}/g, 'sha512-AAAAAAAAAA')
    )
    const another = await verify(join(folder, 'package-lock.json'))
    expect(another).toMatchObject({ code: 1, answer: { signed: 0 } })
  })
})

describe('logging in', () => {
  it('is by a page, on which the token is shown that only the user of the peer can make', async () => {
    const client = await npmClient('npm-11', { folder: join(home, 'stranger'), registry: first().http })
    expect((await client.run(['whoami'], home)).stderr).toContain('ENEEDAUTH')
    const script = join(import.meta.dirname, '../node_modules/npm-11/bin/npm-cli.js')
    const npmrc = join(home, 'stranger/.npmrc')
    const login = spawn(process.execPath, [script, 'login', '--browser=false'], {
      cwd: home,
      env: { ...process.env, HOME: join(home, 'stranger'), NPM_CONFIG_USERCONFIG: npmrc },
      stdio: ['pipe', 'pipe', 'pipe']
    })
    const ended = new Promise((resolve) => login.once('exit', resolve))
    for await (const line of createInterface({ input: login.stdout })) {
      const page = /http:\S+/.exec(line)?.[0]
      if (page === undefined) continue
      const answer = await fetch(page, { method: 'POST', body: new URLSearchParams({ token }) })
      expect(answer.status).toBe(200)
      break
    }
    login.stdout.resume()
    login.stdin.end('\n')
    expect(await ended).toBe(0)
    expect((await ok(client, ['whoami'])).stdout.trim()).toBe(owner)
    await ok(client, ['logout'])
    expect((await client.run(['whoami'], home)).code).not.toBe(0)
  })

  it('writes what publishing needs into a file of npm', async () => {
    const client = await npmClient('npm-10', { folder: join(home, 'newcomer'), registry: first().http })
    await first().json('login', '--npmrc', join(home, 'newcomer/.npmrc'))
    expect((await publish(client, { name: 'first-steps', version: '1.0.0' })).code).toBe(0)
  })

  it('is needed to publish, and npm says so', async () => {
    const client = await npmClient('npm-11', {
      folder: join(home, 'forger'),
      registry: first().http,
      token: `p2pr_${'A'.repeat(43)}`
    })
    const ended = await publish(client, { name: 'forged', version: '1.0.0' })
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).toContain('This registry does not know the token')
    expect(ended.stderr).toContain('registry login')
  })
})

describe('a name that two owners have', () => {
  const manifest = { name: 'twice', version: '1.0.0' }

  beforeAll(async () => {
    await publishAll(manifest)
    const { path } = await packPackage(await folderOf(sourceOf(manifest)))
    await (await controlOf(third())).publish(createReadStream(path))
    await rm(dirname(path), { recursive: true })
  })

  it.for(NPM_CLIENTS)('is refused, and what was meant can be said to %s', async (name) => {
    const client = await installer(name)
    const folder = await folderOf(client.family === 'yarn-4' ? { 'yarn.lock': '', ...app({}) } : app({}))
    const add = client.family === 'npm' ? 'install' : 'add'
    const ended = await client.run([add, 'twice'], folder)
    expect(ended.code).not.toBe(0)
    if (client.family === 'npm') expect(ended.stderr).toContain(`@${owner}/twice`)
    await ok(client, [add, `@${owner}/twice`], folder)
    expect(await said(folder, `@${owner}/twice`)).toBe('twice@1.0.0')
  })
})

describe('a project that says whose a name is', () => {
  let mine: string
  let lock: string

  beforeAll(async () => {
    await publishAll({ name: 'shared', version: '1.0.0' })
    const other = await folderOf(sourceOf({ name: 'shared', version: '2.0.0' }))
    const { path } = await packPackage(other)
    await (await controlOf(third())).publish(createReadStream(path))
    await rm(dirname(path), { recursive: true })
    mine = String((await third().json('status'))[0]?.owner)
    lock = `shared@${mine}`
  }, 60_000)

  /** The settings of a project, as `registry pin --project` leaves them. */
  async function project(client: NpmClient, names: string, dependencies: object): Promise<string> {
    const folder = await folderOf({
      'package.json': { name: 'app', version: '1.0.0', private: true, dependencies },
      ...(client.family === 'yarn-4' ? { 'yarn.lock': '', '.yarnrc.yml': '' } : {})
    })
    for (const name of names.split(',')) {
      const [key = '', value = ''] = name.split('@')
      const at = ['--data-dir', third().dataDir]
      await registry(['pin', key, value, '--project', ...at], { cwd: folder })
    }
    return folder
  }

  it.for(NPM_CLIENTS)('gets that one with %s, and its lockfile needs no names', async (name) => {
    const client = await installer(name)
    const folder = await project(client, lock, { shared: '*' })
    await ok(client, ['install'], folder)
    expect(await said(folder, 'shared')).toBe('shared@2.0.0')
    await rm(join(folder, 'node_modules'), { recursive: true })
    // pnpm 12 asks for the documents of what a lockfile names, to hold its policies against them.
    const settings = name === 'pnpm-12' ? [] : ['.npmrc', '.yarnrc.yml']
    for (const file of settings) await rm(join(folder, file), { force: true })
    const again = await npmClient(name, { folder: join(home, 'locked', name), registry: third().http })
    await ok(again, frozen(again), folder)
    expect(await said(folder, 'shared')).toBe('shared@2.0.0')
  })

  it.for(NPM_CLIENTS)('is published to by %s', async (name) => {
    const client = await npmClient(name, {
      folder: join(home, 'project-publisher', name),
      registry: first().http,
      prefix: `/~/shared@${owner}`,
      token
    })
    const ended = await publish(client, { name: `under-${name}`, version: '1.0.0' })
    expect(ended.code, ended.stderr).toBe(0)
  })

  it('is published to with what a login writes in its folder', async () => {
    const npm = await npmClient('npm-11', { folder: join(home, 'project-login'), registry: first().http })
    const folder = await folderOf(sourceOf({ name: 'under-login', version: '1.0.0' }))
    const at = ['--data-dir', first().dataDir]
    await registry(['pin', 'shared', owner, '--project', ...at], { cwd: folder })
    expect((await npm.run(['publish'], folder)).stderr).toContain('ENEEDAUTH')
    await registry(['login', '--npmrc', join(home, 'project-login', '.npmrc'), ...at], { cwd: folder })
    await ok(npm, ['publish'], folder)
  })
})

describe('a peer that has nobody to ask', () => {
  it('still serves what it has, and says at once what it does not know', async () => {
    const { client, folder } = await install('npm-11', app({ asked: '1.1.0' }))
    await Promise.all([first().stop(), at(1).stop()])
    await rm(join(folder, 'node_modules'), { recursive: true })
    await rm(join(folder, 'package-lock.json'))
    await ok(client, ['install', '--prefer-online'], folder)
    expect((await installed(folder, 'asked')).version).toBe('1.1.0')
    const before = performance.now()
    const answer = await fetch(`${third().http}/nobody-has-this`)
    expect(answer.status).toBe(404)
    // A look into the network would take seconds.
    expect(performance.now() - before).toBeLessThan(500)
  })
})
