/**
 * @packageDocumentation
 *
 * Who has a content, and getting it from them: a bounded cache of providers with a measured reputation, the provider
 * records of this peer kept alive in the DHT, and fetches from several providers at once, verified block by block.
 */

export {
  CONTENT_ROUTER_DEFAULTS,
  type ContentRouterComponents,
  type ContentRouterInit,
  contentRouter
} from './content-router.ts'
export {
  FetchTimeoutError,
  HashMismatchError,
  NoProvidersError,
  NotProvidedError,
  RouterStoppedError
} from './errors.ts'
export {
  afterExchange,
  type ExchangeOutcome,
  type ProviderHistory,
  reputationOf,
  smoothLatency
} from './reputation.ts'
