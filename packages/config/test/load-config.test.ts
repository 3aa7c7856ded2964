import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRegistryError } from '@registry/types'
import { stringify } from 'smol-toml'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type ConfigFault,
  type ConfigSources,
  configEnvironment,
  describeConfig,
  InvalidConfigError,
  type LoadedConfig,
  loadConfig
} from '../src/index.ts'
import { EXAMPLES, exampleConfig } from './settings.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'))
  file = join(folder, 'peer.toml')
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function loadText(toml: string, sources: ConfigSources = {}): Promise<LoadedConfig> {
  await writeFile(file, toml)
  return loadConfig({ file, ...sources })
}

async function faultsOf(loading: Promise<unknown>): Promise<readonly ConfigFault[]> {
  const error = await loading.catch((caught: unknown) => caught)
  if (error instanceof InvalidConfigError) return error.faults
  throw new TypeError(`no faults: ${error}`)
}

const sectionsOf = (path: string, value: unknown): Record<string, Record<string, unknown>> => {
  const [section = '', key = ''] = path.split('.')
  return { [section]: { [key]: value } }
}

describe('each setting', () => {
  it('has an example here', () => {
    expect(Object.keys(EXAMPLES)).toEqual(configEnvironment.map(({ path }) => path))
  })

  it.each(Object.entries(EXAMPLES))('%s is read from the file', async (path, { value }) => {
    const { overrides, origins } = await loadText(stringify(sectionsOf(path, value)))
    expect(overrides).toEqual(sectionsOf(path, value))
    expect([...origins]).toEqual([[path, { kind: 'file', where: file }]])
  })

  it.each(Object.entries(EXAMPLES))(
    '%s is read from its variable and from aliases',
    async (path, { value, text }) => {
      const { name, aliases } = configEnvironment.find((one) => one.path === path) ?? {
        name: '',
        aliases: []
      }
      for (const where of [name, ...aliases]) {
        const { overrides, origins } = await loadConfig({ env: { [where]: text } })
        expect(overrides).toEqual(sectionsOf(path, value))
        expect([...origins]).toEqual([[path, { kind: 'environment', where }]])
      }
    }
  )

  it.each(Object.entries(EXAMPLES))(
    '%s is read from a flag, as text or as it is',
    async (path, { value, text }) => {
      for (const given of [value, text]) {
        const { overrides, origins } = await loadConfig({
          flags: [{ path, flag: '--some-flag', value: given }]
        })
        expect(overrides).toEqual(sectionsOf(path, value))
        expect([...origins]).toEqual([[path, { kind: 'flag', where: '--some-flag' }]])
      }
    }
  )

  it('is shown with its value, origin, meaning, variables and unit', async () => {
    const loaded = await loadText('[dht]\nqueryTimeoutMs = 1', {
      env: { REGISTRY_MAX_CONNECTIONS: '7' },
      flags: [{ path: 'network.name', flag: '--network', value: 'other' }]
    })
    const { identityPath: _, ...security } = exampleConfig().security
    const rows = describeConfig({ ...exampleConfig(), security }, loaded)
    expect(rows.map(({ path }) => path)).toEqual(Object.keys(EXAMPLES))
    expect(rows.every(({ description }) => description.endsWith('.'))).toBe(true)
    const row = (path: string): object | undefined => rows.find((one) => one.path === path)
    expect(row('network.name')).toMatchObject({
      value: 'other',
      origin: { kind: 'flag', where: '--network' }
    })
    expect(row('network.maxConnections')).toMatchObject({
      value: 7,
      origin: { kind: 'environment', where: 'REGISTRY_MAX_CONNECTIONS' },
      env: ['REGISTRY_NETWORK_MAX_CONNECTIONS', 'REGISTRY_MAX_CONNECTIONS']
    })
    expect(row('dht.queryTimeoutMs')).toMatchObject({
      value: 1,
      origin: { kind: 'file', where: file },
      env: ['REGISTRY_DHT_QUERY_TIMEOUT_MS'],
      unit: 'ms'
    })
    expect(row('storage.quotaBytes')).toMatchObject({
      value: 2 ** 40,
      origin: { kind: 'default' },
      unit: 'bytes'
    })
    expect(row('security.identityPath')).toMatchObject({ value: undefined, origin: { kind: 'default' } })
  })
})

