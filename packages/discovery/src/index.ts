/**
 * @packageDocumentation
 *
 * Finds the peers of a network by the methods Bootstrap, MDNS, DHT and Manual, remembers them in libp2p's peer store so
 * that they survive a restart, and keeps a minimum of connections open. When to dial whom is a pure function.
 */

export type { BookPeerStore } from './address-book.ts'
export { type BootstrapStrategyInit, bootstrapStrategy } from './bootstrap-strategy.ts'
export {
  DHT_STRATEGY_DEFAULTS,
  type DhtStrategyComponents,
  type DhtStrategyInit,
  dhtStrategy
} from './dht-strategy.ts'
export {
  backoffMs,
  type DialCandidate,
  type DialInput,
  type DialPlan,
  failuresAfterConnection,
  planDials
} from './dial-policy.ts'
export { InvalidAddressError } from './errors.ts'
export {
  MDNS_STRATEGY_DEFAULTS,
  type MdnsStrategyComponents,
  type MdnsStrategyInit,
  mdnsStrategy
} from './mdns-strategy.ts'
export {
  type ParsedAddress,
  type PeerAddress,
  parseAddress,
  parsePeerAddress,
  parsePeerId,
  peerIdText
} from './peer-address.ts'
export {
  DISCOVERY_DEFAULTS,
  type DialManager,
  type PeerDiscoveryComponents,
  type PeerDiscoveryInit,
  peerDiscovery
} from './peer-discovery.ts'
