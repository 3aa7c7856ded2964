/**
 * @packageDocumentation
 *
 * npm's HTTP API over a registry: npm, pnpm, yarn and bun publish to a peer on their own machine and install from it. It
 * answers from the catalogue of that peer, signs as its owner, and knows nothing of how packages travel.
 */

export {
  BodyTooLargeError,
  DiskRefusedError,
  ForeignNameError,
  HostRefusedError,
  InvalidUploadError,
  ManifestMismatchError,
  MethodRefusedError,
  NameTakenError,
  NothingFoundError,
  OriginRefusedError,
  PublishedBeforeError,
  StaleDocumentError,
  TooManyUploadsError,
  UnauthorizedError,
  UnsupportedError,
  UpstreamMismatchError,
  UpstreamUnavailableError
} from './errors.ts'
export {
  GATEWAY_DEFAULTS,
  type Gateway,
  type GatewayComponents,
  type GatewayInit,
  gateway
} from './gateway.ts'
export { parseNpmName } from './names.ts'
export { openTokens, type TokenInfo, type Tokens, tokensFolder } from './tokens.ts'
