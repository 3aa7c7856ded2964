/**
 * @packageDocumentation
 *
 * `MarketplaceBehaviour`: the libp2p node of a peer with discovery, routing, gossip and the package protocols at work on
 * one store, and the policies that steer it as pure functions of inputs and a time. Opens sockets and, when told where, a
 * database for what libp2p remembers; keeps no records itself.
 */

export { type MarketplaceBehaviourComponents, marketplaceBehaviour } from './behaviour.ts'
export {
  ConnectionTimeoutError,
  InvalidAddressError,
  KeyTypeMismatchError,
  NotRunningError,
  PeerFileError,
  PeerUnreachableError,
  PortInUseError,
  ScopeAbsentError,
  type SyncLimit,
  SyncLimitError,
  TooManyRecordsError,
  TooManyScopesError,
  TransportUnavailableError
} from './errors.ts'
export {
  decodeGossipMessage,
  encodeGossipMessage,
  GOSSIP_LIMITS,
  gossipMessageId
} from './gossip-message.ts'
export {
  BEHAVIOUR_DEFAULTS,
  type BootstrapInit,
  type CatalogueInit,
  type DhtInit,
  type GossipsubInit,
  type LimitsInit,
  type MarketplaceBehaviourInit,
  type NetworkInit,
  type SyncInit,
  type TransportProtocol
} from './init.ts'
export { loadOrCreatePeerKey, type PeerKeyFile, type PeerKeyType } from './peer-key.ts'
export {
  type Acceptance,
  type AcceptanceEffect,
  type AcceptanceInit,
  type AcceptanceInput,
  type AcceptanceOutcome,
  acceptance
} from './policy/acceptance.ts'
export {
  type AnnouncementEffect,
  type AnnouncementInput,
  type Announcements,
  type AnnouncementsInit,
  announcements
} from './policy/announcements.ts'
export {
  type PeerConduct,
  type PeerScore,
  type PeerScoreEffect,
  type PeerScoreInit,
  type PeerScoreInput,
  peerScore
} from './policy/peer-score.ts'
export {
  type RateLimit,
  type RateLimitEffect,
  type RateLimitInit,
  type RateLimitInput,
  rateLimit
} from './policy/rate-limit.ts'
export {
  type Freshness,
  type Replication,
  type ReplicationEffect,
  type ReplicationInit,
  type ReplicationInput,
  replication
} from './policy/replication.ts'
