import type { ConnectedPeer, RegistryStatus } from '@registry/types'
import type { Command } from 'commander'
import { agreementText, completenessText, syncText } from '../completeness.ts'
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
    const peers = await client.peers({ signal })
    if (options.json) printJson({ ...status, http: client.url, peers })
    else print(...describe(status, client.url, peers))
  })
}

function describe(status: RegistryStatus, http: string, peers: readonly ConnectedPeer[]): string[] {
  const { storage, requestLatencyMs: latency } = status
  const synced = status.lastSyncedAtMs === null ? 'never' : new Date(status.lastSyncedAtMs).toISOString()
  return fields([
    ['Peer', status.peerId],
    ['Owner', status.owner],
    ['Network', status.network],
    ...rows('Addresses', status.addresses),
    ['Local API', http],
    ['Data', status.dataDir],
    ['Up for', duration(status.uptimeMs)],
    ['Peers', `${status.connectedPeers} connected, ${status.knownPeers} known`],
    ['Catalogue', `${plural(status.packages, 'package')}, ${plural(status.releases, 'release')}`],
    [
      'Stored',
      `${plural(storage.blobs, 'content')}, ${bytes(storage.bytes)} of ${bytes(storage.quotaBytes)}`
    ],
    ['', completenessText(status.completeness)],
    ['Last equal', synced],
    ...rows('Syncing', status.syncing.map(syncText)),
    ...rows(
      'Agreement',
      peers.map((peer) => `${peer.peerId}: ${agreementText(peer)}`)
    ),
    ['To announce', plural(status.pendingAnnouncements, 'record')],
    ['DHT queries', share(status.dhtQuerySuccessRate, 'answered')],
    ['Providers', share(status.cacheHitRate, 'found without the DHT')],
    ['Gossip', share(status.gossipDeliveryRate, 'of own news heard by others')],
    [
      'Requests',
      latency === null ? undefined : `p50 ${latency.p50} ms, p95 ${latency.p95} ms, p99 ${latency.p99} ms`
    ]
  ])
}

function rows(label: string, values: readonly string[]): Array<[string, string]> {
  return values.map((value, index) => [index === 0 ? label : '', value])
}

function share(value: number | null, of: string): string | undefined {
  return value === null ? undefined : `${(value * 100).toFixed(1)} % ${of}`
}
