import type { CatalogueHoldings } from '@registry/types'
import { describe, expect, it } from 'vitest'
import { BEHAVIOUR_DEFAULTS, type CatalogueInit } from '../src/index.ts'
import { holdingsOf, reconcileProtocol, recordsTopic, resolveInit } from '../src/init.ts'

describe('the init', () => {
  it('is all defaults when it says nothing', () => {
    expect(resolveInit({})).toEqual(BEHAVIOUR_DEFAULTS)
  })

  it('overrides field by field', () => {
    const settings = resolveInit({ network: { minPeers: 9 }, gossipsub: { meshSize: 5 } })
    expect(settings.network).toEqual({ ...BEHAVIOUR_DEFAULTS.network, minPeers: 9 })
    expect(settings.gossipsub).toEqual({ ...BEHAVIOUR_DEFAULTS.gossipsub, meshSize: 5 })
  })

  it('puts the network into the name of every protocol', () => {
    const settings = resolveInit({ network: { name: 'home' } })
    expect(settings.dht.protocolName).toBe('/p2p-registry/home/kad/1.0.0')
    expect(recordsTopic(settings)).toBe('p2p-registry/home/records/1.0.0')
    expect(reconcileProtocol(settings)).toBe('/p2p-registry/home/reconcile/1.0.0')
  })

  it('listens on a free port for each transport that is switched on', () => {
    expect(resolveInit({ network: { protocols: ['tcp', 'quic'] } }).network.listenAddresses).toEqual([
      '/ip4/0.0.0.0/tcp/0',
      '/ip4/0.0.0.0/udp/0/quic-v1'
    ])
  })

  it.each(['', 'Main', 'a/b', 'a b', '-a', 'x'.repeat(33)])('refuses the network name %j', (name) => {
    expect(() => resolveInit({ network: { name } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_VALUE' })
    )
  })

  it.each([
    ['historyGossip', { historyLength: 2 }],
    ['meshLow', { meshSize: 3 }],
    ['meshSize', { meshSize: 13 }]
  ])('refuses gossipsub.%s above its bound, be that a default', (field, gossipsub) => {
    expect(() => resolveInit({ gossipsub })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_VALUE',
        details: expect.objectContaining({ field: `gossipsub.${field}` })
      })
    )
  })

  it.each<[CatalogueInit, CatalogueHoldings]>([
    [{}, { mode: 'full' }],
    [{ mode: 'light' }, { mode: 'light' }],
    [
      { shardBits: 2, shards: [3, 0, 3] },
      { mode: 'shards', bits: 2, shards: [0, 3] }
    ],
    [{ shardBits: 1, shards: [1, 0] }, { mode: 'full' }]
  ])('keeps with %j this of the catalogue: %j', (catalogue, holds) => {
    expect(holdingsOf(resolveInit({ catalogue }))).toEqual(holds)
  })

  it.each<CatalogueInit>([
    { shardBits: 9 },
    { shardBits: -1 },
    { shardBits: 0.5 },
    { shards: [] },
    { shards: [1] },
    { shardBits: 2, shards: [4] },
    { shardBits: 2, shards: [0.5] },
    { mode: 'light', shardBits: 1, shards: [0] }
  ])('refuses a catalogue of %j', (catalogue) => {
    expect(() => resolveInit({ catalogue })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_VALUE' }))
  })

  it('has defaults that nobody can change', () => {
    expect(Object.isFrozen(BEHAVIOUR_DEFAULTS)).toBe(true)
    for (const section of Object.values(BEHAVIOUR_DEFAULTS)) {
      expect(Object.isFrozen(section)).toBe(true)
      for (const value of Object.values(section)) expect(Object.isFrozen(value)).toBe(true)
    }
  })
})
