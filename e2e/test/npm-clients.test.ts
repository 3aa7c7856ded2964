import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { type ControlClient, controlClient, readControlFile } from '@registry/control'
import { packPackage } from '@registry/registry'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { familyOf, NPM_CLIENTS, type NpmClient, type NpmClientName, npmClient } from '../src/npm-client.ts'
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
      // yarn and bun look for what a package brings with it all the same.
      { name: 'inside', version: '1.0.0' },
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

  it.for(NPM_CLIENTS)('may bring its dependencies with it, to be installed by %s', async (name) => {
    const manifest = {
      name: `bundle-for-${name}`,
      version: '1.0.0',
      dependencies: { inside: '1.0.0' },
      bundleDependencies: ['inside']
    }
    const inside = { 'node_modules/inside/package.json': { name: 'inside', version: '1.0.0' } }
    expect((await publish(await publisher('npm-11'), manifest, inside)).code).toBe(0)
    await spread()
    const { folder } = await install(name, app({ [manifest.name]: '1' }))
    const found = createRequire(await realpath(join(folder, 'node_modules', manifest.name, 'package.json')))
    expect(found('inside/package.json')).toMatchObject({ version: '1.0.0' })
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

const NPM_COMMANDS = {
  whoami: 'whoami',
  ping: 'ping',
  view: 'view PACKAGE version',
  search: 'search KEYWORD',
  owners: 'owner ls PACKAGE',
  tag: 'dist-tag add PACKAGE@1.0.0 stable',
  tags: 'dist-tag ls PACKAGE',
  untag: 'dist-tag rm PACKAGE stable',
  deprecate: 'deprecate PACKAGE@1.0.0 outworn',
  unpublish: 'unpublish PACKAGE@1.1.0',
  outdated: 'outdated',
  audit: 'audit',
  create: 'create thing --yes',
  publishAll: 'publish --workspaces',
  logout: 'logout'
}

/** How each client is told what not all of them call the same. What it has no command for is not there. */
const COMMANDS = {
  npm: NPM_COMMANDS,
  pnpm: { ...NPM_COMMANDS, create: 'create thing', publishAll: '--recursive publish --no-git-checks' },
  // Its `audit` asks the public registry, whatever is configured.
  'yarn-1': {
    view: 'info PACKAGE version',
    owners: 'owner list PACKAGE',
    tag: 'tag add PACKAGE@1.0.0 stable',
    tags: 'tag list PACKAGE',
    untag: 'tag remove PACKAGE stable',
    outdated: 'outdated',
    create: 'create thing'
  },
  'yarn-4': {
    whoami: 'npm whoami',
    view: 'npm info PACKAGE --fields version --json',
    tag: 'npm tag add PACKAGE@1.0.0 stable',
    tags: 'npm tag list PACKAGE',
    untag: 'npm tag remove PACKAGE stable',
    audit: 'npm audit',
    create: 'create thing',
    publishAll: 'workspaces foreach --all --no-private npm publish'
  },
  bun: {
    whoami: 'pm whoami',
    view: 'info PACKAGE version',
    outdated: 'outdated',
    audit: 'audit',
    create: 'create thing'
  }
} satisfies Record<NpmClient['family'], Partial<Record<string, string>>>

type Command = keyof typeof NPM_COMMANDS

function commandOf(family: NpmClient['family'], command: Command): string | undefined {
  const commands: Partial<Record<Command, string>> = COMMANDS[family]
  return commands[command]
}

function clientsWith(command: Command): NpmClientName[] {
  return NPM_CLIENTS.filter((name) => commandOf(familyOf(name), command) !== undefined)
}

describe('what clients are told besides', () => {
  const packageOf = (name: NpmClientName): string => `asked-by-${name}`
  const TEXT = 'Takes over the machine'

  /** What a client prints for a command, which it may also end with the code that says: there is something. */
  async function told(
    name: NpmClientName,
    command: Command,
    { folder, codes = [0] }: { folder?: string; codes?: number[] } = {}
  ): Promise<string> {
    const client = await publisher(name)
    // yarn 4 does nothing outside of a project.
    const cwd = folder ?? (await folderOf({ 'yarn.lock': '', ...app({}) }))
    const words = commandOf(client.family, command)?.split(' ') ?? []
    const args = words.map((word) =>
      word.replace('PACKAGE', packageOf(name)).replace('KEYWORD', `peculiar-to-${name}`)
    )
    const { code, stdout, stderr } = await client.run(args, cwd)
    expect(codes, `${args.join(' ')}: ${stdout}${stderr}`).toContain(code)
    return stdout + stderr
  }

  /** The versions of a package, as far as a test looks into them. */
  async function versionsOf(name: string): Promise<Record<string, { deprecated?: string }>> {
    const document = (await (await fetch(`${first().http}/${name}`)).json()) as {
      versions: Record<string, { deprecated?: string }>
    }
    return document.versions
  }

  /** A project of this client that has installed the older version of its package, and what is warned of. */
  async function project(name: NpmClientName): Promise<string> {
    const client = await publisher(name)
    const dependencies = { [packageOf(name)]: '1.0.0', 'warned-of': '1.0.0' }
    const folder = await folderOf({
      ...app(dependencies),
      ...(client.family === 'yarn-4' ? { 'yarn.lock': '' } : {})
    })
    await ok(client, ['install'], folder)
    return folder
  }

  beforeAll(async () => {
    const versions = NPM_CLIENTS.flatMap((name) =>
      ['1.0.0', '1.1.0'].map((version) => {
        return { name: packageOf(name), version, keywords: [`peculiar-to-${name}`] }
      })
    )
    await publishAll(
      ...versions,
      { name: 'warned-of', version: '1.0.0' },
      { name: 'create-thing', version: '1.0.0', bin: 'cli.js' }
    )
    await (await controlOf(first())).attest('warned-of@<2', {
      claim: 'advisory',
      severity: 'high',
      text: TEXT
    })
  }, 120_000)

  it.for(clientsWith('whoami'))('is who they are: %s', async (name) => {
    expect(await told(name, 'whoami')).toContain(owner)
  })

  it.for(clientsWith('ping'))('is whether the registry answers: %s', async (name) => {
    expect(await told(name, 'ping')).toContain('PONG')
  })

  it.for(clientsWith('view'))('is what there is of a package: %s', async (name) => {
    expect(await told(name, 'view')).toContain('1.1.0')
  })

  it.for(clientsWith('search'))('is what there is about something: %s', async (name) => {
    expect(await told(name, 'search')).toContain(packageOf(name))
  })

  it.for(clientsWith('owners'))('is whose a package is: %s', async (name) => {
    expect(await told(name, 'owners')).toContain(owner)
  })

  it.for(clientsWith('tag'))('is what a tag names: %s', async (name) => {
    const tags = `${first().http}/-/package/${packageOf(name)}/dist-tags`
    await told(name, 'tag')
    expect(await (await fetch(tags)).json()).toEqual({ latest: '1.1.0', stable: '1.0.0' })
    expect(await told(name, 'tags')).toContain('stable')
    await told(name, 'untag')
    expect(await (await fetch(tags)).json()).toEqual({ latest: '1.1.0' })
  })

  it.for(clientsWith('outdated'))('is what is out of date: %s', async (name) => {
    expect(await told(name, 'outdated', { folder: await project(name), codes: [0, 1] })).toMatch(
      /1\.0\.0.*1\.1\.0/s
    )
  })

  it.for(clientsWith('audit'))('is what is warned of: %s', async (name) => {
    const folder = await project(name)
    expect(await told(name, 'audit', { folder, codes: [1] })).toContain(TEXT)
  })

  it.for(clientsWith('create'))('is to make something by a package made for it: %s', async (name) => {
    expect(await told(name, 'create')).toContain('create-thing@1.0.0')
  })

  it.for(NPM_CLIENTS)('is to publish under another tag, for everybody: %s', async (name) => {
    const client = await publisher(name)
    const manifest = { name: packageOf(name), version: '2.0.0' }
    const folder = await folderOf({
      ...sourceOf(manifest),
      ...(client.family === 'yarn-4' ? { 'yarn.lock': '' } : {})
    })
    if (client.family === 'yarn-4') await ok(client, ['install'], folder)
    const args = publishArguments(client, manifest)
    await ok(client, [...args, '--tag', 'next', '--access', 'public'], folder)
    const answer = await fetch(`${first().http}/-/package/${manifest.name}/dist-tags`)
    expect(await answer.json()).toEqual({ latest: '1.1.0', next: '2.0.0' })
  })

  it.for(clientsWith('publishAll'))(
    'is to publish packages of one repository that need each other: %s',
    async (name) => {
      const client = await publisher(name)
      const [a, b] = [`workspace-a-of-${name}`, `workspace-b-of-${name}`]
      const needs = client.family === 'npm' ? '^1.0.0' : 'workspace:^'
      const folder = await folderOf({
        'package.json': { name: 'root', version: '1.0.0', private: true, workspaces: ['packages/*'] },
        'pnpm-workspace.yaml': 'packages: ["packages/*"]\n',
        'packages/a/package.json': { name: a, version: '1.0.0', dependencies: { [b]: needs } },
        'packages/b/package.json': { name: b, version: '1.0.0' },
        ...(client.family === 'yarn-4' ? { 'yarn.lock': '' } : {})
      })
      await ok(client, ['install'], folder)
      await told(name, 'publishAll', { folder })
      await spread()
      const { folder: user } = await install('pnpm-12', app({ [a]: '1' }))
      expect(await installed(user, a)).toMatchObject({ version: '1.0.0', dependencies: { [b]: '^1.0.0' } })
    }
  )

  it.for(clientsWith('deprecate'))('is to advise against a version: %s', async (name) => {
    await told(name, 'deprecate')
    const versions = await versionsOf(packageOf(name))
    expect([versions['1.0.0']?.deprecated, versions['1.1.0']?.deprecated]).toEqual(['outworn', undefined])
  })

  it('is not to advise against it any more: npm', async () => {
    const npm = await publisher('npm-11')
    await ok(npm, ['deprecate', `${packageOf('npm-11')}@1.0.0`, ''])
    expect((await versionsOf(packageOf('npm-11')))['1.0.0']?.deprecated).toBeUndefined()
  })

  it.for(clientsWith('unpublish'))('is to take a version away: %s', async (name) => {
    await told(name, 'unpublish')
    expect(Object.keys(await versionsOf(packageOf(name)))).toEqual(['2.0.0', '1.0.0'])
  })

  it('is to take a package away, for everybody: npm', async () => {
    await publishAll({ name: 'fleeting', version: '1.0.0' }, { name: 'fleeting', version: '1.1.0' })
    await ok(await publisher('npm-11'), ['unpublish', 'fleeting', '--force'])
    for (const peer of [first(), third()]) {
      await spread()
      const client = await npmClient('npm-11', { folder: join(home, 'viewer'), registry: peer.http })
      expect((await client.run(['view', 'fleeting'], home)).stderr).toContain('E404')
    }
  })

  it('is to let somebody else publish too, which is refused in words: npm', async () => {
    const ended = await (await publisher('npm-11')).run(['owner', 'add', 'eve', packageOf('npm-11')], home)
    expect(ended.code).not.toBe(0)
    expect(ended.stderr).toContain('the owner whose key signed it')
  })

  it.for(clientsWith('logout'))('is to forget the token, which is worth nothing then: %s', async (name) => {
    const own = String((await first().json('login', '--print'))[0]?.token)
    const folder = join(home, 'logging-out', name)
    const client = await npmClient(name, { folder, registry: first().http, token: own })
    const whoami = (): Promise<Response> =>
      fetch(`${first().http}/-/whoami`, { headers: { authorization: `Bearer ${own}` } })
    expect((await whoami()).status).toBe(200)
    await client.run([commandOf(client.family, 'logout') ?? ''], home)
    expect((await whoami()).status).toBe(401)
  })
})

describe('what was installed', () => {
  const LOCKS = {
    npm: 'package-lock.json',
    pnpm: 'pnpm-lock.yaml',
    'yarn-1': 'yarn.lock',
    'yarn-4': 'yarn.lock',
    bun: 'bun.lock'
  }

  interface Answer {
    signed: number
    unknown: number
    faults: Array<{ name: string; outcome: string; files?: string[] }>
    packages: Array<{ name: string; path: string; owner: string }>
  }

  async function verify(path: string): Promise<Answer & { code: number | null }> {
    const { code, stdout } = await third().registry('verify', path, '--json')
    const answer: Answer = JSON.parse(stdout.split('\n')[0] ?? '')
    return { code, ...answer }
  }

  it.for(NPM_CLIENTS)('is what its owners signed, as long as nobody changes it: %s', async (name) => {
    const { client, folder } = await install(name, app({ branch: '1', [`@${owner}/by-npm-11`]: '1' }))
    const installation = await verify(folder)
    expect(installation).toMatchObject({ code: 0, signed: 3, unknown: 0, faults: [] })
    const leaf = join(folder, installation.packages.find((one) => one.name === 'leaf')?.path ?? '')
    await writeFile(join(leaf, 'index.js'), 'evil()')
    expect(await verify(folder)).toMatchObject({
      code: 1,
      signed: 2,
      faults: [{ name: 'leaf', outcome: 'changed files', files: ['index.js'] }]
    })

    const lock = join(folder, LOCKS[client.family])
    const locked = await verify(lock)
    // Of what yarn 4 writes into its lockfile nobody else can make the hash.
    if (client.family === 'yarn-4') {
      expect(new Set(locked.faults.map(({ outcome }) => outcome))).toEqual(new Set(['no hash']))
      return
    }
    expect(locked).toMatchObject({ code: 0, faults: [] })
    expect(locked.signed).toBeGreaterThanOrEqual(3)
    const text = await readFile(lock, 'utf8')
    await writeFile(lock, text.replaceAll(/sha512-[\w+/]{10}/g, 'sha512-AAAAAAAAAA'))
    expect(await verify(lock)).toMatchObject({ code: 1, signed: 0 })
    await writeFile(lock, text.replaceAll('leaf-1.1.0', 'leaf-9.9.9').replaceAll('1.1.0', '9.9.9'))
    const unheard = await verify(lock)
    expect(unheard.code).toBe(1)
    expect(unheard.faults).toMatchObject([{ name: 'leaf', outcome: 'no such release' }])
  })

  it('says that there is nothing, where there is nothing', async () => {
    const { code, stderr } = await third().registry('verify', await folderOf({ 'package.json': {} }))
    expect(code).toBe(1)
    expect(stderr).toContain('pnpm-lock.yaml')
  })
})

describe('logging in', () => {
  it('is by a page, on which the token is shown that only the user of the peer can make', async () => {
    const client = await npmClient('npm-11', { folder: join(home, 'stranger'), registry: first().http })
    expect((await client.run(['whoami'], home)).stderr).toContain('ENEEDAUTH')
    const login = client.start(['login', '--browser=false'], home)
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

  it.for(['npm-10', 'npm-11'] as const)('is by a password in %s, which is a token', async (name) => {
    const folder = join(home, 'by-password', name)
    const client = await npmClient(name, { folder, registry: first().http })
    const login = client.start(['login', '--auth-type=legacy'], home)
    const ended = new Promise((resolve) => login.once('exit', resolve))
    const answers = new Map([
      ['Username', 'anybody'],
      ['Password', token],
      ['Email', 'nobody@example.org']
    ])
    let said = ''
    for await (const piece of login.stdout.setEncoding('utf8')) {
      said += piece
      for (const [question, answer] of answers) {
        if (said.includes(question) && answers.delete(question)) login.stdin.write(`${answer}\n`)
      }
    }
    expect(await ended, said).toBe(0)
    expect((await ok(client, ['whoami'])).stdout.trim()).toBe(owner)
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
    const [verified] = await third().json('verify', folder)
    expect(verified).toMatchObject({ signed: 1, packages: [{ owner }] })
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
    const { client, folder } = await install('npm-11', app({ host: '3.1.0' }))
    await Promise.all([first().stop(), at(1).stop()])
    await rm(join(folder, 'node_modules'), { recursive: true })
    await rm(join(folder, 'package-lock.json'))
    await ok(client, ['install', '--prefer-online'], folder)
    expect((await installed(folder, 'host')).version).toBe('3.1.0')
    const before = performance.now()
    const answer = await fetch(`${third().http}/nobody-has-this`)
    expect(answer.status).toBe(404)
    // A look into the network would take seconds.
    expect(performance.now() - before).toBeLessThan(500)
  })
})
