import { isRegistryError } from '@registry/types'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidConfigError, parseConfig } from '../src/index.ts'
import { EXAMPLES, exampleConfig } from './settings.ts'

function reasonsOf(value: unknown): string[] {
  try {
    parseConfig(value)
    return []
  } catch (error) {
    if (error instanceof InvalidConfigError)
      return error.faults.map(({ path, reason }) => `${path}: ${reason}`)
    throw error
  }
}

describe('settings of a program', () => {
  it('come out as they are', () => {
    expect(parseConfig(exampleConfig())).toEqual(exampleConfig())
    expect(parseConfig({})).toEqual({})
  })

  it('may be left undefined', () => {
    expect(parseConfig({ network: { name: undefined, minPeers: 1 }, dht: undefined })).toEqual({
      network: { minPeers: 1 }
    })
  })

  it('are the same when parsed again, whatever part of them is given', () => {
    fc.assert(
      fc.property(fc.subarray(Object.entries(EXAMPLES)), (some) => {
        const sections: Record<string, Record<string, unknown>> = {}
        for (const [path, { value }] of some) {
          const [section = '', key = ''] = path.split('.')
          sections[section] = { ...sections[section], [key]: value }
        }
        const parsed = parseConfig(sections)
        expect(parsed).toEqual(sections)
        expect(parseConfig(parsed)).toEqual(parsed)
      })
    )
  })

  it('of any other form are a typed error', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        try {
          parseConfig(value)
          return true
        } catch (error) {
          return isRegistryError(error, 'ERR_INVALID_CONFIG')
        }
      })
    )
    expect(reasonsOf(undefined)).toEqual(['configuration: must be a table'])
    expect(reasonsOf([])).toEqual(['configuration: must be a table'])
  })

  it.each([
    ['network.name', '', 'must not be empty'],
    ['network.name', 'a'.repeat(33), 'must be at most 32 characters long'],
    ['network.name', 'a.b', 'must be made of'],
    ['network.name', '-a', 'must be made of'],
    ['network.maxConnections', 0, 'must be a whole number from 1 to 65535'],
    ['network.maxConnections', 1.5, 'must be a whole number from 1 to 65535'],
    ['network.maxConnections', '5', 'must be a whole number from 1 to 65535'],
    ['network.protocols', [], 'must not be empty'],
    ['network.protocols', 'tcp', 'must be a list'],
    ['network.connectionTimeoutMs', 2 ** 31, 'must be a whole number from 1 to 2147483647'],
    ['security.keyType', 'ed25519', 'must be "Ed25519" or "Secp256k1" or "RSA"'],
    ['security.noiseEnabled', false, 'must be true: '],
    ['bootstrap.mdns', 'true', 'must be true or false'],
    ['dht.protocolName', 'kad', 'must start with "/"'],
    ['limits.maxPackageBytes', 2 ** 40, 'must be a whole number from 1 to 536870912'],
    ['http.listen', '127.0.0.1:65536', 'must be HOST:PORT'],
    ['http.listen', '::1:80', 'must be HOST:PORT'],
    ['http.listen', 4873, 'must be a text'],
    ['gateway.publicUrl', 'packages.example.org', 'must be an address'],
    ['gateway.publicUrl', 'ftp://packages.example.org', 'must be an address'],
    ['names.dnsServers', '192.0.2.1', 'must be a list'],
    ['gateway.mirrors', '*', 'must be a list'],
    ['gateway.origins', 'peers', 'must be a list']
  ])('%s refuses %j', (path, value, reason) => {
    const [section = '', key = ''] = path.split('.')
    const [first, ...others] = reasonsOf({ [section]: { [key]: value } })
    expect(first).toContain(`${path}: ${reason}`)
    expect(others).toEqual([])
  })

  it('name the entry of a list that is wrong', () => {
    expect(reasonsOf({ network: { protocols: ['tcp', 'udp'] } })).toEqual([
      'network.protocols[1]: must be "tcp" or "websocket" or "quic"'
    ])
    const bad = ['/ip4/192.0.2.1/tcp/1', 'x', { peerId: 'Qm' }, { peerId: 'Qm', address: '/x', more: 1 }]
    expect(reasonsOf({ bootstrap: { nodes: bad } })).toEqual(
      bad.map((_, index) =>
        expect.stringContaining(`bootstrap.nodes[${index}]: must be a multiaddr that ends in`)
      )
    )
  })

  it('name shards that there are, each once, and of a peer that keeps any', () => {
    const reasons = (catalogue: object): string[] => reasonsOf({ catalogue })
    expect(reasons({ shardBits: 2, shards: [0, 3] })).toEqual([])
    expect(reasons({ shards: [1] })).toEqual([expect.stringContaining('catalogue.shards: must be below 1')])
    expect(reasons({ shardBits: 2, shards: [4, 1, 1] })).toEqual([
      expect.stringContaining('must be below 4'),
      expect.stringContaining('must not name a shard twice')
    ])
    expect(reasons({ mode: 'light', shards: [0] })).toEqual([expect.stringContaining('must be left out')])
    expect(reasons({ shardBits: 2, shards: [] })).toEqual(['catalogue.shards: must not be empty'])
  })

  it('have the order that their meaning wants', () => {
    expect(reasonsOf({ network: { minPeers: 5, maxConnections: 4 } })).toHaveLength(1)
    expect(reasonsOf({ network: { minPeers: 4, maxConnections: 4 } })).toEqual([])
    expect(
      reasonsOf({ gossipsub: { meshLow: 7, meshSize: 6, meshHigh: 5, historyLength: 1, historyGossip: 2 } })
    ).toHaveLength(3)
  })
})

describe('a misspelt key', () => {
  it.each([
    ['max_connections', 'network', 'maxConnections'],
    ['MaxConnections', 'network', 'maxConnections'],
    ['maxConnection', 'network', 'maxConnections'],
    ['listenAdresses', 'network', 'listenAddresses'],
    ['queryTimeout', 'dht', 'queryTimeoutMs'],
    ['quotaBytes', 'limits', 'storage.quotaBytes']
  ])('%s in %s is answered with %s', (key, section, meant) => {
    expect(reasonsOf({ [section]: { [key]: 1 } })).toEqual([
      `${section}.${key}: is not known; did you mean ${meant}?`
    ])
  })

  it('far from everything is not guessed at', () => {
    expect(reasonsOf({ network: { colour: 1 } })).toEqual(['network.colour: is not known'])
    expect(reasonsOf({ ['x'.repeat(5000)]: 1 })).toHaveLength(1)
  })

  it('without its section is answered with the section', () => {
    expect(reasonsOf({ maxConnections: 1 })).toEqual([
      'maxConnections: is not known; did you mean network.maxConnections?'
    ])
  })
})
