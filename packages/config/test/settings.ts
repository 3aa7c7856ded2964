import type { P2PConfig } from '../src/index.ts'

/** A value for each setting, with the text that says the same in a variable. */
export const EXAMPLES: Record<string, { value: unknown; text: string }> = {
  'network.name': { value: 'team-7', text: 'team-7' },
  'network.listenAddresses': {
    value: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'],
    text: '/ip4/127.0.0.1/tcp/0, /ip6/::1/tcp/0'
  },
  'network.announceAddresses': { value: ['/dns4/a.example/tcp/4001'], text: '/dns4/a.example/tcp/4001' },
  'network.protocols': { value: ['tcp', 'quic'], text: 'tcp,quic' },
  'network.maxConnections': { value: 20, text: '20' },
  'network.minPeers': { value: 0, text: '0' },
  'network.connectionTimeoutMs': { value: 5000, text: '5000' },
  'network.idleTimeoutMs': { value: 1000, text: '1000' },
  'security.noiseEnabled': { value: true, text: 'true' },
  'security.keyType': { value: 'Secp256k1', text: 'Secp256k1' },
  'security.identityPath': { value: '/srv/identity.key', text: '/srv/identity.key' },
  'bootstrap.enabled': { value: false, text: 'false' },
  'bootstrap.nodes': {
    value: ['/ip4/192.0.2.1/tcp/4001/p2p/QmPeer'],
    text: '/ip4/192.0.2.1/tcp/4001/p2p/QmPeer'
  },
  'bootstrap.mdns': { value: false, text: 'false' },
  'bootstrap.retryIntervalMs': { value: 60_000, text: '60000' },
  'dht.enabled': { value: true, text: 'true' },
  'dht.server': { value: false, text: 'false' },
  'dht.protocolName': { value: '/mine/kad/1.0.0', text: '/mine/kad/1.0.0' },
  'dht.replication': { value: 8, text: '8' },
  'dht.queryTimeoutMs': { value: 9000, text: '9000' },
  'dht.providerRecordTtlMs': { value: 3_600_000, text: '3600000' },
  'dht.cacheSize': { value: 10, text: '10' },
  'gossipsub.heartbeatIntervalMs': { value: 700, text: '700' },
  'gossipsub.historyLength': { value: 6, text: '6' },
  'gossipsub.historyGossip': { value: 4, text: '4' },
  'gossipsub.meshSize': { value: 8, text: '8' },
  'gossipsub.meshLow': { value: 6, text: '6' },
  'gossipsub.meshHigh': { value: 16, text: '16' },
  'gossipsub.topicPrefix': { value: 'mine', text: 'mine' },
  'sync.intervalMs': { value: 30_000, text: '30000' },
  'catalogue.mode': { value: 'full', text: 'full' },
  'catalogue.shardBits': { value: 3, text: '3' },
  'catalogue.shards': { value: [0], text: '0' },
  'catalogue.holdersTimeoutMs': { value: 900, text: '900' },
  'names.dnsServers': { value: ['192.0.2.1', '[2001:db8::1]:5353'], text: '192.0.2.1, [2001:db8::1]:5353' },
  'storage.quotaBytes': { value: 2 ** 40, text: String(2 ** 40) },
  'limits.recordsPerSecondPerPeer': { value: 50, text: '50' },
  'limits.requestsPerSecondPerPeer': { value: 500, text: '500' },
  'limits.maxPackageBytes': { value: 1_000_000, text: '1000000' },
  'http.listen': { value: '[::1]:0', text: '[::1]:0' },
  'gateway.publicUrl': {
    value: 'https://packages.example.org/npm',
    text: 'https://packages.example.org/npm'
  },
  'gateway.origins': {
    value: ['@acme/* peers', '* https://registry.example.org/'],
    text: '@acme/* peers, * https://registry.example.org/'
  },
  'gateway.mirrors': { value: ['*'], text: '*' }
}

/** The examples in their sections. */
export function exampleConfig(): P2PConfig {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const [path, { value }] of Object.entries(EXAMPLES)) {
    const [section = '', key = ''] = path.split('.')
    sections[section] = { ...sections[section], [key]: value }
  }
  return sections as unknown as P2PConfig
}
