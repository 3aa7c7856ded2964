import { expect, it } from 'vitest'
import * as behaviour from '../src/index.ts'

it('exports these names and no others', () => {
  expect(Object.keys(behaviour).sort()).toEqual([
    'BEHAVIOUR_DEFAULTS',
    'ConnectionTimeoutError',
    'GOSSIP_LIMITS',
    'InvalidAddressError',
    'KeyTypeMismatchError',
    'NotRunningError',
    'PeerFileError',
    'PeerUnreachableError',
    'PortInUseError',
    'ScopeAbsentError',
    'SyncLimitError',
    'TooManyRecordsError',
    'TooManyScopesError',
    'TransportUnavailableError',
    'acceptance',
    'announcements',
    'decodeGossipMessage',
    'encodeGossipMessage',
    'gossipMessageId',
    'loadOrCreatePeerKey',
    'marketplaceBehaviour',
    'peerScore',
    'rateLimit',
    'replication'
  ])
})
