/**
 * @packageDocumentation
 *
 * What peers ask each other, as bytes on libp2p streams: lookup, reconcile, snapshot and content, with every bound
 * explicit. Requests are pipelined on one stream a peer and protocol. Nothing is decided, cached, verified or tried again
 * here.
 */

export { MAX_ANNOUNCED, MAX_HOLDINGS } from './content.ts'
export {
  NotRunningError,
  PeerBusyError,
  PeerUnreachableError,
  ProtocolError,
  RemoteError,
  RequestTimeoutError,
  TooManyRequestsError
} from './errors.ts'
export { MAX_NAME_RECORDS, MAX_SEARCH_HITS } from './lookup.ts'
export {
  PACKAGE_PROTOCOL_DEFAULTS,
  type PackageProtocolComponents,
  type PackageProtocolInit,
  packageProtocol,
  type StreamRegistrar
} from './package-protocol.ts'
export {
  MAX_GIVEN,
  MAX_GIVEN_BYTES,
  MAX_PROBES_BYTES,
  MAX_RECORD_IDS,
  MAX_SYMBOLS,
  MAX_WANTED
} from './reconcile.ts'
export { MAX_ANSWERED_BYTES } from './records.ts'
export type { ConnectionOpener } from './request-client.ts'