describe('sources', () => {
  it('give way to one another: file, environment, flags', async () => {
    const toml = '[network]\nname = "file"\nmaxConnections = 1\nminPeers = 1\n'
    const { overrides, origins } = await loadText(toml, {
      env: { REGISTRY_NETWORK: 'env', REGISTRY_MAX_CONNECTIONS: '2', PATH: '/bin' },
      flags: [
        { path: 'network.name', flag: '--network', value: 'flag' },
        { path: 'http.listen', flag: '--http', value: undefined }
      ]
    })
    expect(overrides).toEqual({ network: { name: 'flag', maxConnections: 2, minPeers: 1 } })
    expect(Object.fromEntries([...origins].map(([path, { kind }]) => [path, kind]))).toEqual({
      'network.name': 'flag',
      'network.maxConnections': 'environment',
      'network.minPeers': 'file'
    })
  })

  it('may be empty', async () => {
    expect(await loadConfig({})).toEqual({ overrides: {}, origins: new Map() })
    expect((await loadText('# nothing\n')).overrides).toEqual({})
  })

  it('may empty a list', async () => {
    expect((await loadConfig({ env: { REGISTRY_BOOTSTRAP: '' } })).overrides).toEqual({
      bootstrap: { nodes: [] }
    })
  })

  it('may list numbers', async () => {
    const env = { REGISTRY_CATALOGUE_SHARD_BITS: '4', REGISTRY_CATALOGUE_SHARDS: '1, 15' }
    expect((await loadConfig({ env })).overrides).toEqual({ catalogue: { shardBits: 4, shards: [1, 15] } })
    const wrong = loadConfig({ env: { REGISTRY_CATALOGUE_SHARDS: '1,two' } })
    expect((await faultsOf(wrong)).map(({ path }) => path)).toEqual(['catalogue.shards[1]'])
  })

  it('leave alone the variable of the data folder, and those of others', async () => {
    const env = { REGISTRY_DATA_DIR: '/srv', npm_config_registry: 'x', REGISTRY_GONE: undefined }
    expect((await loadConfig({ env })).overrides).toEqual({})
  })

  it('name bootstrap nodes either way', async () => {
    const { overrides } = await loadText(
      '[bootstrap]\nnodes = ["/dns4/a.example/tcp/1/p2p/QmA", { peerId = "QmB", address = "/ip4/192.0.2.1/tcp/1" }]'
    )
    expect(overrides.bootstrap?.nodes).toEqual([
      '/dns4/a.example/tcp/1/p2p/QmA',
      { peerId: 'QmB', address: '/ip4/192.0.2.1/tcp/1' }
    ])
  })
})

