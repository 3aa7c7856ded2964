import { expect, it } from 'vitest'
import * as discovery from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(discovery).sort()).toEqual([
    'DHT_STRATEGY_DEFAULTS',
    'DISCOVERY_DEFAULTS',
    'InvalidAddressError',
    'MDNS_STRATEGY_DEFAULTS',
    'backoffMs',
    'bootstrapStrategy',
    'dhtStrategy',
    'failuresAfterConnection',
    'mdnsStrategy',
    'parseAddress',
    'parsePeerAddress',
    'parsePeerId',
    'peerDiscovery',
    'peerIdText',
    'planDials'
  ])
})
