import type { RegistryStatus } from '@registry/types'
import type { Command } from 'commander'
import { bytes, duration, fields, plural, print, printJson } from '../output.ts'
import { connectToPeer } from '../peer.ts'
import { does, verb } from '../verb.ts'

export function statusVerb(): Command {
  const command = verb('status', {
    summary: 'Say who the peer is, whom it is connected to and what it has.',
    example: 'registry status --json'
  })
  return does(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    const status = await client.status({ signal })
    if (options.json) printJson({ ...status, http: client.url })
    else print(...describe(status, client.url))
  })
}

function describe(status: RegistryStatus, http: string): string[] {
  const { storage, requestLatencyMs: latency } = status
  const synced = status.lastSyncedAtMs === null ? 'never' : new Date(status.lastSyncedAtMs).toISOString()
  return fields([
    ['Peer', status.peerId],
    ['Owner', status.owner],
    ['Network', status.network],
    ...status.addresses.map((address, index): [string, string] => [index === 0 ? 'Addresses' : '', address]),
    ['Local API', http],
    ['Data', status.dataDir],
    ['Up for', duration(status.uptimeMs)],
    ['Peers', `${status.connectedPeers} connected, ${status.knownPeers} known`],
    ['Catalogue', `${plural(status.packages, 'package')}, ${plural(status.releases, 'release')}`],
    [
      'Stored',
      `${plural(storage.blobs, 'content')}, ${bytes(storage.bytes)} of ${bytes(storage.quotaBytes)}`
    ],
    ['Last equal', synced],
    ['To announce', plural(status.pendingAnnouncements, 'release')],
    ['DHT queries', share(status.dhtQuerySuccessRate, 'answered')],
    ['Providers', share(status.cacheHitRate, 'found without the DHT')],
    ['Gossip', share(status.gossipDeliveryRate, 'of own news heard by others')],
    [
      'Requests',
      latency === null ? undefined : `p50 ${latency.p50} ms, p95 ${latency.p95} ms, p99 ${latency.p99} ms`
    ]
  ])
}

function share(value: number | null, of: string): string | undefined {
  return value === null ? undefined : `${(value * 100).toFixed(1)} % ${of}`
}