describe('faults', () => {
  it('are reported all at once, each with its path, origin and reason', async () => {
    const toml = `
      netwrok = 1
      sync = 5
      [network]
      name = "Not A Name"
      maxConections = 3
      listenAddresses = ["127.0.0.1:4001", "/ip4/127.0.0.1/tcp/0"]
      [security]
      noiseEnabled = false
    `
    const loading = loadText(toml, {
      env: { REGISTRY_DHT_SERVER: 'yes', REGISTRY_MAX_CONECTIONS: '3', REGISTRY_HTTP: 'localhost' },
      flags: [{ path: 'gossipsub.meshSize', flag: '--mesh', value: 'many' }]
    })
    const faults = await faultsOf(loading)
    const inFile = { kind: 'file', where: file }
    const sentences = [
      ['sync', 'must be a table', inFile],
      ['network.name', 'must be made of a to z, 0 to 9 and "-", which is not first', inFile],
      ['network.listenAddresses[0]', 'must be a multiaddr, such as "/ip4/127.0.0.1/tcp/4001"', inFile],
      ['network.maxConections', 'is not known; did you mean maxConnections?', inFile],
      [
        'security.noiseEnabled',
        expect.stringMatching(/^must be true: without Noise nobody could tell/),
        inFile
      ],
      ['netwrok', 'is not known; did you mean network?', inFile],
      [
        'REGISTRY_MAX_CONECTIONS',
        'is not a variable of the registry; did you mean REGISTRY_MAX_CONNECTIONS?',
        { kind: 'environment', where: 'REGISTRY_MAX_CONECTIONS' }
      ],
      ['dht.server', 'must be true or false', { kind: 'environment', where: 'REGISTRY_DHT_SERVER' }],
      [
        'http.listen',
        'must be HOST:PORT, such as "127.0.0.1:4873" or "[::1]:0"',
        { kind: 'environment', where: 'REGISTRY_HTTP' }
      ],
      ['gossipsub.meshSize', 'must be a whole number from 1 to 1000', { kind: 'flag', where: '--mesh' }]
    ]
    expect(faults).toHaveLength(sentences.length)
    expect(faults).toEqual(
      expect.arrayContaining(sentences.map(([path, reason, origin]) => ({ path, reason, origin })))
    )
    const message = String(await loading.catch((error: unknown) => error))
    for (const { path, reason } of faults) {
      expect(message).toContain(path)
      expect(message).toContain(reason)
    }
    expect(message).toContain(`network.name (file ${file}): must be made of`)
    expect(message).toContain('REGISTRY_MAX_CONECTIONS: is not a variable')
  })

  it('are not seen in variables of other programs that share the prefix', async () => {
    const { overrides } = await loadConfig({
      env: { REGISTRY_PASSWORD: 'theirs', REGISTRY_CREDENTIALS_FILE: '/a' }
    })
    expect(overrides).toEqual({})
  })

  it('are seen in unknown variables of our own sections', async () => {
    const [fault, ...others] = await faultsOf(loadConfig({ env: { REGISTRY_GOSSIPSUB_FROBNICATION: '1' } }))
    expect(fault).toMatchObject({
      path: 'REGISTRY_GOSSIPSUB_FROBNICATION',
      reason: expect.stringMatching(/^is not a variable of the registry/)
    })
    expect(others).toEqual([])
  })

  it('are told to scripts by code, with the list as data', async () => {
    const error = await loadText('a = 1').catch((caught: unknown) => caught)
    expect(isRegistryError(error, 'ERR_INVALID_CONFIG') && error.toJSON().details).toEqual({
      faults: [{ path: 'a', reason: 'is not known', origin: { kind: 'file', where: file } }]
    })
  })

  it('of syntax have their line and column, and do not hide those of other sources', async () => {
    const faults = await faultsOf(loadText('[network]\nname = \n', { env: { REGISTRY_NETWORK: '' } }))
    expect(faults).toEqual([
      {
        path: '',
        reason: expect.stringMatching(/^line 2, column \d+: /),
        origin: { kind: 'file', where: file },
        line: 2,
        column: expect.any(Number)
      },
      {
        path: 'network.name',
        reason: 'must not be empty',
        origin: { kind: 'environment', where: 'REGISTRY_NETWORK' }
      }
    ])
  })

  it('are also found in a value that a stronger source overrides', async () => {
    const faults = await faultsOf(loadText('[network]\nname = 1', { env: { REGISTRY_NETWORK: 'main' } }))
    expect(faults).toEqual([
      { path: 'network.name', reason: 'must be a text', origin: { kind: 'file', where: file } }
    ])
  })

  it('are two variables that set the same', async () => {
    const env = { REGISTRY_NETWORK: 'a', REGISTRY_NETWORK_NAME: 'b' }
    expect(await faultsOf(loadConfig({ env }))).toEqual([
      {
        path: 'network.name',
        reason: 'is also set by REGISTRY_NETWORK; keep one of them',
        origin: { kind: 'environment', where: 'REGISTRY_NETWORK_NAME' }
      }
    ])
  })

  it('are found between values of different sources', async () => {
    const loading = loadText('[gossipsub]\nmeshHigh = 12', { env: { REGISTRY_GOSSIP_MESH_SIZE: '13' } })
    expect(await faultsOf(loading)).toEqual([
      {
        path: 'gossipsub.meshSize',
        reason: 'must not be above gossipsub.meshHigh, which is 12',
        origin: { kind: 'environment', where: 'REGISTRY_GOSSIP_MESH_SIZE' }
      }
    ])
  })

  it('are a flag that sets nothing known', async () => {
    const flags = [{ path: 'network.nam', flag: '--nam', value: 'x' }]
    expect(await faultsOf(loadConfig({ flags }))).toEqual([
      { path: 'network.nam', reason: 'is not a setting', origin: { kind: 'flag', where: '--nam' } }
    ])
  })
})

describe('a file that cannot be read', () => {
  const unreadable = (reason: RegExp): object =>
    expect.toSatisfy(
      (error: unknown) =>
        isRegistryError(error, 'ERR_CONFIG_UNREADABLE') && reason.test(String(error.details.reason))
    )

  it('is a typed error, not an empty configuration', async () => {
    await expect(loadConfig({ file })).rejects.toThrow(unreadable(/ENOENT/))
    await expect(loadConfig({ file: folder })).rejects.toThrow(unreadable(/EISDIR/))
    await writeFile(file, Buffer.from([0x61, 0xff]))
    await expect(loadConfig({ file })).rejects.toThrow(unreadable(/UTF-8/))
  })

  it('is one of more than 1 MiB', async () => {
    expect((await loadText('#'.repeat(2 ** 20))).overrides).toEqual({})
    await expect(loadText('#'.repeat(2 ** 20 + 1))).rejects.toThrow(unreadable(/more than 1048576 bytes/))
  })

  it('is let go of when the caller gives up', async () => {
    await writeFile(file, '')
    const reason = new Error('enough')
    await expect(loadConfig({ file, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
