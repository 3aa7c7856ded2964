import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Ended, run } from './process.ts'

/** A package manager as a user runs it, in its own empty home. */
export interface NpmClient {
  readonly name: string
  /** Which family of commands and files it has. */
  readonly family: 'npm' | 'pnpm' | 'yarn-1' | 'yarn-4' | 'bun'
  /** Runs it in a folder. */
  run(args: readonly string[], cwd: string): Promise<Ended>
  /** As `run`, for who answers its questions. */
  start(args: readonly string[], cwd: string): ChildProcessWithoutNullStreams
}

export interface NpmHome {
  /** Holds configuration and caches of this client alone. */
  folder: string
  /** `http://127.0.0.1:PORT` */
  registry: string
  /** Stands behind it, as `/~/kit=OWNER`. */
  prefix?: string
  /** To publish. */
  token?: string
  /** Of npm, beside these. */
  settings?: Readonly<Record<string, string | number>>
}

const modules = join(import.meta.dirname, '../node_modules')

const PROGRAMS = [
  ['npm-10', 'npm', 'bin/npm-cli.js'],
  ['npm-11', 'npm', 'bin/npm-cli.js'],
  ['pnpm-10', 'pnpm', 'bin/pnpm.cjs'],
  ['pnpm-12', 'pnpm', 'bin/pnpm.mjs'],
  ['yarn-1', 'yarn-1', 'bin/yarn.js'],
  ['yarn-4', 'yarn-4', 'bin/yarn.js'],
  ['bun', 'bun', undefined]
] as const

export type NpmClientName = (typeof PROGRAMS)[number][0]

export const NPM_CLIENTS: readonly NpmClientName[] = PROGRAMS.map(([name]) => name)

export function familyOf(name: NpmClientName): NpmClient['family'] {
  return programOf(name)[1]
}

function programOf(name: NpmClientName): (typeof PROGRAMS)[number] {
  return PROGRAMS.find((program) => program[0] === name) ?? PROGRAMS[0]
}

/** Makes a client that knows no registry but this one. */
export async function npmClient(name: NpmClientName, home: NpmHome): Promise<NpmClient> {
  const [, family, script] = programOf(name)
  const { folder, token } = home
  const registry = `${home.registry}${home.prefix ?? ''}`
  await mkdir(folder, { recursive: true })
  const npmrc = join(folder, '.npmrc')
  const auth = token === undefined ? '' : `${registry.replace(/^http:/, '')}/:_authToken=${token}\n`
  const settings = Object.entries(home.settings ?? {}).map(([key, value]) => `${key}=${value}\n`)
  await writeFile(npmrc, `registry=${registry}/\n${auth}${settings.join('')}`)
  const yarnToken = token === undefined ? '' : `npmAuthToken: ${JSON.stringify(token)}\n`
  await writeFile(
    join(folder, '.yarnrc.yml'),
    [
      `npmRegistryServer: ${JSON.stringify(registry)}`,
      'unsafeHttpWhitelist: ["127.0.0.1"]',
      // What was published a moment ago shall be installed.
      'npmMinimalAgeGate: 0',
      'nodeLinker: node-modules',
      'enableTelemetry: false',
      'enableImmutableInstalls: false',
      yarnToken
    ].join('\n')
  )
  await writeFile(join(folder, '.yarnrc'), `registry "${registry}/"\n`)
  await writeFile(
    join(folder, '.bunfig.toml'),
    `[install]\nregistry = { url = "${registry}/"${token === undefined ? '' : `, token = "${token}"`} }\n`
  )
  const command = script === undefined ? await bunProgram() : process.execPath
  const before = script === undefined ? [] : [await realpath(join(modules, name, script))]
  const env = environment(folder, npmrc)
  return {
    name,
    family,
    run: (args, cwd) => run(command, [...before, ...args], { cwd, env, timeoutMs: 60_000 }),
    start: (args, cwd) => spawn(command, [...before, ...args], { cwd, env: { ...process.env, ...env } })
  }
}

/** bun's program is in a package of its platform, beside it in the store. */
async function bunProgram(): Promise<string> {
  const require = createRequire(await realpath(join(modules, 'bun/package.json')))
  return require.resolve(`@oven/bun-${process.platform}-${process.arch}/bin/bun`)
}

/** Nothing of whoever runs the tests: neither configuration nor caches, nor what a package manager above has set. */
function environment(home: string, npmrc: string): NodeJS.ProcessEnv {
  const foreign = Object.keys(process.env).filter((key) =>
    /^(npm_|pnpm_|yarn_|bun_|corepack_|ci$)/i.test(key)
  )
  return {
    ...Object.fromEntries(foreign.map((key) => [key, undefined])),
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_STATE_HOME: join(home, 'state'),
    NPM_CONFIG_USERCONFIG: npmrc,
    NPM_CONFIG_GLOBALCONFIG: join(home, 'global.npmrc'),
    NPM_CONFIG_CACHE: join(home, 'cache/npm'),
    NPM_CONFIG_UPDATE_NOTIFIER: 'false',
    // pnpm takes older versions before those that were published a moment ago.
    PNPM_CONFIG_MINIMUM_RELEASE_AGE: '0',
    YARN_ENABLE_TELEMETRY: '0',
    YARN_GLOBAL_FOLDER: join(home, 'yarn'),
    BUN_INSTALL_CACHE_DIR: join(home, 'cache/bun'),
    NO_COLOR: '1'
  }
}
