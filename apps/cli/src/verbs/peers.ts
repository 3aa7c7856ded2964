import type { ControlClient } from '@registry/control'
import type { ConnectedPeer, DiscoveredPeer } from '@registry/types'
import { type Command, Option } from 'commander'
import { agreementText, holdingsText } from '../completeness.ts'
import { PeerNotFoundError } from '../errors.ts'
import { ago, duration, fields, print, printJson, table } from '../output.ts'
import { type CommonOptions, connectToPeer } from '../peer.ts'
import { showProgress } from '../progress.ts'
import { does, verb, verbGroup } from '../verb.ts'

interface PeersListOptions extends CommonOptions {
  verbose?: boolean
  known?: boolean
  format: 'table' | 'json'
}

export function peersVerb(): Command {
  return verbGroup('peers', 'See whom the peer is connected to, and change it.', [
    listVerb(),
    infoVerb(),
    connectVerb(),
    disconnectVerb()
  ])
}

function listVerb(): Command {
  const command = verb('list', {
    summary: 'List the peers connected now.',
    example: 'registry peers list --verbose'
  })
    .option('--known', 'list every peer whose address is known, connected or not')
    .option('--verbose', 'with addresses and programs')
    .addOption(new Option('--format <format>', 'how to print').choices(['table', 'json']).default('table'))
  return does<[], PeersListOptions>(command, async (options, signal) => {
    const client = await connectToPeer(options, { signal })
    const peers = options.known ? await client.knownPeers({ signal }) : await client.peers({ signal })
    if (options.json || options.format === 'json') return printJson({ peers })
    if (peers.length === 0) return print(options.known ? 'No peer is known.' : 'No peer is connected.')
    const [columns, cells] = columnsOf(peers, options.verbose === true)
    print(...table(columns, cells))
  })
}

function infoVerb(): Command {
  const command = verb('info <peer-id>', {
    summary: 'Show what is known of a peer.',
    example: 'registry peers info 12D3KooW…'
  })
  return does<[string], CommonOptions>(command, async (options, signal, peerId) => {
    const client = await connectToPeer(options, { signal })
    const peer = await find(client, peerId, signal)
    if (options.json) printJson(peer)
    else print(...describe(peer))
  })
}

function connectVerb(): Command {
  const command = verb('connect <multiaddr>', {
    summary: 'Connect to a peer now.',
    example: 'registry peers connect /ip4/192.0.2.7/tcp/4801/p2p/12D3KooW…'
  })
  return does<[string], CommonOptions>(command, async (options, signal, address) => {
    const client = await connectToPeer(options, { signal })
    const progress = showProgress(`Connecting to ${address}`)
    try {
      const peer = await client.connect(address, { signal })
      if (options.json) printJson(peer)
      else print(`Connected to ${peer.peerId}.`)
    } finally {
      progress.end()
    }
  })
}

function disconnectVerb(): Command {
  const command = verb('disconnect <peer-id>', {
    summary: 'Close the connection to a peer, and forget its addresses until it is met again.',
    example: 'registry peers disconnect 12D3KooW…'
  })
  return does<[string], CommonOptions>(command, async (options, signal, peerId) => {
    const client = await connectToPeer(options, { signal })
    if (!(await client.disconnect(peerId, { signal }))) throw new PeerNotFoundError(peerId)
    if (options.json) printJson({ peerId, disconnected: true })
    else print(`Disconnected from ${peerId}.`)
  })
}

async function find(
  client: ControlClient,
  peerId: string,
  signal: AbortSignal
): Promise<ConnectedPeer | DiscoveredPeer> {
  const isIt = (peer: { peerId: string }): boolean => peer.peerId === peerId
  const peer = (await client.peers({ signal })).find(isIt) ?? (await client.knownPeers({ signal })).find(isIt)
  if (peer === undefined) throw new PeerNotFoundError(peerId)
  return peer
}

function describe(peer: ConnectedPeer | DiscoveredPeer): string[] {
  const addresses = peer.addresses.map((address, index): [string, string] => [
    index === 0 ? 'Addresses' : '',
    address
  ])
  if (!isConnected(peer)) {
    const seen = new Date(peer.lastSeenMs).toISOString()
    return fields([
      ['Peer', peer.peerId],
      ['Connected', 'no'],
      ['Found by', peer.method],
      ['Last seen', seen],
      ...addresses
    ])
  }
  return fields([
    ['Peer', peer.peerId],
    ['Connected', `${peer.direction}, for ${duration(Date.now() - peer.connectedSinceMs)}`],
    ['Reputation', `${peer.reputation.toFixed(0)} of 100`],
    ['Catalogue', agreementText(peer)],
    ['Holds', holdingsText(peer.holds)],
    ['Program', peer.agent],
    ...addresses
  ])
}

function columnsOf(
  peers: ReadonlyArray<ConnectedPeer | DiscoveredPeer>,
  isVerbose: boolean
): [string[], string[][]] {
  const isKnown = peers.some((peer) => !isConnected(peer))
  const columns = isKnown
    ? ['PEER', 'FOUND BY', 'LAST SEEN']
    : ['PEER', 'DIRECTION', 'SINCE', 'REPUTATION', 'IN SYNC', 'COMPARED']
  const cells = peers.map((peer) =>
    isConnected(peer)
      ? [
          peer.peerId,
          peer.direction,
          duration(Date.now() - peer.connectedSinceMs),
          peer.reputation.toFixed(0),
          peer.otherNetwork === true ? 'other network' : peer.inSync ? 'yes' : 'no',
          ago(peer.comparedAtMs)
        ]
      : [peer.peerId, peer.method, new Date(peer.lastSeenMs).toISOString()]
  )
  if (!isVerbose) return [columns, cells]
  const more = peers.map((peer) => [
    ...(isConnected(peer) ? [holdingsText(peer.holds), peer.agent ?? ''] : []),
    peer.addresses.join(' ')
  ])
  return [
    [...columns, ...(isKnown ? [] : ['HOLDS', 'PROGRAM']), 'ADDRESSES'],
    cells.map((row, index) => [...row, ...(more[index] ?? [])])
  ]
}

function isConnected(peer: ConnectedPeer | DiscoveredPeer): peer is ConnectedPeer {
  return 'connectedSinceMs' in peer
}
